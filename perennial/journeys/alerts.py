"""Alerts: what a person should look at. A track's own step asks for one, and so does an edit that left doubts.

An alert about a reading is keyed by its words, so that a decision that is tried again, or the same code deployed again,
raises no second one. A held lead has one alert, which gives its latest reason.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import cast

from sqlalchemy import Table, and_, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Alert, Enrolment
from models.leads import LeadRow
from nurture.journey.decision import Decision
from nurture.journey.facts import Explained, Held
from nurture.journey.journal import Journal
from perennial.platform.database import Transaction, connection_of, upsert_ignore

DOUBTFUL = 3.0
"""A reading of an edit that costs as much is told to a person: it contradicts what was done more than once."""

READING = "edit:"
"""What the step key of an alert about a reading begins with; no step of a track is named like that."""

HOLD = "held"
STUCK = "stuck"
LOST = "lost"
"""The step key of the one alert of a journey that should run and that Temporal does not know."""

_ALERTS = cast("Table", Alert.__table__)
_RAISE = upsert_ignore(Alert)
_DROP = _ALERTS.delete().where(
    _ALERTS.c.enrolment_id == bindparam("enrolment"), _ALERTS.c.step_key == bindparam("step")
)
_NEW = insert(_ALERTS)
_RAISE_OR_REPLACE = _NEW.on_conflict_do_update(
    index_elements=["enrolment_id", "step_key"], set_={name: _NEW.excluded[name] for name in ("text", "at")}
)


@dataclass(frozen=True, slots=True)
class AlertLine:
    """What a person should look at: of one lead, or the same of several leads on a track, of whom one is named.

    `id` and `enrolment_id` are those of the one alert that the line is about, None for a line about an edit.
    """

    at: datetime
    text: str
    track: str
    step_key: str
    lead_id: str
    email: str
    leads: int = 1
    held: bool = False
    stuck: bool = False
    id: int | None = None
    enrolment_id: str | None = None


async def raise_alert(  # noqa: PLR0917 - the row's own order
    transaction: Transaction,
    enrolment_id: str,
    lead_id: str,
    step_key: str,
    text: str,
    at: datetime,
    *,
    replace: bool = False,
) -> None:
    """Write an alert. One that this step has raised already stays as it is, unless the new one is to replace it."""
    row = {"enrolment_id": enrolment_id, "lead_id": lead_id, "step_key": step_key, "text": text, "at": at}
    await (await connection_of(transaction)).execute(_RAISE_OR_REPLACE if replace else _RAISE, row)


async def drop_alert(transaction: Transaction, enrolment_id: str, step_key: str) -> None:
    """Take an alert away: what it asks for is done."""
    await (await connection_of(transaction)).execute(_DROP, {"enrolment": enrolment_id, "step": step_key})


async def raise_for_edit(  # noqa: PLR0917 - the row's own order
    transaction: Transaction, enrolment_id: str, lead_id: str, journal: Journal, decision: Decision, at: datetime
) -> None:
    """Write the alerts that a decision over a journal calls for: the lead is held now, or a new reading is doubtful.

    That a lead was put into its place by a person is no doubt.
    """
    placed = journal.released is not None and journal.explained is None
    for fact in decision.facts:
        match fact:
            case Held():
                text = f"held, nothing is sent: {'; '.join(fact.because)}"
                await raise_alert(transaction, enrolment_id, lead_id, HOLD, text, at, replace=True)
            case Explained() if fact.cost >= DOUBTFUL and not placed:
                said = "; ".join(fact.said)
                key = READING + sha256(said.encode()).hexdigest()[:16]
                await raise_alert(transaction, enrolment_id, lead_id, key, f"an edit was read with doubt: {said}", at)


async def latest_alerts(session: AsyncSession, most: int) -> list[AlertLine]:
    """The latest alerts, oldest first, at most that many lines.

    What an edit did to many leads alike is one line; a hold, and what a journey is stuck for, is told while it lasts.
    """
    lines = [*await _of_steps(session, most), *await _of_edits(session, most)]
    return sorted(lines, key=lambda line: (line.at, line.lead_id))[-most:]


_IS_READING = Alert.step_key.like(f"{READING}%")
_IS_HOLD = Alert.step_key == HOLD
_IS_STUCK = Alert.step_key == STUCK
_SAID = Alert.text != ""  # an erased lead's alert has lost its text


async def _of_steps(session: AsyncSession, most: int) -> list[AlertLine]:
    rows = await session.execute(
        select(Alert, Enrolment.track, LeadRow.email)
        .join(Enrolment, Enrolment.id == Alert.enrolment_id)
        .join(LeadRow, LeadRow.id == Alert.lead_id)
        .where(_SAID, ~_IS_READING, ~_IS_HOLD, ~_IS_STUCK)
        .order_by(Alert.id.desc())
        .limit(most)
    )
    return [
        AlertLine(
            alert.at,
            alert.text,
            track,
            alert.step_key,
            alert.lead_id,
            email,
            id=alert.id,
            enrolment_id=alert.enrolment_id,
        )
        for alert, track, email in rows
    ]


async def _of_edits(session: AsyncSession, most: int) -> list[AlertLine]:
    alike = (
        select(
            func.max(Alert.at).label("at"),
            Alert.text,
            Enrolment.track,
            Alert.step_key,
            func.min(Alert.lead_id).label("lead_id"),
            func.count().label("leads"),
        )
        .join(Enrolment, Enrolment.id == Alert.enrolment_id)
        .where(
            _SAID,
            or_(
                _IS_READING,
                and_(_IS_HOLD, Enrolment.status == HOLD),
                and_(_IS_STUCK, Enrolment.stuck_since.is_not(None)),
            ),
        )
        .group_by(Alert.text, Enrolment.track, Alert.step_key)
        .order_by(func.max(Alert.at).desc())
        .limit(most)
        .subquery()
    )
    rows = await session.execute(select(alike, LeadRow.email).join(LeadRow, LeadRow.id == alike.c.lead_id))
    return [
        AlertLine(at, text, track, key, lead_id, email, leads=leads, held=key == HOLD, stuck=key == STUCK)
        for at, text, track, key, lead_id, leads, email in rows
    ]
