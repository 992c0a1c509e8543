"""What is due at the frontier: whether a wait is over, a send put off, and what is chosen; or where the lead parks."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from nurture.journey.asks import Choice, Stop, Wait
from nurture.journey.decision import AnyStep, Park, ParkReason
from nurture.journey.facts import AnyFact, Chosen, Graduated, Waited
from nurture.journey.journal import TOLERANCE
from nurture.journey.lead import Lead
from nurture.journey.matchers import Matcher


class Due(Lead):
    """A run of a track, as far as it can tell what is due."""

    __slots__ = ()

    def _derive(self, fact: AnyFact) -> AnyFact:
        self._derived.append(fact)
        return fact

    def _over_or_park(self, wait: Wait) -> AnyFact | Stop:
        journal = self._journal
        since = journal.progress
        start = self._facts[since].at
        for offset in range(len(self._derived) - 1, -1, -1):
            if isinstance(self._derived[offset], Waited | Graduated):
                since, start = len(self._facts) + offset, self._derived[offset].at
                break
        until = self._deadline(wait, start, since)
        if journal.overridden > since:
            return self._derive(Waited(self._now, wait.key, "override"))
        if wait.until is not None:
            for fact in (
                journal.behaved_from(since + 1) if journal.behaviours and journal.behaviours[-1] > since else ()
            ):
                in_time = fact.at >= journal.enrolled.at - TOLERANCE and (until is None or fact.at <= until)
                if in_time and self._matches(wait.until, fact):
                    return self._derive(Waited(self._now, wait.key, "behaviour", fact.name, fact.subject))
        if until is not None and self._now >= until:
            return self._derive(Waited(self._now, wait.key, "time", *_missed(wait.until)))
        return self._park(wait.key, until, wait.until, "wait")

    def _deadline(self, wait: Wait, start: datetime, since: int) -> datetime | None:
        if wait.end is not None:
            return wait.end
        if wait.length is None:
            return None
        end = start + +wait.length
        if self._journal.pauses and since < len(self._facts):
            end += self._journal.stood_still(since, self._now)
        return end

    def _due_or_put_off(self, step: AnyStep) -> Stop:
        deferred = self._journal.deferred.get(step.key)
        if deferred is None or self._now >= deferred.until:
            return Stop(step)
        overridden = self._journal.overridden
        if overridden >= 0 and deferred not in self._facts[overridden:]:
            return Stop(step)
        self._notes.append(deferred)
        return self._park(step.key, deferred.until, None, "deferred")

    def _stand_still(self, key: str) -> Stop:
        self._notes.append(self._facts[self._journal.pauses[-1]])
        return self._park(key, None, None, "paused")

    def _park(self, key: str, until: datetime | None, matcher: Matcher | None, why: ParkReason) -> Stop:
        listens = self._track.exits.patterns
        if matcher is not None:
            listens = matcher.patterns + self._formerly(matcher) + listens
        score = None if why == "paused" else self._armed_at()
        return Stop(Park(key, until, listens, score, why))

    def _formerly(self, matcher: Matcher) -> tuple[str, ...]:
        """The patterns for pieces that the lead got under a former name."""
        if not self._aliases:
            return ()
        names = dict.fromkeys(pattern.partition(":")[0] for pattern in matcher.patterns)
        return tuple(
            f"{name}:{was}"
            for was, piece in self._aliases.items()
            for name in names
            if matcher.matches(name, piece) and not matcher.matches(name, was)
        )

    def _variant(self, choice: Choice) -> str:
        digest = sha256(f"{choice.key}/{self._journal.enrolled.lead}".encode()).digest()
        share = int.from_bytes(digest[:8], "big")
        return choice.variants[share % len(choice.variants)]

    def _picked(self, choice: Choice, stage: str) -> str | None:
        had = {*self._journal.enrolled.seen, *self._aliases.values()}
        for key, index in self._steps.items():
            verb, _, subject = key.rpartition("/")[2].partition(":")
            if verb == "send":
                had.add(subject.partition("~")[0])
            elif verb == "next_piece":
                fact = self._facts[index]
                had.add((isinstance(fact, Chosen) and fact.choice) or "")
        had.update(fact.choice or "" for fact in self._derived if isinstance(fact, Chosen))
        traits = self._journal.enrolled.traits
        return self._catalogue.pick(stage, traits=traits, seen=had, formats=choice.formats)

    def _armed_at(self) -> int | None:
        """The score that would graduate the lead now.

        None while a team has the lead, and inside a graduation; and after one, until a score has fallen below the
        threshold again.
        """
        threshold = self._track.graduates_at
        if threshold is None or self._scope or self._offered:
            return None
        journal = self._journal
        if not self._graduated:
            return threshold
        if self._graduated > len(journal.graduations):
            return None
        for index in reversed(journal.scores):
            if index < journal.graduations[-1]:
                return None
            if journal.scored(index).score < threshold:
                return threshold
        return None


def _missed(until: Matcher | None) -> tuple[str, str]:
    """What a wait that ended by time was waiting for, to be said later; only its first pattern fits a fact."""
    if until is None or not until.patterns:
        return "", ""
    name, _, glob = until.patterns[0].partition(":")
    return name, glob
