"""Talking to a mailbox that runs: its JSON API, for commands, harnesses and tests."""

import json
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from nurture.errors import InputError, NotFoundError, SettingsError
from perennial.mailroom.events import Act
from perennial.mailroom.faults import Fault
from perennial.mailroom.webhook import Manners


class MailboxClient:
    """The mailbox at `url`. Every call raises SettingsError if none answers there."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout

    def messages(self, **query: str | int) -> list[dict[str, Any]]:
        """The newest letters first: `q` searches, `to` is one lead's, `before` and `limit` page."""
        found: list[dict[str, Any]] = self._call("GET", "/messages", query=query)["messages"]
        return found

    def message(self, name: str) -> dict[str, Any]:
        """A letter by its number, `sg_message_id`, `X-Message-Id` or touch. Raises NotFoundError."""
        found: dict[str, Any] = self._call("GET", f"/messages/{quote(name, safe='')}")
        return found

    def happen(self, name: str, *acts: Act) -> list[dict[str, Any]]:
        """Let things happen to a letter; the events. Raises NotFoundError, InputError."""
        body = [act.model_dump(mode="json", exclude_defaults=True) for act in acts]
        told: list[dict[str, Any]] = self._call("POST", f"/messages/{quote(name, safe='')}/events", body)["events"]
        return told

    def unsubscribe(self, name: str) -> str:
        """Press the mail program's unsubscribe button; what came of it. Raises NotFoundError."""
        return str(self._call("POST", f"/messages/{quote(name, safe='')}/unsubscribe")["outcome"])

    def forget(self, *, addresses: Sequence[str] = (), touches: Sequence[str] = ()) -> int:
        """Empty all mail to these addresses, or to where mail of these touches went; how many letters that were."""
        return int(self._call("POST", "/forget", {"addresses": [*addresses], "touches": [*touches]})["forgotten"])

    def accepted(self) -> list[dict[str, Any]]:
        """The whole record of what was accepted, in its order."""
        rows: list[dict[str, Any]] = []
        while True:
            query = {"after": rows[-1]["seq"] if rows else 0, "limit": 10_000}
            more = self._call("GET", "/accepted", query=query)["accepted"]
            if not more:
                return rows
            rows += more

    def totals(self) -> dict[str, int]:
        """How many letters were accepted (`total`), of how many `touches`, and how many of those twice (`doubled`)."""
        totals: dict[str, int] = self._call("GET", "/accepted", query={"limit": 1})["totals"]
        return totals

    def faults(self) -> list[dict[str, Any]]:
        """The faults that stand."""
        found: list[dict[str, Any]] = self._call("GET", "/faults")["faults"]
        return found

    def fault(self, fault: Fault) -> None:
        """Let a fault stand."""
        self._call("POST", "/faults", fault.model_dump())

    def clear_faults(self) -> None:
        """End all faults."""
        self._call("DELETE", "/faults")

    def webhook(self, *, url: str | None = None, manners: Manners | None = None) -> dict[str, Any]:
        """Set where the webhook calls and how; both as they are then, with the count of events that wait."""
        given = {"url": url, "manners": manners.model_dump() if manners else None}
        change = {name: value for name, value in given.items() if value is not None}
        state: dict[str, Any] = self._call("PUT", "/webhook", change)
        return state

    def webhook_key(self) -> str:
        """The public key that the webhook's signatures are verified with."""
        return str(self._call("GET", "/webhook-key")["public_key"])

    def _call(self, method: str, path: str, body: object = None, query: Mapping[str, str | int] | None = None) -> Any:
        parts = urlsplit(self._url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=self._timeout)
        try:
            connection.request(
                method,
                path + (f"?{urlencode(query)}" if query else ""),
                None if body is None else json.dumps(body),
                {"Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, HTTPException) as error:
            raise SettingsError(f"no mailbox answers at {self._url}: {error}; start one: starter.py mailbox") from None
        finally:
            connection.close()
        if answer.status >= 400:
            text = said.decode("utf-8", "replace")[:300]
            raise (NotFoundError if answer.status == 404 else InputError)(
                f"the mailbox answered {answer.status}: {text}"
            )
        return json.loads(said)
