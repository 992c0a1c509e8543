"""decide: what comes next for a lead. A local activity, so that the workflow's history holds each decision.

It takes the score anew, runs `plan`, and writes the read model, in one transaction.
"""

from dataclasses import dataclass

from temporalio import activity

from activities.read_model import rewrite_facts, write_decision, write_head
from activities.rescore import rescore
from models.messages import Decided, Deciding
from nurture.content import Catalogue
from nurture.decision import Decision, Finish, Park
from nurture.facts import AnyFact, Enrolled, Scored
from nurture.journal import Journal
from nurture.plan import look_ahead, plan
from nurture.scoring import ScoringModel
from nurture.track import Registry
from wiring.database import Database
from workflows.visibility import attributes


@dataclass(frozen=True)
class DecideActivity:
    """The activity `decide` over this database, these tracks and this content."""

    database: Database
    tracks: Registry
    catalogue: Catalogue
    scoring: ScoringModel

    @activity.defn(name="decide")
    async def decide(self, asked: Deciding) -> Decided:
        """Decide. Raises TrackError (retried until the code is mended) if the track breaks its rules, or is gone."""
        track = self.tracks[asked.track]
        journal = Journal(asked.facts, asked.decided)
        async with self.database.writing() as session:
            news: list[AnyFact] = []
            if asked.rescore:
                score = await rescore(session, self.scoring, asked.lead_id, asked.now)
                if (score.total, score.stage) != _last_score(journal):
                    news.append(Scored(asked.now, score.total, score.stage))
            seen = journal.extended(news)
            decision = look_ahead(track, seen, plan(track, seen, asked.now, self.catalogue), asked.now, self.catalogue)
            news += decision.facts
            fresh = asked.total - asked.saved
            unsaved = asked.facts[len(asked.facts) - fresh :] if fresh else ()
            await rewrite_facts(session, asked.enrolment_id, asked.saved, [*unsaved, *news], decided_at=asked.total)
            await write_decision(session, asked.enrolment_id, asked.total, asked.now, decision.next, decision.because)
            await write_head(session, asked.enrolment_id, asked.now, decision.next, decision.because)
        return Decided(
            facts=tuple(news),
            next=decision.next,
            because=decision.because,
            then=decision.then,
            shown=self._shown(seen, decision),
        )

    def _shown(self, journal: Journal, decision: Decision) -> dict[str, str | bool]:
        """The search attributes of the lead where it comes to rest, as far as that is foreseen."""
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
