"""From a stored event to what it means: behaviours of a lead, and what became of a mail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.leads import LeadRow
from models.touches import Touch
from nurture.errors import InputError
from nurture.people.behaviours import BEHAVIOURS
from nurture.people.scoring import ScoringModel
from perennial.intake.behaviours import OWN, Report
from perennial.intake.bots import is_machine_agent
from perennial.intake.scanners import click_of, mark_scanners
from perennial.integrations.sendgrid.bounces import dropped_means, note_of_ours, verdict
from perennial.leads.identity import Identities, current_lead, with_address
from perennial.leads.lock import lock_lead
from perennial.leads.suppression import delivered, soft_bounced

log = structlog.get_logger(__name__)

TOUCH_ARGUMENT = "perennial_touch_id"

SEGMENT_NAMES = {
    "demo requested": "demo.requested",
    "form submitted": "form.submitted",
    "content downloaded": "content.downloaded",
    "event attended": "event.attended",
    "webinar attended": "event.attended",
}
"""Names of `track` calls that mean a behaviour. Our own names (`form.submitted`) mean themselves; the rest is kept."""

State = Literal["done", "anonymous", "ignored"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an event means: behaviours, and the state it ends in once they are told."""

    state: State
    happenings: tuple[Report, ...] = ()
    note: str = ""


IGNORED = Meaning("ignored")


@dataclass(frozen=True)
class Translator:
    """Reads events. What it learns about touches and identities it writes in the caller's transaction."""

    identities: Identities
    scoring: ScoringModel

    async def meaning(self, session: AsyncSession, event: Event) -> Meaning:
        """What a stored event means. Raises InputError if it makes no sense."""
        match event.source:
            case "sendgrid":
                return await self._sendgrid(session, event)
            case "segment":
                return await self._segment(session, event)
            case "crm":
                return _crm(event)
            case "click":
                return await self._click(session, event)
            case "own":
                return _own(event)
            case _:
                raise InputError(f"no such source: {event.source}")

    async def _sendgrid(self, session: AsyncSession, event: Event) -> Meaning:
        body = event.body
        touch = await _touch_of(session, body)
        lead = await _lead_of(session, event, touch, body)
        if lead is None:
            return Meaning("ignored", note="of no lead we know")
        if lead.erased_at is not None:
            event.body, event.anonymous_id = {}, None  # a late event must not bring the address back
            return Meaning("ignored", note="of an erased lead")
        at = _seconds(body.get("timestamp")) or event.received_at
        kind = str(body.get("event"))
        await lock_lead(session, lead.id)  # before its touch, as a send does: else the two could wait for each other
        if touch is not None:
            await _settle(session, touch, kind, body, at)
        if kind in {"open", "click"} and touch is not None:
            return await self._engaged(session, event, touch, lead, at, kind=kind)
        if kind == "delivered":
            await delivered(session, lead.id)
        note = await _passing(session, lead, at, body) if kind in {"bounce", "dropped"} else ""
        name = dropped_means(body) if kind == "dropped" else _SENDGRID_NAMES.get(kind)
        if name is None or note:
            return Meaning("done", note=note)
        props = {"piece": touch.piece} if touch is not None and BEHAVIOURS[name].subject == "piece" else {}
        touch_id = touch.id if touch is not None else None
        return Meaning("done", (Report(_id(event), lead.id, name, props, at, touch_id),))

    async def _engaged(
        self, session: AsyncSession, event: Event, touch: Touch, lead: LeadRow, at: datetime, *, kind: str
    ) -> Meaning:
        """An open or a click: a machine's is kept and scores nothing."""
        body = event.body
        props = {
            "piece": touch.piece,
            "url": str(body.get("url", ""))[:500],
            "agent": str(body.get("useragent", ""))[:200],
        }
        bot = bool(body.get("sg_machine_open")) or is_machine_agent(props["agent"])
        if kind == "click":
            bot = bot or _id(event) in await mark_scanners(
                session, touch, click_of(_id(event), at, props), touch.delivered_at
            )
        name = "email.opened" if kind == "open" else "email.clicked"
        return Meaning("done", (Report(_id(event), lead.id, name, props, at, touch.id, bot=bot),))

    async def _click(self, session: AsyncSession, event: Event) -> Meaning:
        body = event.body
        touch = await session.get(Touch, str(body.get("touch_id")))
        if touch is None:
            return Meaning("ignored", note="of no touch we know")
        lead = await current_lead(session, touch.lead_id)
        if lead is None or lead.erased_at is not None:
            return Meaning("ignored", note="of no lead we know")
        at = _moment(body.get("at")) or event.received_at
        return await self._engaged(session, event, touch, lead, at, kind=str(body.get("event", "click")))

    async def _segment(self, session: AsyncSession, event: Event) -> Meaning:
        body = event.body
        kind = body.get("type")
        at = _moment(body.get("timestamp")) or event.received_at
        traits = _mapping(body.get("traits")) or _mapping(_mapping(body.get("context")).get("traits"))
        properties = _mapping(body.get("properties"))
        email = traits.get("email") or properties.get("email")
        lead_id = event.lead_id or await self.identities.resolve(
            session,
            user_id=_text(body.get("userId")) or (_text(body.get("previousId")) if kind == "alias" else None),
            anonymous_id=_text(body.get("anonymousId")),
            email=email if isinstance(email, str) else None,
            traits={**traits, **({"consent": properties["consent"]} if "consent" in properties else {})},
            at=at,
        )
        if lead_id is None:
            return Meaning("anonymous" if event.anonymous_id else "ignored", note="nobody's yet")
        name, props = _segment_behaviour(str(kind), body, properties)
        if name is None:
            return Meaning("done")
        return Meaning("done", (Report(_id(event), lead_id, name, props, at),))


_SENDGRID_NAMES = {
    "bounce": "email.bounced",
    "spamreport": "email.complained",
    "unsubscribe": "lead.opted_out",
    "group_unsubscribe": "lead.opted_out",
}

_DELIVERY = {
    "processed": ("", True),
    "deferred": ("deferred", True),
    "delivered": ("delivered", True),
    "dropped": ("dropped", True),
    "bounce": ("bounced", True),
    "open": ("delivered", True),
    "click": ("delivered", True),
    "spamreport": ("delivered", True),
}
_LATER = {"": 0, "deferred": 1, "delivered": 2, "dropped": 3, "bounced": 3}


async def _passing(session: AsyncSession, lead: LeadRow, at: datetime, body: Mapping[str, Any]) -> str:
    """Why a bounce is no verdict on the address, noted on the event; empty if it is one, or the one too many."""
    match verdict(body):
        case "ours":
            note = note_of_ours(body)
            log.error("our mail is rejected", note=note)
            return note
        case "soft":
            return "" if await soft_bounced(session, lead.id, at) else "a soft bounce"
        case "hard":
            return ""


async def _settle(session: AsyncSession, touch: Touch, kind: str, body: Mapping[str, Any], at: datetime) -> None:
    """The provider speaks of the mail, so it took it: a touch of unknown fate is settled, whatever comes first."""
    known = _DELIVERY.get(kind)
    if known is None:
        return
    message_id = str(body.get("sg_message_id", "")).partition(".")[0] or None
    values: dict[str, Any] = {}
    if touch.state in {"sending", "unknown"}:
        values |= {"state": "accepted", "provider_id": touch.provider_id or message_id, "reason": ""}
    if _LATER[known[0]] > _LATER.get(touch.delivery, 0):
        values["delivery"] = known[0]
    if kind == "delivered" and touch.delivered_at is None:
        values["delivered_at"] = at
    if values:
        await session.execute(update(Touch).where(Touch.id == touch.id).values(values))


async def _touch_of(session: AsyncSession, body: Mapping[str, Any]) -> Touch | None:
    if touch_id := _text(body.get(TOUCH_ARGUMENT)):
        return await session.get(Touch, touch_id)
    message_id = str(body.get("sg_message_id", "")).partition(".")[0]
    if not message_id:
        return None
    found: Touch | None = await session.scalar(select(Touch).where(Touch.provider_id == message_id).limit(1))
    return found


async def _lead_of(session: AsyncSession, event: Event, touch: Touch | None, body: Mapping[str, Any]) -> LeadRow | None:
    lead: LeadRow | None = None
    if touch is not None or event.lead_id is not None:
        lead = await current_lead(session, touch.lead_id if touch is not None else str(event.lead_id))
    elif email := _text(body.get("email")):
        lead = await with_address(session, email)
    return lead


def _crm(event: Event) -> Meaning:
    if event.lead_id is None:
        return IGNORED
    data = _mapping(event.body.get("data"))
    name = str(event.body.get("type"))
    subject = BEHAVIOURS[name].subject if name in BEHAVIOURS else None
    props = {subject: str(data.get("reason") or "")} if subject else {}
    at = _moment(data.get("at")) or event.received_at
    return Meaning("done", (Report(_id(event), event.lead_id, name, props, at),))


def _own(event: Event) -> Meaning:
    body = event.body
    if event.lead_id is None or event.event_id is None:
        return IGNORED
    at = _moment(body.get("at")) or event.received_at
    happening = Report(
        event.event_id,
        event.lead_id,
        str(body["name"]),
        dict(body.get("props") or {}),
        at,
        body.get("touch_id"),
        bot=bool(body.get("bot")),
    )
    return Meaning("done", (happening,))


def _segment_behaviour(
    kind: str, body: Mapping[str, Any], properties: Mapping[str, Any]
) -> tuple[str | None, dict[str, Any]]:
    if kind == "page":
        context = _mapping(_mapping(body.get("context")).get("page"))
        path = properties.get("path") or context.get("path")
        return ("page.viewed", {"path": str(path)}) if path else (None, {})
    if kind != "track":
        return None, {}
    said = str(body.get("event", ""))
    name = said if said in BEHAVIOURS else SEGMENT_NAMES.get(said.lower())
    if name is None or name.startswith(("sales.", "deal.", "lead.", "email.")):
        return None, {}  # a browser can say anything: what sales and mail servers tell comes by their own doors
    subject = BEHAVIOURS[name].subject
    value = properties.get(subject) if subject else None
    if subject and value is None:
        value = properties.get("name") or properties.get("title") or ""
    return name, {subject: str(value)} if subject else {}


def _id(event: Event) -> str:
    """A behaviour's id: the same for the same event, short enough, and telling nothing."""
    if event.source == OWN and event.event_id:
        return event.event_id
    return f"{event.source[:2]}{sha256(event.fingerprint.encode()).hexdigest()[:30]}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    """An identifier as text; libraries send numbers as well."""
    return (str(value) or None) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _seconds(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.utcoffset() is not None else None
