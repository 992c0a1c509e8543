"""Which segments a lead of the bench is in: what its journal tells of it is all that is known."""

from collections.abc import Mapping
from datetime import datetime

from nurture.journey.facts import Belongs
from nurture.journey.journal import Journal
from nurture.journey.track import Track
from nurture.people.scoring import DEFAULT_MODEL, ScoringModel
from nurture.segments.asked import news_of, segments_asked
from nurture.segments.facts import LeadFacts, Seen
from nurture.segments.named import Segment


class Belonging:
    """Finds out which of the segments that a track asks for a lead on it is in.

    Of segments that the track asks for by name, `known` has the meaning. Raises InputError for one that is not known.
    """

    def __init__(self, track: Track, known: Mapping[str, Segment], scoring: ScoringModel = DEFAULT_MODEL) -> None:
        self._segments = segments_asked(track, known)
        self._track = track.name
        self._scoring = scoring

    def __call__(self, journal: Journal, now: datetime) -> Belongs | None:
        """What to tell the journal at `now`; None for nothing new."""
        if not self._segments:
            return None
        score = journal.scored(len(journal)).score
        lead = LeadFacts(
            traits=journal.enrolled.traits,
            behaviours=tuple(
                Seen(fact.name, fact.subject, fact.at, fact.id)
                for fact in journal.behaved(len(journal))
                for _ in range(fact.times)
            ),
            tracks=frozenset({self._track}),
            score=score,
            band=self._scoring.band_of(score),
            fit=sum(entry.points for entry in self._scoring.fit_entries(journal.enrolled.traits, now)),
            id=str(journal.enrolled.lead),
        )
        return news_of(journal, self._segments, lead, now)
