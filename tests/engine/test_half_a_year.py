"""Half a year of each track on the time-skipping server: what is sent, and when exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from temporalio.testing import WorkflowEnvironment

from tests.engine.rig import finished, rig_on
from tests.engine.server import clock_at

KOLKATA = {"time_zone": "Asia/Kolkata", "country": "IN"}
BERLIN = {"time_zone": "Europe/Berlin", "country": "DE"}


class Life(NamedTuple):
    """How a lead lived: the outcome, and a line for each send: when on its own clock, and which piece."""

    outcome: str
    sent: list[str]


async def live(
    environment: WorkflowEnvironment,
    data_dir: Path,
    track: str,
    enrolled: str,
    profile: dict[str, str],
    *behaved: tuple[float, str, str],
) -> Life:
    """A lead, enrolled at a moment of its own clock, behaves so `(days after, behaviour, subject)`, for 300 days."""
    zone = ZoneInfo(profile["time_zone"])
    start = datetime.fromisoformat(enrolled).replace(tzinfo=zone).astimezone(UTC)
    clock = await clock_at(environment, start)
    async with rig_on(environment.client, data_dir, clock, tag="") as rig, rig.working():
        handle = await rig.journey_of(track, "ada", start, **profile)
        gone = timedelta(0)
        for days, name, subject in behaved:
            await environment.sleep(timedelta(days=days) - gone)
            gone = timedelta(days=days)
            await rig.hears("ada", name, subject, at=start + gone)
        await environment.sleep(timedelta(days=300) - gone)
        outcome = await finished(handle)
        sent = [
            f"{datetime.fromisoformat(at).replace(tzinfo=UTC).astimezone(zone):%a %d %b %H:%M} {piece}"
            for at, piece in await rig.sent("ada")
        ]
    return Life(outcome, sent)


async def test_a_silent_new_lead_is_taught_each_week(skipping: WorkflowEnvironment, data_dir: Path) -> None:
    """A lesson each Monday at the hour it enrolled, then the guides, and one last offer a fortnight later."""
    life = await live(skipping, data_dir, "new-lead", "2026-03-02 09:30", KOLKATA)
    assert life == Life(
        "nurtured",
        [
            "Mon 02 Mar 09:30 welcome",
            "Mon 16 Mar 09:30 forecasting-1-start-with-a-range",
            "Mon 23 Mar 09:30 forecasting-2-beat-the-naive-one",
            "Mon 30 Mar 09:30 forecasting-3-a-monthly-review",
            "Mon 06 Apr 09:30 three-habits-of-teams-that-trust-their-numbers",
            "Mon 13 Apr 09:30 a-day-without-spreadsheets",
            "Mon 20 Apr 09:30 how-to-ask-for-analytics-budget",
            "Mon 27 Apr 09:30 pricing-guide",
            "Mon 04 May 09:30 buyers-checklist",
            "Mon 11 May 09:30 implementation-week-by-week",
            "Mon 25 May 09:30 talk-to-us",
        ],
    )


async def test_a_new_lead_that_warms_up_gets_proof_and_then_sales(
    skipping: WorkflowEnvironment, data_dir: Path
) -> None:
    """A click brings case studies; Easter, a weekend and evenings push sends to the next morning; a spike ends it."""
    life = await live(
        skipping,
        data_dir,
        "new-lead",
        "2026-03-19 16:50",
        BERLIN,
        (2, "email.clicked", "welcome"),
        (21, "page.viewed", "/pricing/teams"),
        (24, "demo.requested", ""),
        (25, "email.replied", "welcome"),
        (26, "sales.accepted", ""),
    )
    assert life == Life(
        "handed to sales",
        [
            "Thu 19 Mar 16:50 welcome",
            "Mon 30 Mar 10:06 case-retail-empty-shelves",
            "Tue 07 Apr 10:06 case-first-ninety-days",
            "Fri 10 Apr 10:06 case-one-team-first",
        ],
    )


async def test_a_lost_deal_is_kept_in_touch_with_each_month(skipping: WorkflowEnvironment, data_dir: Path) -> None:
    """Three days of quiet, a touch a month on working days, through the end of summer time, and a last word."""
    life = await live(skipping, data_dir, "lost-deal", "2026-05-04 10:00", BERLIN)
    assert life == Life(
        "rested",
        [
            "Thu 07 May 10:00 lost-deal-thanks",
            "Mon 08 Jun 10:06 industry-report-retail",
            "Wed 08 Jul 10:06 product-update-1",
            "Fri 07 Aug 10:06 lost-deal-check-in",
            "Mon 07 Sep 10:06 product-update-2",
            "Wed 07 Oct 10:06 industry-report",
            "Fri 06 Nov 09:06 reconsider",
            "Fri 20 Nov 09:06 rest-note",
        ],
    )


async def test_a_lost_deal_with_second_thoughts_goes_back_to_sales(
    skipping: WorkflowEnvironment, data_dir: Path
) -> None:
    """A look at pricing is offered to sales at once, and no further mail goes out."""
    life = await live(
        skipping,
        data_dir,
        "lost-deal",
        "2026-02-02 10:00",
        BERLIN,
        (70, "page.viewed", "/pricing"),
        (73, "sales.accepted", ""),
    )
    assert life == Life(
        "reconsidered",
        [
            "Thu 05 Feb 10:00 lost-deal-thanks",
            "Mon 09 Mar 10:06 industry-report-retail",
            "Wed 08 Apr 11:06 product-update-1",
        ],
    )


async def test_a_dormant_lead_that_stays_silent_is_let_go(skipping: WorkflowEnvironment, data_dir: Path) -> None:
    """Three touches far apart, and we stop writing."""
    life = await live(skipping, data_dir, "re-engagement", "2026-02-02 10:00", KOLKATA)
    assert life == Life(
        "sunset",
        [
            "Mon 02 Feb 10:00 still-interested",
            "Mon 23 Feb 10:00 best-of",
            "Wed 25 Mar 10:00 last-call",
        ],
    )


async def test_a_dormant_lead_that_stirs_starts_again(skipping: WorkflowEnvironment, data_dir: Path) -> None:
    """A click brings it to the new-lead track, which goes on from there; Holi, Ram Navami and Good Friday are kept."""
    life = await live(
        skipping,
        data_dir,
        "re-engagement",
        "2026-02-02 10:00",
        KOLKATA,
        (30, "email.clicked", "best-of"),
    )
    assert life == Life(
        "revived",
        [
            "Mon 02 Feb 10:00 still-interested",
            "Mon 23 Feb 10:00 best-of",
            "Thu 05 Mar 10:06 welcome",
            "Thu 19 Mar 10:06 forecasting-1-start-with-a-range",
            "Fri 27 Mar 10:06 forecasting-2-beat-the-naive-one",
            "Mon 06 Apr 10:06 forecasting-3-a-monthly-review",
            "Mon 13 Apr 10:06 three-habits-of-teams-that-trust-their-numbers",
            "Mon 20 Apr 10:06 a-day-without-spreadsheets",
            "Mon 27 Apr 10:06 how-to-ask-for-analytics-budget",
            "Mon 04 May 10:06 pricing-guide",
            "Mon 11 May 10:06 buyers-checklist",
            "Mon 18 May 10:06 implementation-week-by-week",
            "Mon 01 Jun 10:06 talk-to-us",
        ],
    )
