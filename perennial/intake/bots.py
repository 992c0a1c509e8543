"""Tell machines from people among those who open and click. Pure; no sign here ever raises a score.

| sign | why |
| --- | --- |
| the provider says so | Apple's mail privacy opens every mail (`sg_machine_open`) |
| a known agent | crawlers, preview fetchers and mail gateways that name themselves |
| the hidden link | no person sees it; a scanner follows every link |
| before delivery, or within seconds | gateways click before the reader can, some while they take the mail |
| many links at once | a person reads between two clicks |

A machine that names itself says nothing about who else clicked in the same second.
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

# Mail gateways, which lists of crawlers do not have, and names that any machine may give itself. What stands among the
# words about a device is its maker's name for it: a Cubot is a phone.
_GATEWAYS = re.compile(
    r"(?<!cu)bot/|compatible;[^)]*bot\b|^[\w. -]*(?<!cu)bot\b|crawl|spider|scan(?:ner|ning)?\b|barracuda|proofpoint"
    r"|mimecast|symantec|messagelabs|trend ?micro|sophos|fireeye|ironport|forcepoint|fortinet|fortimail|fortiguard"
    r"|vade ?secure|safelinks|safebrowsing|smartscreen|urldefense|trustwave|avanan|abnormal ?security|cloudmark"
    r"|spamassassin|hornetsecurity|retarus|perception.?point|zscaler|netcraft|check ?point|palo ?alto"
    r"|^(?:bitdefender|eset)\b",
    re.IGNORECASE,
)

# Messengers and offices that fetch a page to show what is behind a link, where the list of crawlers lacks them.
_PREVIEWS = re.compile(
    r"preview|(?:existence|protocol) discovery|webdav-miniredir"
    r"|microsoft-wns|kakaotalk-scrap|line-poker|contenttabreceiver|^webexteams|^pinterest/",
    re.IGNORECASE,
)

# What programs fetch with. A bare language or name counts only as the agent's first word: browsers begin otherwise.
_LIBRARIES = re.compile(
    r"http-?(?:async)?client|\burllib|\blwp\b|lwp-|guzzle|faraday|restsharp|postman|reqwest|http\.rb|hackney|typhoeus"
    r"|libcurl|winhttp|powershell|coldfusion|werkzeug|ktor|vert\.x|reactornetty|microsoft url control|java/|\bbits/"
    r"|^(?:node|undici|got|ruby|php|perl|python|java|go|dart|deno|bun|lua|jersey|spring|cfnetwork|superagent|unirest|insomnia|rest-client"
    r"|fetch)\b",
    re.IGNORECASE,
)
_OURS = (_GATEWAYS, _PREVIEWS, _LIBRARIES)


@dataclass(frozen=True, slots=True)
class Click:
    """One click on a link of a mail, as it was reported."""

    id: str
    at: datetime
    url: str
    agent: str = ""


@lru_cache(maxsize=4_096)
def is_machine_agent(agent: str) -> bool:
    """Whether a user agent is known to be a machine's, by our own lists or by `crawleruseragents`' of crawlers."""
    return any(words.search(agent) for words in _OURS) or is_crawler(agent)


def bot_clicks(clicks: Sequence[Click], delivered_at: datetime | None) -> dict[str, str]:
    """Which clicks on one mail are a machine's: id of the click -> why. Give all: later ones tell on earlier."""
    found: dict[str, str] = {}
    for click in clicks:
        if HIDDEN_LINK in click.url:
            found[click.id] = "followed the hidden link"
        elif is_machine_agent(click.agent):
            found[click.id] = "a known scanner"
        elif delivered_at is not None and click.at < delivered_at:
            found[click.id] = "before the mail was delivered"
        elif delivered_at is not None and click.at < delivered_at + TOO_SOON:
            found[click.id] = "within seconds of delivery"
    for click in clicks:
        if click.id in found:
            continue
        near = [other for other in clicks if abs(other.at - click.at) <= AT_ONCE and _may_be_one(click, other)]
        if len({other.url for other in near}) >= MANY:
            found[click.id] = "all links at once"
        elif any(HIDDEN_LINK in other.url for other in near):
            found[click.id] = "together with the hidden link"
    return found


def _may_be_one(click: Click, other: Click) -> bool:
    """Whether one machine may have made both: one that names itself does so each time."""
    return click.agent == other.agent or not is_machine_agent(other.agent)
