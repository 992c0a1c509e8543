"""The gate: the last check before a send, made in the send activity just before the provider is called.

`judge` is a pure function of the request, the lead's state and the rules. It answers Allow, Defer(until, reason) or
Refuse(reason). Refusals come first (erasure, suppression, consent, exit, an unwanted topic), then what only delays: a
break the lead asked for, frequency caps over all tracks of the lead, a more important track, the lead's own clock, and
last the pace at which mail may leave at all.
A deferral always ends in the open window, so that one wait is enough. Reasons carry no personal data.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias, assert_never

from nurture.errors import InputError
from nurture.timing.calendar import SendWindow, closes, is_holiday, is_open, local_time, next_open, spread

ConsentState: TypeAlias = Literal["granted", "withdrawn", "none"]

_OFFICE_HOURS = SendWindow()
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_MONTH = timedelta(days=30)
_NEARLY_DUE = timedelta(hours=1)
_GIVES_WAY_FOR = timedelta(days=1)
_STUCK_AFTER = timedelta(days=7)

ANY_TOPIC = "any"
"""The topic of a piece that suits every topic: no preference rules it out."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The most touches, over all tracks of a lead, in any 24 hours, 7 days and 30 days; each at least 1."""

    per_day: int = 1
    per_week: int = 3
    per_month: int = 10

    def __post_init__(self) -> None:
        if min(self.per_day, self.per_week, self.per_month) < 1:
            raise InputError("a frequency cap must be at least 1; to send nothing, pause the track")


@dataclass(frozen=True, slots=True)
class GateRules:
    """The rules a track's sends obey.

    Outside the window are quiet hours. With `holidays`, nothing is sent on public holidays of the lead's country
    either. Sends that wait for the window to open are spread over the first `spread` of it.
    """

    caps: Caps = Caps()
    window: SendWindow = _OFFICE_HOURS
    holidays: bool = True
    spread: timedelta = timedelta(hours=2)

    def __post_init__(self) -> None:
        if self.spread < timedelta(0):
            raise InputError("the spread of an opening window cannot be negative")


@dataclass(frozen=True, slots=True)
class PastTouch:
    """A touch the lead already got, or may have got, from any track."""

    at: datetime
    track: str


@dataclass(frozen=True, slots=True)
class Rival:
    """Another running track of the lead that wants to send at `due_at`; a higher priority goes first."""

    track: str
    priority: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class SendRequest:
    """The send that the gate is asked for; `time_zone` is an IANA name, `country` an ISO 3166 alpha-2 code or None.

    `topic` is what the piece is about (a slug), or `any`.
    """

    now: datetime
    lead_id: str
    track: str
    priority: int
    time_zone: str
    country: str | None
    topic: str = ANY_TOPIC


@dataclass(frozen=True, slots=True)
class LeadState:
    """What the gate knows of the lead at that moment: `exited` is why the lead left this track, or None.

    `break_until` is when the break ends that the lead asked for; `unwanted` are the topics it wants nothing on.
    `asked` is what a person asked of the journey and it has yet to hear: `pause`, `exit`, or "". `room_at` is when the
    sending pace has room for this touch; None if it has now.
    """

    consent: ConsentState
    suppressions: tuple[str, ...] = ()
    erased: bool = False
    exited: str | None = None
    touches: tuple[PastTouch, ...] = ()
    rivals: tuple[Rival, ...] = ()
    break_until: datetime | None = None
    unwanted: tuple[str, ...] = ()
    asked: str = ""
    room_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Allow:
    """Send now."""


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now: ask again at `until`, which is later than now and inside the window."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Never: the send is dropped, for this reason."""

    reason: str


Verdict: TypeAlias = Allow | Defer | Refuse

_ALLOW = Allow()
_ASKED = {"pause": "a pause", "exit": "the end of the journey"}
_UNTIL_HEARD = timedelta(minutes=1)


def judge(request: SendRequest, state: LeadState, rules: GateRules) -> Verdict:
    """Whether this touch may go out now; raises InputError for an unknown time zone or a naive time."""
    refused = (
        check_erasure(state)
        or check_suppression(state)
        or check_consent(state)
        or check_exit(state)
        or check_topic(request.topic, state.unwanted)
    )
    if refused:
        return refused
    if asked := check_asked(request.now, state.asked):
        return asked
    held = _later(
        check_break(request.now, state.break_until), check_caps(request.now, state.touches, rules.caps)
    ) or check_priority(request, state.rivals)
    if held:
        return Defer(_into_window(held.until, request, rules), held.reason)
    if closed := check_window(request, rules):
        return closed
    if full := check_pace(request.now, state.room_at):
        return Defer(_into_window(full.until, request, rules), full.reason)
    return _ALLOW


def judge_offer(now: datetime, state: LeadState) -> Defer | Refuse | None:
    """Whether people may be given this lead to act on: what forbids mail for good forbids that too; None if they may.

    Nobody needs a lead's consent to look at it, but its word that it wants nothing stands.
    """
    withdrawn = check_consent(state) if state.consent == "withdrawn" else None
    refused = check_erasure(state) or check_suppression(state) or withdrawn or check_exit(state)
    return refused or check_asked(now, state.asked)


def check_erasure(state: LeadState) -> Refuse | None:
    """An erased lead is never written to."""
    return Refuse("erased at the lead's request") if state.erased else None


def check_suppression(state: LeadState) -> Refuse | None:
    """A suppressed lead (opt-out, complaint, hard bounce) is never written to."""
    return Refuse(f"suppressed: {', '.join(state.suppressions)}") if state.suppressions else None


def check_consent(state: LeadState) -> Refuse | None:
    """Only consent that is granted and not withdrawn allows a touch."""
    match state.consent:
        case "granted":
            return None
        case "withdrawn":
            return Refuse("consent withdrawn")
        case "none":
            return Refuse("no consent on record")
        case _:
            assert_never(state.consent)


def check_exit(state: LeadState) -> Refuse | None:
    """A lead who has left the track gets nothing more from it."""
    return None if state.exited is None else Refuse(f"exited: {state.exited}")


def check_asked(now: datetime, asked: str) -> Defer | None:
    """Hold the touch while a pause or an exit is on its way to the journey."""
    return Defer(now + _UNTIL_HEARD, f"a person asked for {_ASKED[asked]}") if asked in _ASKED else None


def check_topic(topic: str, unwanted: tuple[str, ...]) -> Refuse | None:
    """A lead gets nothing on a topic it does not want; a piece that suits every topic still goes out."""
    return Refuse(f"unwanted topic: {topic}") if topic in unwanted and topic != ANY_TOPIC else None


def check_break(now: datetime, until: datetime | None) -> Defer | None:
    """A lead that asked for a break gets nothing until it is over."""
    return Defer(until, "the lead asked for a break") if until is not None and now < until else None


def check_caps(now: datetime, touches: tuple[PastTouch, ...], caps: Caps) -> Defer | None:
    """Hold the touch until every rolling window has room for it.

    A touch counts for exactly the window's length from its own time, whichever track sent it. The reason
    names the cap that holds longest.
    """
    held: Defer | None = None
    for limit, length, words in (
        (caps.per_day, _DAY, "24 hours"),
        (caps.per_week, _WEEK, "7 days"),
        (caps.per_month, _MONTH, "30 days"),
    ):
        if len(touches) < limit:
            continue
        since = now - length
        counting = [touch.at for touch in touches if touch.at > since]
        if len(counting) < limit:
            continue
        # After caps were tightened there can be more touches than the limit: more than the oldest must then age out.
        until = sorted(counting)[len(counting) - limit] + length
        if held is None or until > held.until:
            held = Defer(until, f"cap: {limit} {'touch' if limit == 1 else 'touches'} in {words}")
    return held


def check_priority(request: SendRequest, rivals: tuple[Rival, ...]) -> Defer | None:
    """Give way for a day to a track of strictly higher priority that is due now or within the hour.

    A rival that is more than 7 days overdue is stuck and holds nobody back, or a lead could wait for ever.
    """
    ahead = [
        rival
        for rival in rivals
        if rival.priority > request.priority and request.now - _STUCK_AFTER <= rival.due_at <= request.now + _NEARLY_DUE
    ]
    if not ahead:
        return None
    first = max(ahead, key=lambda rival: (rival.priority, rival.track))
    return Defer(request.now + _GIVES_WAY_FOR, f"priority: {first.track} goes first")


def check_pace(now: datetime, room_at: datetime | None) -> Defer | None:
    """Hold the touch until as much mail has left, over all leads, as may leave by then."""
    return Defer(room_at, "sending pace") if room_at is not None and now < room_at else None


def check_window(request: SendRequest, rules: GateRules) -> Defer | None:
    """Hold the touch until the window opens on the lead's own clock, on an open day of its country."""
    local = local_time(request.now, request.time_zone)
    if local.weekday() not in rules.window.weekdays:
        reason = f"closed day: {local:%A} in {request.time_zone}"
    elif rules.holidays and is_holiday(local.date(), request.country):
        reason = f"public holiday: {local:%d %B} in {request.country}"
    elif not rules.window.covers(local.time()):
        reason = f"quiet hours: {local:%H:%M} in {request.time_zone}"
    else:
        return None
    return Defer(_into_window(request.now, request, rules), reason)


def _later(one: Defer | None, other: Defer | None) -> Defer | None:
    """The deferral that ends last, so that waiting for it is waiting for both."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda held: held.until)


def _into_window(moment: datetime, request: SendRequest, rules: GateRules) -> datetime:
    """`moment` if the window is open then; else its next opening, plus the lead's own share of the spread."""
    country = request.country if rules.holidays else None
    opening = next_open(moment, request.time_zone, rules.window, country)
    if opening == moment:
        return opening
    room = closes(opening, rules.window, request.time_zone) - opening
    moved = opening + spread(request.lead_id, min(rules.spread, room))
    # A clock that is set back during the window can put the spread moment outside it.
    return moved if is_open(moved, request.time_zone, rules.window, country) else opening.astimezone(UTC)
