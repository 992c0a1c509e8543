"""What people asked of journeys and these have yet to hear; since when and because of what a journey is stuck.

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-26
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def _wait_briefly_for_locks() -> None:
    """A migration that waits behind a long transaction blocks every query that comes after it."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '5s'")


def upgrade() -> None:
    _wait_briefly_for_locks()
    stuck = sa.text("stuck_since IS NOT NULL")
    with op.batch_alter_table("enrolments") as enrolments:
        enrolments.add_column(sa.Column("stuck_since", sa.DateTime(timezone=True), nullable=True))
        enrolments.add_column(sa.Column("stuck", sa.Text(), nullable=True))
    op.create_index("ix_enrolments_stuck", "enrolments", ["track"], sqlite_where=stuck, postgresql_where=stuck)
    op.create_table(
        "asked",
        sa.Column("enrolment_id", sa.String(length=160), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("verb", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["enrolment_id"],
            ["enrolments.id"],
            name=op.f("fk_asked_enrolment_id_enrolments"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("enrolment_id", name=op.f("pk_asked")),
    )


def downgrade() -> None:
    _wait_briefly_for_locks()
    op.drop_table("asked")
    op.drop_index("ix_enrolments_stuck", "enrolments")
    with op.batch_alter_table("enrolments") as enrolments:
        for name in ("stuck", "stuck_since"):
            enrolments.drop_column(name)
