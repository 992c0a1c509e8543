"""Put leads on tracks: first the row, then the workflow, so that a crash between them leaves something to resume."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from models.journeys import RUNNING, Enrolment
from models.leads import LeadRow
from models.messages import Journey, Request
from models.touches import Touch
from models.visibility import shown_at_start, typed
from nurture.errors import NotFoundError, RefusedError
from nurture.journey.facts import Enrolled
from nurture.journey.refs import is_ref
from nurture.journey.track import Registry, Track
from nurture.people.scoring import DEFAULT_MODEL, ScoringModel
from nurture.people.words import trait_words
from nurture.timing.clock import Clock
from perennial.journeys.handles import ENROLMENT, enrolment_of, workflow_of
from perennial.journeys.words import Words
from perennial.leads.lock import lock_lead
from perennial.leads.scores_now import ScoresNow
from perennial.leads.suppression import suppressions
from perennial.platform.database import Database
from perennial.platform.temporal import is_not_found


def workflow_id(track: str, lead_id: str) -> str:
    """The id of a lead's journey on a track, in Temporal."""
    return f"{track}/{lead_id}"


@dataclass(frozen=True, slots=True)
class NewEnrolment:
    """An enrolment, and whether its journey was started now rather than by an earlier try."""

    enrolment_id: str
    at: datetime
    started: bool


@dataclass(frozen=True)
class Enroller:
    """Puts leads on tracks."""

    database: Database
    client: Client
    tracks: Registry
    task_queue: str
    clock: Clock
    scoring: ScoringModel = DEFAULT_MODEL
    lean: bool = False
    """Whether only the search attributes of `models.visibility.LEAN` are set."""

    async def enrol(self, track_name: str, lead_id: str, at: datetime, cause: str) -> str:
        """Enrol one lead; the enrolment's id.

        Raises NotFoundError for an unknown track or lead, and RefusedError with the reason if a rule forbids it.
        """
        return (await self.begin(track_name, lead_id, at, cause)).enrolment_id

    async def begin(
        self,
        track_name: str,
        lead_id: str,
        at: datetime,
        cause: str,
        *,
        nudge: Request | None = None,
        along: Callable[[AsyncSession, Enrolment], Awaitable[None]] | None = None,
    ) -> NewEnrolment:
        """As `enrol`, and say whether this started the journey or found one that no worker has taken up yet.

        With `nudge`, start it by signal-with-start. What `along` writes is committed with the enrolment, or not at all.
        """
        track = self.tracks[track_name]
        async with self.database.writing() as session:
            enrolment, began = await self._admit(session, track, lead_id, at, cause)
            enrolment.traits = dict(began.traits)
            if along is not None:
                await along(session, enrolment)
            first = Words(enrolment.id, enrolment.cause, enrolment.traits).hidden_facts([began])
        journey = Journey(enrolment_id=enrolment.id, lead_id=enrolment.lead_id, facts=first, clock=self.clock)
        return NewEnrolment(enrolment.id, enrolment.started_at, await self.start(enrolment.track, journey, nudge))

    async def renurture(self, track_name: str, lead_id: str, at: datetime, reason: str) -> bool:
        """Start the journey by signal-with-start, or have a running one decide again: marketing's trigger.

        True if it was started. Raises as `enrol` does.
        """
        track = self.tracks[track_name]
        request = Request()
        async with self.database.reading() as session:
            last = await last_enrolment(session, track, lead_id)
        if last is not None and last.status in RUNNING:
            try:
                await self.client.get_workflow_handle(workflow_of(last.id)).signal("refresh", request)
            except RPCError as error:
                if not is_not_found(error):
                    raise
                # It has ended since; the re-entry rule says whether it may start again.
            else:
                return False
        await self.begin(track_name, lead_id, at, reason, nudge=request)
        return True

    async def _admit(
        self, session: AsyncSession, track: Track, lead_id: str, at: datetime, cause: str
    ) -> tuple[Enrolment, Enrolled]:
        await lock_lead(session, lead_id)
        lead = await session.get(LeadRow, lead_id)
        if lead is None:
            raise NotFoundError(f"no lead {lead_id!r}")
        last = await refuse_entry(session, track, lead, at)
        if last is not None and last.status == "starting":
            enrolment = last
        else:
            number = 1 if last is None else last.number + 1
            enrolment = Enrolment(
                id=f"{track.name}/{lead_id}/{number}",
                lead_id=lead_id,
                track=track.name,
                number=number,
                status="starting",
                cause=cause,
                priority=track.priority,
                started_at=at,
            )
            session.add(enrolment)
        first = await first_fact(session, lead, enrolment.started_at, enrolment.cause, ScoresNow(self.scoring, at))
        return enrolment, first

    async def start(self, track: str, journey: Journey, nudge: Request | None = None) -> bool:
        """Start the workflow (with `nudge`, by signal-with-start); False if it was running already.

        The earlier enrolment may have ended in the database while its workflow is still closing: then wait and retry.
        """
        first = journey.facts[0]
        assert isinstance(first, Enrolled)
        shown = shown_at_start(first.stage, first.score, lean=self.lean)
        journey = journey.model_copy(update={"shown": shown})
        conflict = WorkflowIDConflictPolicy.FAIL if nudge is None else WorkflowIDConflictPolicy.USE_EXISTING
        id_ = workflow_of(journey.enrolment_id)
        while True:
            try:
                await self.client.start_workflow(
                    track,
                    journey,
                    id=id_,
                    task_queue=self.task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                    id_conflict_policy=conflict,
                    search_attributes=typed(shown),
                    memo={ENROLMENT: journey.enrolment_id},
                    static_summary=f"{track}, enrolled {first.at:%d %b %Y}" + _by(first.cause),
                    start_signal=None if nudge is None else "refresh",
                    start_signal_args=[] if nudge is None else [nudge],
                )
            except WorkflowAlreadyStartedError as error:
                if not await self._closes(id_, error.run_id, journey.enrolment_id):
                    # An earlier try started it and was cut off before its first decision.
                    return False
            else:
                return True

    async def _closes(self, id_: str, run_id: str | None, enrolment_id: str) -> bool:
        """Wait until the workflow of an earlier enrolment closes; False if the workflow is this enrolment's own."""
        handle = self.client.get_workflow_handle(id_, run_id=run_id)
        if await enrolment_of(self.client, handle) == enrolment_id:
            return False
        with suppress(WorkflowFailureError):
            await handle.result()
        return True


async def unfinished_enrolments(session: AsyncSession) -> Sequence[Enrolment]:
    """Enrolments whose journey was perhaps never started, or that no worker took up; enrol them again to resume."""
    return (await session.scalars(select(Enrolment).where(Enrolment.status == "starting"))).all()


async def first_fact(
    session: AsyncSession, lead: LeadRow, started_at: datetime, cause: str, scores: ScoresNow
) -> Enrolled:
    """What a journey of this lead begins with."""
    seen = await session.scalars(
        select(Touch.piece).where(Touch.lead_id == lead.id, Touch.state != "refused").distinct()
    )
    score = await scores.of(session, lead)
    return Enrolled(
        at=started_at,
        lead=lead.id,
        cause=cause,
        score=score.total,
        stage=score.stage,
        traits=trait_words(lead.traits),
        seen=tuple(sorted(seen)),
    )


async def refuse_entry(session: AsyncSession, track: Track, lead: LeadRow, at: datetime) -> Enrolment | None:
    """Raise RefusedError if a rule keeps the lead off the track; else its last enrolment there, if it had one."""
    if lead.erased_at is not None:
        raise RefusedError("the lead has been erased")
    if reasons := await suppressions(session, lead.id):
        raise RefusedError(f"the lead is suppressed ({reasons[0]})")
    last = await last_enrolment(session, track, lead.id)
    if last is None or last.status == "starting":
        return last
    if last.status != "finished" or last.ended_at is None:
        raise RefusedError(f"already on {track.name} since {last.started_at:%Y-%m-%d}")
    after = track.re_entry.after
    if after is None or at < last.ended_at + after:
        raise RefusedError(
            f"was on {track.name} until {last.ended_at:%Y-%m-%d} ({_in_short(last.outcome)}); {track.re_entry}"
        )
    return last


def _by(cause: str) -> str:
    return "" if is_ref(cause) else f" ({cause or 'by hand'})"


def _in_short(outcome: str | None) -> str:
    """An outcome without its reason, which a stranger may have worded: a track that is refused tells Temporal why."""
    return (outcome or "").partition(":")[0]


async def last_enrolment(session: AsyncSession, track: Track, lead_id: str) -> Enrolment | None:
    """The lead's latest enrolment on a track, under any of the track's names; a running one before all others."""
    found: Enrolment | None = await session.scalar(
        select(Enrolment)
        .where(Enrolment.lead_id == lead_id, Enrolment.track.in_(track.names))
        .order_by(Enrolment.status == "finished", Enrolment.number.desc(), Enrolment.started_at.desc())
        .limit(1)
    )
    return found
