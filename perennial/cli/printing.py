"""What commands print: answers on standard output, progress and errors on standard error."""

import json
import sys
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from rich.console import Console


def out() -> Console:
    """The console that answers go to."""
    terminal = sys.stdout.isatty()
    return Console(file=sys.stdout, highlight=False, soft_wrap=True, width=None if terminal else 160)


def err() -> Console:
    """The console that progress and errors go to."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 lead", "2,000 leads". `many` is the plural if it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def print_json(answer: Any) -> None:
    """Print one JSON document on standard output."""
    print(json.dumps(answer, default=_plain, indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)
