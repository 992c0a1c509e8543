"""Tell machines from people among those who open and click. Pure; no sign here ever raises a score.

| sign | why |
| --- | --- |
| the provider says so | Apple's mail privacy opens every mail (`sg_machine_open`) |
| a known agent | crawlers, preview fetchers and mail gateways that name themselves |
| the hidden link | no person sees it; a scanner follows every link |
| within seconds of delivery | security gateways click before the reader can |
| many links at once | a person reads between two clicks |
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from crawleruseragents import is_crawler

HIDDEN_LINK = "/h/"
"""The path, on our own public address, of the link that only machines see."""

TOO_SOON = timedelta(seconds=5)
"""After delivery: faster than a person opens a mail and clicks."""

AT_ONCE = timedelta(seconds=3)
MANY = 3
"""This many different links of one mail, clicked within `AT_ONCE`, are a scanner's."""

# Mail gateways, which lists of crawlers do not have, and names that any machine may give itself. A Cubot is a phone.
_GATEWAYS = re.compile(
    r"(?<!cu)bot\b|crawl|spider|scan|barracuda|proofpoint|mimecast|symantec|messagelabs|trend ?micro|sophos|fireeye"
    r"|ironport|forcepoint|safelinks|urldefense|java/",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Click:
    """One click on a link of a mail, as it was reported."""

    id: str
    at: datetime
    url: str
    agent: str = ""


@lru_cache(maxsize=4_096)
def is_machine_agent(agent: str) -> bool:
    """Whether a user agent is known to be a machine's, by our list of gateways or `crawleruseragents`' of crawlers."""
    return bool(_GATEWAYS.search(agent)) or is_crawler(agent)


def bot_clicks(clicks: Sequence[Click], delivered_at: datetime | None) -> dict[str, str]:
    """Which clicks on one mail are a machine's: id of the click -> why. Give all: later ones tell on earlier."""
    found: dict[str, str] = {}
    for click in clicks:
        if HIDDEN_LINK in click.url:
            found[click.id] = "followed the hidden link"
        elif is_machine_agent(click.agent):
            found[click.id] = "a known scanner"
        elif delivered_at is not None and delivered_at <= click.at < delivered_at + TOO_SOON:
            found[click.id] = "within seconds of delivery"
    trapped = [click for click in clicks if found.get(click.id) == "followed the hidden link"]
    for click in clicks:
        if click.id in found:
            continue
        near = {other.url for other in clicks if abs(other.at - click.at) <= AT_ONCE}
        if len(near) >= MANY:
            found[click.id] = "all links at once"
        elif any(abs(other.at - click.at) <= AT_ONCE for other in trapped):
            found[click.id] = "together with the hidden link"
    return found
