"""Entry by segment: sweeps, and the stays of leads in segments.

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-27
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None


def _wait_briefly_for_locks() -> None:
    """A migration that waits behind a long transaction blocks every query that comes after it."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '5s'")


def _lengths(table: str, **columns: int) -> list[sa.CheckConstraint]:
    """SQLite holds no text to its length by itself."""
    if op.get_context().dialect.name != "sqlite":
        return []
    return [
        sa.CheckConstraint(f'length("{column}") <= {most}', name=op.f(f"ck_{table}_{column}_length"))
        for column, most in columns.items()
    ]


def upgrade() -> None:
    _wait_briefly_for_locks()
    op.create_table(
        "sweeps",
        sa.Column("track", sa.String(length=64), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("swept_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("track", "segment", name=op.f("pk_sweeps")),
        *_lengths("sweeps", track=64),
    )
    op.create_table(
        "episodes",
        sa.Column("track", sa.String(length=64), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("enrolment_id", sa.String(length=160), nullable=True),
        sa.ForeignKeyConstraint(
            ["lead_id"], ["leads.id"], name=op.f("fk_episodes_lead_id_leads"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("track", "segment", "lead_id", name=op.f("pk_episodes")),
        *_lengths("episodes", track=64, lead_id=32, enrolment_id=160),
    )
    op.create_index(op.f("ix_episodes_lead_id"), "episodes", ["lead_id"])


def downgrade() -> None:
    _wait_briefly_for_locks()
    op.drop_table("episodes")
    op.drop_table("sweeps")
