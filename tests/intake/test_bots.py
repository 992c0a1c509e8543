"""Who opened or clicked: a person, or a machine."""

from datetime import UTC, datetime, timedelta

import pytest

from perennial.intake.bots import HIDDEN_LINK, Click, bot_clicks, is_machine_agent

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "agent",
    [
        "Barracuda Sentinel (EE)",
        "mimecast-urlprotect/1.0",
        "Symantec Email Security.cloud",
        "Mozilla/5.0 (compatible; MailGateway/4.2; +https://gateway.example/link-scan)",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "SomeNewBot/1.0",
        "facebookexternalhit/1.1",
        "WhatsApp/2.23.20.0",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120.0.0.0 Safari/537.36",
        "python-requests/2.31.0",
        "curl/8.4.0",
        "okhttp/4.9.1",
        "Java/17.0.1",
    ],
)
def test_gateways_crawlers_previews_and_scripts_name_themselves(agent: str) -> None:
    """Each is a machine by its own word."""
    assert is_machine_agent(agent)


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1) AppleWebKit/605.1.15 [FBAN/FBIOS;FBAV/440]",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1) AppleWebKit/605.1.15 MicroMessenger/8.0.43",
        "Mozilla/5.0 (Linux; Android 13; SM-S918B) AppleWebKit/537.36 Chrome/112 Mobile Safari/537.36 [LinkedInApp]",
        "Mozilla/5.0 (Linux; Android 7.0; CUBOT CHEETAH 2) AppleWebKit/537.36 Chrome/58 Mobile Safari/537.36",
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Trident/7.0; .NET4.0C; Microsoft Outlook 16.0)",
        "Mozilla/5.0 (Windows NT 10.0) Thunderbird/115.4",
    ],
)
def test_browsers_and_mail_programs_are_peoples(agent: str) -> None:
    """A browser inside an app, a mail program and a phone whose maker is called Cubot too."""
    assert not is_machine_agent(agent)


def clicks(*seconds: float) -> list[Click]:
    """Clicks on different links, so long after noon."""
    return [Click(f"c{number}", NOON + timedelta(seconds=at), f"/{number}") for number, at in enumerate(seconds)]


def test_a_person_who_reads_between_clicks_is_none() -> None:
    """Three links in a minute."""
    assert bot_clicks(clicks(20, 40, 60), NOON) == {}


def test_a_click_within_seconds_of_delivery_is_a_gateways() -> None:
    """Faster than a mail is opened; without a known delivery the time says nothing."""
    assert bot_clicks(clicks(2), NOON) == {"c0": "within seconds of delivery"}
    assert bot_clicks(clicks(2), None) == {}


def test_three_links_at_once_are_a_scanners_and_two_are_not() -> None:
    """The third gives the first two away."""
    assert bot_clicks(clicks(60, 61), NOON) == {}
    assert set(bot_clicks(clicks(60, 61, 62), NOON)) == {"c0", "c1", "c2"}


def test_the_hidden_link_gives_away_what_was_clicked_with_it() -> None:
    """And not what the reader clicked an hour later."""
    hidden = Click("h", NOON + timedelta(minutes=1), f"https://mail.example{HIDDEN_LINK}t1")
    assert bot_clicks([*clicks(59, 3600), hidden], NOON) == {
        "h": "followed the hidden link",
        "c0": "together with the hidden link",
    }
