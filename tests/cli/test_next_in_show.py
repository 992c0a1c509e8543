"""`show` says when a coming mail may really go: after the lead's break, in its window."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from nurture.bench.what_if import Upcoming
from nurture.journey.track import load_tracks
from perennial.cli.show import when_open
from tests.builders import ada

SATURDAY_NIGHT = datetime(2026, 3, 7, 23, tzinfo=UTC)
NEW_LEAD = load_tracks("workflows.tracks")["new-lead"]


def test_a_coming_mail_waits_for_the_window_and_the_break() -> None:
    """Not on a Saturday night; not before the break ends."""
    lead = ada(time_zone="UTC", country="DE")
    step = Upcoming(SATURDAY_NIGHT, "send welcome")
    monday = when_open(step, NEW_LEAD, lead).at
    assert (monday.weekday(), monday - SATURDAY_NIGHT < timedelta(days=2)) == (0, True)
    lead.mail_paused_until = SATURDAY_NIGHT + timedelta(days=30)
    assert when_open(step, NEW_LEAD, lead).at >= lead.mail_paused_until
    assert when_open(replace(step, what="offer to sales"), NEW_LEAD, lead).at == SATURDAY_NIGHT
