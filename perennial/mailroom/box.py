"""The mailbox itself: it takes mail, lets things happen to it, and knows the journeys' time of each."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from nurture.errors import InputError
from nurture.timing.clock import Clock
from perennial.mailroom.events import Act, event_body
from perennial.mailroom.exchange import FAILURES, exchange
from perennial.mailroom.faults import FaultScript
from perennial.mailroom.letters import Link
from perennial.mailroom.mail_send import MailSend
from perennial.mailroom.store import Store, StoredLetter
from perennial.mailroom.webhook import CALL_SECONDS, Webhook

_DELIVERY = timedelta(seconds=1)
_ONE_CLICK_BODY = b"List-Unsubscribe=One-Click"


@dataclass
class Mailbox:
    """A mailbox. It delivers each mail at once, unless it `holds` mail for a person to decide."""

    store: Store
    webhook: Webhook
    script: FaultScript
    clock: Clock
    holds: bool = False

    def now(self) -> datetime:
        """The journeys' time."""
        return self.clock.virtual_at(datetime.now(UTC))

    def time_of(self, stored: StoredLetter) -> datetime:
        """The journeys' time of what happens to a letter now.

        Without a clock of its own the mailbox counts on from the time that came with the letter.
        """
        if self.clock.is_real_time:
            return stored.at + (datetime.now(UTC) - stored.real)
        return max(self.now(), stored.at)

    def accept(self, mail: MailSend, at: datetime, answer: str) -> str:
        """Accept a request: commit it, then its first events. Returns the `X-Message-Id`."""
        message_id = token_urlsafe(16)
        for stored in self.store.accept(mail, message_id, at, answer):
            self._begin(stored)
        return message_id

    def take_up(self) -> None:
        """Go on where a killed mailbox stopped."""
        for stored in self.store.eventless():
            self._begin(stored)

    def _begin(self, stored: StoredLetter) -> None:
        dropped = self.store.shuts_out(stored.letter.to)
        if dropped:
            self.happen(stored, Act(event="dropped", at=stored.at, reason=dropped))
            return
        acts = [Act(event="processed", at=stored.at)]
        if not self.holds:
            acts.append(Act(event="delivered", at=stored.at + _DELIVERY))
        self.happen(stored, *acts)

    def happen(self, stored: StoredLetter, *acts: Act) -> list[dict[str, Any]]:
        """Let things happen to a letter: store their events, wake the webhook. InputError for an unknown link."""
        bodies = []
        for act in acts:
            at = act.at or self.time_of(stored)
            whole = _aimed(act, stored.letter.links) if act.event == "click" else act
            bodies.append((event_body(whole, stored.letter, stored.ids, at), at))
        self.store.happen(stored.seq, bodies, told=self.webhook.url is None)
        self.webhook.wake()
        return [body for body, _ in bodies]

    async def unsubscribe(self, stored: StoredLetter) -> str:
        """Press the mail program's unsubscribe button (RFC 8058); the outcome, in words."""
        url = stored.letter.one_click
        if url is None:
            outcome = "The mail offers no one-click unsubscribe."
        else:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            try:
                answer = await asyncio.to_thread(exchange, "POST", url, _ONE_CLICK_BODY, headers, timeout=CALL_SECONDS)
            except FAILURES as error:
                outcome = f"One-click unsubscribe did not reach {url}: {error}"
            else:
                taken = "was taken" if answer.is_success else "was NOT taken"
                outcome = f"One-click unsubscribe {taken}: the POST was answered {answer.status}."
        self.store.ask(stored.seq, self.time_of(stored), outcome)
        return outcome


def _aimed(act: Act, links: tuple[Link, ...]) -> Act:
    """The click with its link's URL and place; one of them may be given."""
    if act.url_offset is not None:
        link = next((each for each in links if each.offset == act.url_offset), None)
    else:
        link = next((each for each in links if act.url in (None, each.url)), None)
    if link is None:
        raise InputError("the mail has no such link, or does not track clicks")
    return act.model_copy(update={"url": act.url or link.url, "url_offset": link.offset})
