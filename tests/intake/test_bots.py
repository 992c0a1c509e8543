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
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b",
        "Mozilla/5.0 (compatible; Microsoft Preview/1.0)",
        "Microsoft Office Existence Discovery",
        "KakaoTalk-Scrap/1.0",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "TelegramBot (like TwitterBot)",
        "Viber/13.3.0.22",
        "Go-http-client/2.0",
        "Apache-HttpAsyncClient/4.1",
        "axios/1.6.0",
        "node",
        "undici",
        "urllib3/2.0",
        "python-httpx/0.27.0",
        "aiohttp/3.9.1",
        "lwp-request/6",
        "PHP/8.1",
        "GuzzleHttp/7",
        "Ruby",
        "Faraday v1.0",
        "RestSharp/106.0",
        "PostmanRuntime/7.29",
        "reqwest/0.11",
        "Dart/2.19 (dart:io)",
        "Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)",
        "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041",
        "Symfony HttpClient",
        "FortiMail",
        "urlscan.io",
        "TrustwaveSEG",
        "Zscaler",
        "Checkpoint-ThreatCloud",
        "Microsoft Office Protocol Discovery",
        "Microsoft-WebDAV-MiniRedir/10.0.19045",
        "Microsoft BITS/7.8",
        "superagent/8.0",
        "insomnia/2023.5.8",
        "unirest-java/3.1",
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
        "Mozilla/5.0 (Linux; Android 9; CUBOT_NOTE_S) AppleWebKit/537.36 Chrome/58 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 9; CUBOT) AppleWebKit/537.36 Chrome/58 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 10; CUBOT/X30) AppleWebKit/537.36 Chrome/58 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 12; SCANIA) AppleWebKit/537.36 Chrome/58 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 11; Symphony Z40) AppleWebKit/537.36 Chrome/58 Mobile Safari/537.36",
        "Opera/9.80 (J2ME/MIDP; Opera Mini/7.1) Presto/2.12",
        "Outlook-iOS/723.4027091.prod.iphone (4.28.0)",
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


@pytest.mark.parametrize("seconds", [-1, -40, -7200])
def test_a_click_before_delivery_is_a_gateways(seconds: float) -> None:
    """Some scan while the mail is handed over; nobody reads what has not arrived."""
    assert bot_clicks(clicks(seconds), NOON) == {"c0": "before the mail was delivered"}


def test_a_scanner_that_names_itself_gives_nobody_else_away() -> None:
    """It follows every link in the second in which a person clicks one."""
    links = ["/0", "/1", "/2", f"https://mail.example{HIDDEN_LINK}t1"]
    scanner = [Click(f"s{link}", NOON + timedelta(minutes=1), link, "Barracuda Sentinel (EE)") for link in links]
    person = Click("p", NOON + timedelta(minutes=1), "/0", "Mozilla/5.0 (iPhone)")
    assert set(bot_clicks([*scanner, person], NOON)) == {f"s{link}" for link in links}


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
