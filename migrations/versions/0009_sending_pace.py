"""How much mail leaves in a minute and in an hour, and which leads come next.

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-26
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None


def _wait_briefly_for_locks() -> None:
    """A migration that waits behind a long transaction blocks every query that comes after it."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '5s'")


def upgrade() -> None:
    _wait_briefly_for_locks()
    op.create_table(
        "sending_pace",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=True),
        sa.Column("per_hour", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sending_pace")),
    )
    active = sa.text("status = 'active'")
    op.create_index("ix_enrolments_due", "enrolments", ["next_at"], sqlite_where=active, postgresql_where=active)


def downgrade() -> None:
    _wait_briefly_for_locks()
    op.drop_index("ix_enrolments_due", "enrolments")
    op.drop_table("sending_pace")
