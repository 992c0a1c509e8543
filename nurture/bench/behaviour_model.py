"""How leads, and sales, behave: a seeded model for demos and simulations. It is no forecast.

Each lead is of one kind, drawn from (seed, lead id) and never shown to the rules under test. Rates:

|                        |  keen | curious | casual |   cold | leaving | why                                   |
| ---------------------- | ----- | ------- | ------ | ------ | ------- | ------------------------------------- |
| share of leads         |   10% |     25% |    40% |    20% |      5% | few buy, most read now and then       |
| opens a touch          |   65% |     45% |    30% |    12% |     15% | 32% on average, as mailers report     |
| clicks a touch         |   25% |     12% |     5% |     2% |      1% | 8% on average; weekly, asked-for mail |
| replies to a touch     |    2% |    0.5% |   0.1% |      - |       - | one in 300, mostly who is interested  |
| opts out at a touch    | 0.05% |    0.1% |   0.2% |   0.4% |    2.5% | 0.3% on average, as mailers report    |
| complains at a touch   |     - |  0.005% |  0.01% |  0.03% |    0.2% | 0.02%; mailbox hosts want under 0.1%  |
| pricing after a click  |   40% |     20% |     4% |      - |       - | who is keen looks at what it costs    |
| form after a click     |   15% |      8% |     2% |      - |       - | a further download behind a form      |
| visits in 30 days      |   1.8 |     0.6 |   0.15 |   0.03 |    0.02 | of their own accord                   |
| of these to pricing    |   30% |     15% |     4% |     1% |       - | the same interest                     |
| demo after pricing     |   20% |     12% |     2% |      - |       - | most who look at prices do not ask    |

A touch bounces for good at 0.1% for every kind: 2 to 3% of the addresses die in a year of fortnightly mail.
Nothing else happens on such a touch. Sales accepts 65% of hand-offs within its two days and 10% later,
rejects 15% and is silent on 10%; half of the accepted become deals, and 40% of these are won, 3 to 11 weeks
after sales accepted.

All times are event time, and later than what caused them. The same question always gets the same answer, ids
included, so a behaviour that is told twice is received once.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from math import log

HORIZON = timedelta(days=183)
"""How far from an enrolment visits are planned."""

_MONTH = timedelta(days=30)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_BOUNCES = 0.001
_FORM_PIECES = ("buyers-checklist", "implementation-week-by-week", "pricing-guide")
_REJECTIONS = ("not-ready", "no-budget", "wrong-person")
# Who lost a deal or fell silent comes back less often than who has just asked for something.
_COMES_BACK = {"lost-deal": 0.6, "re-engagement": 0.4}


@dataclass(frozen=True, slots=True)
class PlannedBehaviour:
    """What a lead will do, or sales about it: `name` and `subject` as in nurture.people.behaviours, at event time."""

    id: str
    lead_id: str
    name: str
    subject: str
    at: datetime


@dataclass(frozen=True, slots=True)
class _Kind:
    """One column of the table above, as fractions; visits are in 30 days."""

    name: str
    share: float
    opens: float
    clicks: float
    replies: float
    opts_out: float
    complains: float
    pricing: float
    form: float
    visits: float
    visits_pricing: float
    demo: float


_KINDS = (
    _Kind("keen", 0.10, 0.65, 0.25, 0.02, 0.0005, 0.0, 0.40, 0.15, 1.8, 0.30, 0.20),
    _Kind("curious", 0.25, 0.45, 0.12, 0.005, 0.001, 0.00005, 0.20, 0.08, 0.6, 0.15, 0.12),
    _Kind("casual", 0.40, 0.30, 0.05, 0.001, 0.002, 0.0001, 0.04, 0.02, 0.15, 0.04, 0.02),
    _Kind("cold", 0.20, 0.12, 0.02, 0.0, 0.004, 0.0003, 0.0, 0.0, 0.03, 0.01, 0.0),
    _Kind("leaving", 0.05, 0.15, 0.01, 0.0, 0.025, 0.002, 0.0, 0.0, 0.02, 0.0, 0.0),
)


class BehaviourModel:
    """How every lead behaves under one seed; holds no state, so questions may come in any order."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def kind(self, lead_id: str) -> str:
        """keen, curious, casual, cold or leaving."""
        return self._kind(lead_id).name

    def after_enrolment(self, lead_id: str, track: str, at: datetime) -> list[PlannedBehaviour]:
        """Visits of the lead's own accord in the half year from `at`: pages, pricing, a demo asked for.

        They belong to the calendar and not to the enrolment: a second track of the same lead plans the same
        visits under the same ids.
        """
        kind = self._kind(lead_id)
        share = _COMES_BACK.get(track, 1.0)
        plans: list[PlannedBehaviour] = []
        month = (at - _EPOCH) // _MONTH
        for number in range(month, month + HORIZON // _MONTH + 2):
            plan = _Plan(self.seed, lead_id, f"month {number}")
            when = _EPOCH + number * _MONTH
            while (when := plan.later(when, _MONTH / kind.visits)) < _EPOCH + (number + 1) * _MONTH:
                comes = plan.chance(share)
                visit = plan.visit(kind, when)
                if comes and at < when <= at + HORIZON:
                    plans += visit
        return plans

    def after_touch(self, lead_id: str, touch_id: str, piece: str, at: datetime) -> list[PlannedBehaviour]:
        """What comes of a touch, sent at `at`, with the content piece `piece`."""
        kind = self._kind(lead_id)
        plan = _Plan(self.seed, lead_id, f"touch {touch_id}")
        if plan.chance(_BOUNCES):
            return [plan.one("email.bounced", piece, plan.within(at, timedelta(seconds=2), timedelta(minutes=9)))]
        plans: list[PlannedBehaviour] = []
        seen = plan.later(at + timedelta(minutes=2), timedelta(hours=6))
        clicks = plan.chance(kind.clicks)
        if clicks or plan.chance((kind.opens - kind.clicks) / (1 - kind.clicks)):
            plans.append(plan.one("email.opened", piece, seen))
        if clicks:
            plans += plan.click(kind, piece, seen)
        if plan.chance(kind.replies):
            answered = plan.within(seen, timedelta(minutes=5), timedelta(hours=30))
            plans.append(plan.one("email.replied", piece, answered))
        if plan.chance(kind.complains):
            plans.append(plan.one("email.complained", piece, plan.later(seen, timedelta(minutes=10))))
        elif plan.chance(kind.opts_out):
            plans.append(plan.one("lead.opted_out", "", plan.later(seen, timedelta(minutes=10))))
        return plans

    def after_hand_off(self, lead_id: str, hand_off_id: str, at: datetime) -> list[PlannedBehaviour]:
        """Sales' answer to an offer made at `at`, and what becomes of an accepted lead."""
        plan = _Plan(self.seed, lead_id, f"hand-off {hand_off_id}")
        answer = plan.draw()
        if answer < 0.65:
            accepted = plan.within(at, timedelta(minutes=30), timedelta(hours=47))
        elif answer < 0.75:
            accepted = plan.within(at, timedelta(hours=49), timedelta(days=6))
        elif answer < 0.90:
            rejected = plan.within(at, timedelta(hours=1), timedelta(hours=47))
            return [plan.one("sales.rejected", plan.pick(_REJECTIONS), rejected)]
        else:
            return []
        plans = [plan.one("sales.accepted", "", accepted)]
        if plan.chance(0.5):
            opened = plan.within(accepted, timedelta(days=2), timedelta(days=14))
            plans.append(plan.one("deal.opened", "", opened))
            if plan.chance(0.4):
                won = plan.within(opened, timedelta(weeks=3), timedelta(weeks=9))
                plans.append(plan.one("deal.won", "", won))
        return plans

    def _kind(self, lead_id: str) -> _Kind:
        drawn = _Plan(self.seed, lead_id, "kind").draw()
        for kind in _KINDS:
            drawn -= kind.share
            if drawn < 0:
                return kind
        return _KINDS[-1]


class _Plan:
    """The draws for one cause, in order, and the behaviours they make.

    Hashes instead of `random`, whose generator costs far more to seed than the few draws a cause needs.
    """

    __slots__ = ("_block", "_cause", "_lead_id", "_made", "_number")

    def __init__(self, seed: int, lead_id: str, cause: str) -> None:
        self._lead_id = lead_id
        self._cause = f"{seed}\n{lead_id}\n{cause}".encode()
        self._number = 0
        self._made = 0
        self._block = b""

    def draw(self) -> float:
        """A number from 0 up to but not including 1."""
        at = self._number % 8 * 8
        if at == 0:
            self._block = blake2b(self._cause, salt=self._number.to_bytes(8, "big")).digest()
        self._number += 1
        return (int.from_bytes(self._block[at : at + 8], "big") >> 11) / (1 << 53)

    def chance(self, of: float) -> bool:
        return self.draw() < of

    def pick(self, choices: tuple[str, ...]) -> str:
        return choices[int(self.draw() * len(choices))]

    def later(self, than: datetime, mean: timedelta) -> datetime:
        """An exponentially distributed time after `than`, in whole seconds and at least one."""
        return than + timedelta(seconds=1 + int(-log(1 - self.draw()) * mean.total_seconds()))

    def within(self, after: datetime, least: timedelta, most: timedelta) -> datetime:
        """A time from `least` to `most` after a moment, in whole seconds."""
        return after + least + timedelta(seconds=int(self.draw() * (most - least).total_seconds()))

    def one(self, name: str, subject: str, at: datetime) -> PlannedBehaviour:
        self._made += 1
        drawn = blake2b(self._cause + b"\n%d" % self._made, digest_size=16).hexdigest()
        return PlannedBehaviour(f"model-{drawn}", self._lead_id, name, subject, at)

    def click(self, kind: _Kind, piece: str, seen: datetime) -> list[PlannedBehaviour]:
        """A click, the page behind it, and what a reader goes on to."""
        clicked = self.later(seen, timedelta(minutes=20))
        landed = clicked + timedelta(seconds=3)
        plans = [self.one("email.clicked", piece, clicked), self.one("page.viewed", f"/library/{piece}", landed)]
        if self.chance(kind.form):
            filled = self.later(landed, timedelta(minutes=4))
            plans.append(self.one("form.submitted", "library", filled))
            wanted = self.pick(_FORM_PIECES)
            plans.append(self.one("content.downloaded", wanted, filled + timedelta(seconds=5)))
        if self.chance(kind.pricing):
            plans += self.pricing(kind, self.later(landed, timedelta(minutes=6)))
        return plans

    def visit(self, kind: _Kind, when: datetime) -> list[PlannedBehaviour]:
        """A visit to the site: the first page, and perhaps the prices."""
        plans = [self.one("page.viewed", "/", when)]
        if self.chance(kind.visits_pricing):
            plans += self.pricing(kind, self.later(when, timedelta(minutes=3)))
        return plans

    def pricing(self, kind: _Kind, when: datetime) -> list[PlannedBehaviour]:
        plans = [self.one("page.viewed", "/pricing", when)]
        if self.chance(kind.demo):
            plans.append(self.one("demo.requested", "", self.later(when, timedelta(minutes=8))))
        return plans
