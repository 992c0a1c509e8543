"""What is left in figures of rows whose time is over.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None


def _wait_briefly_for_locks() -> None:
    """A migration that waits behind a long transaction blocks every query that comes after it."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '5s'")


def upgrade() -> None:
    _wait_briefly_for_locks()
    op.create_table(
        "removed",
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("what", "name", name=op.f("pk_removed")),
    )
    op.create_table(
        "past_leads",
        sa.Column("lead_id", sa.String(length=32), nullable=False),
        sa.Column("touched", sa.Boolean(), nullable=False),
        sa.Column("top_score", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lead_id"],
            ["leads.id"],
            name=op.f("fk_past_leads_lead_id_leads"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("lead_id", name=op.f("pk_past_leads")),
    )


def downgrade() -> None:
    _wait_briefly_for_locks()
    op.drop_table("past_leads")
    op.drop_table("removed")
