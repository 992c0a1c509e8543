"""Held leads: an index of the few enrolments that an edit left without a place.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-26
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def _wait_briefly_for_locks() -> None:
    """A migration that waits behind a long transaction blocks every query that comes after it."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '5s'")


def upgrade() -> None:
    _wait_briefly_for_locks()
    held = sa.text("status = 'held'")
    op.create_index("ix_enrolments_held", "enrolments", ["track"], sqlite_where=held, postgresql_where=held)


def downgrade() -> None:
    _wait_briefly_for_locks()
    op.drop_index("ix_enrolments_held", "enrolments")
