"""What a contradiction between the code and the journal costs. The reading with the lowest sum is taken.

The numbers were tried on thousands of random edits; what matters is their order, and each has its reason.
"""

from __future__ import annotations

SKIP_STEP = 1.0
"""One step was put in."""

SKIP_STEP_MET = 1.1
"""The same; that it had its effect is one thing more to believe."""

SKIP_IN_TURN = 0.75
"""A step at a line that has had its turn before: a loop over a list that has one more item is one edit."""

SKIP_PAUSE = 0.25
"""A wait or a choice was put in: they accompany steps, and say little about where a lead is."""

SKIP_PAUSE_MET = 0.3

SKIP_OTHER_VARIANT = 0.45
"""An experiment was put in, and the lead has what another variant than its own gives: below dropping a wait."""

SKIP_IN_HELPER = 0.25
"""A further step of a helper that was put in: a helper is one edit."""

AGAIN = 0.25
"""The same contradiction at the same line, in another turn of a loop: it is one edit, and holds for the others."""

DROP_STEP = 1.5
"""A step was taken out. What was done is evidence: rather a step too many in the code than one too few."""

DROP_PAUSE = 0.5

DROP_STEP_IN_ROW = 0.75
"""A further step of a row that was taken out: a block is one edit."""

DROP_PAUSE_IN_ROW = 0.25

DROP_STANDING = 1.5
"""Where the lead stands, or stood when it graduated, is as good as a step; after a dropped step it goes with it."""

ALTER = 0.3
"""The length or the `until` of a wait was edited: less than one wait taken out and another put in."""

ALTER_BOTH = 1.1
"""Both were: hardly the same wait."""

ALTER_OPEN = 0.3
"""In addition for the open wait, which is better evidence than one that is over."""

ALTER_OVER = 0.5
"""In addition for the open wait if it would be over now: no edit mails early that can be read otherwise."""

ALTER_CHOICE = 0.5
"""A choice is made for another stage."""

REWORD = 1.3
"""An alert, a hand-off or an enrolment reads otherwise: its text is its only name, so this is one edit and not two."""

IN_PLACE = 0.6
"""Two steps that were both done have changed places, as in a list in another order: less than dropping one."""

IN_PLACE_LAST = 1.1
"""In addition if it is the step that was done last: the lead stands there."""

FLIP = 1.2
"""A condition was edited: between a step put in and a step put in for one taken out."""

ENDED = 1.0
"""In addition where the code ends before what was done: a `return` put in above is likelier read another way."""

MOVED = 1.0
"""In addition for a dropped step that stands elsewhere in the code: it was moved. So for the open wait."""

MOVED_ALTERED = 0.5
"""In addition for the open wait taken as altered, if the code has it as it was further on."""

OTHER_THEN = 1.0
"""In addition where the code goes on from the open wait otherwise than it did when the lead came to stand in it."""

TELL_FROM = 3.0
"""A reading that costs this much is told to a person."""

MOST_DROPPED = 1
"""A reading that drops more steps than this, and more than half of all, contradicts more than it confirms."""

CLOSE = 1e-9
"""Sums of costs closer than this are the same."""
