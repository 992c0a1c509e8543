"""What a stored event means: the port that each source implements, and the one place that asks it.

A vendor's reader lives in its folder (`perennial.integrations`); `perennial.app.sources` lists them all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from nurture.errors import InputError
from nurture.people.words import MOST_WORDS
from perennial.intake.reports import Report
from perennial.intake.visitors import Attached

State = Literal["done", "anonymous", "ignored", "failed"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an event means: behaviours to report, and the state it ends in once they are told.

    What it has `attached` is told before it, and before all that the lead does later.
    """

    state: State
    reports: tuple[Report, ...] = ()
    note: str = ""
    attached: Attached | None = None


IGNORED = Meaning("ignored")


class Reader(Protocol):
    """Reads the events of one source."""

    async def __call__(self, session: AsyncSession, event: Event, /) -> Meaning:
        """What an event means; what it tells of touches and identities is written in the caller's transaction.

        Raises InputError if the event makes no sense: it is ignored. Whatever else a reader raises is a fault of ours:
        the event is put aside, and told again once that is mended.
        """
        ...


@dataclass(frozen=True, slots=True)
class Translator:
    """Reads events, each by the reader of its source."""

    readers: Mapping[str, Reader]

    async def meaning(self, session: AsyncSession, event: Event) -> Meaning:
        """What a stored event means. Raises InputError for an unknown source, and what its reader raises."""
        reader = self.readers.get(event.source)
        if reader is None:
            raise InputError(f"no such source: {event.source}")
        return await reader(session, event)


def behaviour_id(event: Event) -> str:
    """The id of the behaviour that an event reports: the same for the same event, and opaque."""
    return f"{event.source[:2]}{sha256(event.fingerprint.encode()).hexdigest()[:30]}"


def behaviour_ids(event: Event) -> Iterator[str]:
    """The ids of the behaviours that an event reports, in order, for one that tells of several."""
    first = behaviour_id(event)
    return (first if number == 0 else f"{first}-{number}" for number in range(MOST_WORDS))
