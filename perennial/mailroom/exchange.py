"""One HTTP request: by the mailbox's client, by its webhook, and by its unsubscribe button."""

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

FAILURES = (OSError, HTTPException, ValueError)
"""What `exchange` raises when nothing answers, the answer is no HTTP, or the URL is no URL."""

_LONGEST_ANSWER = 64 * 1024 * 1024


class Answer(NamedTuple):
    """The answer to a request."""

    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


def exchange(method: str, url: str, body: bytes | None, headers: dict[str, str], *, timeout: float) -> Answer:
    """Send a request and read its answer, within `timeout` seconds for each wait. Follow no redirect."""
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=timeout)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(_LONGEST_ANSWER))
    finally:
        connection.close()
