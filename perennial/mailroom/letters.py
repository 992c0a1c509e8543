"""A letter: what one recipient of a Mail Send gets, and what a mail program sees in it."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formataddr

from perennial.mailroom.mail_send import MailSend

TOUCH_ARGUMENT = "perennial_touch_id"

_ANCHOR = re.compile(r"<a\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>", re.IGNORECASE)
_HREF = re.compile(r"""(?<=\shref=)("[^"]*"|'[^']*'|[^\s>]+)""", re.IGNORECASE)
_HIDDEN = re.compile(r"""\saria-hidden=["']?true""", re.IGNORECASE)
_UNTRACKED = re.compile(r"""\sclicktracking=["']?off""", re.IGNORECASE)
_ONE_CLICK = re.compile(r"<\s*(https?://[^<>\s]+)\s*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Link:
    """A link whose clicks are tracked; `offset` is its place among the letter's, as in `url_offset`.

    A person does not see a `hidden` link; a scanner follows it.
    """

    offset: int
    url: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """One recipient's mail."""

    sender: str
    to: str
    reply_to: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    categories: tuple[str, ...]
    custom_args: dict[str, str]
    tracks_clicks: bool
    tracks_opens: bool

    @property
    def touch_id(self) -> str:
        """Perennial's id of the message; "" for another sender's."""
        return self.custom_args.get(TOUCH_ARGUMENT, "")

    @property
    def links(self) -> tuple[Link, ...]:
        """The tracked links, in their order."""
        if not self.tracks_clicks:
            return ()
        found = ((_href(anchor[0]), anchor[0]) for anchor in _ANCHOR.finditer(self.html))
        tracked = ((url, anchor) for url, anchor in found if url)
        return tuple(Link(offset, url, bool(_HIDDEN.search(anchor))) for offset, (url, anchor) in enumerate(tracked))

    @property
    def one_click(self) -> str | None:
        """Where a mail program's unsubscribe button posts to (RFC 8058), if the letter offers one."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("list-unsubscribe-post", "").replace(" ", "").lower() != "list-unsubscribe=one-click":
            return None
        match = _ONE_CLICK.search(headers.get("list-unsubscribe", ""))
        return match[1] if match else None

    def tracked_html(self, through: str) -> str:
        """The HTML with each tracked link leading through `{through}{offset}`."""
        if not self.tracks_clicks:
            return self.html
        offset = -1

        def follow(anchor: re.Match[str]) -> str:
            nonlocal offset
            if _href(anchor[0]) is None:
                return anchor[0]
            offset += 1
            return _HREF.sub(f'"{html.escape(through)}{offset}"', anchor[0], count=1)

        return _ANCHOR.sub(follow, self.html)


def letters(mail: MailSend) -> Iterator[Letter]:
    """The letters of a request, one for each recipient; a personalization's settings win over the message's."""
    parts = {part.type.lower().partition(";")[0].strip(): part.value for part in reversed(mail.content)}
    for each in mail.personalizations:
        sender = each.sender or mail.sender
        for _, address in each.recipients():
            yield Letter(
                sender=formataddr((sender.name, sender.email)),
                to=address.email,
                reply_to=mail.reply_to.email if mail.reply_to else sender.email,
                subject=_substituted(each.subject or mail.subject or "", each.substitutions),
                text=_substituted(parts.get("text/plain", ""), each.substitutions),
                html=_substituted(parts.get("text/html", ""), each.substitutions),
                headers={**mail.headers, **each.headers},
                categories=tuple(mail.categories),
                custom_args={**mail.custom_args, **each.custom_args},
                tracks_clicks=mail.tracking_settings.click_tracking.enable,
                tracks_opens=mail.tracking_settings.open_tracking.enable,
            )


def _substituted(text: str, values: dict[str, str]) -> str:
    for tag, value in values.items():
        text = text.replace(tag, value)
    return text


def _href(anchor: str) -> str | None:
    """The web address of an anchor that may be tracked."""
    if _UNTRACKED.search(anchor):
        return None
    match = _HREF.search(anchor)
    url = html.unescape(match[1].strip("\"'")).strip() if match else ""
    return url if url.lower().startswith(("http://", "https://")) else None
