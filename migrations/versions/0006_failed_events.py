"""Find the events that could not be passed on without reading the others.

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-26
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def _wait_briefly_for_locks() -> None:
    """A migration that waits behind a long transaction blocks every query that comes after it."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '5s'")


def upgrade() -> None:
    _wait_briefly_for_locks()
    failed = sa.text("state = 'failed'")
    op.create_index("ix_events_failed", "events", ["id"], sqlite_where=failed, postgresql_where=failed)


def downgrade() -> None:
    _wait_briefly_for_locks()
    op.drop_index("ix_events_failed", "events")
