"""A page about a lead names its time zone once, and links to the journey in the Temporal UI."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from perennial.cli.page import Times, journey_link
from perennial.platform.settings import load_settings

NIGHT = datetime(2026, 3, 3, 22, 30, tzinfo=UTC)
SAID = "welcome put off until 2026-03-04 08:15 UTC: quiet hours: 23:30 in Europe/Berlin"


def test_every_moment_is_told_in_the_pages_zone() -> None:
    """Recorded texts, which are in UTC, too."""
    times = Times.of("Europe/Berlin", utc=False)
    assert (times.moment(NIGHT), times.day(NIGHT)) == ("Tue 03 Mar 2026 23:30", "03 Mar 2026")
    assert times.text(SAID) == "welcome put off until Wed 04 Mar 2026 09:15: quiet hours: 23:30"


def test_in_utc_the_leads_zone_stays_where_it_is_meant() -> None:
    """Its quiet hours are its own."""
    times = Times.of("Europe/Berlin", utc=True)
    assert times.text(SAID) == "welcome put off until Wed 04 Mar 2026 08:15: quiet hours: 23:30 in Europe/Berlin"


def test_a_journey_has_a_page_in_the_ui_if_somebody_said_where_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the workflow's id, in the namespace of Temporal's own settings."""
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "nurture")
    assert journey_link(load_settings(data_dir=tmp_path), "new-lead/l1/2") is None
    settings = load_settings(data_dir=tmp_path, temporal_ui_url="https://temporal.acme.com")
    link = journey_link(settings, "new-lead/l1/2")
    assert link == "https://temporal.acme.com/namespaces/nurture/workflows/new-lead%2Fl1"
