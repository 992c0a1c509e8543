"""A tape: what a reading answers at the places where the code and the journal differ.

Each place that a run comes to, a call or a read that the code branches on, has a number: its *point*. A tape says for
some points what to make of them; everywhere else the journal answers. Running the code under every tape is how an edit
is explained, and how a check sees every branch.

| answer | at | means |
| --- | --- | --- |
| `skip`, `met` | a call | it was put in behind the lead: without effect, or as if it had had its effect |
| `met:variant` | a choice | the same, with this choice |
| `none` | an engineer's own activity | skipped, and it returned None |
| `drop` | a call | the next entries, which it names, are no longer in the code |
| `drop and alter` | a wait | then take the next entry for it, though it was altered |
| `alter` | a wait, a choice | the next entry is this one, altered |
| `reword` | a step named by its text | the next entry is this one, in other words |
| `in its place` | a step | the next entry, another step that the code has too: a list was put into another order |
| `flip` | a read | it was the other way round |
| `so` | a read | what held in every turn of a loop holds no more: it is as the code reads it |

Any but `drop` may end with ` every`: it holds in every further turn of a loop too, where nothing fits better.
"""

from __future__ import annotations

from dataclasses import dataclass

from nurture.journey.facts import TapeChoice

SKIP = "skip"
MET = "met"
NONE = "none"
ALTER = "alter"
REWORD = "reword"
IN_PLACE = "in its place"
FLIP = "flip"
SO = "so"
EVERY = " every"
DROP = "drop"
DROP_AND_ALTER = "drop and alter"

Tape = tuple[TapeChoice, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """A choice that a reading could have been told, what it would cost, and how many entries were left there."""

    choice: TapeChoice
    cost: float
    left: int = 0


def met(choice: str | None = None) -> str:
    """The answer that a call had its effect, or that a choice was this one."""
    return MET if choice is None else f"{MET}:{choice}"
