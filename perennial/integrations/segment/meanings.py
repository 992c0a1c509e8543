"""What a stored Segment call means: whose it is, and the behaviour that it reports, if it is one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from nurture.people.addresses import is_role
from nurture.people.behaviours import BEHAVIOURS, DEEP
from nurture.people.words import word_of, words_of
from nurture.segments.traits import number_of
from perennial.intake.fields import identifier_of, mapping_of, moment_of
from perennial.intake.meaning import Meaning, behaviour_ids
from perennial.intake.reports import Report
from perennial.intake.visitors import Attached, attach_earlier
from perennial.integrations.segment.calls import PUBLIC
from perennial.leads.identity import Identities, agreed_to
from perennial.leads.profile import is_given, not_kept

NAMES = {
    "demo requested": "demo.requested",
    "form submitted": "form.submitted",
    "content downloaded": "content.downloaded",
    "event attended": "event.attended",
    "webinar attended": "event.attended",
}
"""Names of `track` calls that mean a behaviour. Our own (`form.submitted`) mean themselves, others nothing."""

_BY_THE_PERSON = frozenset({"form.submitted", "demo.requested", "content.downloaded"})
"""What a person does in a form of ours, which asks for its own address."""

_NEVER_FROM_A_BROWSER = ("sales.", "deal.", "lead.", "email.")
"""A browser can claim anything: what sales and mail servers report comes by their own webhooks."""


@dataclass(frozen=True, slots=True)
class SegmentReader:
    """Reads Segment's calls. Makes leads, and writes down their names, in the caller's transaction."""

    identities: Identities

    async def __call__(self, session: AsyncSession, event: Event, /) -> Meaning:
        """What a call means; `anonymous` if its visitor is no lead yet."""
        body = event.body
        kind = body.get("type")
        at = moment_of(body.get("timestamp")) or event.received_at
        traits = mapping_of(body.get("traits")) or mapping_of(mapping_of(body.get("context")).get("traits"))
        properties = mapping_of(body.get("properties"))
        email = _own_address(str(kind), body, traits, properties)
        lead_id, attached = event.lead_id, None
        if lead_id is None:
            user_id = identifier_of(body.get("userId"))
            previous = identifier_of(body.get("previousId")) if kind == "alias" else None
            if user_id is None:
                user_id = previous
            anonymous_id = identifier_of(body.get("anonymousId"))
            if email is None:
                lead_id = await self.identities.known_by(session, user_id=user_id, anonymous_id=anonymous_id)
        if lead_id is None:
            lead_id = await self.identities.resolve(
                session,
                user_id=user_id,
                anonymous_id=anonymous_id,
                email=email,
                traits=_without_consent(traits) if body.get(PUBLIC) is True else _with_consent(traits, properties),
                at=at,
            )
            if lead_id is None and previous is not None:
                lead_id = await self.identities.renamed(session, user_id=user_id, previous=previous, at=at)
            if lead_id is not None:
                attached = await attach_earlier(session, lead_id, user_id=user_id, anonymous_id=anonymous_id)
        if lead_id is not None and kind == "alias":
            joined = await self._join(session, lead_id, identifier_of(body.get("previousId")), at)
            attached = joined if attached is None else attached.with_more(joined)
        if lead_id is None:
            return Meaning("anonymous" if event.anonymous_id else "ignored", note="nobody's yet")
        name, said = _behaviour_of(str(kind), body, properties)
        ids = behaviour_ids(event)
        reports = () if name is None else tuple(Report(next(ids), lead_id, name, props, at) for props in said)
        return Meaning("done", reports, attached=attached)

    async def _join(self, session: AsyncSession, lead_id: str, previous: str | None, at: datetime) -> Attached | None:
        """Join what an alias's `previousId` did, as a browser or as a user, unless it is another lead's name."""
        if previous is None or not await self.identities.join(session, lead_id, previous, at):
            return None
        return await attach_earlier(session, lead_id, user_id=previous, anonymous_id=previous)


def _own_address(
    kind: str, body: Mapping[str, Any], traits: Mapping[str, Any], properties: Mapping[str, Any]
) -> str | None:
    """The address of the person whom a call is by; None if it tells none.

    It is in what identifies the user, and in a form that the person sends in. A group's traits are a company's, an
    event's properties may name anybody (an invitee), and a shared address is nobody's own.
    """
    said = None
    if kind == "identify":
        said = traits.get("email")
    elif kind != "group":
        said = mapping_of(mapping_of(body.get("context")).get("traits")).get("email")
        if said is None and kind == "track" and _meant(body) in _BY_THE_PERSON:
            said = properties.get("email")
    return said if isinstance(said, str) and not is_role(said) else None


def _meant(body: Mapping[str, Any]) -> str | None:
    """The behaviour that a `track` call's event means."""
    event = str(body.get("event", ""))
    return event if event in BEHAVIOURS else NAMES.get(event.lower())


def claim_of(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a call through a browser claims of an address that may be written to; None if it claims nothing usable."""
    traits = mapping_of(message.get("traits")) or mapping_of(mapping_of(message.get("context")).get("traits"))
    properties = mapping_of(message.get("properties"))
    email = _own_address(str(message.get("type")), message, traits, properties)
    said = _with_consent(traits, properties)
    if email is None or agreed_to(said) is None:
        return None
    return {"email": email, "traits": said, "userId": message.get("userId"), "anonymousId": message.get("anonymousId")}


def not_kept_of(message: Mapping[str, Any]) -> list[str]:
    """The fields of a call that say something about a person which cannot be kept, by name: never by value."""
    if message.get("type") == "group":
        return []
    traits = mapping_of(message.get("traits")) or mapping_of(mapping_of(message.get("context")).get("traits"))
    said = _with_consent(traits, mapping_of(message.get("properties")))
    lost = not_kept(traits)
    if is_given(said.get("consent")) and agreed_to(said) is None:
        lost.append("consent")
    return lost


def _with_consent(traits: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    return {**traits, **({"consent": properties["consent"]} if "consent" in properties else {})}


def _without_consent(traits: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in traits.items() if name != "consent"}


def _behaviour_of(
    kind: str, body: Mapping[str, Any], properties: Mapping[str, Any]
) -> tuple[str | None, list[dict[str, Any]]]:
    """The behaviour that a call reports, with the properties of each time: a list of two guides is two downloads."""
    if kind == "page":
        page = mapping_of(mapping_of(body.get("context")).get("page"))
        paths = (properties.get("path"), properties.get("url"), page.get("path"), page.get("url"))
        path = next(filter(None, map(word_of, paths)), None)
        return ("page.viewed", [{"path": path}]) if path else (None, [])
    if kind != "track":
        return None, []
    name = _meant(body)
    if name is None or name.startswith(_NEVER_FROM_A_BROWSER):
        return None, []
    subject = BEHAVIOURS[name].subject
    if subject is None:
        return name, [{}]
    named = (properties.get(subject), properties.get("name"), properties.get("title"))
    words = next(filter(None, map(words_of, named)), ("",))
    return name, [{subject: word, **_depth(name, properties)} for word in words]


def _depth(name: str, properties: Mapping[str, Any]) -> dict[str, float]:
    """How much was read or watched, from 0 to 100 percent, if the call tells it; no other property is kept."""
    percent = number_of(properties.get("percent"))
    return {"percent": percent} if name in DEEP and percent is not None and 0 <= percent <= 100 else {}
