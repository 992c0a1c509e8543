"""The mailbox's own JSON API, for tests and commands: letters, what was accepted, faults, the webhook."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict

from nurture.errors import InputError
from perennial.mailroom.box import Mailbox
from perennial.mailroom.events import Act
from perennial.mailroom.faults import Fault
from perennial.mailroom.store import LetterEvent, StoredLetter
from perennial.mailroom.webhook import Manners

ClosePort = Callable[[float], Awaitable[None]]
"""Closes the port for a number of seconds."""

MOST = 1_000
Number = Annotated[int, Query(ge=0, lt=2**63)]


class WebhookSettings(BaseModel):
    """Where the webhook calls and how; what is not given stays as it is. An empty `url` calls nobody."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = None
    manners: Manners | None = None


class Forget(BaseModel):
    """Whose mail to forget: by address, or by any touch whose mail went to that address."""

    model_config = ConfigDict(extra="forbid")

    addresses: list[str] = []
    touches: list[str] = []


def api_routes(box: Mailbox, refuse: ClosePort) -> APIRouter:  # noqa: C901 - a list of small routes
    """The routes."""
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/messages")
    async def messages(
        q: str = "", to: str = "", before: Number | None = None, limit: Annotated[int, Query(ge=1, le=MOST)] = 50
    ) -> dict[str, Any]:
        found = box.store.find(words=q, to=to, before=before, limit=limit)
        names = box.store.last_events([stored.seq for stored in found])
        return {"messages": [{**_brief(stored), "events": sorted(names[stored.seq])} for stored in found]}

    @router.get("/messages/{name}")
    async def message(name: str) -> dict[str, Any]:
        stored = named(box, name)
        letter = stored.letter
        return {
            **_brief(stored),
            "text": letter.text,
            "html": letter.html,
            "headers": letter.headers,
            "links": [{"offset": link.offset, "url": link.url} for link in letter.links],
            "one_click": letter.one_click,
            "events": [_told(event) for event in box.store.events_of(stored.seq)],
        }

    @router.post("/messages/{name}/events", status_code=201)
    async def happen(name: str, acts: Act | list[Act]) -> dict[str, Any]:
        try:
            return {"events": box.happen(named(box, name), *(acts if isinstance(acts, list) else [acts]))}
        except InputError as error:
            raise HTTPException(422, str(error)) from None

    @router.post("/messages/{name}/unsubscribe")
    async def unsubscribe(name: str) -> dict[str, str]:
        return {"outcome": await box.unsubscribe(named(box, name))}

    @router.post("/forget")
    async def forget(asked: Forget) -> dict[str, int]:
        return {"forgotten": box.store.forget(asked.addresses, asked.touches)}

    @router.get("/accepted")
    async def accepted(
        after: Number = 0, limit: Annotated[int, Query(ge=1, le=100_000)] = MOST, touch: str | None = None
    ) -> dict[str, Any]:
        return {"totals": box.store.totals(), "accepted": box.store.accepted(after, limit, touch)}

    @router.get("/faults")
    async def faults() -> dict[str, Any]:
        return {"faults": box.script.listed()}

    @router.post("/faults", status_code=201)
    async def add_fault(fault: Fault) -> dict[str, Any]:
        if fault.kind == "refuse":
            await refuse(fault.seconds)
        else:
            box.script.add(fault)
        return {"faults": box.script.listed()}

    @router.delete("/faults")
    async def clear_faults() -> dict[str, Any]:
        box.script.clear()
        return {"faults": []}

    @router.get("/webhook")
    async def webhook() -> dict[str, Any]:
        waiting, _ = box.store.waiting()
        return {"url": box.webhook.url, "manners": box.webhook.manners.model_dump(), "waiting": waiting}

    @router.put("/webhook")
    async def set_webhook(settings: WebhookSettings) -> dict[str, Any]:
        if settings.url is not None:
            box.webhook.url = settings.url or None
        if settings.manners is not None:
            box.webhook.manners = settings.manners
        box.webhook.wake()
        return await webhook()

    @router.get("/webhook-key")
    async def webhook_key() -> dict[str, str]:
        return {"public_key": box.webhook.signer.public_key}

    return router


def named(box: Mailbox, name: str) -> StoredLetter:
    """The letter with this number, `sg_message_id`, `X-Message-Id` or touch. Raises 404."""
    number = box.store.number_of(name)
    stored = None if number is None else box.store.letter(number)
    if stored is None:
        raise HTTPException(404, f"no message {name!r}")
    return stored


def _brief(stored: StoredLetter) -> dict[str, Any]:
    letter = stored.letter
    return {
        "seq": stored.seq,
        "message_id": stored.ids.message_id,
        "sg_message_id": stored.ids.sg_message_id,
        "touch_id": letter.touch_id,
        "at": stored.at.isoformat(),
        "answer": stored.answer,
        "from": letter.sender,
        "reply_to": letter.reply_to,
        "to": letter.to,
        "subject": letter.subject,
        "categories": list(letter.categories),
        "custom_args": letter.custom_args,
    }


def _told(event: LetterEvent) -> dict[str, Any]:
    return {"event": event.name, "at": event.at.isoformat(), "told": event.told, "body": event.body}
