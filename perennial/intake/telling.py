"""Tell journeys what their leads did: many leads at the same time, the behaviours of one in order.

A journey that does not answer holds back its own lead's events alone; they are told again later and later. So do
events whose telling fails by itself, and after some tries they are put aside.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

import structlog
from temporalio.service import RPCError

from nurture.errors import InputError, SettingsError
from perennial.intake.listener import Listener
from perennial.intake.refusals import Answer, answer_of
from perennial.intake.reports import Receipt
from perennial.platform.database_errors import is_outage
from perennial.platform.temporal import ensure_search_attributes

log = structlog.get_logger(__name__)

AT_ONCE = 32
"""Leads whose journeys are told at the same time."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds until the journeys of a lead are tried again."""
TRIES = 3
"""How often a lead's journeys are told of what fails by itself, before it is put aside."""

REFUSED = "a journey refused it"
LOST = "its journey does not run in Temporal, and should"


@dataclass(frozen=True, slots=True)
class Fates:
    """Behaviours that are not told, by id: why it is given up, or for which lead it is kept for later."""

    failed: dict[str, str] = field(default_factory=dict)
    later: dict[str, str] = field(default_factory=dict)


@dataclass
class Teller:
    """Tells journeys, and keeps count of the leads whose journeys do not answer."""

    listener: Listener
    now: Callable[[], float] = monotonic
    held_back: dict[int, str] = field(default_factory=dict)
    """Events by number, and whose they are."""
    _due: dict[str, tuple[float, float]] = field(default_factory=dict)
    """When a lead's journeys are tried again, by the monotonic clock, and the pause before that."""
    _tries: Counter[str] = field(default_factory=Counter)
    """How often telling a lead's journeys has failed by itself, without an answer of Temporal's."""

    async def tell(self, receipts: Sequence[Receipt]) -> Fates:
        """Tell the journeys; what is not told. Raises RPCError if Temporal is away, what a database away raises."""
        by_lead: defaultdict[str, list[Receipt]] = defaultdict(list)
        for each in receipts:
            if each.listening or each.looking or each.entering:
                by_lead[each.report.lead_id].append(each)
        fates, room = Fates(), asyncio.Semaphore(AT_ONCE)

        async def tell(lead_id: str, burst: list[Receipt]) -> None:
            async with room:
                await self._tell(lead_id, burst, fates)

        answers = await asyncio.gather(*(tell(*each) for each in by_lead.items()), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return fates

    async def ensure_attributes(self) -> None:
        """Make the search attributes that this version needs; say so if that is not to be."""
        try:
            await ensure_search_attributes(self.listener.client)
        except (SettingsError, RPCError) as error:
            log.warning("no journey can be started", why=str(error))

    def not_due(self) -> list[int]:
        """The events that are held back for now."""
        now = self.now()
        return [number for number, lead_id in self.held_back.items() if self._due.get(lead_id, (0.0, 0.0))[0] > now]

    def hold_back(self, number: int, lead_id: str) -> None:
        """Keep an event for later."""
        self.held_back[number] = lead_id

    def let_go(self, number: int) -> None:
        """Forget an event that is settled."""
        self.held_back.pop(number, None)

    async def _tell(self, lead_id: str, burst: list[Receipt], fates: Fates) -> None:
        if lead_id in self._due and self._due[lead_id][0] > self.now():
            fates.later.update({each.report.id: lead_id for each in burst})
            return
        try:
            fates.failed.update(dict.fromkeys(await self.listener.tell(burst), LOST))
        except RPCError as error:
            self._refused(error, lead_id, burst, fates)
        except Exception as error:
            if is_outage(error):
                raise
            self._failed(error, lead_id, burst, fates)
        else:
            self._due.pop(lead_id, None)
            self._tries.pop(lead_id, None)

    def _refused(self, error: RPCError, lead_id: str, burst: Sequence[Receipt], fates: Fates) -> None:
        match answer_of(error):
            case Answer.AWAY | Answer.ATTRIBUTES:
                raise error
            case Answer.NEVER:
                log.error("a journey refused a behaviour", status=error.status.name, lead=lead_id)
                fates.failed.update({each.report.id: REFUSED for each in burst})
            case Answer.LATER:
                pause = self._wait(lead_id, burst, fates)
                log.warning("a journey does not answer", status=error.status.name, lead=lead_id, again_in=pause)

    def _failed(self, error: Exception, lead_id: str, burst: Sequence[Receipt], fates: Fates) -> None:
        """Telling this lead's journeys fails by itself: a fault of ours, which must not stop anybody else's."""
        kind = type(error).__name__
        self._tries[lead_id] += 1
        if self._tries[lead_id] < TRIES and not isinstance(error, InputError):
            pause = self._wait(lead_id, burst, fates)
            log.error("a journey cannot be told", kind=kind, lead=lead_id, again_in=pause)
            return
        del self._tries[lead_id]
        self._due.pop(lead_id, None)
        log.error("what a lead did cannot be told, and is put aside", kind=kind, lead=lead_id)
        fates.failed.update({each.report.id: f"cannot be told: {kind}" for each in burst})

    def _wait(self, lead_id: str, burst: Sequence[Receipt], fates: Fates) -> float:
        """Keep a lead's behaviours for later; in how many seconds its journeys are told again."""
        pause = min(2 * self._due.get(lead_id, (0.0, 0.0))[1] or FIRST_PAUSE, LONGEST_PAUSE)
        self._due[lead_id] = (self.now() + pause, pause)
        fates.later.update({each.report.id: lead_id for each in burst})
        return pause
