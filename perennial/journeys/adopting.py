"""Adopt what was committed for this position of the journal, and heal the read model where it is behind.

A task whose local activity has sent may be rejected by the server or die with its worker, and is run again with further
news: deciding otherwise then would mail a second time. So what an earlier try has committed becomes the answer before
anything is decided: its facts, and its send, which is settled first. So a workflow that was reset finds its way back.

The workflow's journal is the truth. A database that was restored from a backup is behind it: the facts, and the touches
of the sends among them, are written again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex

from sqlalchemy import bindparam, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.journeys import AskedRow, Enrolment, Word
from models.messages import Advancing, Control
from models.touches import Touch
from nurture.errors import NotFoundError
from nurture.journey.facts import AnyFact, Done
from nurture.journey.keys import Key
from perennial.journeys.read_model import Position, facts_from, forget_facts, write_facts
from perennial.journeys.words import Words, texts_of
from perennial.leads.lock import lock_lead
from perennial.platform.database import upsert_ignore
from perennial.platform.prepared import Prepared

_HEAD = Prepared(
    select(
        Enrolment.lead_id,
        Enrolment.length,
        Enrolment.digest,
        Touch.id,
        Touch.step_key,
        Touch.state,
        Enrolment.stuck_since,
        Enrolment.wakes_at_score,
        AskedRow.id,
        AskedRow.verb,
        AskedRow.reason,
        Enrolment.cause,
        Enrolment.traits,
        exists().where(Word.enrolment_id == Enrolment.id),
    )
    .outerjoin(Touch, Touch.id == Enrolment.open_touch)
    .outerjoin(AskedRow, AskedRow.enrolment_id == Enrolment.id)
    .where(Enrolment.id == bindparam("enrolment"))
)


@dataclass(frozen=True, slots=True)
class OpenTouch:
    """A send that was begun, and whose outcome is no fact yet."""

    id: str
    step_key: str
    state: str


@dataclass(frozen=True, slots=True)
class Head:
    """What the read model says of a journey before it advances; the lead is locked.

    `asked` is what a person asked of it that it may have yet to hear.
    """

    lead_id: str
    position: Position
    open_touch: OpenTouch | None
    stuck_since: datetime | None
    wakes_at_score: int | None
    asked: Control | None
    words: Words


async def lock_head(connection: AsyncConnection, enrolment_id: str) -> Head:
    """Lock the enrolment's current lead, and read the head. Raises NotFoundError for an unknown enrolment."""
    locked: str | None = None
    while True:
        rows = await _HEAD.rows(connection, {"enrolment": enrolment_id})
        if not rows:
            raise NotFoundError(f"no enrolment {enrolment_id!r}")
        lead_id, length, digest, touch, step_key, state, stuck_since, wakes_at_score = rows[0][:8]
        asked, verb, reason, cause, traits, has_words = rows[0][8:]
        if lead_id == locked or connection.dialect.name == "sqlite":  # SQLite has one writer, so there is no race
            texts = await texts_of(connection, enrolment_id) if has_words else {}
            return Head(
                lead_id,
                Position(length, digest),
                OpenTouch(touch, step_key, state) if touch else None,
                stuck_since,
                wakes_at_score,
                Control(verb=verb, id=asked, reason=reason) if asked else None,
                Words(enrolment_id, cause, traits, texts),
            )
        await lock_lead(connection, lead_id)
        locked = lead_id


async def adopt(connection: AsyncConnection, asked: Advancing, head: Head) -> tuple[AnyFact, ...]:
    """The facts that earlier tries have committed beyond what the workflow has, in order; heals a read model behind it.

    Afterwards the read model has the workflow's facts and these.
    """
    known = Position(asked.saved, asked.digest)
    if head.position != known and head.position.length <= known.length:
        await _heal(connection, asked, head.position.length)
    found = await facts_from(connection, asked.enrolment_id, asked.saved)
    unsaved = list(unsaved_of(asked))
    adopted = list(found)
    for fact in unsaved:
        if fact in adopted:
            adopted.remove(fact)
    if found and found != [*unsaved, *adopted][: len(found)]:
        await forget_facts(connection, asked.enrolment_id, asked.saved)
    return tuple(adopted)


def unsaved_of(asked: Advancing) -> Sequence[AnyFact]:
    """The workflow's facts that are not known to be in the read model."""
    fresh = asked.total - asked.saved
    return asked.facts[len(asked.facts) - fresh :] if fresh else ()


async def _heal(connection: AsyncConnection, asked: Advancing, there: int) -> None:
    """Write the workflow's facts, and the touches of its sends, into a read model that has only the first `there`.

    Facts from before the run's beginning are as compaction kept them: some are gone, and leave a gap in the numbers.
    """
    offset = asked.total - len(asked.facts)
    begins = asked.compacted + offset if offset else 0
    saved = asked.facts[: asked.saved - offset]
    first = max(begins, there)
    if there == asked.saved:  # as long, but other: another history's
        first = begins
    await forget_facts(connection, asked.enrolment_id, first)
    if there < begins:
        last = await facts_from(connection, asked.enrolment_id, max(there - 1, 0))
        since = last[0].at if last else None
        lost = [fact for fact in asked.facts[: asked.compacted] if since is None or fact.at > since]
        await write_facts(connection, asked.enrolment_id, there, lost[: begins - there])
        await _restore_touches(connection, asked, lost)
    again = saved[first - offset :]
    await write_facts(connection, asked.enrolment_id, first, again)
    await _restore_touches(connection, asked, again)


async def _restore_touches(connection: AsyncConnection, asked: Advancing, facts: Sequence[AnyFact]) -> None:
    """Write the touches of these sends unless they are there: what was sent counts against the caps."""
    for fact in facts:
        if not isinstance(fact, Done) or Key.parse(fact.key).step.verb != "send":
            continue
        row = {
            "id": f"tc{token_hex(12)}",
            "enrolment_id": asked.enrolment_id,
            "lead_id": asked.lead_id,
            "track": asked.track,
            "step_key": fact.key,
            "piece": Key.parse(fact.key).step.subject,
            "content_hash": "",
            "state": "accepted" if fact.result == "sent" else fact.result,
            "reason": "restored from the journey",
            "at": fact.at,
        }
        await connection.execute(upsert_ignore(Touch), row)
