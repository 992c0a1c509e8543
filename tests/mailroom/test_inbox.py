"""The inbox pages of a real mailbox, as a person uses them."""

from html import unescape

import httpx2
import pytest

from perennial.intake.bots import is_machine_agent
from tests.mailroom.mails import accepted, request_for
from tests.mailroom.running import Receiver, Running


def page(mailbox: Running, path: str) -> str:
    answer = httpx2.get(f"{mailbox.url}{path}")
    assert answer.status_code == 200, answer.text
    return answer.text


def press(mailbox: Running, seq: int, act: str, **headers: str) -> httpx2.Response:
    return httpx2.post(f"{mailbox.url}/mail/{seq}/acts", data={"act": act, "view": "events"}, headers=headers)


def test_the_inbox_lists_the_newest_mail_first_and_finds_it(mailbox: Running) -> None:
    """By its subject, by a word of its text, and by the lead."""
    older, newer = accepted(mailbox), accepted(mailbox, request_for(subject="Ten % off_"))

    inbox = page(mailbox, "/")

    assert inbox.index(newer["to"]) < inbox.index(older["to"])
    assert older["to"] not in page(mailbox, "/?q=%25+off_")
    assert newer["to"] in page(mailbox, "/?q=%25+off_")
    assert newer["to"] not in page(mailbox, f"/?to={older['to']}")
    assert "No mail matches" in page(mailbox, "/?q=nothing-says-this")


def test_a_long_inbox_has_older_pages(mailbox: Running) -> None:
    """Fifty a page."""
    people = [{"to": [{"email": f"page{number}@contoso.example"}]} for number in range(60)]
    accepted(mailbox, request_for(personalizations=people, subject="Sixty of these"))

    first = page(mailbox, "/?q=Sixty+of")
    older = unescape(first.rsplit('href="/?q=Sixty%20of&amp;', 1)[1].split('"')[0])

    assert "page59@" in first
    assert "page9@" not in first
    assert "page9@" in page(mailbox, f"/?q=Sixty+of&{older}")


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        ("mail", 'sandbox="allow-popups allow-popups-to-escape-sandbox"'),
        ("text", "Read on: https://northwind.example/guide"),
        ("headers", "perennial_touch_id"),
        ("events", "SendGrid took it"),
    ],
)
def test_a_mail_has_its_views(mailbox: Running, view: str, shown: str) -> None:
    """As the lead sees it, its text, its headers, and what happened to it."""
    letter = accepted(mailbox)

    assert shown in page(mailbox, f"/mail/{letter['seq']}?view={view}")


def test_the_mail_itself_runs_nothing_and_its_links_are_counted(mailbox: Running) -> None:
    """The mail is shut in a sandbox; a link leads through the mailbox unless it says that it is not to be counted."""
    letter = accepted(mailbox)

    answer = httpx2.get(f"{mailbox.url}/mail/{letter['seq']}/html")

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert f'href="/click/{letter["seq"]}/0"' in answer.text
    assert f'href="/click/{letter["seq"]}/1"' in answer.text
    assert 'href="mailto:a@b.example"' in answer.text
    assert '<a clicktracking=off href="https://northwind.example/u/1">' in answer.text


def test_a_click_is_told_and_leads_on(mailbox: Running, told: Receiver) -> None:
    """302 to where the link leads, once the click is kept."""
    letter = accepted(mailbox)

    answer = httpx2.get(f"{mailbox.url}/click/{letter['seq']}/1", headers={"User-Agent": "Reader/1"})

    assert (answer.status_code, answer.headers["Location"]) == (302, "http://127.0.0.1:9/next")
    (click,) = told.events(1, sg_message_id=letter["sg_message_id"], event="click")
    assert (click["url"], click["url_offset"]["index"]) == ("http://127.0.0.1:9/next", 1)
    assert click["useragent"] == "Reader/1"


def test_a_click_on_a_sample_address_ends_on_a_page_that_says_so(mailbox: Running, told: Receiver) -> None:
    """There is nothing at northwind.example."""
    letter = accepted(mailbox)

    answer = httpx2.get(f"{mailbox.url}/click/{letter['seq']}/0")

    assert "The click is counted" in answer.text
    assert told.events(1, sg_message_id=letter["sg_message_id"], event="click")


HIDDEN = '<a href="http://127.0.0.1:9/h/tc1" aria-hidden="true" tabindex="-1" style="display:none"></a>'


def test_a_person_is_not_offered_the_link_that_only_machines_see(mailbox: Running, told: Receiver) -> None:
    """A scanner follows it with all the others, at one moment and under its own name."""
    html = f'<p>Read <a href="http://127.0.0.1:9/guide">on</a></p>{HIDDEN}'
    letter = accepted(mailbox, request_for(content=[{"type": "text/html", "value": html}]))

    shown = page(mailbox, f"/mail/{letter['seq']}")
    answer = press(mailbox, letter["seq"], "scan")

    assert f'href="/click/{letter["seq"]}/0"' in shown
    assert f'href="/click/{letter["seq"]}/1"' not in shown
    assert "A scanner followed every link" in page(mailbox, answer.headers["Location"])
    clicks = told.events(2, sg_message_id=letter["sg_message_id"], event="click")
    assert {click["url"] for click in clicks} == {"http://127.0.0.1:9/guide", "http://127.0.0.1:9/h/tc1"}
    assert all(is_machine_agent(click["useragent"]) for click in clicks)


def test_an_inbox_that_is_watched_loads_itself_again(mailbox: Running) -> None:
    """Without a script; and only for whoever asked for it."""
    assert 'http-equiv="refresh"' not in page(mailbox, "/")
    assert 'http-equiv="refresh"' in page(mailbox, "/?live=1")
    assert "Stop watching" in page(mailbox, "/?live=1")


def test_a_link_that_is_none_counts_nothing(mailbox: Running) -> None:
    """404, and no event."""
    letter = accepted(mailbox)

    assert httpx2.get(f"{mailbox.url}/click/{letter['seq']}/2").status_code == 404
    assert [each["event"] for each in mailbox.client.message(letter["touch_id"])["events"]] == [
        "processed",
        "delivered",
    ]


@pytest.mark.parametrize(
    ("act", "event", "said"),
    [
        ("open", "open", "Opened."),
        ("machine", "open", "Opened by a mail program"),
        ("bounce", "bounce", "Bounced."),
        ("block", "bounce", "Blocked."),
        ("spam", "spamreport", "Marked as spam."),
        ("defer", "deferred", "Deferred."),
        ("deliver", "delivered", "Delivered."),
    ],
)
def test_each_button_tells_its_event(mailbox: Running, told: Receiver, act: str, event: str, said: str) -> None:
    """Back on the mail's page, which says what was done."""
    letter = accepted(mailbox)

    answer = press(mailbox, letter["seq"], act)

    assert answer.status_code == 303
    assert said in page(mailbox, answer.headers["Location"])
    assert told.events(1, sg_message_id=letter["sg_message_id"], event=event)


def test_the_unsubscribe_button_posts_as_a_mail_program_does(mailbox: Running, told: Receiver) -> None:
    """RFC 8058: a POST of `List-Unsubscribe=One-Click` to the header's address, and what came of it is said."""
    headers = {
        "List-Unsubscribe": f"<mailto:u@northwind.example>, <{told.url}/u/abc?t=1>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    letter = accepted(mailbox, request_for(headers=headers))

    answer = press(mailbox, letter["seq"], "unsubscribe")

    call = next(call for call in told.calls if call.path == "/u/abc?t=1")
    assert call.body == b"List-Unsubscribe=One-Click"
    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "was taken" in page(mailbox, answer.headers["Location"])


def test_a_mail_without_the_header_has_no_unsubscribe_button(mailbox: Running) -> None:
    """As in a mail program."""
    letter = accepted(mailbox, request_for(headers={"List-Unsubscribe": "<https://northwind.example/u>"}))

    assert "one click" not in page(mailbox, f"/mail/{letter['seq']}")
    assert mailbox.client.unsubscribe(letter["touch_id"]) == "The mail offers no one-click unsubscribe."


def test_an_unsubscribe_that_nobody_takes_is_said_as_such(mailbox: Running) -> None:
    """A person would otherwise think it done."""
    headers = {"List-Unsubscribe": "<http://127.0.0.1:9/u>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    letter = accepted(mailbox, request_for(headers=headers))

    assert "did not reach" in mailbox.client.unsubscribe(letter["touch_id"])


def test_another_site_can_neither_press_buttons_nor_read(mailbox: Running) -> None:
    """A page elsewhere may post to this machine, and may resolve its own name to it."""
    letter = accepted(mailbox)

    assert press(mailbox, letter["seq"], "spam", **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert httpx2.get(mailbox.url, headers={"Host": "evil.example"}).status_code == 400
    assert "spamreport" not in str(mailbox.client.message(letter["touch_id"])["events"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/messages/1/events", {"event": "click"}),
        ("POST", "/messages/1/unsubscribe", None),
        ("POST", "/forget", {"addresses": ["ada@example.com"]}),
        ("POST", "/faults", {"kind": "quota"}),
        ("DELETE", "/faults", None),
        ("PUT", "/webhook", {"url": "https://evil.example"}),
        ("POST", "/v3/mail/send", {}),
        ("POST", "/mail/1/acts", None),
    ],
)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_every_route_that_changes_something_refuses_another_sites_page(
    mailbox: Running, method: str, path: str, body: object, headers: dict[str, str]
) -> None:
    """By what the browser says of the page; an old one says at least its origin."""
    assert httpx2.request(method, f"{mailbox.url}{path}", json=body, headers=headers).status_code == 403


def test_our_own_pages_and_programs_are_let_in(mailbox: Running) -> None:
    """A browser names our own origin; a program names none."""
    own = {"Origin": mailbox.url, "Sec-Fetch-Site": "same-origin"}
    for headers in (own, {}):
        assert httpx2.delete(f"{mailbox.url}/faults", headers=headers).status_code == 200


def test_a_picture_on_another_site_clicks_nothing(mailbox: Running) -> None:
    """A person opens a page; what a page loads on the side is no click."""
    letter = accepted(mailbox)
    for destination, status in (("image", 403), ("document", 302)):
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": destination}
        answer = httpx2.get(f"{mailbox.url}/click/{letter['seq']}/0", headers=headers)
        assert answer.status_code in {status, 200 if status == 302 else status}
    told = mailbox.client.message(letter["touch_id"])["events"]
    assert [event["event"] for event in told].count("click") == 1


def test_hostile_mail_stays_text_on_our_pages(mailbox: Running) -> None:
    """A subject or an address is never markup."""
    letter = accepted(mailbox, request_for(subject="<script>alert(1)</script>", headers={"X-Evil": "<img src=x>"}))

    shown = page(mailbox, "/") + page(mailbox, f"/mail/{letter['seq']}?view=headers")

    assert "<script>" not in shown
    assert "<img" not in shown


@pytest.mark.parametrize("path", ["/mail/999999", "/mail/999999/html", "/click/999999/0", "/messages/nobody"])
def test_a_mail_that_is_not_there_is_not_found(mailbox: Running, path: str) -> None:
    """404."""
    assert httpx2.get(f"{mailbox.url}{path}").status_code == 404
