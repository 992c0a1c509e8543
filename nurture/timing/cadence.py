"""How long to wait between two touches: sooner for leads who engage, later for leads who do not."""

from datetime import timedelta

from nurture.errors import InputError
from nurture.people.scoring import STAGES

# Days to wait by how long ago the lead last engaged; the columns are the stages in order.
_TABLE = (
    (7.0, (7, 5, 3)),
    (30.0, (10, 7, 5)),
    (90.0, (14, 10, 7)),
)
_SILENT = (28, 21, 14)
_HOT = 50
_HOT_WAITS_AT_MOST = 7


def cadence(score: int, stage: str, last_engaged_days: float | None) -> timedelta:
    """The wait before the next touch, in whole days.

    | last engaged           | awareness | consideration | decision |
    | ---------------------- | --------- | ------------- | -------- |
    | within 7 days          |         7 |             5 |        3 |
    | within 30 days         |        10 |             7 |        5 |
    | within 90 days         |        14 |            10 |        7 |
    | longer ago, or never   |        28 |            21 |       14 |

    A lead with a score of 50 or more is hot and never waits longer than 7 days. `last_engaged_days` is the
    number of days since the lead last did anything that scores; None is never. Raises InputError for an
    unknown stage.
    """
    if stage not in STAGES:
        raise InputError(f"unknown stage {stage!r}; known: {', '.join(STAGES)}")
    row = _SILENT
    if last_engaged_days is not None:
        row = next((days for within, days in _TABLE if last_engaged_days <= within), _SILENT)
    days = row[STAGES.index(stage)]
    return timedelta(days=min(days, _HOT_WAITS_AT_MOST) if score >= _HOT else days)
