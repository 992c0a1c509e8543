"""The language of tracks: all that a track's author imports comes from here.

    from nurture import Lead, Outcome, link_clicked, nurtured, track

What stands behind it is pure, in rooms: journey, people, content, timing, gate, bench. No Temporal, no SQL, no HTTP, no
clock. A name is imported when it is first used, so that a program that needs one room does not load them all.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nurture.bench.rehearsal import Rehearsal as Rehearsal
    from nurture.content.folder import load_catalogue as load_catalogue
    from nurture.gate import Caps as Caps
    from nurture.journey.lead import Lead as Lead
    from nurture.journey.matchers import Matcher as Matcher
    from nurture.journey.matchers import content_downloaded as content_downloaded
    from nurture.journey.matchers import converted as converted
    from nurture.journey.matchers import deal_lost as deal_lost
    from nurture.journey.matchers import deal_opened as deal_opened
    from nurture.journey.matchers import demo_requested as demo_requested
    from nurture.journey.matchers import disqualified as disqualified
    from nurture.journey.matchers import event_attended as event_attended
    from nurture.journey.matchers import form_submitted as form_submitted
    from nurture.journey.matchers import link_clicked as link_clicked
    from nurture.journey.matchers import opted_out as opted_out
    from nurture.journey.matchers import page_viewed as page_viewed
    from nurture.journey.matchers import replied as replied
    from nurture.journey.matchers import sales_accepted as sales_accepted
    from nurture.journey.matchers import sales_rejected as sales_rejected
    from nurture.journey.matchers import unreachable as unreachable
    from nurture.journey.outcomes import Outcome as Outcome
    from nurture.journey.outcomes import ReEntry as ReEntry
    from nurture.journey.outcomes import handed_to_sales as handed_to_sales
    from nurture.journey.outcomes import nurtured as nurtured
    from nurture.journey.outcomes import reconsidered as reconsidered
    from nurture.journey.outcomes import recycled as recycled
    from nurture.journey.outcomes import rested as rested
    from nurture.journey.outcomes import revived as revived
    from nurture.journey.outcomes import sunset as sunset
    from nurture.journey.sales import hand_to_sales as hand_to_sales
    from nurture.journey.track import track as track
    from nurture.timing.calendar import SendWindow as SendWindow
    from nurture.timing.durations import days as days
    from nurture.timing.durations import hours as hours

_BY_MODULE = {
    "nurture.bench.rehearsal": ("Rehearsal",),
    "nurture.content.folder": ("load_catalogue",),
    "nurture.gate": ("Caps",),
    "nurture.journey.lead": ("Lead",),
    "nurture.journey.matchers": (
        "Matcher",
        "content_downloaded",
        "converted",
        "deal_lost",
        "deal_opened",
        "demo_requested",
        "disqualified",
        "event_attended",
        "form_submitted",
        "link_clicked",
        "opted_out",
        "page_viewed",
        "replied",
        "sales_accepted",
        "sales_rejected",
        "unreachable",
    ),
    "nurture.journey.outcomes": (
        "Outcome",
        "ReEntry",
        "handed_to_sales",
        "nurtured",
        "reconsidered",
        "recycled",
        "rested",
        "revived",
        "sunset",
    ),
    "nurture.journey.sales": ("hand_to_sales",),
    "nurture.journey.track": ("track",),
    "nurture.timing.calendar": ("SendWindow",),
    "nurture.timing.durations": ("days", "hours"),
}
_HOMES = {name: module for module, names in _BY_MODULE.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name from its home, once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
