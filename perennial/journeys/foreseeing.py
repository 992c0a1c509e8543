"""What comes next for a lead that does nothing: its track's code run on, and the gate asked at each send.

The gate's own `judge` decides, with the lead's consent, break, subjects, touches, window and score as of then.
What nobody can know yet (sales' answers, other journeys' mails, what an activity returns) makes the answer a guess, and
is named in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment
from models.leads import LeadRow
from models.touches import Touch
from nurture.bench.life import Life, QuietWorld, put_off, refused, succeeded
from nurture.content.catalogue import Catalogue
from nurture.errors import ContentError, TrackError
from nurture.gate import Allow, Defer, LeadState, PastTouch, Refuse, Rival, SendRequest, judge
from nurture.journey.decision import AnyStep, Do, Finish, Park, Send
from nurture.journey.facts import Deferred, Done, Scored
from nurture.journey.journal import Journal
from nurture.journey.track import Track
from nurture.journey.wording import say_next
from nurture.people.scoring import ScoreLine, ScoringModel
from perennial.journeys.pace import Pace, read_pace, room_for
from perennial.journeys.send_request import COUNTED, LONGEST_CAP
from perennial.leads.consent import current
from perennial.leads.preferences import preferences_of
from perennial.leads.scores import entries_of
from perennial.leads.suppression import suppressions

MOST_TURNS = 60


@dataclass(frozen=True, slots=True)
class Coming:
    """What comes next; `piece` if it is a mail, `at` None if nothing is to come that can be told.

    `put_off` is why the gate moves it, `skipped` what it refuses before, each with its reason; `guess` is what may
    change it besides the lead.
    """

    at: datetime | None
    what: str
    piece: str = ""
    put_off: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    guess: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prospect:
    """A lead as the gate and the score see it: read once, for any number of sends to come."""

    lead: LeadRow
    state: LeadState
    entries: tuple[ScoreLine, ...]
    guess: tuple[str, ...] = ()


async def prospect_of(session: AsyncSession, lead: LeadRow, track: Track, now: datetime) -> Prospect:
    """Read a lead, to foresee what comes on this track."""
    asked_for = await preferences_of(session, lead)
    touches = await session.execute(
        select(Touch.at, Touch.track).where(
            Touch.lead_id == lead.id, Touch.state.in_(COUNTED), Touch.at > now - LONGEST_CAP
        )
    )
    others = (
        await session.execute(
            select(Enrolment.track, Enrolment.priority, Enrolment.next_at).where(
                Enrolment.lead_id == lead.id, Enrolment.status == "active", Enrolment.track.not_in(track.names)
            )
        )
    ).all()
    pace = await read_pace(session)
    room = None
    if pace != Pace():
        room = await room_for(await session.connection(), pace, lead.id, now, exclude="")
    state = LeadState(
        consent=await current(session, lead.id),
        suppressions=await suppressions(session, lead.id),
        erased=lead.erased_at is not None,
        touches=tuple(PastTouch(at, name) for at, name in touches),
        rivals=tuple(Rival(name, first, due) for name, first, due in others if due and first > track.priority),
        break_until=asked_for.break_until,
        unwanted=asked_for.unwanted,
        room_at=room,
    )
    guess = tuple(f"mails of {name} count towards the caps too" for name, *_ in others)
    if pace != Pace():
        guess += ("the sending pace may put it off",)
    return Prospect(lead, state, tuple(await entries_of(session, lead.id)), guess)


def foresee(  # noqa: PLR0917 - what `Life` takes, and the lead
    track: Track,
    journal: Journal,
    now: datetime,
    catalogue: Catalogue,
    prospect: Prospect,
    scoring: ScoringModel,
    *,
    mail_only: bool = False,
) -> Coming:
    """The next thing that is done, or with `mail_only` the next mail that leaves, if the lead does nothing.

    Raises TrackError if the track's code breaks before.
    """
    world = _Gated(track, catalogue, prospect, scoring)
    number = 0
    try:
        for number, turn in enumerate(Life(track, journal, world, now, catalogue).turns()):
            if (found := world.found(mail_only=mail_only)) is not None:
                return found
            following = turn.decision.next
            if isinstance(following, Finish):
                return world.end(turn.at, say_next(following), mail_only=mail_only)
            if isinstance(following, Park) and following.until is None:
                return world.end(None, "nothing by itself: it waits for the lead, or for a person", mail_only=mail_only)
            if number > MOST_TURNS:
                break
    except TrackError:
        if (found := world.found(mail_only=mail_only)) is not None:
            return found
        if not world.doubts:  # else the code met an answer that nobody can know yet
            raise
    return world.end(None, "nothing that can be told yet", mail_only=mail_only)


@dataclass
class _Gated(QuietWorld):
    """A world in which the lead does nothing, and the gate judges each send."""

    track: Track
    catalogue: Catalogue
    prospect: Prospect
    scoring: ScoringModel
    doubts: list[str] = field(default_factory=list)
    _held: dict[str, list[str]] = field(default_factory=dict)
    _skipped: list[str] = field(default_factory=list)
    _done: list[Coming] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._state = self.prospect.state

    def found(self, *, mail_only: bool) -> Coming | None:
        """The first thing done so far."""
        return next((each for each in self._done if each.piece or not mail_only), None)

    def end(self, at: datetime | None, what: str, *, mail_only: bool) -> Coming:
        """Nothing was done before the code's end, or before a rest that time does not end."""
        what = "no mail while it does nothing" if mail_only else what
        return Coming(None if mail_only else at, what, skipped=tuple(self._skipped), guess=self._guess)

    def answer(self, step: AnyStep, now: datetime) -> Done | Deferred:
        """As the gate says now; any other step succeeds."""
        if not isinstance(step, Send):
            self._note(Coming(now, say_next(step)))
            if isinstance(step, Do):
                self.doubts.append(f"it depends on what {step.activity} returns")
            return succeeded(step, now)
        lead, track = self.prospect.lead, self.track
        try:
            topic = self.catalogue.get(self.catalogue.current(step.piece)).topic
        except ContentError as error:
            return self._skip(step, now, str(error))
        request = SendRequest(now, lead.id, track.name, track.priority, lead.time_zone, lead.country, topic)
        match judge(request, self._state, track.gate_rules):
            case Allow():
                held = tuple(dict.fromkeys(self._held.get(step.key, ())))
                self._note(Coming(now, say_next(step), step.piece, put_off=held))
                self._state = replace(self._state, touches=(*self._state.touches, PastTouch(now, track.name)))
                return succeeded(step, now)
            case Refuse(reason):
                return self._skip(step, now, reason)
            case Defer(until, reason):
                self._held.setdefault(step.key, []).append(reason)
                if reason.startswith("priority: "):  # by then the other has had its day
                    self.doubts.append(reason.removeprefix("priority: "))
                    self._state = replace(self._state, rivals=())
                return put_off(step, now, until, reason)

    def score(self, now: datetime) -> Scored:
        """The score as it will have faded by then."""
        score = self.scoring.score(self.prospect.entries, now)
        return Scored(now, score.total, score.stage)

    def _note(self, coming: Coming) -> None:
        self._done.append(replace(coming, skipped=tuple(self._skipped), guess=self._guess))

    def _skip(self, step: Send, now: datetime, reason: str) -> Done:
        self._skipped.append(f"{step.piece}: {reason}")
        return refused(step, now, reason)

    @property
    def _guess(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.prospect.guess, *self.doubts)))
