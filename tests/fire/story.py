"""What is sent under fire: the same mails on two tracks that differ in their delivery alone."""

from datetime import time

from nurture.gate import Caps
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import track
from nurture.timing.calendar import SendWindow

PIECES = ("welcome", "best-of", "still-interested", "reconsider", "last-call")
OFTEN = Caps(per_day=99, per_week=99, per_month=99)
ALWAYS = SendWindow(time.min, time.min, frozenset(range(7)))


async def five_mails(lead: Lead) -> Outcome:
    """Five mails a week apart, at any hour: under a fast clock an open window lasts a blink."""
    for piece in PIECES:
        await lead.send(piece)
        await lead.wait(days=7)
    return nurtured


at_most_once = track("fire-once", caps=OFTEN, quiet_hours=ALWAYS)(five_mails)
at_least_once = track("fire-surely", caps=OFTEN, quiet_hours=ALWAYS, delivery="at_least_once")(five_mails)
TRACKS = (at_most_once, at_least_once)
