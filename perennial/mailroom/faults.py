"""Scripted faults: what goes wrong with the next requests, how often, or with which chance; the same under one seed."""

import random
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nurture.errors import InputError

FaultKind = Literal[
    "rate_limited",
    "error_before",
    "error_after",
    "drop_before",
    "drop_after",
    "slow",
    "refuse",
    "unauthorised",
    "forbidden",
    "quota",
]


class Fault(BaseModel):
    """One fault.

    `rate_limited` answers 429 with `X-RateLimit-Reset` in `seconds`; `error_before` and `error_after` answer 500
    before and after taking the mail; `drop_before` and `drop_after` end the connection unanswered;
    `slow` takes the mail and answers after `seconds`; `refuse` closes the port at once for `seconds`;
    `unauthorised`, `forbidden` and `quota` answer 401, 403 and 401 "Maximum credits exceeded".

    It strikes the next `times` requests; or each with `chance`, under `seed`, until it is removed; or both.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    times: int | None = Field(default=None, ge=1)
    chance: float = Field(default=1.0, gt=0, le=1)
    seed: int = 0
    seconds: float = Field(default=2.0, ge=0, le=3600)

    @model_validator(mode="before")
    @classmethod
    def _once_by_default(cls, given: object) -> object:
        if isinstance(given, dict) and not {"times", "chance"} & given.keys():
            return {**given, "times": 1}
        return given


@dataclass
class _SetFault:
    fault: Fault
    left: int | None
    dice: random.Random


@dataclass
class FaultScript:
    """The faults that are set, in order: the first that strikes decides."""

    _faults: list[_SetFault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Set a fault, after those that are set."""
        self._faults.append(_SetFault(fault, fault.times, random.Random(fault.seed)))

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def listed(self) -> list[dict[str, object]]:
        """The faults that are set, and how many times each will still strike."""
        return [{**each.fault.model_dump(), "left": each.left} for each in self._faults]

    def strike(self) -> Fault | None:
        """The fault that strikes the request that has just come; None if none does."""
        for each in self._faults:
            if each.fault.chance < 1 and each.dice.random() >= each.fault.chance:
                continue
            if each.left is not None:
                each.left -= 1
                if each.left == 0:
                    self._faults.remove(each)
            return each.fault
        return None


def parse_fault(text: str) -> Fault:
    """A fault from `rate_limited`, `rate_limited times=3 seconds=5` or `drop_after chance=0.05 seed=7`.

    Raises InputError.
    """
    kind, *rest = text.split()[:10] or [""]
    given: dict[str, str] = {"kind": kind}
    for each in rest:
        name, equals, value = each.partition("=")
        if not equals:
            raise InputError(f"--fault {text!r} is not understood; write it as `drop_after times=3`")
        given[name] = value
    try:
        return Fault.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"--fault {text!r}: {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}") from None
