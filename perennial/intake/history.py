"""What is news to a journey, and what is history: a behaviour that we hear of long after it happened.

History counts for scores and segments. It starts, exits, ends and wakes nothing; what it says against mail holds at any
age (docs/decisions/0015).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from nurture.timing.clock import Clock
from perennial.intake.reports import Report

HISTORY_AFTER = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class History:
    """What counts as history: what is `after` old when we receive it. What is about now by `clock` never does.

    The age is as of the receipt: an outage of ours makes no history of what came in during it. What a visitor did is
    heard of the lead when it is attached.
    """

    after: timedelta = HISTORY_AFTER
    clock: Clock = field(default_factory=Clock.production)

    def holds(self, report: Report, now: datetime) -> bool:
        """Whether a report is history."""
        heard_at = now if report.attached or report.received_at is None else report.received_at
        return report.history or self._precedes(report.at, heard_at - self.after, self.after)

    def is_before(self, report: Report, started_at: datetime) -> bool:
        """Whether it happened before an enrolment that started then; senders give times in whole seconds."""
        return self._precedes(report.at, started_at)

    def _precedes(self, at: datetime, moment: datetime, beside: timedelta = timedelta(0)) -> bool:
        """Whether `at` is before a moment, and more than the clock's grace before what lies `beside` after it."""
        return at < moment and self.clock.real_duration(moment + beside - at) > self.clock.grace
