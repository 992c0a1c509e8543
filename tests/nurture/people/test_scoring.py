"""Scoring by events: the arithmetic, the default model, and the laws."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import InputError
from nurture.people.behaviours import BEHAVIOURS
from nurture.people.scoring import DEFAULT_MODEL, EngagementRule, FitRule, ScoreLine, ScoringModel

NOW = datetime(2026, 3, 11, 10, tzinfo=UTC)
CLICK = EngagementRule("click", 10, "email.clicked", half_life=timedelta(days=30))
PRICING = EngagementRule("pricing", 15, "page.viewed", "/pricing*", cap=20)
PAGE = EngagementRule("page", 2, "page.viewed")
CAREERS = EngagementRule("careers", -15, "page.viewed", "/careers*", cap=30)
DIRECTOR = FitRule("director", 10, "seniority", frozenset({"director", "vp"}), "decides on a purchase")
STUDENT = FitRule("student", -5, "occupation", frozenset({"student"}), "studies")
MODEL = ScoringModel((DIRECTOR, STUDENT), (CLICK, PRICING, CAREERS, PAGE))


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def clicks(*days: float, points: int = 10) -> list[ScoreLine]:
    return [ScoreLine("click", points, "clicked", ago(day), f"b{n}") for n, day in enumerate(days)]


def test_fit_entries_are_the_rules_the_profile_meets() -> None:
    """One entry for each rule that is met, with the rule's reason; an unknown trait gives nothing."""
    assert MODEL.fit_entries({"seniority": "vp", "occupation": "nurse", "shoe": "42"}, NOW) == [
        ScoreLine("director", 10, "decides on a purchase", NOW)
    ]
    assert MODEL.fit_entries({}, NOW) == []


@pytest.mark.parametrize(
    ("name", "subject", "rule", "points", "reason"),
    [
        ("email.clicked", "welcome", "click", 10, "clicked a link in welcome"),
        ("page.viewed", "/pricing/teams", "pricing", 15, "viewed page /pricing/teams"),
        ("page.viewed", "/careers", "careers", -15, "viewed page /careers"),
        ("page.viewed", "/blog", "page", 2, "viewed page /blog"),
        ("page.viewed", None, "page", 2, "viewed page"),
    ],
)
def test_a_behaviour_scores_by_the_first_rule_that_matches(
    name: str, subject: str | None, rule: str, points: int, reason: str
) -> None:
    """One behaviour has one reason, in plain English, and carries its id so that it can be taken back."""
    assert MODEL.engagement_entries("b7", name, subject, ago(3)) == [ScoreLine(rule, points, reason, ago(3), "b7")]


def test_a_behaviour_without_a_rule_scores_nothing() -> None:
    """Neither one the model leaves out nor one that does not exist."""
    assert MODEL.engagement_entries("b1", "email.opened", "welcome", NOW) == []
    assert MODEL.engagement_entries("b1", "email.teleported", "welcome", NOW) == []


def test_a_list_as_a_trait_meets_a_rule_by_any_of_its_words() -> None:
    """And earns its points once."""
    found = MODEL.fit_entries({"seniority": ["engineer", "vp", "director"], "occupation": []}, NOW)
    assert [entry.rule for entry in found] == ["director"]


@pytest.mark.parametrize("glob", ["/Preise/", "https://a.example/preise", "/PREISE"])
def test_a_rule_for_a_page_means_it_however_it_is_spelled(glob: str) -> None:
    """As a matcher does."""
    model = ScoringModel((), (EngagementRule("prices", 5, "page.viewed", glob),))
    assert [entry.points for entry in model.engagement_entries("b1", "page.viewed", "/preise", NOW)] == [5]


def test_engagement_halves_each_half_life_and_fit_does_not() -> None:
    """Ten points are ten today, five after 30 days, two and a half (rounded up) after 60."""
    entries = [*clicks(0), ScoreLine("director", 10, "decides", NOW)]
    scores = [MODEL.score(entries, NOW + timedelta(days=days)) for days in (0, 30, 60)]
    assert [score.engagement for score in scores] == [10, 5, 3]
    assert [score.fit for score in scores] == [10, 10, 10]
    assert [score.total for score in scores] == [20, 15, 13]


def test_decay_counts_from_the_time_of_the_behaviour() -> None:
    """A click that was reported two months late scores as it would have on time."""
    late = MODEL.engagement_entries("b1", "email.clicked", "welcome", ago(60))
    assert MODEL.score(late, NOW).engagement == 3


def test_what_happened_after_the_date_is_ignored() -> None:
    """The score as of last month is what it was last month, but what happens at the moment itself counts."""
    entries = [*clicks(0, 10, 40), ScoreLine("director", 10, "decides", ago(5))]
    assert MODEL.score(entries, ago(20)) == MODEL.score(clicks(40), ago(20))
    assert MODEL.score(entries, ago(20)).engagement == 6
    assert MODEL.score(clicks(0), NOW).engagement == 10


def test_a_cap_bounds_what_a_rule_gives_both_ways() -> None:
    """Looking at pricing all day is worth 20, and at careers minus 30."""
    pricing = [ScoreLine("pricing", 15, "pricing", NOW, f"b{n}") for n in range(9)]
    careers = [ScoreLine("careers", -15, "careers", NOW, f"c{n}") for n in range(9)]
    assert MODEL.score(pricing, NOW).engagement == 20
    assert MODEL.score(careers, NOW).engagement == -30
    assert MODEL.score(pricing + careers, NOW).engagement == -10


def test_negative_points_do_not_fade() -> None:
    """Else a lead who went away would be worth more each day."""
    entries = [ScoreLine("careers", -15, "careers", ago(300))]
    assert MODEL.score(entries, NOW).engagement == -15


def test_the_total_is_clamped_and_the_parts_are_not() -> None:
    """Between 0 and 100, whatever the parts say."""
    low = MODEL.score([ScoreLine("student", -5, "studies", NOW)], NOW)
    high = MODEL.score(clicks(*[0] * 12), NOW)
    assert (low.total, low.fit) == (0, -5)
    assert (high.total, high.engagement) == (100, 120)


def test_the_latest_entry_of_a_fit_rule_counts() -> None:
    """A profile that is entered again is not counted twice, and an entry of nothing takes the points back."""
    entries = [ScoreLine("director", 10, "decides", ago(9)), ScoreLine("director", 10, "decides", ago(5))]
    assert MODEL.score(entries, NOW).fit == 10
    entries.append(ScoreLine("director", 0, "no longer", ago(1)))
    assert MODEL.score(entries, NOW).fit == MODEL.score(entries[::-1], NOW).fit == 0
    assert MODEL.score(entries, ago(2)).fit == 10


def test_an_entry_whose_rule_is_gone_counts_nothing() -> None:
    """Today's model says what is worth something."""
    entries = [ScoreLine("fax", 50, "sent a fax", NOW), *clicks(0)]
    assert MODEL.score(entries, NOW).total == 10
    assert [reason for reason, _, _ in MODEL.explain(entries, NOW)] == ["clicked"]


@pytest.mark.parametrize(
    ("total", "stage", "band"),
    [
        (0, "awareness", "cold"),
        (24, "awareness", "cold"),
        (25, "consideration", "warm"),
        (49, "consideration", "warm"),
        (50, "decision", "hot"),
        (74, "decision", "hot"),
        (75, "decision", "mql"),
        (100, "decision", "mql"),
    ],
)
def test_stage_and_band_follow_the_total(total: int, stage: str, band: str) -> None:
    """At both ends of every band."""
    score = MODEL.score(clicks(0, points=total), NOW)
    assert (score.total, score.stage, score.band) == (total, stage, band)


def test_the_mql_threshold_is_the_models() -> None:
    """A model with a threshold of 40 has no hot leads."""
    eager = replace(MODEL, mql=40)
    assert [eager.score(clicks(0, points=total), NOW).band for total in (39, 40, 60)] == [
        "warm",
        "mql",
        "mql",
    ]


def test_the_explanation_says_what_each_entry_is_worth_now() -> None:
    """Newest first; a cap leaves the older pricing view only five of its fifteen points."""
    entries = [
        *clicks(30),
        ScoreLine("pricing", 15, "older view", NOW - timedelta(minutes=1), "b8"),
        ScoreLine("pricing", 15, "newer view", NOW, "b9"),
        ScoreLine("director", 10, "decides", ago(90)),
        ScoreLine("click", 10, "tomorrow's", NOW + timedelta(days=1)),
    ]
    told = MODEL.explain(entries, NOW)
    assert told == [
        ("newer view", 15.0, NOW),
        ("older view", 5.0, NOW - timedelta(minutes=1)),
        ("clicked", 5.0, ago(30)),
        ("decides", 10.0, ago(90)),
    ]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: EngagementRule("x", 5, "email.teleported"), "unknown behaviour 'email.teleported'"),
        (lambda: EngagementRule("x", 5, "email.clicked", half_life=timedelta(0)), "half-life"),
        (lambda: EngagementRule("x", 5, "email.clicked", cap=-1), "cap"),
        (lambda: ScoringModel((), (CLICK, CLICK)), "used twice: click"),
        (lambda: ScoringModel((), (replace(CLICK, name="c" * 65),)), "1 to 64 characters"),
        (lambda: ScoringModel((replace(DIRECTOR, name="click"),), (CLICK,)), "used twice: click"),
        (lambda: ScoringModel((), (PAGE, PRICING)), "'pricing' never matches"),
        (lambda: ScoringModel((), (), mql=0), "from 1 to 100"),
        (lambda: ScoringModel((), (), mql=101), "from 1 to 100"),
    ],
)
def test_a_model_that_makes_no_sense_is_refused(make: object, match: str) -> None:
    """Each with the rule that is wrong and what is wrong with it."""
    assert callable(make)
    with pytest.raises(InputError, match=match):
        make()


def default_entries(*did: tuple[str, str | None, float]) -> list[ScoreLine]:
    return [
        entry
        for n, (name, subject, days) in enumerate(did)
        for entry in DEFAULT_MODEL.engagement_entries(f"b{n}", name, subject, ago(days))
    ]


GOOD_FIT = {"seniority": "director", "company-size": "51-200", "occupation": "working-professional"}


def test_by_default_a_lead_who_engages_within_weeks_is_qualified() -> None:
    """Three clicks, a download, pricing twice, a form, and a fit: past 75; two months on, no more."""
    did = default_entries(
        ("content.downloaded", "guide", 21),
        ("email.clicked", "welcome", 18),
        ("email.clicked", "case-study", 11),
        ("page.viewed", "/pricing", 10),
        ("email.clicked", "webinar", 4),
        ("page.viewed", "/pricing", 2),
        ("form.submitted", "contact", 1),
    )
    entries = DEFAULT_MODEL.fit_entries(GOOD_FIT, ago(21)) + did
    assert DEFAULT_MODEL.score(entries, NOW).band == "mql"
    assert DEFAULT_MODEL.score(entries, NOW + timedelta(days=60)).band == "warm"


def test_by_default_fit_alone_never_exceeds_35() -> None:
    """The best profile that the rules can describe is no reason to call."""
    values: dict[str, set[str]] = {}
    for rule in DEFAULT_MODEL.fit:
        values.setdefault(rule.trait, set()).update(rule.values)
    best = {
        trait: max(seen, key=lambda value: sum(e.points for e in DEFAULT_MODEL.fit_entries({trait: value}, NOW)))
        for trait, seen in values.items()
    }
    assert set(best) == {"industry", "topic", "occupation", "company-size", "source", "seniority"}
    assert DEFAULT_MODEL.score(DEFAULT_MODEL.fit_entries(best, NOW), NOW).total == 35


@pytest.mark.parametrize(
    ("trait", "value", "points"),
    [
        ("seniority", "director", 10),
        ("seniority", "manager", 6),
        ("company-size", "51-200", 6),
        ("company-size", "11-50", 3),
        ("industry", "software", 5),
        ("occupation", "working-professional", 6),
        ("occupation", "student", -5),
        ("occupation", "unemployed", 0),
        ("source", "reference", 5),
        ("source", "google", 3),
        ("topic", "data-quality", 3),
    ],
)
def test_by_default_each_trait_is_worth_its_points(trait: str, value: str, points: int) -> None:
    """One value for each rule, and one that no rule names."""
    assert DEFAULT_MODEL.score(DEFAULT_MODEL.fit_entries({trait: value}, NOW), NOW).fit == points


def test_by_default_an_open_scores_nothing() -> None:
    """Machines open mail."""
    assert default_entries(("email.opened", "welcome", 0)) == []


def test_by_default_every_rule_is_reached_by_a_behaviour_that_exists() -> None:
    """Each rule gives its own points to some subject of its own behaviour."""
    for rule in DEFAULT_MODEL.engagement:
        entries = default_entries((rule.behaviour, rule.subject_glob.replace("*", "x"), 0))
        assert [(entry.rule, entry.points) for entry in entries] == [(rule.name, rule.points)]


def test_by_default_a_job_seeker_is_not_qualified_by_reading() -> None:
    """Pages about careers outweigh the other pages."""
    read = default_entries(*[("page.viewed", "/blog", 0.0)] * 5, ("page.viewed", "/careers/berlin", 0))
    assert DEFAULT_MODEL.score(read, NOW).total == 0


BEHAVED = st.tuples(
    st.sampled_from(sorted(BEHAVIOURS)),
    st.sampled_from(["welcome", "/pricing", "/careers/x", "/blog", None]),
    st.floats(-30, 400),
)
TRAITS = st.sampled_from(
    [
        dict(zip(("seniority", "occupation", "source"), values, strict=True))
        for values in product(("director", "intern"), ("student", "professional"), ("referral", "fax"))
    ]
)


@st.composite
def ledgers(draw: st.DrawFn) -> list[ScoreLine]:
    entries = default_entries(*draw(st.lists(BEHAVED, max_size=40)))
    for days in draw(st.lists(st.integers(0, 100), max_size=3)):
        entries += DEFAULT_MODEL.fit_entries(draw(TRAITS), ago(days))
    return entries


@given(entries=ledgers(), shuffled=st.randoms(use_true_random=False))
def test_the_order_of_the_entries_never_matters(entries: list[ScoreLine], shuffled: Random) -> None:
    """To the score and to its explanation."""
    other = list(entries)
    shuffled.shuffle(other)
    assert DEFAULT_MODEL.score(other, NOW) == DEFAULT_MODEL.score(entries, NOW)
    assert DEFAULT_MODEL.explain(other, NOW) == DEFAULT_MODEL.explain(entries, NOW)


@given(entries=ledgers(), days=st.floats(0, 1000), more=st.floats(0, 1000))
def test_without_new_entries_engagement_never_rises(entries: list[ScoreLine], days: float, more: float) -> None:
    """Doing nothing earns nothing, not even by outliving a bad mark."""
    known = [entry for entry in entries if entry.at <= NOW]
    sooner = DEFAULT_MODEL.score(known, NOW + timedelta(days=days))
    later = DEFAULT_MODEL.score(known, NOW + timedelta(days=days + more))
    assert later.engagement <= sooner.engagement
    assert later.fit == sooner.fit


@given(entries=ledgers())
def test_a_score_is_within_0_and_100_and_adds_up(entries: list[ScoreLine]) -> None:
    """The total is its parts, and the explanation is the parts before rounding."""
    score = DEFAULT_MODEL.score(entries, NOW)
    assert score.total == min(100, max(0, score.fit + score.engagement))
    told = sum(points for _, points, _ in DEFAULT_MODEL.explain(entries, NOW))
    assert abs(told - score.fit - score.engagement) <= 0.5 + 1e-9


@given(entries=ledgers(), extra=BEHAVED)
def test_taking_a_behaviour_back_takes_its_points_back(
    entries: list[ScoreLine], extra: tuple[str, str | None, float]
) -> None:
    """A click that turns out to be a scanner's leaves no trace in the score."""
    name, subject, days = extra
    scored = entries + DEFAULT_MODEL.engagement_entries("bot", name, subject, ago(days))
    taken_back = [entry for entry in scored if entry.behaviour_id != "bot"]
    assert DEFAULT_MODEL.score(taken_back, NOW) == DEFAULT_MODEL.score(entries, NOW)
