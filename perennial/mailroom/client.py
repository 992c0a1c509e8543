"""Ask a running mailbox by its JSON API: for commands, the demo and tests."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from nurture.errors import InputError, NotFoundError, SettingsError
from perennial.mailroom.events import Act
from perennial.mailroom.exchange import FAILURES, exchange
from perennial.mailroom.faults import Fault
from perennial.mailroom.webhook import Manners


class MailboxClient:
    """The mailbox at `url`. Every call raises SettingsError if none answers there."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout

    def messages(self, **query: str | int) -> list[dict[str, Any]]:
        """The newest letters first. `q` searches, `to` is one address's, `before` and `limit` page."""
        found: list[dict[str, Any]] = self._call("GET", "/messages", query=query)["messages"]
        return found

    def message(self, name: str) -> dict[str, Any]:
        """A letter by its number, `sg_message_id`, `X-Message-Id` or touch. Raises NotFoundError."""
        found: dict[str, Any] = self._call("GET", f"/messages/{quote(name, safe='')}")
        return found

    def happen(self, name: str, *acts: Act) -> list[dict[str, Any]]:
        """Let things happen to a letter, in order; the events that tell of them. Raises NotFoundError, InputError."""
        body = [act.model_dump(mode="json", exclude_defaults=True) for act in acts]
        told: list[dict[str, Any]] = self._call("POST", f"/messages/{quote(name, safe='')}/events", body)["events"]
        return told

    def unsubscribe(self, name: str) -> str:
        """Press the mail program's unsubscribe button; the outcome, in words. Raises NotFoundError."""
        return str(self._call("POST", f"/messages/{quote(name, safe='')}/unsubscribe")["outcome"])

    def forget(self, *, addresses: Sequence[str] = (), touches: Sequence[str] = ()) -> int:
        """Empty the letters to these addresses, and to those that these touches were sent to; how many letters."""
        return int(self._call("POST", "/forget", {"addresses": [*addresses], "touches": [*touches]})["forgotten"])

    def accepted(self) -> list[dict[str, Any]]:
        """Every accepted letter, in order, without its text."""
        rows: list[dict[str, Any]] = []
        while True:
            query = {"after": rows[-1]["seq"] if rows else 0, "limit": 10_000}
            more = self._call("GET", "/accepted", query=query)["accepted"]
            if not more:
                return rows
            rows += more

    def totals(self) -> dict[str, int]:
        """How many letters were accepted (`total`), of how many `touches`, and how many of these twice (`doubled`)."""
        totals: dict[str, int] = self._call("GET", "/accepted", query={"limit": 1})["totals"]
        return totals

    def faults(self) -> list[dict[str, Any]]:
        """The faults that are set."""
        found: list[dict[str, Any]] = self._call("GET", "/faults")["faults"]
        return found

    def fault(self, fault: Fault) -> None:
        """Set a fault, after those that are set."""
        self._call("POST", "/faults", fault.model_dump())

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._call("DELETE", "/faults")

    def webhook(self, *, url: str | None = None, manners: Manners | None = None) -> dict[str, Any]:
        """Set where the webhook calls and how; its state afterwards, with the number of events that wait."""
        given = {"url": url, "manners": manners.model_dump() if manners else None}
        change = {name: value for name, value in given.items() if value is not None}
        state: dict[str, Any] = self._call("PUT", "/webhook", change)
        return state

    def webhook_key(self) -> str:
        """The public key that the webhook's signatures are verified with."""
        return str(self._call("GET", "/webhook-key")["public_key"])

    def _call(self, method: str, path: str, body: object = None, query: Mapping[str, str | int] | None = None) -> Any:
        url = self._url + path + (f"?{urlencode(query)}" if query else "")
        raw = None if body is None else json.dumps(body).encode()
        try:
            answer = exchange(method, url, raw, {"Content-Type": "application/json"}, timeout=self._timeout)
        except FAILURES as error:
            raise SettingsError(f"no mailbox answers at {self._url}: {error}; `mailbox` starts one") from None
        if answer.status >= 400:
            text = answer.body.decode("utf-8", "replace")[:300]
            raise (NotFoundError if answer.status == 404 else InputError)(
                f"the mailbox answered {answer.status}: {text}"
            )
        return json.loads(answer.body)
