"""Entry by segment: `@track(..., enters_on=segment_entered(gone_quiet))`. Nobody does it; a sweep finds it out."""

from nurture.errors import InputError
from nurture.journey.matchers import ENTERED, Matcher
from nurture.journey.patterns import Pattern
from nurture.journey.track import Track
from nurture.segments.named import Segment


def segment_entered(segment: Segment | str) -> Matcher:
    """The lead has come into a segment, given itself or by its name; only for `enters_on`. Raises InputError."""
    name = segment.name if isinstance(segment, Segment) else segment
    if not isinstance(name, str) or not name:
        raise InputError(f"segment_entered({segment!r}): give a segment, or its name")
    return Matcher((f"{ENTERED}:{name}",))


def segments_entered(track: Track) -> tuple[str, ...]:
    """The names of the segments that leads enter a track by."""
    patterns = map(Pattern.parse, track.enters_on.patterns)
    return tuple(dict.fromkeys(each.glob for each in patterns if each.name == ENTERED))
