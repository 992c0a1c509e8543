"""The inbox: pages for a person, without JavaScript."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from perennial.mailroom.api import Number, named
from perennial.mailroom.box import Mailbox
from perennial.mailroom.events import SCANNER, Act
from perennial.mailroom.letters import Link
from perennial.mailroom.store import LetterEvent, StoredLetter

PAGE = 50
VIEWS = ("mail", "text", "headers", "events")

_HERE = Path(__file__).parent
_SANDBOX = "sandbox allow-popups allow-popups-to-escape-sandbox"
_MAIL_POLICY = f"default-src 'none'; img-src http: https: data:; style-src 'unsafe-inline'; font-src *; {_SANDBOX}"
_PAGE_POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self'"
_RESERVED = (".example", ".test", ".invalid", "example.com", "example.net", "example.org")

ACTS: dict[str, tuple[str, Act]] = {
    "open": ("Opened", Act(event="open")),
    "machine": ("Opened by a mail program's privacy proxy", Act(event="open", machine=True)),
    "deliver": ("Delivered", Act(event="delivered")),
    "defer": ("Deferred", Act(event="deferred")),
    "bounce": ("Bounced", Act(event="bounce")),
    "block": ("Blocked", Act(event="bounce", type="blocked")),
    "spam": ("Marked as spam", Act(event="spamreport")),
}
"""The buttons: what each says when it was pressed, and what it does to the letter."""

_DONE = {name: words for name, (words, _) in ACTS.items()} | {"scan": "A scanner followed every link at once"}

_BADGES = (
    ("spamreport", "spam", "bad"),
    ("bounce", "bounced", "bad"),
    ("dropped", "dropped", "bad"),
    ("unsubscribe", "unsubscribed", "bad"),
    ("click", "clicked", "good"),
    ("open", "opened", "good"),
    ("delivered", "delivered", "plain"),
    ("deferred", "deferred", "plain"),
)
_SAYS = {
    "processed": "SendGrid took it",
    "dropped": "Dropped",
    "deferred": "Deferred",
    "delivered": "Delivered",
    "bounce": "Bounced",
    "open": "Opened",
    "click": "Clicked",
    "spamreport": "Marked as spam",
    "unsubscribe": "Unsubscribed at SendGrid",
    "group_unsubscribe": "Left a group at SendGrid",
    "group_resubscribe": "Came back to a group at SendGrid",
}


def page_routes(box: Mailbox) -> APIRouter:  # noqa: C901 - a list of small routes
    """The routes."""
    router = APIRouter(include_in_schema=False)
    pages = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined)
    pages.trim_blocks = pages.lstrip_blocks = True
    pages.filters["moment"] = _moment

    def page(template: str, **values: Any) -> HTMLResponse:
        html = pages.get_template(template).render(now=box.now(), **values)
        return HTMLResponse(html, headers={"Content-Security-Policy": _PAGE_POLICY, "Referrer-Policy": "no-referrer"})

    @router.get("/")
    async def inbox(q: str = "", to: str = "", before: Number | None = None, live: bool = False) -> Response:
        found = box.store.find(words=q, to=to, before=before, limit=PAGE + 1)
        names = box.store.last_events([stored.seq for stored in found])
        rows = [(stored, _badge(names[stored.seq]), _preview(stored)) for stored in found[:PAGE]]
        older = found[PAGE - 1].seq if len(found) > PAGE else None
        faults, totals = box.script.listed(), box.store.totals()
        search = {"q": q, "to": to}
        return page(
            "inbox.html", rows=rows, **search, before=before, older=older, totals=totals, faults=faults, live=live
        )

    @router.get("/mail/{seq}")
    async def mail(seq: int, view: str = "mail", did: Annotated[str, Query(max_length=20)] = "") -> Response:
        stored = named(box, str(seq))
        events = box.store.events_of(seq)
        asked = box.store.asked_of(seq)
        shown = view if view in VIEWS else "mail"
        done = asked[-1][1] if did == "unsubscribe" and asked else f"{_DONE[did]}." if did in _DONE else ""
        story = sorted([*map(_story, events), *((at, what, "", None) for at, what in asked)], key=lambda line: line[0])
        names = {event.name for event in events}
        return page(
            "mail.html",
            stored=stored,
            letter=stored.letter,
            view=shown,
            views=VIEWS,
            story=story,
            done=done,
            names=names,
        )

    @router.get("/mail/{seq}/html")
    async def mail_html(seq: int) -> Response:
        html = named(box, str(seq)).letter.tracked_html(f"/click/{seq}/")
        base = '<base target="_blank">'
        whole, found = re.subn(r"(<head\b[^>]*>)", rf"\1{base}", html, count=1, flags=re.IGNORECASE)
        return HTMLResponse(whole if found else base + html, headers={"Content-Security-Policy": _MAIL_POLICY})

    @router.post("/mail/{seq}/acts")
    async def act(seq: int, request: Request) -> Response:
        stored = named(box, str(seq))
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        what, view = form.get("act", [""])[0], form.get("view", ["mail"])[0]
        if what == "unsubscribe":
            await box.unsubscribe(stored)
        elif what == "scan":
            box.happen(stored, *(_scan(link) for link in stored.letter.links))
        elif what in ACTS:
            box.happen(stored, ACTS[what][1])
        else:
            raise HTTPException(400, f"no act {what!r}")
        return RedirectResponse(f"/mail/{seq}?view={view if view in VIEWS else 'mail'}&did={what}", 303)

    @router.get("/click/{seq}/{offset}")
    async def click(seq: int, offset: int, request: Request) -> Response:
        stored = named(box, str(seq))
        link = next((each for each in stored.letter.links if each.offset == offset), None)
        if link is None:
            raise HTTPException(404, "the mail has no such link")
        agent = request.headers.get("user-agent")
        box.happen(stored, Act(event="click", url=link.url, url_offset=offset, useragent=agent))
        if (urlsplit(link.url).hostname or "").endswith(_RESERVED):
            return page("sample_link.html", stored=stored, url=link.url)
        return RedirectResponse(link.url, 302)

    @router.get("/mailbox.css")
    async def css() -> Response:
        return FileResponse(_HERE / "static" / "mailbox.css", media_type="text/css")

    @router.get("/favicon.ico")
    async def icon() -> Response:
        return FileResponse(_HERE / "static" / "icon.svg", media_type="image/svg+xml")

    return router


def _scan(link: Link) -> Act:
    return Act(event="click", url=link.url, url_offset=link.offset, useragent=SCANNER)


def _badge(names: set[str]) -> tuple[str, str]:
    return next(((word, tone) for name, word, tone in _BADGES if name in names), ("held", "plain"))


def _preview(stored: StoredLetter) -> str:
    return " ".join(stored.letter.text.split())[:140]


def _story(event: LetterEvent) -> tuple[datetime, str, str, bool | None]:
    body = event.body
    words = _SAYS.get(event.name, event.name)
    if event.name == "bounce" and body.get("type") == "blocked":
        words = "Blocked"
    if body.get("sg_machine_open"):
        words = "Opened by a machine"
    detail = body.get("url") or body.get("reason") or body.get("response") or ""
    return event.at, words, str(detail), event.told


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%a %d %b %Y, %H:%M} UTC"
