"""Decisions a second of `plan` on one core: along the canonical journey, and for a what-if over a thousand journals.

The canonical journey: 12 sends, 13 waits and 20 behaviours over six months. Each figure is the best of several rounds
of CPU time, so that a busy machine slows it less. Run: `python benchmarks/plan_speed.py`.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from nurture.bench.life import Life
from nurture.journey.compaction import compact
from nurture.journey.decision import Park
from nurture.journey.facts import Behaved, Done, Enrolled, Scored
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.matchers import converted, link_clicked, opted_out, page_viewed
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.plan import plan
from nurture.journey.track import Track, track

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
LEADS = 1_000


@track("canonical", exits_on=(opted_out, converted), graduates_at=75)
async def canonical(lead: Lead) -> Outcome:
    """Twelve pieces over half a year: welcome, then tips at the lead's own cadence, while pricing is watched for."""
    await lead.send("welcome")
    clicked = await lead.wait(days=7, until=link_clicked("welcome"))
    await lead.send("case-study" if clicked and lead.score >= 40 else "guide")
    for number in range(10):
        await lead.wait(lead.cadence() * 2, until=page_viewed("/pricing*"))
        await lead.send(f"tip-{number}")
    await lead.wait(days=14)
    await lead.wait(days=14, until=page_viewed("/pricing*"))
    return nurtured


def journey(lead: str, first_behaviour: int = 0) -> list[tuple[Journal, datetime]]:
    """Each point at which a lead's journey asks for a decision: the journal and the moment."""
    life, points = Life(canonical, Journal([Enrolled(START, lead, score=10)])), []
    behaved, waits = first_behaviour, 0
    for journal, now, decision in life.turns():
        points.append((journal, now))
        park = decision.next
        if not isinstance(park, Park):
            continue
        assert park.until is not None
        waits += 1
        at = now
        for _ in range(1 + waits % 2):
            at += (park.until - at) / 4
            viewed = Behaved(at, str(behaved), "page.viewed", f"/blog/{behaved}")
            life.note(viewed, Scored(at, 30 + behaved, "awareness"))
            behaved += 1
    return points


def decisions_a_second(track: Track, points: Sequence[tuple[Journal, datetime]], rounds: int) -> float:
    """How many of these decisions one core makes a second, in its best round."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for journal, now in points:
            plan(track, journal, now)
        best = min(best, time.process_time() - began)
    return len(points) / best


def a_second(once: Callable[[], object], rounds: int, times: int) -> float:
    """How often something is done a second, in its best round."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(times):
            once()
        best = min(best, time.process_time() - began)
    return times / best


def main() -> None:
    """Print the figures."""
    points = journey("L1")
    last, now = points[-1]
    sends = sum(isinstance(fact, Done) for fact in last)
    behaviours = len(last.behaviours)
    days = (now - START) / timedelta(days=1)
    print(f"canonical journey     {sends} sends, {behaviours} behaviours, {len(points)} decisions in {days:.0f} days")
    print(f"plan                  {decisions_a_second(canonical, points * 10, 40):>10,.0f} decisions/s, one core")
    edited = replace(canonical, graduates_at=45)
    journals = [each[len(each) // 2] for each in (journey(f"L{number}", number % 7) for number in range(LEADS))]
    print(f"what-if, {LEADS:,} leads  {decisions_a_second(edited, journals, 10):>10,.0f} decisions/s, one core")
    facts = last.facts
    print(f"index a journal       {a_second(lambda: Journal(facts), 20, 200):>10,.0f} journals/s of {len(facts)} facts")
    print(f"extend a journal      {a_second(lambda: last.extended(facts[-1:]), 20, 500):>10,.0f} facts/s")
    print(f"compact a journal     {a_second(lambda: compact(last), 20, 100):>10,.0f} journals/s")


if __name__ == "__main__":
    main()
