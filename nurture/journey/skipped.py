"""What answers a step that is behind the lead and was never taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nurture.journey.reads import Judge


class Skipped:
    """The answer of a step that an edit put behind the lead. Reads as one without effect, or as one with, if `met`.

    It has what the answers of all steps have, so a track need not ask which it got.
    """

    __slots__ = ("choice", "met", "value")

    kind = "skipped"
    key = name = subject = ""
    by = "time"
    reason = "the lead was already past it when it was added"

    def __init__(self, *, met: bool = False, choice: str | None = None, value: Any = None) -> None:
        self.met = met
        self.choice = choice
        self.value = value

    def __bool__(self) -> bool:
        return self.met

    @property
    def result(self) -> str:
        """Where a step says `sent`, `done` or `refused`."""
        return "done" if self.met else "skipped"


class Unknown:
    """What an engineer's own activity would have returned: empty, equal to nothing, and the judge is always asked."""

    __slots__ = ("_judge", "_name")

    def __init__(self, name: str, judge: Judge) -> None:
        self._name = name
        self._judge = judge

    def _asked(self, question: str) -> bool:
        return self._judge(f"{self._name} {question}".strip(), False)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _: object) -> Unknown:
        return self

    def __call__(self, *_: object, **__: object) -> Unknown:
        return self

    def __int__(self) -> int:
        return 0

    def __float__(self) -> float:
        return 0.0

    def _itself(self, *_: object) -> Unknown:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _itself
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __neg__ = __abs__ = _itself

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return self._asked("")

    def __contains__(self, part: object) -> bool:
        return self._asked(f"contains {part}")

    def __eq__(self, other: object) -> bool:
        return self._asked(f"== {other}")

    def __ne__(self, other: object) -> bool:
        return not self._asked(f"== {other}")

    def __lt__(self, other: object) -> bool:
        return self._asked(f"< {other}")

    def __le__(self, other: object) -> bool:
        return self._asked(f"<= {other}")

    def __gt__(self, other: object) -> bool:
        return self._asked(f"> {other}")

    def __ge__(self, other: object) -> bool:
        return self._asked(f">= {other}")

    __hash__ = None  # type: ignore[assignment] # equal to whatever the judge says
