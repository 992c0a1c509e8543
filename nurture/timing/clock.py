"""A clock with a speed: what time it is for the journeys at a given real moment. It reads no clock itself.

Production runs at speed 1, where virtual and real time are the same thing. A demo at `1d/s` lets a day pass
in each real second, for timers, caps and stamps alike, because all of them ask this one value.
"""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nurture.errors import InputError

SLOWEST = 0.001
FASTEST = 365 * 86_400.0

PUNCTUAL = timedelta(seconds=10)
HURRIED = timedelta(seconds=60)

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {
    "s": (1, "second"),
    "m": (60, "minute"),
    "h": (3_600, "hour"),
    "d": (86_400, "day"),
    "w": (604_800, "week"),
}
_SPEED = re.compile(r"(?P<number>\d+(?:\.\d+)?|\.\d+)(?:(?P<unit>[smhdw])/s)?")


@dataclass(frozen=True, slots=True)
class Clock:
    """At the real moment `real` it was `virtual`; from there each real second lasts `speed` virtual seconds.

    The two directions round to microseconds so that no timer ever fires early: a virtual moment has come,
    `clock.virtual_at(now) >= moment`, exactly when its real moment has, `now >= clock.real_at(moment)`.
    Raises `InputError` for a naive moment, and for a speed that is not a positive number.
    """

    real: datetime
    virtual: datetime
    speed: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.speed) and self.speed > 0):
            raise InputError(f"a clock's speed is a positive number, not {self.speed}")
        if self.real.utcoffset() is None or self.virtual.utcoffset() is None:
            raise InputError("a clock's moments carry a time zone; give them in UTC")

    @classmethod
    def production(cls) -> "Clock":
        """The identity: virtual time is real time."""
        return cls(real=_EPOCH, virtual=_EPOCH, speed=1.0)

    @property
    def is_real_time(self) -> bool:
        """Whether this clock is the identity, as in production."""
        return self.speed == 1 and self.real == self.virtual

    @property
    def grace(self) -> timedelta:
        """Real time by which a wake, or a step's work, may be late and still count as on time.

        A fast clock gives more: there a busy machine is late by days of the journeys' time, and a send that missed its
        window for that would be put off, to be late again.
        """
        return PUNCTUAL if self.speed <= 1 else HURRIED

    def virtual_at(self, real: datetime) -> datetime:
        """The virtual moment at a real one, rounded down to the microsecond."""
        if self.is_real_time:
            return real
        numerator, denominator = self.speed.as_integer_ratio()
        return self.virtual + ((real - self.real) // _MICROSECOND * numerator // denominator) * _MICROSECOND

    def real_at(self, virtual: datetime) -> datetime:
        """The first real moment at which it is `virtual` or later."""
        if self.is_real_time:
            return virtual
        return self.real + self.real_duration(virtual - self.virtual)

    def on_time(self, due: datetime, real: datetime) -> datetime:
        """The moment to work with, at a real one, for work that was due at a virtual one: `due`, if that is about now.

        Work that begins within the grace counts as done when it was due; past that, it happens when it happens.
        """
        return due if abs(real - self.real_at(due)) <= self.grace else self.virtual_at(real)

    def real_duration(self, virtual: timedelta) -> timedelta:
        """How long a virtual duration lasts in real time, rounded up to the microsecond."""
        if self.speed == 1:
            return virtual
        numerator, denominator = self.speed.as_integer_ratio()
        return -(-(virtual // _MICROSECOND) * denominator // numerator) * _MICROSECOND


def parse_speed(text: str) -> float:
    """Virtual seconds a real second, from `1d/s`, `12h/s`, `90m/s`, or a plain factor: `1`, `86400`.

    Raises `InputError` for anything else, and outside 0.001 (a thousandth of real time) to 365 days a second.
    """
    match = _SPEED.fullmatch("".join(text.split()).lower())
    if match is None:
        raise InputError(
            f"speed {text!r} is not understood; write 1d/s, 12h/s or 30m/s, or a factor such as 1 or 86400"
        )
    seconds, _ = _UNITS[match["unit"] or "s"]
    speed = float(match["number"]) * seconds
    if not SLOWEST <= speed <= FASTEST:
        raise InputError(f"speed {text!r} is out of range; the slowest is {SLOWEST:g}, the fastest 365d/s")
    return speed


def describe_speed(speed: float) -> str:
    """A speed in plain English: `real time`, `1 day a second`, `1.5 hours a second`."""
    if speed == 1:
        return "real time"
    seconds, name = next((unit for unit in reversed(_UNITS.values()) if speed >= unit[0]), _UNITS["s"])
    count = f"{speed / seconds:.4g}"
    return f"{count} {name} a second" if count == "1" else f"{count} {name}s a second"
