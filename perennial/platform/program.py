"""The program's name as it was called, for messages that say what to type next."""

import shlex
import sys
from itertools import pairwise
from pathlib import Path

from perennial.platform.paths import IMPORTED_FROM

INSTALLED, IN_A_CHECKOUT = "perennial", "python starter.py"


def program() -> str:
    """`perennial` if the installed command runs, or a program that it started; else `python starter.py`."""
    if Path(sys.argv[0]).stem in {"perennial", "perennial-worker"}:
        return INSTALLED
    return IN_A_CHECKOUT if (IMPORTED_FROM / "starter.py").exists() else INSTALLED


def command(words: str) -> str:
    """A command as it is to be typed: `show LEAD` is "perennial show LEAD" if that is how we were called.

    A data folder that was named by `--data-dir` is named again.
    """
    return " ".join((program(), *_data_dir(), words))


def _data_dir() -> list[str]:
    for given, value in pairwise((*sys.argv[1:], "")):
        if given == "--data-dir" and value:
            return [given, shlex.quote(value)]
        if given.startswith("--data-dir="):
            return [shlex.quote(given)]
    return []
