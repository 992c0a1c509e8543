"""The words of strangers, which Temporal knows by reference alone.

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-27
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None


def _wait_briefly_for_locks() -> None:
    """A migration that waits behind a long transaction blocks every query that comes after it."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '5s'")


def upgrade() -> None:
    _wait_briefly_for_locks()
    checks = []
    if op.get_context().dialect.name == "sqlite":
        checks = [sa.CheckConstraint('length("enrolment_id") <= 160', name=op.f("ck_words_enrolment_id_length"))]
    op.create_table(
        "words",
        sa.Column("enrolment_id", sa.String(length=160), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["enrolment_id"],
            ["enrolments.id"],
            name=op.f("fk_words_enrolment_id_enrolments"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("enrolment_id", "ref", name=op.f("pk_words")),
        *checks,
    )
    traits = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.add_column("enrolments", sa.Column("traits", traits, nullable=True))


def downgrade() -> None:
    _wait_briefly_for_locks()
    op.drop_column("enrolments", "traits")
    op.drop_table("words")
