"""One thing for many leads: what some refuse or cannot answer is counted beside what was done."""

import pytest

from nurture.errors import NoAnswerError, RefusedError
from perennial.cli.many import AT_ONCE, for_each
from perennial.cli.printing import counted


async def test_who_refuses_or_cannot_answer_stops_nobody_else() -> None:
    """Each under its reason; dates are left out, so that like reasons add up."""

    async def work(lead: str) -> str:
        match lead:
            case "broken":
                raise NoAnswerError("its last task failed")
            case "ben" | "cy":
                raise RefusedError(f"already on it since 2026-03-0{len(lead)}")
            case "eve":
                raise KeyError("a bug of ours")
            case _:
                return "enrolled"

    assert await for_each(["broken", "ada", "ben", "eve", "cy", "dan"], work, label="enrolling") == {
        "enrolled": 2,
        "refused: already on it": 2,
        "no answer: its last task failed": 1,
        "failed: KeyError; the log says more": 1,
    }


@pytest.mark.parametrize("leads", [1, 3, AT_ONCE, 10 * AT_ONCE])
async def test_where_nobody_answers_nobody_else_is_asked(leads: int) -> None:
    """No worker runs, most likely; ten thousand leads are not waited for."""
    asked = []

    async def work(lead: int) -> str:
        asked.append(lead)
        raise NoAnswerError("no worker answered")

    with pytest.raises(NoAnswerError):
        await for_each(range(leads), work, label="releasing")
    assert len(asked) <= 2 * AT_ONCE


def test_one_of_a_thing_is_no_plural() -> None:
    """Also where the plural is irregular, and with thousands set off."""
    assert [counted(number, "problem") for number in (0, 1, 2000)] == ["0 problems", "1 problem", "2,000 problems"]
    assert [counted(number, "journey was", "journeys were") for number in (1, 2)] == [
        "1 journey was",
        "2 journeys were",
    ]
