"""Unsubscribe, topics, breaks and coming back, as a person, a mail client and a scanner meet them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from sqlalchemy import update

from models.leads import LeadRow, Preference
from models.touches import Message
from perennial.channels.ports import Envelope, Fate, TryLaterError
from perennial.leads import consent
from perennial.leads.lock import lock_lead
from perennial.leads.suppression import lift, suppress
from perennial.platform.database import Database
from tests.builders import NOON, ada, store
from tests.databases import command
from tests.web.pages_rig import ONE_CLICK, TOKENS, Site, site_over


@pytest.fixture
async def site(database: Database) -> AsyncIterator[Site]:
    async with site_over(database) as site:
        yield site


async def test_looking_changes_nothing_however_often(site: Site) -> None:
    """Scanners follow every link of a mail; none of them may unsubscribe anybody."""
    for _ in range(3):
        assert (await site.get()).status_code == 200
    assert (await site.client.head(f"/u/{site.token}")).status_code == 200
    assert await site.ledger() == ["granted"]
    assert await site.suppressed() == []
    assert await site.events() == []


async def test_one_click_unsubscribes_at_once(site: Site) -> None:
    """RFC 8058: a POST without cookies; answered 200, with no redirect."""
    answer = await site.post(dict(ONE_CLICK))
    assert (answer.status_code, answer.headers.get("set-cookie")) == (200, None)
    assert await site.suppressed() == ["opt-out"]
    assert await site.ledger() == ["granted", "withdrawn"]


async def test_one_click_works_as_multipart_too(site: Site) -> None:
    """RFC 8058 section 3.1 allows both encodings."""
    answer = await site.client.post(f"/u/{site.token}", files={"List-Unsubscribe": (None, "One-Click")})
    assert answer.request.headers["content-type"].startswith("multipart/form-data")
    assert answer.status_code == 200
    assert await site.suppressed() == ["opt-out"]


@pytest.mark.parametrize("body", ["List-Unsubscribe=One-Click\r\n", "List-Unsubscribe=one-click\n"])
async def test_one_click_counts_with_a_line_end_behind_it(site: Site, body: str) -> None:
    """As some mail clients send it."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await site.client.post(f"/u/{site.token}", content=body, headers=headers)
    assert answer.status_code == 200
    assert await site.suppressed() == ["opt-out"]


async def test_one_click_twice_is_as_once(site: Site) -> None:
    """Mail clients repeat themselves."""
    for _ in range(3):
        assert (await site.post(dict(ONE_CLICK))).status_code == 200
    assert await site.ledger() == ["granted", "withdrawn"]
    assert len(await site.events()) == 1


async def test_an_opt_out_waits_for_the_relay_as_a_behaviour_of_the_lead(site: Site) -> None:
    """The journeys hear of it from the outbox, so none is forgotten when Temporal is away."""
    await site.post(dict(ONE_CLICK))
    (event,) = await site.events()
    assert (event.source, event.state, event.lead_id) == ("own", "new", "l1")
    assert event.body["name"] == "lead.opted_out"


async def test_the_pages_own_button_unsubscribes(site: Site) -> None:
    """And the page then says so, and offers the way back."""
    page = await site.post({"action": "unsubscribe"})
    assert page.status_code == 200
    assert "You are unsubscribed" in page.text
    assert "Unsubscribe from everything" not in page.text
    assert "Write to me again" in page.text
    assert await site.suppressed() == ["opt-out"]


async def test_topics_are_kept_and_shown(site: Site) -> None:
    """What is not ticked is not wanted; ticked again it is."""
    page = await site.post({"action": "topics", "topic": ["data-quality"]})
    assert "Your subjects are saved" in page.text
    wanted = {row.topic: row.wanted for row in await site.rows(Preference) if isinstance(row, Preference)}
    assert wanted == {"dashboards": False, "data-quality": True}
    assert checked(page.text) == {"data-quality", "30"}
    assert checked((await site.post({"action": "topics", "topic": ["dashboards"]})).text) == {"dashboards", "30"}


async def test_who_wants_no_subject_is_told_what_goes_on_coming(site: Site) -> None:
    """Before saving and after: mail that is about no subject goes on, and how to end it."""
    assert "goes on whatever you choose here" in (await site.get()).text
    page = await site.post({"action": "topics"})
    assert "Mail that is about none of them goes on; to end that too, unsubscribe" in page.text
    assert await site.suppressed() == []


async def test_a_topic_we_do_not_have_is_not_stored(site: Site) -> None:
    """A form may say anything."""
    await site.post({"action": "topics", "topic": ["data-quality", "<script>"]})
    assert {row.topic for row in await site.rows(Preference) if isinstance(row, Preference)} == {
        "dashboards",
        "data-quality",
    }


@pytest.mark.parametrize("days", [30, 60, 90])
async def test_a_break_lasts_as_long_as_was_asked(site: Site, days: int) -> None:
    """And the page names its last day, until it is over."""
    page = await site.post({"action": "pause", "days": str(days)})
    assert (await site.lead()).mail_paused_until == NOON + timedelta(days=days)
    assert "You are on a break until" in page.text
    site.passes(days=days)
    assert "You are on a break until" not in (await site.get()).text


async def test_a_break_can_be_ended(site: Site) -> None:
    """By the lead itself, at any time."""
    await site.post({"action": "pause", "days": "90"})
    assert "Your break is over" in (await site.post({"action": "resume"})).text
    assert (await site.lead()).mail_paused_until is None


@pytest.mark.parametrize(
    "fields", [{}, {"action": "nothing"}, {"action": "pause", "days": "1000000"}, {"action": "pause"}]
)
async def test_a_form_that_says_nothing_usable_changes_nothing(site: Site, fields: dict[str, str | list[str]]) -> None:
    """A clear page, 400."""
    assert (await site.post(fields)).status_code == 400
    assert (await site.lead()).mail_paused_until is None
    assert await site.ledger() == ["granted"]


async def test_a_body_that_is_too_long_is_refused(site: Site) -> None:
    """Nobody fills our memory by the unsubscribe button."""
    assert (await site.post({"action": "x" * 100_000})).status_code == 413


async def test_a_broken_multipart_body_is_refused(site: Site) -> None:
    """A clear page, and not our bug."""
    headers = {"content-type": "multipart/form-data"}
    assert (await site.client.post(f"/u/{site.token}", content=b"--x", headers=headers)).status_code == 400


@pytest.mark.parametrize(
    "token", ["t1", "nonsense", TOKENS.sign("click", "t1"), TOKENS.sign("preferences", "t1")[:-2], "a" * 4000]
)
async def test_a_wrong_token_gets_a_friendly_page_and_changes_nothing(site: Site, token: str) -> None:
    """Neither made-up nor cut-off tokens, nor those of another purpose."""
    for answer in (await site.get(f"/u/{token}"), await site.post(dict(ONE_CLICK), f"/u/{token}")):
        assert answer.status_code == 404
        assert "This link does not work" in answer.text
    assert await site.suppressed() == []


async def test_a_signed_token_of_a_touch_that_is_gone_gets_the_same_page(site: Site) -> None:
    """A database restored from an older copy, for one."""
    assert (await site.get(f"/u/{TOKENS.sign('preferences', 't404')}")).status_code == 404


@pytest.mark.parametrize("form", [dict(ONE_CLICK), {"action": "unsubscribe"}], ids=["one-click", "the page"])
async def test_an_opt_out_by_a_touch_that_is_gone_is_not_said_to_have_worked(site: Site, form: dict[str, str]) -> None:
    """Nobody was unsubscribed by it: whoever pressed the button learns so, and writes to us."""
    answer = await site.post(form, f"/u/{TOKENS.sign('preferences', 't404')}")
    assert answer.status_code == 404
    assert "write to us" in answer.text
    assert await site.suppressed() == []


async def test_an_erased_lead_gets_a_friendly_page_and_its_one_click_succeeds(site: Site) -> None:
    """There is nothing left to unsubscribe, and a mail client wants no error."""
    async with site.database.writing() as session:
        await session.execute(update(LeadRow).values(erased_at=NOON))
    page = await site.get()
    assert page.status_code == 410
    assert "We no longer know you" in page.text
    assert (await site.post(dict(ONE_CLICK))).status_code == 200
    assert await site.events() == []


async def test_a_merged_lead_unsubscribes_as_the_one_that_goes_on(site: Site) -> None:
    """Old mails name the lead that has gone."""
    await store(site.database, ada(lead_id="l2", email="ada@work.example", email_key="ada@work.example"))
    async with site.database.writing() as session:
        await session.execute(update(LeadRow).where(LeadRow.id == "l1").values(merged_into="l2"))
        await consent.grant(session, "l2", NOON, basis="consent", source="test")
    await site.post(dict(ONE_CLICK))
    (event,) = await site.events()
    assert event.lead_id == "l2"


# Coming back


async def test_coming_back_takes_the_mail_and_its_link(site: Site) -> None:
    """Double opt-in: asking allows nothing, opening the link changes nothing, confirming does."""
    await site.post({"action": "unsubscribe"})
    site.passes(days=1)
    assert "We have sent you a mail" in (await site.post({"action": "return"})).text
    assert await site.suppressed() == ["opt-out"]
    link = await site.link_of_last_mail()
    assert "Yes, write to me again" in (await site.get(link)).text
    assert await site.suppressed() == ["opt-out"]
    assert "Welcome back" in (await site.post({}, link)).text
    assert await site.suppressed() == []
    assert await site.ledger() == ["granted", "withdrawn", "requested", "confirmed"]


async def test_the_confirmation_says_nothing_of_lists_and_goes_to_the_lead_alone(site: Site) -> None:
    """It is one transactional mail, with the sender's postal address."""
    await site.post({"action": "unsubscribe"})
    await site.post({"action": "return"})
    (mail,) = await site.rows(Message)
    assert isinstance(mail, Message)
    assert (mail.to, mail.categories) == ("Ada@example.com", ["confirm"])
    assert "1 Orchard Lane" in mail.text
    assert "Hello Ada," in mail.text


async def test_a_name_that_is_markup_stays_a_name(site: Site) -> None:
    """Names come from forms that anybody fills in."""
    async with site.database.writing() as session:
        await session.execute(update(LeadRow).values(first_name="<img src=x>"))
    await site.post({"action": "unsubscribe"})
    await site.post({"action": "return"})
    (mail,) = await site.rows(Message)
    assert isinstance(mail, Message)
    assert "<img" not in mail.html
    assert "Hello <img src=x>," in mail.text


async def test_confirming_twice_is_as_once(site: Site) -> None:
    """A page is reloaded."""
    await site.post({"action": "unsubscribe"})
    await site.post({"action": "return"})
    link = await site.link_of_last_mail()
    for _ in range(2):
        assert (await site.post({}, link)).status_code == 200
    assert (await site.ledger()).count("confirmed") == 1


async def test_a_link_from_before_an_opt_out_does_not_undo_it(site: Site) -> None:
    """Who unsubscribes means it, whatever old links are about."""
    await site.post({"action": "unsubscribe"})
    await site.post({"action": "return"})
    link = await site.link_of_last_mail()
    await site.post({}, link)
    site.passes(days=1)
    await site.post(dict(ONE_CLICK))
    assert (await site.post({}, link)).status_code == 409
    assert await site.suppressed() == ["opt-out"]


async def test_an_opt_out_after_a_return_is_heard_as_a_new_one(site: Site) -> None:
    """By the same link of the same old mail."""
    await site.post(dict(ONE_CLICK))
    await site.post({"action": "return"})
    await site.post({}, await site.link_of_last_mail())
    await site.post(dict(ONE_CLICK))
    assert len(await site.events()) == 2
    assert await site.suppressed() == ["opt-out"]


async def test_a_link_is_good_for_a_week(site: Site) -> None:
    """A mail found next year confirms nothing."""
    await site.post({"action": "unsubscribe"})
    await site.post({"action": "return"})
    site.passes(days=7, seconds=1)
    assert (await site.post({}, await site.link_of_last_mail())).status_code == 409
    assert await site.suppressed() == ["opt-out"]


async def test_asking_again_and_again_sends_one_mail(site: Site) -> None:
    """Nobody floods a mailbox by somebody's page; later a new mail may be asked for."""
    await site.post({"action": "unsubscribe"})
    for _ in range(3):
        await site.post({"action": "return"})
    assert len(await site.rows(Message)) == 1
    site.passes(minutes=11)
    await site.post({"action": "return"})
    assert len(await site.rows(Message)) == 2


async def test_an_address_gets_three_such_mails_a_day_at_most(site: Site) -> None:
    """Whoever was forwarded a mail can press the button for ever; an opt-out in between starts no new count."""
    await site.post({"action": "unsubscribe"})
    for _ in range(3):
        await site.post({"action": "return"})
        await site.get(await site.link_of_last_mail())
        await site.post({}, await site.link_of_last_mail())
        await site.post({"action": "unsubscribe"})
        site.passes(minutes=11)
    answer = await site.post({"action": "return"})
    assert "several such mails today" in answer.text
    assert len(await site.rows(Message)) == 3
    site.passes(days=1)
    await site.post({"action": "return"})
    assert len(await site.rows(Message)) == 4


async def test_who_is_not_unsubscribed_gets_no_confirmation(site: Site) -> None:
    """There is nothing to confirm."""
    assert "may write to you already" in (await site.post({"action": "return"})).text
    assert await site.rows(Message) == []


@pytest.mark.parametrize("reason", ["complaint", "hard-bounce"])
async def test_after_a_complaint_or_a_hard_bounce_only_a_person_helps(site: Site, reason: str) -> None:
    """The page offers no button, a form made by hand sends no mail, and an older link does not work either."""
    await site.post({"action": "unsubscribe"})
    await site.post({"action": "return"})
    link = await site.link_of_last_mail()
    site.passes(hours=1)
    async with site.database.writing() as session:
        await suppress(session, "l1", "complaint" if reason == "complaint" else "hard-bounce", site.now, source="test")
    assert "Write to me again" not in (await site.get()).text
    assert "Please write to us" in (await site.post({"action": "return"})).text
    assert len(await site.rows(Message)) == 1
    assert (await site.post({}, link)).status_code == 409
    assert reason in await site.suppressed()


async def test_once_a_person_has_lifted_a_complaint_the_lead_still_has_to_ask(site: Site) -> None:
    """Lifting grants nothing: the ledger says withdrawn until the lead confirms."""
    async with site.database.writing() as session:
        await suppress(session, "l1", "complaint", NOON, source="test")
        await lift(session, "l1", "complaint", NOON, why="asked by phone")
    assert "Write to me again" in (await site.get()).text
    await site.post({"action": "return"})
    await site.post({}, await site.link_of_last_mail())
    assert await site.ledger() == ["granted", "withdrawn", "lifted", "requested", "confirmed"]


@dataclass
class Refusing:
    """A provider that is overrun."""

    async def send(self, envelope: Envelope) -> str:
        raise TryLaterError("too many", code="429")

    async def fate(self, touch_id: str) -> Fate:
        return "absent"


async def test_a_confirmation_that_cannot_be_sent_is_said_so(database: Database) -> None:
    """And nothing is granted."""
    async with site_over(database, Refusing()) as site:
        await site.post({"action": "unsubscribe"})
        page = await site.post({"action": "return"})
        assert "could not send you the mail" in page.text
        assert 'role="alert"' in page.text
        assert await site.suppressed() == ["opt-out"]


# How the page is made


async def test_the_page_needs_no_script_and_nothing_from_elsewhere(site: Site) -> None:
    """One stylesheet of our own; the browser is told to load no more, and to tell nobody the address."""
    page = await site.get()
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert (page.headers["referrer-policy"], page.headers["cache-control"]) == ("no-referrer", "no-store")
    stylesheet = await site.get("/pages.css")
    assert stylesheet.headers["content-type"].startswith("text/css")
    assert "url(" not in stylesheet.text
    assert "@import" not in stylesheet.text


async def test_the_page_is_plain_to_a_screen_reader(site: Site) -> None:
    """A language, one main heading, a label for each input, a name for each section and button."""
    outline = Outline()
    outline.feed((await site.get()).text)
    assert outline.lang == "en"
    assert outline.headings == ["h1", "h2", "h2", "h2"]
    assert outline.unlabelled == []
    assert outline.sections == outline.heading_ids
    assert all(outline.buttons)


async def test_the_page_does_not_give_the_address_away(site: Site) -> None:
    """Mails are forwarded, links with them."""
    page = await site.get()
    assert "Ada@example.com" not in page.text
    assert "A…@example.com" in page.text


def checked(html: str) -> set[str]:
    """The values of the boxes and buttons that are chosen."""
    outline = Outline()
    outline.feed(html)
    return outline.checked


class Outline(HTMLParser):
    """What assistive technology reads of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.lang = ""
        self.headings: list[str] = []
        self.heading_ids: list[str] = []
        self.sections: list[str] = []
        self.unlabelled: list[str] = []
        self.buttons: list[str] = []
        self.checked: set[str] = set()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "html":
            self.lang = given.get("lang") or ""
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)
            self.heading_ids += [given["id"] or ""] if "id" in given else []
        if tag == "section":
            self.sections.append(given.get("aria-labelledby") or "")
        if tag == "input" and given.get("type") != "hidden":
            if "label" not in self._open:
                self.unlabelled.append(str(given))
            if "checked" in given:
                self.checked.add(given.get("value") or "")
        if tag == "button":
            self.buttons.append("")
        if tag in ("label", "button"):
            self._open.append(tag)

    def handle_data(self, text: str) -> None:
        if self._open and self._open[-1] == "button":
            self.buttons[-1] += text.strip()

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()


@pytest.mark.parametrize("backend", ["postgresql"])
async def test_a_one_click_just_after_the_database_restarted_is_taken(
    site: Site, database: Database, postgres_url: str
) -> None:
    """The server has ended every connection of the pool; whoever pressed the button does not press it again."""
    await asyncio.gather(*(site.get() for _ in range(3)))
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
    await command(postgres_url, f"{others} '{database.url.database}'")
    assert (await site.post(dict(ONE_CLICK))).status_code == 200
    assert await site.suppressed() == ["opt-out"]


@pytest.mark.parametrize("backend", ["postgresql"])
async def test_a_one_click_never_hangs_on_a_lock(database: Database) -> None:
    """A long import holds the lead: 503, and when to try again; nothing was stored."""
    impatient = Database(database.url.render_as_string(hide_password=False), lock_seconds=0.05)
    async with site_over(impatient) as site:
        async with database.writing() as session:
            await lock_lead(session, "l1")
            answer = await site.post(dict(ONE_CLICK))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert await site.suppressed() == []
        assert (await site.post(dict(ONE_CLICK))).status_code == 200
    await impatient.close()
