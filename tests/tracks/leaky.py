"""Helpers of another module that do what a track must not, for the tracks that hide a breach in them."""

import os
import random
import socket
import time
import uuid
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path

CALLS = count()


def clock() -> float:
    return time.time()


def today() -> str:
    return date.today().isoformat()  # noqa: DTZ011 - the breach


def now() -> datetime:
    return datetime.now(UTC)


def dice() -> float:
    return random.random()


def identity() -> str:
    return uuid.uuid4().hex


def entropy() -> bytes:
    return os.urandom(4)


def environment() -> str:
    return os.getcwd()  # noqa: PTH109 - the breach


def file() -> str:
    return Path(__file__).read_text()


def network() -> str:
    with socket.socket() as found:
        return str(found)


def spin() -> None:
    while True:
        pass


def turns() -> int:
    return next(CALLS)
