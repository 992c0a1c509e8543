"""From a behaviour in the world to the journeys that hear of it: recorded once, scored, acted on, then signalled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.enrol import Enroller, workflow_id
from activities.rescore import rescore
from models.messages import Behaviour
from models.tables import BehaviourRow, Consent, Enrolment, Lead, ScoreEntry, Suppression
from nurture.behaviours import behaviour_kind
from nurture.errors import InputError, NotFoundError, RefusedError
from nurture.scoring import ScoringModel
from wiring.database import Database, lock_lead, upsert_ignore

SUPPRESSES = {
    "lead.opted_out": "opt-out",
    "email.complained": "complaint",
    "email.bounced": "hard-bounce",
}
"""Behaviours that act in the database at once, before any journey hears of them."""

LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Happening:
    """A behaviour as it is reported. `id` names it for good: reported twice, it counts once."""

    id: str
    lead_id: str
    name: str
    props: dict[str, Any]
    at: datetime

    @property
    def subject(self) -> str:
        """The one property that journeys match on; empty if the kind has none. A path loses its query."""
        wanted = behaviour_kind(self.name).subject
        value = str(self.props.get(wanted, "")) if wanted else ""
        if wanted == "path":
            value = value.partition("?")[0].partition("#")[0]
        return value[:LONGEST_SUBJECT]


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a happening: whether it was new, the score with it, and the tracks it concerns."""

    new: bool
    score: int
    running: tuple[str, ...]
    entering: tuple[str, ...]


@dataclass(frozen=True)
class Ear:
    """Takes in what happens, and passes it on."""

    database: Database
    client: Client
    enroller: Enroller
    scoring: ScoringModel

    async def hear(self, happening: Happening) -> Heard:
        """Record one behaviour, then tell the lead's journeys, and start those it enters.

        Safe to repeat: the database and the journeys each take an id once. Raises InputError for an unknown behaviour
        or lead.
        """
        kind = behaviour_kind(happening.name)
        if kind.subject is not None and not set(happening.props) >= {kind.subject} and happening.props:
            raise InputError(f"{happening.name} is about a {kind.subject}; give --prop {kind.subject}=...")
        async with self.database.writing() as session:
            heard = await self._record(session, happening)
        await self._tell(happening, heard)
        return heard

    async def _record(self, session: AsyncSession, happening: Happening) -> Heard:
        lead_id = happening.lead_id
        await lock_lead(session, lead_id)
        if await session.get(Lead, lead_id) is None:
            raise NotFoundError(f"no lead {lead_id!r}")
        row = {
            "id": happening.id,
            "lead_id": lead_id,
            "name": happening.name,
            "subject": happening.subject,
            "props": happening.props,
            "at": happening.at,
            "received_at": happening.at,
        }
        result = await session.execute(upsert_ignore(BehaviourRow, row).returning(BehaviourRow.id))
        new = result.scalar() is not None
        if new:
            await self._score(session, happening)
            await self._suppress(session, happening)
        score = await rescore(session, self.scoring, lead_id, happening.at)
        running = await session.scalars(
            select(Enrolment.track).where(Enrolment.lead_id == lead_id, Enrolment.status != "finished")
        )
        tracks = tuple(running)
        entering = tuple(
            track.name
            for track in self.enroller.tracks.values()
            if new and track.name not in tracks and track.enters_on.matches(happening.name, happening.subject)
        )
        return Heard(new, score.total, tracks, entering)

    async def _score(self, session: AsyncSession, happening: Happening) -> None:
        entries = self.scoring.engagement_entries(happening.id, happening.name, happening.subject, happening.at)
        rows = [
            {
                "lead_id": happening.lead_id,
                "rule": entry.rule,
                "behaviour_id": entry.behaviour_id,
                "points": entry.points,
                "reason": entry.reason,
                "at": entry.at,
            }
            for entry in entries
        ]
        if rows:
            await session.execute(upsert_ignore(ScoreEntry, rows))

    async def _suppress(self, session: AsyncSession, happening: Happening) -> None:
        reason = SUPPRESSES.get(happening.name)
        if reason is None:
            return
        row = {
            "lead_id": happening.lead_id,
            "reason": reason,
            "source": happening.name,
            "at": happening.at,
        }
        await session.execute(upsert_ignore(Suppression, row))
        if reason != "hard-bounce":
            session.add(
                Consent(
                    lead_id=happening.lead_id,
                    at=happening.at,
                    action="withdrawn",
                    basis="consent",
                    source=happening.name,
                )
            )

    async def _tell(self, happening: Happening, heard: Heard) -> None:
        signal = Behaviour(
            id=happening.id,
            name=happening.name,
            subject=happening.subject,
            at=happening.at,
            score=heard.score,
        )
        await self._signal(happening.lead_id, heard.running, signal)
        for track in heard.entering:
            try:
                await self.enroller.enrol(track, happening.lead_id, happening.at, happening.name)
            except RefusedError:
                continue  # a rule of the track keeps the lead out; the behaviour itself is recorded

    async def _signal(self, lead_id: str, tracks: Sequence[str], signal: Behaviour) -> None:
        for track in tracks:
            handle = self.client.get_workflow_handle(workflow_id(track, lead_id))
            try:
                await handle.signal("behaviour", signal)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                # The journey ended between the reading and the telling: what happened is recorded all the same.
