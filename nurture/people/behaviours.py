"""The behaviours that a lead, sales or the world can show, by name, and the one property each is matched on.

A behaviour's *subject* is the property that matchers look at: the piece of a click, the path of a page view. It is
the only property that enters a journal, so it must identify content, never a person.
"""

from dataclasses import dataclass

from nurture.errors import InputError


@dataclass(frozen=True, slots=True)
class BehaviourKind:
    """One kind of behaviour: its name, the property that is its subject (or none), and what it says in English."""

    name: str
    subject: str | None
    says: str


_KINDS = (
    BehaviourKind("email.opened", "piece", "opened"),
    BehaviourKind("email.clicked", "piece", "clicked a link in"),
    BehaviourKind("email.replied", "piece", "replied to"),
    BehaviourKind("email.bounced", "piece", "bounced on"),
    BehaviourKind("email.complained", "piece", "marked as spam"),
    BehaviourKind("page.viewed", "path", "viewed page"),
    BehaviourKind("page.scrolled", "path", "scrolled down page"),
    BehaviourKind("video.watched", "video", "watched video"),
    BehaviourKind("form.submitted", "form", "submitted form"),
    BehaviourKind("content.downloaded", "piece", "downloaded"),
    BehaviourKind("event.attended", "event", "attended"),
    BehaviourKind("demo.requested", None, "asked for a demo"),
    BehaviourKind("lead.opted_out", None, "opted out"),
    BehaviourKind("lead.disqualified", "reason", "was disqualified"),
    BehaviourKind("deal.opened", None, "has an open deal"),
    BehaviourKind("deal.won", None, "became a customer"),
    BehaviourKind("deal.lost", "reason", "deal was lost"),
    BehaviourKind("sales.accepted", None, "was accepted by sales"),
    BehaviourKind("sales.rejected", "reason", "was rejected by sales"),
)

DEEP = frozenset({"page.scrolled", "video.watched"})
"""The behaviours of which a property `percent` tells how deep they went, from 0 to 100."""

BEHAVIOURS: dict[str, BehaviourKind] = {kind.name: kind for kind in _KINDS}


def behaviour_kind(name: str) -> BehaviourKind:
    """The kind called `name`; raises InputError that lists the known names."""
    try:
        return BEHAVIOURS[name]
    except KeyError:
        known = ", ".join(sorted(BEHAVIOURS))
        raise InputError(f"unknown behaviour {name!r}; known: {known}") from None
