"""Positions: how far the workflow knows the read model to be, by length and digest, and the send that is under way.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-26
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def _wait_briefly_for_locks() -> None:
    """A migration that waits behind a long transaction blocks every query that comes after it."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '5s'")


def upgrade() -> None:
    _wait_briefly_for_locks()
    with op.batch_alter_table("enrolments") as enrolments:
        enrolments.add_column(sa.Column("length", sa.Integer(), server_default="0", nullable=False))
        enrolments.add_column(sa.Column("digest", sa.String(length=16), server_default="", nullable=False))
        enrolments.add_column(sa.Column("open_touch", sa.String(length=32), nullable=True))


def downgrade() -> None:
    _wait_briefly_for_locks()
    with op.batch_alter_table("enrolments") as enrolments:
        for name in ("open_touch", "digest", "length"):
            enrolments.drop_column(name)
