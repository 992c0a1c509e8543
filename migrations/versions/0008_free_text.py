"""Free text has no length, and SQLite refuses an identifier that is too long as PostgreSQL does.

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-26
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

FREE = {
    "alerts": {"step_key": 160},
    "behaviours": {"subject": 255},
    "consents": {"source": 64, "wording": 64},
    "decisions": {"next": 160},
    "enrolments": {"cause": 128, "step": 160, "outcome": 64},
    "facts": {"key": 160},
    "hand_offs": {"step_key": 160, "to": 64},
    "removed": {"name": 200},
    "score_entries": {"reason": 255},
    "suppressions": {"source": 64},
    "touches": {"step_key": 160, "piece": 64, "provider_id": 128},
}
"""How long they were, by table and column."""

BOUNDED = {
    "alerts": {"enrolment_id": 160, "lead_id": 32},
    "api_keys": {"id": 16, "hash": 64, "name": 64},
    "asked": {"enrolment_id": 160, "id": 64, "verb": 8},
    "behaviours": {"id": 64, "lead_id": 32, "name": 32, "touch_id": 32},
    "consents": {"lead_id": 32, "action": 16, "basis": 32},
    "decisions": {"enrolment_id": 160},
    "enrolments": {"id": 160, "lead_id": 32, "track": 64, "status": 16, "digest": 16, "open_touch": 32},
    "events": {"source": 16, "event_id": 128, "fingerprint": 64, "lead_id": 32, "anonymous_id": 128, "state": 16},
    "facts": {"enrolment_id": 160, "kind": 16},
    "hand_offs": {"id": 32, "enrolment_id": 160, "lead_id": 32},
    "identities": {"kind": 16, "value": 128, "lead_id": 32},
    "leads": {
        "id": 32,
        "email": 320,
        "email_key": 320,
        "external_id": 128,
        "first_name": 128,
        "last_name": 128,
        "company": 200,
        "time_zone": 64,
        "country": 2,
        "stage": 32,
        "band": 16,
        "merged_into": 32,
    },
    "leases": {"name": 32, "holder": 64},
    "messages": {"touch_id": 32, "lead_id": 32, "to": 320, "sender": 320},
    "past_leads": {"lead_id": 32},
    "preferences": {"lead_id": 32, "topic": 64},
    "removed": {"what": 16},
    "score_entries": {"lead_id": 32, "rule": 64, "behaviour_id": 64},
    "suppressed_addresses": {"hash": 64, "reason": 32},
    "suppressions": {"lead_id": 32, "reason": 32},
    "touches": {
        "id": 32,
        "enrolment_id": 160,
        "lead_id": 32,
        "track": 64,
        "content_hash": 64,
        "state": 16,
        "delivery": 16,
    },
    "unheard": {"enrolment_id": 160, "behaviour_id": 64},
}
"""How long identifiers may be, by table and column."""


def _wait_briefly_for_locks() -> None:
    """A migration that waits behind a long transaction blocks every query that comes after it."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '5s'")


def upgrade() -> None:
    _wait_briefly_for_locks()
    sqlite = op.get_context().dialect.name == "sqlite"
    for table in sorted({*FREE, *BOUNDED} if sqlite else FREE):
        with op.batch_alter_table(table) as columns:
            for column, length in FREE.get(table, {}).items():
                columns.alter_column(column, existing_type=sa.String(length), type_=sa.Text())
            for column, length in BOUNDED.get(table, {}).items() if sqlite else ():
                name = op.f(f"ck_{table}_{column}_length")
                columns.create_check_constraint(name, f'length("{column}") <= {length}')


def downgrade() -> None:
    _wait_briefly_for_locks()
    sqlite = op.get_context().dialect.name == "sqlite"
    for table in sorted({*FREE, *BOUNDED} if sqlite else FREE):
        with op.batch_alter_table(table) as columns:
            for column, length in FREE.get(table, {}).items():
                columns.alter_column(column, existing_type=sa.Text(), type_=sa.String(length))
            for column in BOUNDED.get(table, {}) if sqlite else ():
                columns.drop_constraint(op.f(f"ck_{table}_{column}_length"), type_="check")
