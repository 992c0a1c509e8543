"""Limit how often a key may call: a token bucket for each, in this process's memory."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from perennial.web.errors import RequestError

BURST_SECONDS = 2.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class Limits:
    """Allows each name `rate` requests a second, and twice as many at once after a pause.

    Each web process counts for itself: behind a balancer, four of them allow a key four times as many.
    """

    rate: float
    monotonic: Callable[[], float] = time.monotonic
    _buckets: dict[str, _Bucket] = field(default_factory=dict, repr=False)

    def take(self, name: str) -> None:
        """Count one request of this name. Raises RequestError 429, with the seconds to wait, if it is one too many."""
        now, most = self.monotonic(), self.rate * BURST_SECONDS
        bucket = self._buckets.setdefault(name, _Bucket(most, now))
        bucket.tokens = min(most, bucket.tokens + (now - bucket.at) * self.rate)
        bucket.at = now
        if bucket.tokens < 1:
            wait = math.ceil((1 - bucket.tokens) / self.rate)
            raise RequestError(
                429,
                "too_many_requests",
                f"this key may call {self.rate:g} times a second; wait {wait} s, or put more events in a batch",
                retry_after=wait,
            )
        bucket.tokens -= 1
