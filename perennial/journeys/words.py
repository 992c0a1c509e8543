"""The words of strangers that a journey's references stand for: Temporal is told the references alone.

Traits, the cause of an enrolment, subjects of behaviours and typed reasons can hold a name or an address. A journey is
decided over the words (`plain`), and answers in references (`hidden`). Erasing a lead deletes its words: what Temporal
still has then leads to nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.journeys import Enrolment, Word
from models.leads import BehaviourRow
from models.messages import Advanced, Advancing, Behaviour, StepOrder
from models.visibility import OUTCOME
from nurture.journey.decision import HandOff
from nurture.journey.facts import AnyFact, Behaved, Enrolled
from nurture.journey.refs import REF, is_ref, is_strangers, ref_of, reworded, reworded_decision, reworded_next
from nurture.people.behaviours import BEHAVIOURS
from perennial.platform.database import Transaction, connection_of, upsert_ignore
from perennial.platform.prepared import Prepared

_WORDS = Prepared(select(Word.ref, Word.text).where(Word.enrolment_id == bindparam("enrolment")))
_BEGAN = Prepared(select(Enrolment.cause, Enrolment.traits).where(Enrolment.id == bindparam("enrolment")))
_KEEP = upsert_ignore(Word)
_CAUSE = ref_of("cause")
_OUR_CAUSES = frozenset({"", "by hand", *BEHAVIOURS})


@dataclass(frozen=True)
class Words:
    """What the references of one enrolment stand for; `traits` is None if its workflow still has them itself."""

    enrolment_id: str
    cause: str = ""
    traits: Mapping[str, str] | None = None
    texts: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _all(self) -> Mapping[str, str]:
        traits = {ref_of(f"trait {name}"): value for name, value in (self.traits or {}).items()}
        return {**traits, _CAUSE: self.cause, **self.texts}

    @cached_property
    def _refs(self) -> Mapping[str, str]:
        return {text: ref for ref, text in sorted(self.texts.items(), reverse=True) if text}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self._refs, key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")

    def plain(self, text: str) -> str:
        """A text with the words for its references; what nobody knows stays."""
        return REF.sub(lambda found: self._all.get(found[0], found[0]), text) if "ref:" in text else text

    def hidden(self, text: str) -> str:
        """A text with references for its words."""
        if self.traits is None:
            return self._hide_words(text)
        name, is_note, value = text.partition(" = ")
        if is_note and self.traits.get(name) == value:
            return f"{name} = {ref_of(f'trait {name}')}"
        if text == f"enrolled ({self.cause})":
            return f"enrolled ({self._hidden_cause})"
        return self._hide_words(text)

    def hidden_reason(self, text: str) -> str:
        """A text that the track's code worded with what it reads of the lead."""
        for name, value in sorted((self.traits or {}).items(), key=lambda trait: -len(trait[1])):
            if value:
                ref = ref_of(f"trait {name}")
                text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", lambda _, ref=ref: ref, text)  # type: ignore[misc]
        return self.hidden(text)

    def _hide_words(self, text: str) -> str:
        return self._pattern.sub(lambda found: self._refs[found[0]], text) if self._refs else text

    @property
    def _hidden_cause(self) -> str:
        return self.cause if self.cause in _OUR_CAUSES else _CAUSE

    def plain_facts(self, facts: Iterable[AnyFact]) -> tuple[AnyFact, ...]:
        """Facts as they are decided over."""
        return tuple(self._plain_fact(fact) for fact in facts)

    def _plain_fact(self, fact: AnyFact) -> AnyFact:
        if isinstance(fact, Enrolled):
            return fact if self.traits is None else replace(fact, cause=self.cause, traits=self.traits)
        return reworded(fact, self.plain)

    def hidden_facts(self, facts: Iterable[AnyFact]) -> tuple[AnyFact, ...]:
        """Facts as Temporal is told them."""
        return tuple(self._hidden_fact(fact) for fact in facts)

    def _hidden_fact(self, fact: AnyFact) -> AnyFact:
        if isinstance(fact, Enrolled):
            return fact if self.traits is None else replace(fact, cause=self._hidden_cause, traits={})
        return reworded(fact, self.hidden)

    def plain_wake(self, asked: Advancing) -> Advancing:
        """A wake as it is decided."""
        if self.traits is None and not self.texts:
            return asked
        facts = self.plain_facts(asked.facts)
        return asked.model_copy(update={"facts": facts, "news": tuple(self._plain_news(one) for one in asked.news)})

    def _plain_news(self, one: Any) -> Any:
        said = "subject" if isinstance(one, Behaviour) else "reason"
        return one.model_copy(update={said: self.plain(getattr(one, said))})

    def hidden_answer(self, advanced: Advanced) -> Advanced:
        """The answer of a wake as Temporal is told it; an outcome is listed without what a stranger worded."""
        if not self.traits and not self.texts and self._hidden_cause == self.cause:
            return advanced
        acted, then, shown = advanced.acted, advanced.then, dict(advanced.shown)
        if acted is not None:
            acted = acted.model_copy(
                update={
                    "facts": self.hidden_facts(acted.facts),
                    "because": tuple(map(self.hidden, acted.because)),
                    "outcome": self._hidden_fact(acted.outcome),
                }
            )
        if OUTCOME.name in shown:
            shown[OUTCOME.name] = REF.sub("", self.hidden(str(shown[OUTCOME.name]))).strip(" :,")
        changes = {
            "heard": self.hidden_facts(advanced.heard),
            "acted": acted,
            "facts": self.hidden_facts(advanced.facts),
            "next": reworded_next(advanced.next, self.hidden_reason),
            "because": tuple(map(self.hidden, advanced.because)),
            "then": reworded_decision(then, self.hidden, self.hidden_reason) if then is not None else None,
            "shown": shown,
            "expects": self.hidden(advanced.expects),
        }
        return advanced.model_copy(update=changes)


async def words_of(transaction: Transaction, enrolment_id: str) -> Words:
    """The words of an enrolment; of one that nobody knows, none."""
    connection = await connection_of(transaction)
    rows = await _BEGAN.rows(connection, {"enrolment": enrolment_id})
    cause, traits = rows[0] if rows else ("", None)
    return Words(enrolment_id, cause, traits, await texts_of(connection, enrolment_id))


async def texts_of(connection: AsyncConnection, enrolment_id: str) -> dict[str, str]:
    """What the references of an enrolment stand for."""
    rows = await _WORDS.rows(connection, {"enrolment": enrolment_id})
    return {row[0]: row[1] for row in rows}


async def words_of_wake(connection: AsyncConnection, asked: Advancing, words: Words) -> Words:
    """The words with those of behaviours that the wake names by reference for the first time."""
    told = [one for one in (*asked.facts, *asked.news) if isinstance(one, Behaved | Behaviour)]
    new = {one.id: one.subject for one in told if is_ref(one.subject) and one.subject not in words.texts}
    if not new:
        return words
    wanted = select(BehaviourRow.id, BehaviourRow.subject).where(BehaviourRow.id.in_(new))
    return await _kept(connection, words, {new[id_]: text for id_, text in await connection.execute(wanted)})


async def words_with(connection: AsyncConnection, words: Words, heard: Iterable[AnyFact]) -> Words:
    """The words with those of the facts that are heard."""
    known = set(words.texts.values())
    strange = [one for one in heard if isinstance(one, Behaved) and is_strangers(one.name, one.subject)]
    new = {one.subject: ref_of(one.id) for one in reversed(strange) if one.subject not in known}
    return await _kept(connection, words, {ref: text for text, ref in new.items() if not is_ref(text)})


async def _kept(connection: AsyncConnection, words: Words, new: Mapping[str, str]) -> Words:
    if not new:
        return words
    await keep_words(connection, [words.enrolment_id], new)
    return replace(words, texts={**words.texts, **new})


async def keep_words(transaction: Transaction, enrolments: Sequence[str], new: Mapping[str, str]) -> None:
    """Keep what these references stand for in these enrolments."""
    rows = [{"enrolment_id": each, "ref": ref, "text": text} for each in enrolments for ref, text in new.items()]
    if rows:
        await (await connection_of(transaction)).execute(_KEEP, rows)


async def plain_order(transaction: Transaction, order: StepOrder) -> StepOrder:
    """A step's order with its words, for what is written in the database."""
    if not (order.because or order.then_facts or isinstance(order.step, HandOff)):
        return order
    words = await words_of(transaction, order.enrolment_id)
    step = replace(order.step, reason=words.plain(order.step.reason)) if isinstance(order.step, HandOff) else order.step
    changes = {"step": step, "because": tuple(map(words.plain, order.because))}
    return order.model_copy(update=changes | {"then_facts": words.plain_facts(order.then_facts)})
