"""A reading in words, for people: "`terms` was put in behind this lead: skipped"."""

from __future__ import annotations

from nurture.journey.calls import Call, ChoiceCall, WaitCall
from nurture.journey.explaining.reading import Reading
from nurture.journey.explaining.tape import ALTER, DROP, DROP_AND_ALTER, EVERY, FLIP, IN_PLACE, MET, REWORD, SO
from nurture.journey.explaining.tape_reader import Used
from nurture.journey.facts import Deferred, Span, Waited, Waiting
from nurture.journey.journal import Entry
from nurture.journey.keys import Key
from nurture.journey.wording import say_key, say_span


def tell(reading: Reading) -> tuple[str, ...]:
    """Each contradiction that the reading accepts, in the order of the code."""
    return tuple(_say(used) for used in reading.reader.used)


def tell_loss(call: Call, entry: Entry) -> str:
    """Where the code and the journal differ first."""
    return f"the code comes to {_say_call(call)}, where this lead had {_say_entry(entry)}"


def _say(used: Used) -> str:
    answer, call = used.choice.answer.removesuffix(EVERY), used.call
    if answer in (FLIP, SO):
        return _say_read(used, answer)
    if answer in (DROP, DROP_AND_ALTER):
        return "; ".join(_say_dropped(entry) for entry in used.entries)
    assert call is not None
    if answer == ALTER and isinstance(call, WaitCall):
        was: Waited | Waiting = used.entries[0].fact
        before = _say_wait(was.length, was.until)
        return f"the {say_key(was.key)} is {_say_wait(call.span, call.patterns)} now, it was {before}"
    if answer in (ALTER, REWORD, IN_PLACE):
        verb = "was done where the code has" if answer == IN_PLACE else "is"
        return f"{_say_entry(used.entries[0])} {verb} {_say_call(call)} now"
    as_met, _, choice = answer.partition(":")
    if isinstance(call, ChoiceCall):
        return f"{_say_call(call)} was put in behind this lead: `{choice or 'nothing left'}` assumed"
    taken = "taken as met" if isinstance(call, WaitCall) else "taken as done"
    return f"{_say_call(call)} was put in behind this lead: {taken if as_met == MET else 'skipped'}"


def _say_read(used: Used, answer: str) -> str:
    if answer == SO:
        return f"`{used.choice.call}` taken as the code reads it from here on"
    return f"`{used.choice.call}` taken as {str(used.taken).lower()}{_say_since(used.then)}"


def _say_since(then: Entry | None) -> str:
    """What speaks for a flipped read: the step that was done next."""
    if then is None:
        return ""
    was_sent = Key.parse(then.bare).verb == "send" and then.fact
    return f", since {_say_entry(then)} {'was sent' if was_sent else 'followed'}"


def _say_dropped(entry: Entry) -> str:
    fact = entry.fact
    if isinstance(fact, Waiting):
        return f"{_say_entry(entry)} is no longer in the code: the lead stays until its end"
    if isinstance(fact, Deferred):
        return f"{_say_entry(entry)}, which was put off, is no longer in the code"
    return f"{_say_entry(entry)} is no longer in the code"


def _say_call(call: Call) -> str:
    if isinstance(call, WaitCall):
        return f"a wait of {_say_wait(call.span, call.patterns)}"
    return f"`{_short(Key(*call.name.partition(':')[::2]))}`"


def _say_entry(entry: Entry) -> str:
    fact = entry.fact
    if isinstance(fact, Waited | Waiting):
        return f"the {say_key(fact.key)}"
    return f"`{_short(Key.parse(entry.name))}`" if entry.name else "nothing more"


def _short(key: Key) -> str:
    return key.subject if key.verb == "send" else key.name.replace("_", " ").replace(":", " ", 1)


def _say_wait(span: Span, patterns: tuple[str, ...]) -> str:
    return say_span(span) + (f" until {' or '.join(patterns)}" if patterns else "")
