"""The mailbox itself: takes mail in, lets things happen to it, and says what time that is for the journeys."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from secrets import token_urlsafe
from typing import Any

import anyio.to_thread

from nurture.errors import InputError
from nurture.timing.clock import Clock
from perennial.mailroom.events import Act, event_body
from perennial.mailroom.faults import Script
from perennial.mailroom.letters import Link
from perennial.mailroom.mail_send import MailSend
from perennial.mailroom.store import Kept, Store
from perennial.mailroom.webhook import Webhook, post

_DELIVERY = timedelta(seconds=1)
_ONE_CLICK_BODY = b"List-Unsubscribe=One-Click"


@dataclass
class Mailbox:
    """One mailbox. It delivers by itself unless it `holds` mail for a person to decide."""

    store: Store
    webhook: Webhook
    script: Script
    clock: Clock
    holds: bool = False

    def now(self) -> datetime:
        """The journeys' time."""
        return self.clock.virtual_at(datetime.now(UTC))

    def time_of(self, kept: Kept) -> datetime:
        """The journeys' time for something that happens to a letter now.

        Without a clock of its own the mailbox counts on from the time that came with the letter.
        """
        if self.clock.is_real_time:
            return kept.at + (datetime.now(UTC) - kept.real)
        return max(self.now(), kept.at)

    def accept(self, mail: MailSend, at: datetime, answer: str) -> str:
        """Take a request in: committed first, then its first events; the `X-Message-Id`."""
        message_id = token_urlsafe(16)
        for kept in self.store.accept(mail, message_id, at, answer):
            self._begin(kept)
        return message_id

    def take_up(self) -> None:
        """Go on where a killed mailbox left."""
        for kept in self.store.eventless():
            self._begin(kept)

    def _begin(self, kept: Kept) -> None:
        dropped = self.store.shuts_out(kept.letter.to)
        if dropped:
            self.happen(kept, Act(event="dropped", at=kept.at, reason=dropped))
            return
        acts = [Act(event="processed", at=kept.at)]
        if not self.holds:
            acts.append(Act(event="delivered", at=kept.at + _DELIVERY))
        self.happen(kept, *acts)

    def happen(self, kept: Kept, *acts: Act) -> list[dict[str, Any]]:
        """Let things happen to a letter: kept, and told to the webhook. Raises InputError for a click on no link."""
        bodies = []
        for act in acts:
            at = act.at or self.time_of(kept)
            said = _aimed(act, kept.letter.links) if act.event == "click" else act
            bodies.append((event_body(said, kept.letter, kept.stamp, at), at))
        self.store.happen(kept.seq, bodies, told=self.webhook.url is None)
        self.webhook.news()
        return [body for body, _ in bodies]

    async def unsubscribe(self, kept: Kept) -> str:
        """Press the mail program's own unsubscribe button (RFC 8058); what came of it, in words."""
        url = kept.letter.one_click
        if url is None:
            said = "The mail offers no one-click unsubscribe."
        else:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            try:
                status = await anyio.to_thread.run_sync(post, url, _ONE_CLICK_BODY, headers)
            except (OSError, HTTPException, ValueError) as error:
                said = f"One-click unsubscribe did not reach {url}: {error}"
            else:
                taken = "was taken" if 200 <= status < 300 else "was NOT taken"
                said = f"One-click unsubscribe {taken}: the POST was answered {status}."
        self.store.ask(kept.seq, self.time_of(kept), said)
        return said


def _aimed(act: Act, links: tuple[Link, ...]) -> Act:
    """The click with its address and its place, whichever was given."""
    if act.url_offset is not None:
        link = next((each for each in links if each.offset == act.url_offset), None)
    else:
        link = next((each for each in links if act.url in (None, each.url)), None)
    if link is None:
        raise InputError("the mail has no such link, or counts no clicks")
    return act.model_copy(update={"url": act.url or link.url, "url_offset": link.offset})
