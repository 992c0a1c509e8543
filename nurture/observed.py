"""Numbers that remember what they were compared with, so that a decision can say why."""

from typing import Any

_NOT = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


class ObservedInt(int):
    """An int read by a track. Each comparison leaves a note: what was read, how it compared, and with what."""

    name: str
    notes: list[Any]

    def _compare(self, op: str, other: object, result: Any) -> Any:
        if result is NotImplemented:
            return result
        self.notes.append((self.name, int(self), op if result else _NOT[op], other))
        return result

    def __lt__(self, other: int) -> bool:
        return bool(self._compare("<", other, int.__lt__(self, other)))

    def __le__(self, other: int) -> bool:
        return bool(self._compare("<=", other, int.__le__(self, other)))

    def __gt__(self, other: int) -> bool:
        return bool(self._compare(">", other, int.__gt__(self, other)))

    def __ge__(self, other: int) -> bool:
        return bool(self._compare(">=", other, int.__ge__(self, other)))

    def __eq__(self, other: object) -> bool:
        return bool(self._compare("==", other, int.__eq__(self, other)))

    def __ne__(self, other: object) -> bool:
        return bool(self._compare("!=", other, int.__ne__(self, other)))

    def __bool__(self) -> bool:
        self.notes.append((self.name, int(self), "==" if int(self) == 0 else "!=", 0))
        return int(self) != 0

    __hash__ = int.__hash__
