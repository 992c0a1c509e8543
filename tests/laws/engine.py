"""What the laws use of the engine under test, imported in this one place: public names only."""

from nurture.content.catalogue import Catalogue, parse_piece
from nurture.errors import PerennialError
from nurture.journey.compaction import compact
from nurture.journey.decision import Decision, Finish, Park
from nurture.journey.facts import AnyFact, Behaved, Deferred, Done, Enrolled, Overridden, Paused, Resumed, Scored
from nurture.journey.journal import Journal
from nurture.journey.matchers import hears
from nurture.journey.plan import plan
from nurture.journey.track import Track
from nurture.timing.cadence import cadence

IMPORTS = """\
from datetime import timedelta
from nurture.journey.lead import Lead
from nurture.journey.matchers import (
    converted, disqualified, link_clicked, opted_out, page_viewed, replied, unreachable
)
from nurture.journey.outcomes import Outcome, handed_to_sales, nurtured, recycled, rested, sunset
from nurture.journey.sales import hand_to_sales
from nurture.journey.track import track
"""
"""How a generated track begins."""

__all__ = [
    "IMPORTS",
    "AnyFact",
    "Behaved",
    "Catalogue",
    "Decision",
    "Deferred",
    "Done",
    "Enrolled",
    "Finish",
    "Journal",
    "Overridden",
    "Park",
    "Paused",
    "PerennialError",
    "Resumed",
    "Scored",
    "Track",
    "cadence",
    "compact",
    "hears",
    "parse_piece",
    "plan",
]
