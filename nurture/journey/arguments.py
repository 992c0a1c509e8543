"""What the arguments of `@track(...)` must be: each fault is what is wrong and what to write instead."""

import inspect
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any

from nurture.gate import Caps
from nurture.journey.matchers import Matcher
from nurture.journey.outcomes import ReEntry
from nurture.journey.promises import promise_faults
from nurture.timing.calendar import SendWindow

TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "graduates_at": ((int, NoneType), "a score from 1 to 100, such as graduates_at=75"),
    "re_entry": (ReEntry, "a ReEntry, such as re_entry=ReEntry.once_over()"),
    "priority": (int, "a whole number, such as priority=10"),
    "caps": (Caps, "a Caps, such as caps=Caps(per_week=3)"),
    "quiet_hours": (SendWindow, "a SendWindow, such as quiet_hours=SendWindow(time(8), time(18))"),
    "delivery": (str, "at_most_once or at_least_once"),
    "was": ((str, tuple), 'a name, such as was="old-name", or a tuple of names'),
}


def argument_faults(given: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the arguments, the first of each."""
    yield from _matcher_faults("enters_on", given["enters_on"])
    exits = given["exits_on"]
    if isinstance(exits, Matcher):
        yield "exits_on is a tuple of matchers; put a comma behind the one: exits_on=(opted_out,)"
    elif not isinstance(exits, tuple | list):
        yield f"exits_on is a tuple of matchers, such as exits_on=(opted_out,), not {_say(exits)}"
    else:
        for each in exits:
            yield from _matcher_faults("exits_on", each)
    for name, (types, should) in TYPES.items():
        value = given[name]
        if not isinstance(value, types) or isinstance(value, bool):
            yield f"{name} is {should}, not {_say(value)}"
    yield from promise_faults(given["promises"])
    if not inspect.iscoroutinefunction(given["on_graduation"]):
        yield "on_graduation is an async function of a lead, such as on_graduation=hand_to_sales, given uncalled"


def _matcher_faults(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, Matcher):
        return
    if inspect.isfunction(value):
        yield f"{name} has {value.__name__}, which is not called; write {value.__name__}()"
    elif isinstance(value, tuple | list | set | frozenset):
        yield f"{name} is one matcher; join several with |, such as link_clicked() | page_viewed()"
    else:
        yield f"{name} has {_say(value)}, which is no matcher; write one such as link_clicked() or opted_out"


def _say(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | float | NoneType) else type(value).__name__
