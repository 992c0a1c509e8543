"""Scoring by events: every point is an entry with a reason, and the score is a pure function of the entries.

Fit entries say who the lead is and do not fade. Engagement entries say what the lead did and fade by half
every half-life, counted from the time of the behaviour and not of its arrival. So the same entries give the
same score as of any date, in any order, and taking a behaviour's entries away takes its points back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import floor, fsum

from nurture.errors import InputError
from nurture.people.behaviours import behaviour_kind
from nurture.people.globs import glob_matches
from nurture.people.pages import page_glob
from nurture.people.words import words_of

STAGES = ("awareness", "consideration", "decision")
LONGEST_NAME = 64
BANDS = ("cold", "warm", "hot", "mql")


@dataclass(frozen=True, slots=True)
class FitRule:
    """Points for a trait of the profile that has one of `values` (lower-case slugs)."""

    name: str
    points: int
    trait: str
    values: frozenset[str]
    reason: str


@dataclass(frozen=True, slots=True)
class EngagementRule:
    """Points for a behaviour whose subject matches the glob; all points of the rule sum to at most +-`cap`."""

    name: str
    points: int
    behaviour: str
    subject_glob: str = "*"
    half_life: timedelta = timedelta(days=30)
    cap: float | None = None

    @property
    def glob(self) -> str:
        """The glob, of a page as pages are spelled."""
        return page_glob(self.subject_glob) if self.behaviour == "page.viewed" else self.subject_glob

    def __post_init__(self) -> None:
        behaviour_kind(self.behaviour)
        if self.half_life <= timedelta(0):
            raise InputError(f"scoring rule {self.name!r}: the half-life must be longer than nothing")
        if self.cap is not None and self.cap < 0:
            raise InputError(f"scoring rule {self.name!r}: the cap bounds the points both ways; give it as positive")


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One row of the score ledger: the points a rule gave, why, and when it happened.

    `behaviour_id` is empty for fit. An entry whose rule is no longer in the model counts nothing.
    """

    rule: str
    points: int
    reason: str
    at: datetime
    behaviour_id: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """A score as of a moment: `total` is fit + engagement clamped to 0..100; the parts are not clamped."""

    total: int
    fit: int
    engagement: int
    stage: str
    band: str


@dataclass(frozen=True, slots=True)
class ScoringModel:
    """The rules of a score, and the total at which a lead is marketing-qualified (mql).

    Engagement rules are read from the top and the first that matches scores the behaviour, so that one
    behaviour has one reason. Raises InputError for two rules of one name, a rule that another hides, or an
    mql outside 1..100.
    """

    fit: tuple[FitRule, ...]
    engagement: tuple[EngagementRule, ...]
    mql: int = 75
    _fades: dict[str, tuple[float, float]] = field(init=False, repr=False, compare=False)
    _fits: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.fit] + [rule.name for rule in self.engagement]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(f"scoring rules need names of their own; used twice: {', '.join(twice)}")
        if long := [name for name in names if not 0 < len(name) <= LONGEST_NAME]:
            raise InputError(f"the name of a scoring rule has 1 to {LONGEST_NAME} characters: {long[0]!r}")
        if not 1 <= self.mql <= 100:
            raise InputError(f"the mql threshold is a score from 1 to 100, not {self.mql}")
        caught: set[str] = set()
        for rule in self.engagement:
            if rule.behaviour in caught:
                raise InputError(f"scoring rule {rule.name!r} never matches: put it above the rule for every subject")
            if rule.subject_glob == "*":
                caught.add(rule.behaviour)
        fades = {
            rule.name: (rule.half_life.total_seconds(), float("inf") if rule.cap is None else rule.cap)
            for rule in self.engagement
        }
        object.__setattr__(self, "_fades", fades)
        object.__setattr__(self, "_fits", frozenset(rule.name for rule in self.fit))

    def fit_entries(self, traits: Mapping[str, object], at: datetime) -> list[ScoreLine]:
        """One entry for each fit rule that the profile meets as of `at`; of a list, any word may meet it."""
        return [
            ScoreLine(rule.name, rule.points, rule.reason, at)
            for rule in self.fit
            if not rule.values.isdisjoint(words_of(traits.get(rule.trait)))
        ]

    def engagement_entries(self, behaviour_id: str, name: str, subject: str | None, at: datetime) -> list[ScoreLine]:
        """The entry of the first rule that matches the behaviour that happened at `at`; none if none does."""
        for rule in self.engagement:
            if rule.behaviour == name and glob_matches(rule.glob, subject or ""):
                reason = f"{behaviour_kind(name).says} {subject or ''}".strip()
                return [ScoreLine(rule.name, rule.points, reason, at, behaviour_id)]
        return []

    def score(self, entries: Iterable[ScoreLine], as_of: datetime) -> Score:
        """The score as of a moment: fit + sum of points * 0.5 ** (age / half-life), each rule within its cap.

        Entries after `as_of` are ignored. Negative points do not fade, else a lead would gain by doing
        nothing. Of several entries of one fit rule the latest counts: a changed profile may be entered again.
        """
        fits: dict[str, ScoreLine] = {}
        sums: dict[str, list[float]] = {}
        fades = self._fades
        for entry in entries:
            at = entry.at
            if at > as_of:
                continue
            name = entry.rule
            if name in fades:
                points = entry.points
                now = points * 0.5 ** ((as_of - at).total_seconds() / fades[name][0]) if points > 0 else points
                if name in sums:
                    sums[name].append(now)
                else:
                    sums[name] = [now]
            elif name in self._fits and (name not in fits or _newest(entry) > _newest(fits[name])):
                fits[name] = entry
        # fsum is exact, so the order of the entries cannot show in the last digit.
        engagement = floor(fsum([_bounded(fsum(now), fades[name][1]) for name, now in sums.items()]) + 0.5)
        fit = sum(entry.points for entry in fits.values())
        total = min(100, max(0, fit + engagement))
        return Score(total, fit, engagement, stage_of(total), self.band_of(total))

    def explain(self, entries: Iterable[ScoreLine], as_of: datetime) -> list[tuple[str, float, datetime]]:
        """(reason, points now, when it happened) for each entry that counts, newest first.

        The points add up to fit + engagement before rounding: where a cap binds, the older get what is left.
        """
        told: list[tuple[str, float, datetime]] = []
        sums: dict[str, float] = {}
        fits: set[str] = set()
        for entry in sorted(entries, key=_newest, reverse=True):
            age = (as_of - entry.at).total_seconds()
            if age < 0:
                continue
            if entry.rule in self._fades:
                half_life, cap = self._fades[entry.rule]
                now = entry.points * 0.5 ** (age / half_life) if entry.points > 0 else float(entry.points)
                before = sums.get(entry.rule, 0.0)
                sums[entry.rule] = before + now
                told.append((entry.reason, _bounded(before + now, cap) - _bounded(before, cap), entry.at))
            elif entry.rule in self._fits and entry.rule not in fits:
                fits.add(entry.rule)
                told.append((entry.reason, float(entry.points), entry.at))
        return told

    def band_of(self, total: int) -> str:
        """Cold below 25, warm below 50, hot from there; mql from the model's threshold on."""
        if total >= self.mql:
            return "mql"
        return "cold" if total < 25 else "warm" if total < 50 else "hot"


def stage_of(total: int) -> str:
    """The stage that a total stands for: awareness below 25, consideration below 50, then decision."""
    return "awareness" if total < 25 else "consideration" if total < 50 else "decision"


def _bounded(points: float, cap: float) -> float:
    return min(cap, max(-cap, points))


def _newest(entry: ScoreLine) -> tuple[datetime, int, str]:
    return entry.at, entry.points, entry.reason


def _slugs(words: str) -> frozenset[str]:
    return frozenset(words.split())


# The most that fit alone can reach is 35: who a lead is starts no talk with sales, what a lead does may.
# No rule scores email.opened, because machines open mail (Apple's mail privacy, scanners).
DEFAULT_MODEL = ScoringModel(
    fit=(
        FitRule(
            "decides",
            10,
            "seniority",
            _slugs("founder owner c-level vp director head"),
            "decides on a purchase",
        ),
        FitRule("influences", 6, "seniority", _slugs("manager lead senior"), "has a say in a purchase"),
        FitRule(
            "right-size",
            6,
            "company-size",
            _slugs("51-200 201-500 501-1000 1001-5000 5001-plus mid-market enterprise"),
            "works at a company of the size we serve best",
        ),
        FitRule("small-company", 3, "company-size", _slugs("11-50 small"), "works at a small company"),
        FitRule(
            "right-industry",
            5,
            "industry",
            _slugs("software technology finance financial-services banking healthcare education manufacturing retail"),
            "works in an industry we serve",
        ),
        FitRule(
            "employed",
            6,
            "occupation",
            _slugs("working-professional professional businessman employed"),
            "has a job that a purchase would serve",
        ),
        FitRule("studies", -5, "occupation", _slugs("student"), "studies, and seldom buys"),
        FitRule("referred", 5, "source", _slugs("reference referral partner"), "came by referral"),
        FitRule("searched", 3, "source", _slugs("organic-search google bing"), "found us by searching"),
        FitRule(
            "right-topic",
            3,
            "topic",
            _slugs("data-quality forecasting dashboards data-governance"),
            "asked about a topic we are strong in",
        ),
    ),
    engagement=(
        EngagementRule("demo", 40, "demo.requested", half_life=timedelta(days=60), cap=40),
        EngagementRule("reply", 20, "email.replied", cap=40),
        EngagementRule("event", 15, "event.attended", half_life=timedelta(days=45), cap=30),
        EngagementRule("download", 12, "content.downloaded", cap=24),
        EngagementRule("form", 10, "form.submitted", cap=20),
        EngagementRule("click", 8, "email.clicked", cap=40),
        EngagementRule("pricing", 15, "page.viewed", "/pricing*", cap=30),
        EngagementRule("careers", -15, "page.viewed", "/careers*", cap=30),
        EngagementRule("page", 2, "page.viewed", half_life=timedelta(days=14), cap=10),
        EngagementRule("rejected", -20, "sales.rejected", cap=20),
        EngagementRule("opted-out", -40, "lead.opted_out", cap=40),
        EngagementRule("complained", -60, "email.complained", cap=60),
    ),
)
