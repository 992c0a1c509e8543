"""plan: what comes next, for each kind of step, wait, interruption and read."""

from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from datetime import timedelta

import pytest

from nurture.errors import TrackError
from nurture.journey.decision import AlertStep, Do, Enrol, Finish, HandOff, Park, Send
from nurture.journey.facts import (
    Chosen,
    Deferred,
    Done,
    Exited,
    Finished,
    Graduated,
    Overridden,
    Paused,
    Resumed,
    Waited,
)
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.matchers import converted, link_clicked, opted_out, page_viewed
from nurture.journey.outcomes import Outcome, nurtured, recycled, rested
from nurture.journey.plan import look_ahead, plan
from tests.journals import START, Journey, at, clicked, did, enrolled, journal, kinds, on_track, pieces, scored, sent


async def short(lead: Lead) -> Outcome:
    await lead.send("welcome")
    clicked = await lead.wait(days=7, until=link_clicked("welcome"))
    await lead.send("thanks" if clicked else "reminder")
    return nurtured


SHORT = on_track(short, exits_on=(opted_out, converted))
WELCOMED = journal(sent(0, "welcome"))
WEEK = (7 * 86_400.0, link_clicked("welcome").patterns)
"""How long the wait after the welcome is, and what ends it sooner."""


def test_the_first_step_comes_next() -> None:
    """A lead who has just enrolled gets the first step, because it enrolled."""
    decision = plan(SHORT, journal(), START)
    assert decision.next == Send("send:welcome", "welcome")
    assert decision.facts == ()
    assert decision.because == ("enrolled",)


def test_a_step_that_was_done_is_followed_by_the_wait_after_it() -> None:
    """The wait is named by the step before it, and its deadline counts from that step."""
    decision = plan(SHORT, WELCOMED, at(1))
    assert decision.next == Park(
        "send:welcome/wait",
        at(7),
        ("email.clicked:welcome", "lead.opted_out:*", "email.complained:*", "deal.won:*"),
    )
    assert decision.because == ("welcome was sent",)


def test_a_wait_ends_by_time_at_its_deadline_and_not_before() -> None:
    """One microsecond before the deadline the lead still waits; at it, the wait is over by time."""
    assert isinstance(plan(SHORT, WELCOMED, at(7) - timedelta(microseconds=1)).next, Park)
    decision = plan(SHORT, WELCOMED, at(7))
    assert decision.facts == (Waited(at(7), "send:welcome/wait", "time", "email.clicked", "welcome", *WEEK),)
    assert decision.next == Send("send:reminder", "reminder")


def test_a_wait_ends_by_the_behaviour_it_waits_for() -> None:
    """The behaviour is named in the fact, and is the reason of what follows."""
    decision = plan(SHORT, WELCOMED.extended([clicked(2, "welcome")]), at(2))
    assert decision.facts == (Waited(at(2), "send:welcome/wait", "behaviour", "email.clicked", "welcome", *WEEK),)
    assert decision.next == Send("send:thanks", "thanks")
    assert decision.because == ("clicked a link in welcome",)


def test_another_behaviour_ends_no_wait() -> None:
    """A click in another mail leaves the lead where it is, with the same deadline."""
    waits = WELCOMED.after(plan(SHORT, WELCOMED, at(1)).facts)
    decision = plan(SHORT, waits.extended([clicked(2, "other")]), at(2))
    assert decision.facts == ()
    assert decision.next == plan(SHORT, WELCOMED, at(1)).next


def test_a_behaviour_heard_before_the_wait_does_not_end_it() -> None:
    """The lead has moved on since."""
    before = journal(clicked(0, "welcome"), sent(1, "welcome"))
    assert isinstance(plan(SHORT, before, at(2)).next, Park)


def test_a_behaviour_heard_late_ends_the_wait_it_finds() -> None:
    """Sales' answer of an hour before the escalation arrives after it: an answer all the same."""
    late = journal(sent(1, "welcome")).extended([clicked(0.5, "welcome")])
    assert plan(SHORT, late, at(2)).next == Send("send:thanks", "thanks")


def test_a_behaviour_from_before_the_enrolment_ends_no_wait() -> None:
    """Event times come in whole seconds from foreign clocks: two seconds early are forgiven, three are not."""
    step = journal(sent(1, "welcome"))
    just = replace(clicked(0, "welcome"), at=at(0) - timedelta(seconds=2))
    assert plan(SHORT, step.extended([just]), at(1)).next == Send("send:thanks", "thanks")
    early = replace(just, at=at(0) - timedelta(seconds=3))
    assert isinstance(plan(SHORT, step.extended([early]), at(1)).next, Park)


def test_a_behaviour_after_the_deadline_does_not_end_the_wait_by_behaviour() -> None:
    """A worker that wakes late with a late click in the inbox still sees that time ran out first."""
    decision = plan(SHORT, WELCOMED.extended([clicked(8, "welcome")]), at(9))
    assert isinstance(decision.facts[0], Waited)
    assert decision.facts[0].by == "time"


def test_a_behaviour_before_the_deadline_counts_however_late_it_arrives() -> None:
    """The click happened in time; the outage that delayed it is not the lead's."""
    decision = plan(SHORT, WELCOMED.extended([clicked(6, "welcome")]), at(9))
    assert decision.next == Send("send:thanks", "thanks")


def test_a_wait_to_a_moment_ends_at_that_moment() -> None:
    """An absolute wait does not count from the step before."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(to=lead.enrolled_at + timedelta(days=5))
        return nurtured

    track = on_track(story)
    assert plan(track, journal(sent(3, "a")), at(3)).next == Park("send:a/wait", at(5))
    assert plan(track, journal(sent(6, "a")), at(6)).next == Finish("nurtured")


def test_a_wait_without_a_limit_waits_for_the_behaviour_alone() -> None:
    """It parks with no deadline, however much time passes."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(until=page_viewed())
        return nurtured

    track = on_track(story)
    assert plan(track, journal(), at(900)).next == Park("start/wait", None, ("page.viewed:*",))
    assert plan(track, journal().extended([did(901, "page.viewed", "/x")]), at(901)).next == Finish("nurtured")


@pytest.mark.parametrize(
    ("wait", "says"),
    [
        (lambda lead: lead.wait(), "needs a length"),
        (lambda lead: lead.wait(days=1, to=at(3)), "not both"),
        (lambda lead: lead.wait(to=at(3).replace(tzinfo=None)), "aware"),
        (lambda lead: lead.choose("x", ()), "needs variants"),
    ],
)
def test_a_wait_or_choice_that_makes_no_sense_names_its_line(
    wait: Callable[[Lead], Awaitable[object]], says: str
) -> None:
    """The error says what is wrong, and where in the track."""

    async def story(lead: Lead) -> Outcome:
        await wait(lead)
        return nurtured

    track = on_track(story)
    with pytest.raises(TrackError, match=says) as error:
        plan(track, journal(), START)
    assert f"test_plan.py:{track.line + 1}" in str(error.value)


def test_a_wait_of_no_days_is_over_at_once() -> None:
    """`days=0` is a length of nothing, not a wait without limit."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(days=0, until=page_viewed())
        return nurtured

    assert plan(on_track(story), journal(), START).next == Finish("nurtured")


def test_a_second_wait_after_the_same_step_has_its_own_key_and_starts_when_the_first_ended() -> None:
    """Two waits in a row add up."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(days=2)
        await lead.wait(days=3)
        return nurtured

    journey = Journey(on_track(story))
    assert journey.go(4).next == Park("start/wait~2", at(5))


def test_a_repeated_step_counts() -> None:
    """The second send of a piece is another step."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("tip")
        await lead.send("tip")
        return nurtured

    journey = Journey(on_track(story))
    journey.go(0)
    assert journey.keys == ["send:tip", "send:tip~2"]


def test_reads_are_as_of_the_position() -> None:
    """A branch taken at score 10 stays taken when the score has risen to 60 by the time of a re-run."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.send("hot" if lead.score >= 50 else "cold")
        await lead.wait(days=5)
        await lead.send("hot-2" if lead.score >= 50 else "cold-2")
        return nurtured

    journey = Journey(on_track(story))
    journey.go(9, scored(3, 60))
    assert [piece for _, piece in journey.sends] == ["a", "cold", "hot-2"]


def test_has_and_times_read_the_journal_as_of_the_position() -> None:
    """Behaviours count up to the last settled step, within the asked time."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(days=10)
        if lead.has(link_clicked()) and not lead.has(link_clicked(), within=timedelta(days=5)):
            await lead.send(f"clicks-{int(lead.times(link_clicked()))}")
        return nurtured

    journey = Journey(on_track(story))
    decision = journey.go(9, clicked(1, "x"), clicked(2, "x"))
    journey.journal = journey.journal.after([clicked(2, "y")])
    decision = journey.go(10)
    assert [piece for _, piece in journey.sends] == ["clicks-3"]
    assert decision.next == Finish("nurtured")


def test_because_names_the_reads_and_how_they_compared() -> None:
    """The reason of a decision is what the code read to get there, in plain English."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        if lead.score >= 50 and lead.stage == "decision":
            await lead.send("hot")
        if not lead.has(link_clicked("a")):
            await lead.send("cold")
        return nurtured

    decision = plan(on_track(story), journal(sent(0, "a")), at(0))
    assert decision.because == ("a was sent", "score = 10 < 50", "not: clicked a link in a")


def test_the_cadence_is_the_reason_of_the_wait_it_sets() -> None:
    """A lead who never engaged waits four weeks, and the decision says so."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(lead.cadence())
        return nurtured

    decision = plan(on_track(story), journal(sent(0, "a")), at(0))
    assert decision.next == Park("send:a/wait", at(28))
    assert decision.because == ("a was sent", "cadence = 28 days")


def test_a_cadence_counts_as_the_length_it_stands_for() -> None:
    """It can be doubled, added to, and compared with other lengths."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(min(lead.cadence() * 2, timedelta(days=50)) + timedelta(days=1))
        return nurtured

    assert plan(on_track(story), journal(), START).next == Park("start/wait", at(51))


def test_a_put_off_send_parks_until_its_moment_and_is_then_due() -> None:
    """A deferred send is not lost: the lead parks on it, with the reason, and the step is next when the time comes."""
    put_off = journal(Deferred(at(0), "send:welcome", at(2), "quiet hours"))
    decision = plan(SHORT, put_off, at(1))
    assert decision.next == Park("send:welcome", at(2), SHORT.exits.patterns, None, "deferred")
    assert "quiet hours" in decision.because[-1]
    assert plan(SHORT, put_off, at(2)).next == Send("send:welcome", "welcome")


def test_a_refused_send_is_falsy_and_the_lead_moves_on() -> None:
    """The gate's final no is a result like another; the wait after it is the same wait."""
    refused = journal(Done(at(0), "send:welcome", "refused", "no consent"))
    decision = plan(SHORT, refused, at(0))
    assert isinstance(decision.next, Park)
    assert decision.because == ("send welcome refused: no consent",)


def test_an_override_ends_the_present_wait() -> None:
    """A person moves the lead on; the wait counts as not met."""
    decision = plan(SHORT, WELCOMED.extended([Overridden(at(1))]), at(1))
    assert decision.facts == (Waited(at(1), "send:welcome/wait", "override", "", "", *WEEK),)
    assert decision.next == Send("send:reminder", "reminder")


def test_an_override_ends_one_wait_only() -> None:
    """The wait after the overridden one is waited out."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(days=3)
        await lead.wait(days=3)
        return nurtured

    journey = Journey(on_track(story))
    journey.decide()
    assert journey.decide(Overridden(at(1))).next == Park("start/wait~2", at(4))
    assert journey.decide().next == Park("start/wait~2", at(4))


def test_an_override_ends_the_putting_off_of_a_send_until_it_is_put_off_again() -> None:
    """A person sends now; if the gate puts it off once more, that holds."""
    put_off = journal(Deferred(at(0), "send:welcome", at(2), "quiet hours"), Overridden(at(1)))
    assert plan(SHORT, put_off, at(1)).next == Send("send:welcome", "welcome")
    again = put_off.after([Deferred(at(1), "send:welcome", at(3), "quiet hours")])
    assert isinstance(plan(SHORT, again, at(1)).next, Park)


def test_while_paused_nothing_is_sent() -> None:
    """Neither the next step nor one whose wait ran out comes, however much time passes."""
    paused = plan(SHORT, journal(Paused(at(0))), at(30))
    assert paused.next == Park("send:welcome", None, SHORT.exits.patterns, None, "paused")
    assert paused.because[-1] == "paused"
    assert plan(SHORT, WELCOMED.after([Paused(at(1))]), at(30)).facts == ()


def test_time_stands_still_while_paused() -> None:
    """Ten days of pause move the deadline by ten days."""
    resumed = WELCOMED.after([Paused(at(1)), Resumed(at(11))])
    assert plan(SHORT, resumed, at(11)).next == replace(plan(SHORT, WELCOMED, at(1)).next, until=at(17))  # type: ignore[type-var]


def test_a_pause_before_the_wait_began_moves_it_only_by_what_fell_into_it() -> None:
    """A send that was under way when the pause came starts a wait in the midst of the pause."""
    facts = journal(Paused(at(0)), sent(2, "welcome"), Resumed(at(5)))
    following = plan(SHORT, facts, at(5)).next
    assert isinstance(following, Park)
    assert following.until == at(12)
    ended = plan(SHORT, journal(Paused(at(0)), Resumed(at(1)), sent(2, "welcome")), at(5)).next
    assert isinstance(ended, Park)
    assert ended.until == at(9)


def test_an_exit_works_while_paused() -> None:
    """An opt-out does not wait for a person to resume."""
    decision = plan(SHORT, journal(Paused(at(0))).extended([did(1, "lead.opted_out")]), at(1))
    assert decision.next == Finish("exited: opted out")


def test_a_journey_does_not_end_while_paused() -> None:
    """Its last step done during the pause, the lead stays until it is resumed; nobody is ejected."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        return nurtured

    track = on_track(story)
    paused = journal(Paused(at(0)), sent(0, "a"))
    assert plan(track, paused, at(1)).next == Park("end", None, (), None, "paused")
    assert plan(track, paused.after([Resumed(at(2))]), at(2)).next == Finish("nurtured")


def test_an_exit_rule_ends_the_journey_wherever_the_lead_stands() -> None:
    """At a wait, before a step and at the very end, an exit behaviour is recorded as the end, with its reason."""
    for facts, now in ((journal(), 0), (WELCOMED, 3), (WELCOMED.after([sent(7, "reminder")]), 7)):
        decision = plan(SHORT, facts.extended([did(now, "deal.won")]), at(now))
        assert decision.facts == (Exited(at(now), "became a customer"),)
        assert decision.next == Finish("exited: became a customer")
        assert decision.because == ("became a customer",)


def test_a_journey_that_is_over_stays_over() -> None:
    """Nothing is derived and nothing comes next after the end, whatever else is recorded."""
    for end, says in ((Exited(at(1), "asked to"), "exited: asked to"), (Finished(at(1), "nurtured"), "nurtured")):
        over = WELCOMED.after([end]).extended([clicked(2, "welcome"), scored(3, 90)])
        decision = plan(SHORT, over, at(9))
        assert (decision.facts, decision.next) == ((), Finish(says))


def test_the_end_of_the_track_is_recorded() -> None:
    """A track that returns finishes with its outcome."""
    waited = Waited(at(7), "send:welcome/wait", "time", "", "", *WEEK)
    decision = plan(SHORT, WELCOMED.after([waited, sent(7, "reminder")]), at(7))
    assert decision.facts == (Finished(at(7), "nurtured"),)
    assert decision.next == Finish("nurtured")


async def hot(lead: Lead) -> Outcome:
    await lead.hand_off("sales", reason=f"score {lead.score}")
    taken = await lead.wait(days=2, until=link_clicked("offer"))
    return rested if taken else recycled


OFFER = (2 * 86_400.0, link_clicked("offer").patterns)
HOT = on_track(short, graduates_at=75, on_graduation=hot, exits_on=(opted_out,))
OFFERED = WELCOMED.after([scored(2, 80), Graduated(at(2), 80), Done(at(2), "graduation/hand_off:sales", "done")])


def test_a_score_at_the_threshold_graduates_in_the_midst_of_a_wait() -> None:
    """The graduation starts at once, in place of the wait, because of the score."""
    assert kinds(plan(HOT, WELCOMED.extended([scored(2, 74)]), at(2)).facts) == ["waiting"]
    decision = plan(HOT, WELCOMED.extended([scored(2, 75)]), at(2))
    assert decision.facts == (Graduated(at(2), 75),)
    assert decision.next == HandOff("graduation/hand_off:sales", "sales", "score 75")
    assert decision.because[0] == "score 75 reached the track's threshold"


def test_a_park_says_which_score_would_wake_it() -> None:
    """The threshold while one would graduate; none inside the graduation."""
    waiting = plan(HOT, WELCOMED, at(1)).next
    inside = plan(HOT, OFFERED, at(2)).next
    assert isinstance(waiting, Park)
    assert isinstance(inside, Park)
    assert (waiting.wakes_at_score, inside.wakes_at_score) == (75, None)


def test_a_lead_who_enrols_above_the_threshold_graduates_at_once() -> None:
    """Nobody has to wait for a second score."""
    assert plan(HOT, Journal([enrolled(90)]), START).facts == (Graduated(START, 90),)


def test_graduation_interrupts_a_put_off_send() -> None:
    """The send stays due for when the lead comes back."""
    put_off = journal(Deferred(at(0), "send:welcome", at(9), "caps")).extended([scored(1, 80)])
    assert kinds(plan(HOT, put_off, at(1)).facts) == ["graduated"]
    back = put_off.after(
        [
            Graduated(at(1), 80),
            Done(at(1), "graduation/hand_off:sales", "done"),
            Waited(at(3), "graduation/hand_off:sales/wait", "time", "", "", *OFFER),
        ]
    )
    following = plan(HOT, back, at(3)).next
    assert isinstance(following, Park)
    assert (following.key, following.until, following.why) == ("send:welcome", at(9), "deferred")


def test_a_graduation_that_is_accepted_finishes_the_journey() -> None:
    """The graduation's outcome is the journey's."""
    decision = plan(HOT, OFFERED.extended([clicked(3, "offer")]), at(3))
    assert kinds(decision.facts) == ["waited", "finished"]
    assert decision.next == Finish("rested")


def test_a_recycled_lead_goes_on_with_the_interrupted_wait_restarted() -> None:
    """The wait it was in starts again from the end of the graduation."""
    decision = plan(HOT, OFFERED, at(4))
    assert kinds(decision.facts) == ["waited", "waiting"]
    assert decision.next == Park("send:welcome/wait", at(11), (*link_clicked("welcome").patterns, *opted_out.patterns))


def test_a_graduation_re_arms_only_after_the_score_fell_below_the_threshold() -> None:
    """A recycled lead that stays hot is not offered again at every new score; one that cooled and rose is."""
    journey = Journey(HOT, OFFERED, at(4))
    journey.decide()
    assert journey.decide(scored(5, 90)).facts == ()
    assert journey.decide(scored(6, 70)).facts == ()
    decision = journey.decide(scored(7, 80))
    assert decision.facts == (Graduated(at(7), 80),)
    assert decision.next == HandOff("graduation~2/hand_off:sales", "sales", "score 80")


def test_a_score_reached_while_paused_is_not_lost() -> None:
    """The graduation is recorded when it is reached, and the offer goes out once resumed."""
    journey = Journey(HOT, WELCOMED, at(1))
    assert isinstance(journey.decide(Paused(at(1))).next, Park)
    paused = journey.decide(scored(2, 80)).next
    assert isinstance(paused, Park)
    assert paused.why == "paused"
    assert isinstance(journey.decide(Resumed(at(4))).next, HandOff)


def test_a_lead_that_is_hot_at_the_end_of_the_track_graduates_before_it_finishes() -> None:
    """A score that arrives with the last step's result still counts."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        return nurtured

    track = on_track(story, graduates_at=75, on_graduation=hot)
    journey = Journey(track, journal(sent(0, "a")), at(0))
    assert isinstance(journey.decide(scored(0, 80)).next, HandOff)
    assert journey.go(9).next == Finish("nurtured")


def test_next_piece_goes_through_the_catalogue_without_repeating() -> None:
    """What was chosen, sent by name, or seen on another track is not chosen again; in the end nothing is left."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("p2")
        while piece := await lead.next_piece("awareness"):
            await lead.send(piece)
        return nurtured

    first = replace(enrolled(), seen=("p3",))
    journey = Journey(on_track(story), Journal([first]), catalogue=pieces("p1", "p2", "p3", "p4"))
    assert journey.go(1).next == Finish("nurtured")
    assert [piece for _, piece in journey.sends] == ["p2", "p1", "p4"]
    assert [fact.choice for fact in journey.journal if isinstance(fact, Chosen)] == ["p1", "p4", None]


def test_a_choice_once_made_is_kept() -> None:
    """A piece that has left the catalogue, or a better one that has joined it, changes nothing that was chosen."""

    async def story(lead: Lead) -> Outcome:
        piece = await lead.next_piece("awareness")
        await lead.send(piece or "nothing")
        return nurtured

    track = on_track(story)
    chosen = journal(Chosen(at(0), "next_piece:awareness", "p1"))
    assert plan(track, chosen, at(0), pieces("p0", "p2")).next == Send("send:p1", "p1")


def test_an_experiment_splits_leads_and_keeps_each_to_its_variant() -> None:
    """Each lead gets one variant, the same on every ask; over many leads both are used about alike."""

    async def story(lead: Lead) -> Outcome:
        first = await lead.choose("subject")
        await lead.send(f"{first}-1")
        return nurtured

    track = on_track(story)
    chosen = []
    for number in range(400):
        facts = Journal([replace(enrolled(), lead=f"lead-{number}")])
        decision = plan(track, facts, START)
        assert plan(track, facts, at(1)).next == decision.next
        assert isinstance(decision.facts[0], Chosen)
        chosen.append(decision.facts[0].choice)
    assert 150 < chosen.count("treatment") < 250


def test_every_other_kind_of_step_comes_next_in_its_turn() -> None:
    """An alert, another track, an activity of one's own: each with its key, and the activity's value comes back."""

    async def story(lead: Lead) -> Outcome:
        await lead.alert("look")
        await lead.enrol("other")
        found = await lead.do("enrich", {"deep": True})
        await lead.send(found.value["piece"])
        return nurtured

    track = on_track(story)
    facts = journal()
    expected: list[object] = [
        AlertStep("alert:look", "look"),
        Enrol("enrol:other", "other"),
        Do("do:enrich", "enrich", {"deep": True}),
    ]
    for step in expected:
        assert plan(track, facts, START).next == step
        facts = facts.after([Done(START, step.key, "done", value={"piece": "p"})])  # type: ignore[attr-defined]
    assert plan(track, facts, START).next == Send("send:p", "p")


def test_looking_ahead_tells_where_the_lead_parks_once_the_step_succeeds() -> None:
    """The wait after a send comes along with it; a step followed by another step brings nothing along."""
    decision = look_ahead(SHORT, journal(), plan(SHORT, journal(), START), START)
    assert decision.then is not None
    assert decision.then.next == plan(SHORT, WELCOMED, START).next

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.send("b")
        return nurtured

    track = on_track(story)
    assert look_ahead(track, journal(), plan(track, journal(), START), START).then is None


def test_a_track_that_awaits_something_foreign_is_named_with_its_line() -> None:
    """An await that is no step of the lead is an error at that line, not a hang."""

    class Foreign:
        def __await__(self) -> Generator[str, None, None]:
            yield "foreign"

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        await Foreign()
        return nurtured

    track = on_track(story)
    with pytest.raises(TrackError, match=f"test_plan.py:{track.line + 2}: awaits 'foreign'"):
        plan(track, journal(sent(0, "a")), START)


def test_a_track_that_raises_is_named_with_its_line() -> None:
    """The error keeps its kind and text."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        return {}["b"]

    track = on_track(story)
    with pytest.raises(TrackError, match=f"test_plan.py:{track.line + 2}: KeyError: 'b'"):
        plan(track, journal(sent(0, "a")), START)


def test_a_track_that_returns_no_outcome_is_refused() -> None:
    """Falling off the end is not an outcome."""

    async def story(lead: Lead) -> None:
        await lead.send("a")

    with pytest.raises(TrackError, match="returned None; a track returns an Outcome"):
        plan(on_track(story), journal(sent(0, "a")), START)
