"""Small words: how a journey can end, and who may enter a track again."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a journey ended. `returns` is for a graduation that gives the lead back to the track it interrupted."""

    name: str
    returns: bool = False


nurtured = Outcome("nurtured")
rested = Outcome("rested")
sunset = Outcome("sunset")
revived = Outcome("revived")
reconsidered = Outcome("reconsidered")
handed_to_sales = Outcome("handed to sales")
recycled = Outcome("recycled", returns=True)


@dataclass(frozen=True, slots=True)
class ReEntry:
    """Whether a lead may enter a track again once its last journey there has ended, and after how long."""

    after: timedelta | None

    @classmethod
    def never(cls) -> "ReEntry":
        """Once in a lifetime."""
        return cls(None)

    @classmethod
    def once_over(cls) -> "ReEntry":
        """As soon as the last journey has ended."""
        return cls(timedelta(0))

    def __str__(self) -> str:
        if self.after is None:
            return "a lead enters it once"
        return f"a lead may enter again {self.after.days} days after its last journey ended"
