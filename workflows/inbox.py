"""What has reached a journey and waits to be taken, in the order it came. Signal handlers put; the loop takes."""

from collections import deque
from collections.abc import Collection, Iterable

from models.messages import LATEST, Behaviour, Control
from nurture.journey.decision import Park
from nurture.journey.facts import Behaved
from nurture.journey.patterns import Pattern, hears
from nurture.journey.refs import is_ref

REMEMBERED = 3_000
"""How many ids are remembered, to hear each once: senders repeat themselves within seconds, not months. In a storm the
server makes some of them wait so long that others are heard in between: 1,262 were seen. This many of the longest ids
are 200 KB, which a new run still takes."""


class Inbox:
    """Messages in order. An id is let in once; `arrived` counts all that came, `taken` those that the loop took.

    What a person sent without an id gets one, by its number in the run that began at the journal's fact `first`: the
    same in each replay and after a reset.
    """

    def __init__(
        self, waiting: Iterable[Behaviour | Control] = (), heard: Iterable[str] = (), *, first: int = 0
    ) -> None:
        self._waiting = deque(waiting)
        self._heard = deque(heard, maxlen=REMEMBERED)
        self._tickets = len(self._waiting)
        self._first = first
        self.arrived = 0
        self.taken = 0

    def put(self, message: Behaviour | Control) -> int:
        """Let a message in; its ticket: it is taken once `taken` is as high. 0 if its id was heard before."""
        self.arrived += 1
        if message.id:
            if message.id in self._heard:
                return 0
            self._heard.append(message.id)
        elif isinstance(message, Control):
            message = message.model_copy(update={"id": f"{self._first}.{self.arrived}"})
        self._waiting.append(message)
        self._tickets += 1
        return self._tickets

    def skip(self, id_: str) -> None:
        """A message of this id is in the journal by another way: it is not to be taken, nor heard again."""
        if id_ not in self._heard:
            self._heard.append(id_)
        waiting = [message for message in self._waiting if message.id != id_]
        self.taken += len(self._waiting) - len(waiting)
        self._waiting = deque(waiting)

    def take(self) -> Behaviour | Control:
        """The message that has waited longest."""
        self.taken += 1
        return self._waiting.popleft()

    def take_all(self) -> tuple[Behaviour | Control, ...]:
        """All that wait, in order."""
        news = tuple(self._waiting)
        self.taken += len(news)
        self._waiting.clear()
        return news

    @property
    def first(self) -> Behaviour | Control:
        """The message that has waited longest; it stays."""
        return self._waiting[0]

    def halts(self, exits: Collection[str]) -> bool:
        """Whether a pause or an exit waits, by a person or by a behaviour that matches one of the patterns `exits`.

        A step that is still being tried must not outlast it.
        """
        return any(
            message.verb in ("pause", "exit")
            if isinstance(message, Control)
            else message.ends or (not is_ref(message.subject) and hears(exits, message.name, message.subject))
            for message in self._waiting
        )

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def waiting(self) -> tuple[Behaviour | Control, ...]:
        """What is still to be taken; continue-as-new carries it."""
        return tuple(self._waiting)

    @property
    def heard(self) -> tuple[str, ...]:
        """The ids that are remembered; continue-as-new carries them."""
        return tuple(self._heard)


def fact_of(behaviour: Behaviour) -> Behaved:
    """A behaviour as the journal has it."""
    return Behaved(behaviour.at, behaviour.id, behaviour.name, behaviour.subject)


def wakes(behaviour: Behaviour, park: Park) -> bool:
    """Whether a behaviour ends this rest. One of later than the rest ends it too: a wake looks what time it is."""
    if behaviour.at >= (park.until or LATEST) or _may_end(park, behaviour):
        return True
    return park.wakes_at_score is not None and behaviour.score is not None and behaviour.score >= park.wakes_at_score


def _may_end(park: Park, behaviour: Behaviour) -> bool:
    """Whether the rest listens for it; of a reference the name decides, and the wake reads the words."""
    if is_ref(behaviour.subject):
        return any(Pattern.parse(pattern).name == behaviour.name for pattern in park.listens)
    return hears(park.listens, behaviour.name, behaviour.subject)
