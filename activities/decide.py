"""The activity `decide`: what comes next for a lead. It is local, so that the workflow's history holds each decision.

It takes the score again, runs `plan`, and writes the read model, in one transaction.
"""

from dataclasses import dataclass

from temporalio import activity

from models.messages import Decided, Deciding
from models.visibility import attributes
from nurture.content.catalogue import Catalogue
from nurture.journey.decision import Decision, Finish, Park
from nurture.journey.facts import AnyFact, Enrolled, Scored
from nurture.journey.journal import Journal
from nurture.journey.plan import look_ahead, plan
from nurture.journey.track import Registry
from nurture.people.scoring import ScoringModel
from perennial.journeys.alerts import raise_for_edit
from perennial.journeys.enrolled_lead import lock_enrolled_lead
from perennial.journeys.read_model import forget_facts, write_decision, write_facts, write_head
from perennial.journeys.unheard import take_unheard
from perennial.leads.scores import rescore
from perennial.platform.database import Database


@dataclass(frozen=True)
class DecideActivity:
    """The activity `decide` over this database, these tracks and this content."""

    database: Database
    tracks: Registry
    catalogue: Catalogue
    scoring: ScoringModel

    @activity.defn(name="decide")
    async def decide(self, asked: Deciding) -> Decided:
        """Decide. Raises TrackError if the track breaks its rules or is gone; retried until the code is mended."""
        track = self.tracks[asked.track]
        journal = Journal(asked.facts, asked.decided)
        async with self.database.transaction() as connection:
            news: list[AnyFact] = []
            if asked.rescore:
                lead_id = await lock_enrolled_lead(connection, asked.enrolment_id)
                news += await take_unheard(connection, asked)
                score = await rescore(connection, self.scoring, lead_id, asked.now)
                if (score.total, score.stage) != _last_score(journal):
                    news.append(Scored(asked.now, score.total, score.stage))
            seen = journal.extended(news)
            decision = look_ahead(track, seen, plan(track, seen, asked.now, self.catalogue), asked.now, self.catalogue)
            news += decision.facts
            fresh = asked.total - asked.saved
            unsaved = asked.facts[len(asked.facts) - fresh :] if fresh else ()
            enrolment_id = asked.enrolment_id
            await forget_facts(connection, enrolment_id, asked.saved, decided_at=asked.total)
            await write_decision(connection, enrolment_id, asked.total, asked.now, decision.next, decision.because)
            await write_facts(connection, enrolment_id, asked.saved, [*unsaved, *news])
            await write_head(connection, asked.enrolment_id, asked.now, decision.next, decision.because)
            await raise_for_edit(connection, enrolment_id, asked.lead_id, seen, decision, asked.now)
        return Decided(
            facts=tuple(news),
            next=decision.next,
            because=decision.because,
            then=decision.then,
            shown=self._shown(seen, decision),
        )

    def _shown(self, journal: Journal, decision: Decision) -> dict[str, str | bool]:
        """The search attributes of where the lead comes to rest, as far as that is foreseen."""
        journal = journal.extended(decision.facts)
        if isinstance(decision.next, Park | Finish):
            return attributes(journal, decision.next, self.scoring)
        if decision.then is None:
            return {}
        return attributes(journal.extended(decision.then.facts), decision.then.next, self.scoring)


def _last_score(journal: Journal) -> tuple[int, str]:
    fact = journal.facts[journal.scores[-1]]
    assert isinstance(fact, Scored | Enrolled)
    return fact.score, fact.stage
