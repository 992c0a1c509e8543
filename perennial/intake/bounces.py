"""What a receiver's refusal says: the address is dead, its mailbox is away, or the receiver rejects us. Pure.

The one reading for every provider. Only `hard-bounce` suppresses at once, so it needs proof; what nobody knows is soft.
In this order, the first that fits:

| sign | reading |
| --- | --- |
| words about our sender, server or sign-in | sender-rejected |
| a temporary answer that speaks of grey-listing, whatever its status | soft-bounce |
| words about quota or expiry; a server that is away | soft-bounce |
| words about our text, reputation, rate or policy, without "unknown user" | sender-rejected |
| a temporary answer (status 4.X.X, or 4XX without one) | soft-bounce; X.1.7 to X.1.9, X.5, X.6, X.7: sender-rejected |
| words "unknown user" or its like | hard-bounce |
| the permanent status | see `_PERMANENT` |
| nothing of these | soft-bounce |

Sources: RFC 3463 and IANA's registry "SMTP Enhanced Status Codes"; Microsoft's, Google's and Postfix's wordings.
"""

import re
from typing import Literal

Reading = Literal["hard-bounce", "soft-bounce", "sender-rejected"]

# Addresses, links and host names say nothing about the reason, and may hold any of the words below.
_NAMES = (
    re.compile(r"<[^<>\s]*>"),
    re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE),
    re.compile(r'"[^"]*"@\S+|\S+@\S+'),
    re.compile(r"\b(?:host|mx|server|client|helo)\s+\S+?\s*\[[0-9a-f.:]+\]", re.IGNORECASE),
    re.compile(r"\[[0-9a-f.:]+\]|\b\d{1,3}(?:\.\d{1,3}){3}\b", re.IGNORECASE),
    re.compile(r"\b(?:[\w-]+\.)+(?:[^\W\d_A-Z][^\W_A-Z]+|[A-Z]{2,}|xn--[\w-]+)\b"),
)
_STATUS = re.compile(r"(?<![\w.])([245])[.](\d{1,3})[.](\d{1,3})(?![\w.]?\d)")
_CODE = re.compile(r"(?:^|(?<=[\s:(]))([45]\d\d)(?=[\s-])")


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE)


_OUR_SENDER = _words(
    r"\b(?:sender|from|return[ -]path|envelope[ -]from|mail[ -]?from)\b[^.;:]{0,20}"
    r"\b(?:address|domain|rejected|refused|denied|not allowed|unknown|invalid|verif|does not exist|has null mx)",
    r"domain of sender|(?:unknown|invalid|bad|banned) (?:outbound )?sender",
    r"(?:not|n't) (?:find|resolve) (?:your|the sender)",
    r"your (?:domain|host ?name|account|server|ip)\b[^.;:]{0,20}"
    r"\b(?:does not|not found|unknown|invalid|rejected|blocked|suspended|disabled)",
    r"reverse dns|(?<!ips from )\bptr\b|\bhelo\b|\behlo\b|client host|authenticat|\bauth\b|log ?in",
    r"\brelay(?:ing)? (?:access )?(?:is |was |from \S+ )?(?:denied|not|prohibited|refused|disallowed|disabled)",
    r"(?:unable to|cannot|can't|not|no|won't|do not) relay|not an open relay",
    r"not (?:permitted|allowed|authori[sz]ed) to send",
    r"send(?:ing)? (?:quota|limit)|(?:messages|mails?) per (?:second|minute|hour|day)",
    r"(?:daily|hourly|per[ -](?:day|hour)) [\w ]{0,20}(?:quota|limit)",
)
_FULL = _words(
    r"quota|mail ?box (?:is |size )?(?:too )?full|mailbox (?:size )?limit|full mailbox|inbox (?:is )?full",
    r"(?:insufficient|not enough|out of|low on) (?:disk|system|mail|mailbox)? ?(?:storage|space)",
    r"exceeded storage|storage (?:space |limit |allocation )?exceeded",
    r"postfach (?:ist )?voll|bo[iî]te pleine|buz[oó]n lleno",
)
_EXPIRED = _words(
    r"expired|too old|time[ds]?[ -]?out|unable to deliver (?:this |the )?message after|queue too long",
    r"no route|unreachable|network error|connection (?:refused|reset|lost)|mail loop|too many hops",
    r"receiving (?:mail|messages) (?:at a rate|too)|unable to get mx|dns (?:lookup|error|fail|server)",
)
_GREYLISTED = _words(r"gr[ea]y[ -]?list")
_AWAY = _words(r"temporar|try (?:again|later)|retry|server (?:busy|unavailable|too busy)")
_OUR_MAIL = _words(
    r"spam|\bjunk\b|(?:black|block|deny) ?-?list|\brbl\b|dnsbl|reputation|polic(?:y|ies)|dmarc|\bspf\b|\bdkim\b",
    r"not authori[sz]ed|unauthori[sz]ed|unsolicited|\bbulk\b|phish|malware|virus|rate[ -]?limit|throttl",
    r"too (?:many|much|fast|frequent|big|large)|message (?:size|too)|size limit|content|attachment|blocked",
    r"suspicious|malicious|harmful",
)
_WHO = r"(?:user|recipient|mailbox|account|(?<!ip )address|addressee|inbox|person|e-?mail)"
_NOBODY = _words(
    _WHO + r"\b[^.;:]{0,30}"
    r"\b(?:unknown|not known|(?:does not|doesn'?t|did not|not) exist|not found|cannot be found|no longer|invalid|"
    r"disabled|inactive|deactivated|suspended|closed|terminated|discontinued|not listed in|nonexist)",
    r"(?:unknown|invalid|no such|non-?exist[ae]nt|inactive|disabled|not a known|not an? (?:valid|active)|bad)"
    r"(?: or \w+)? (?:local |destination |e-?mail )?" + _WHO,
    r"(?:does not|doesn'?t|do not|don'?t) have an? [\w() ]{0,20}" + _WHO,
    r"no (?:mailbox|recipient|user|account|one) (?:here|by|with|of|named)|(?:user|recipient)(?:unknown|notfound)",
    r"recipnotfound|null mx|unrouteable address|(?:unknown|no such|invalid) (?:recipient )?domain",
    r"(?:domain|host)(?: name)?\b[^.;:]{0,20}\b(?:not found|unknown|does not (?:exist|accept mail))",
    r"(?:empf(?:ä|ae)nger|benutzer|adresse)\b[^.;:]{0,20}\b(?:unbekannt|existiert nicht)|utilisateur inconnu",
    r"usuario (?:desconocido|no existe)|destinatario sconosciuto",
)

_NO_MAILBOX = _words(r"mailbox (?:is )?unavailable|no valid recipients?")
_SENDER_STATUS = _words(r"^1\.[789]$", r"^2\.3$", r"^3\.4$", r"^[567]\.")
_HARD_STATUS = _words(r"^1\.(?:1|2|3|6|10)$")

_SENDER_CLASSES = frozenset({"content", "reputation", "frequency or volume too high", "frequency/volume too high"})
_SOFT_CLASSES = frozenset({"technical", "technical failure", "mailbox unavailable"})


def read_bounce(text: str, *, status: str = "", code: int | None = None, classification: str = "") -> Reading:
    """What a refusal says, by its text, enhanced status (`5.1.1`), reply code and SendGrid's own classification.

    Status and code are taken from the text where they are not given.
    """
    words = without_names(text)
    kind, detail = _status_of(status, words, code)
    classified = classification.strip().lower()
    nobody = bool(_NOBODY.search(words))
    if _OUR_SENDER.search(words):
        return "sender-rejected"
    if kind == 4 and _GREYLISTED.search(words):
        return "soft-bounce"
    if _FULL.search(words) or _EXPIRED.search(words) or (_AWAY.search(words) and not nobody):
        return "sender-rejected" if kind == 4 and _SENDER_STATUS.search(detail) else "soft-bounce"
    if not nobody and (_OUR_MAIL.search(words) or classified in _SENDER_CLASSES):
        return "sender-rejected"
    if kind == 4:
        return "sender-rejected" if _SENDER_STATUS.search(detail) else "soft-bounce"
    return "hard-bounce" if nobody else _permanent(detail, words, classified)


def without_names(text: str) -> str:
    """The text on one line, without addresses, links, host names and IP addresses."""
    for pattern in _NAMES:
        text = pattern.sub(" (name) ", text)
    return " ".join(text.split())


def _permanent(detail: str, words: str, classified: str) -> Reading:
    """Read a status of the fifth class, `detail` being what follows its first dot; "" if there is none."""
    if detail.startswith("5.") and _NO_MAILBOX.search(words):  # a protocol error by its status, not by its words
        return "soft-bounce"
    if _SENDER_STATUS.search(detail):
        return "sender-rejected"
    if _HARD_STATUS.search(detail):
        return "hard-bounce"
    if detail == "4.1" and "access denied" in words.lower():  # Microsoft's for an unknown recipient
        return "hard-bounce"
    if classified == "invalid address" and not detail.startswith(("2.", "3.", "4.")):
        return "hard-bounce"
    return "soft-bounce"


def _status_of(status: str, words: str, code: int | None) -> tuple[int, str]:
    """The class, 4 or 5 (0: unknown), and the rest of the enhanced status.

    A text may name a nearer status than the field: gateways write 5.0.0 there.
    """
    given, told = _STATUS.search(status), _STATUS.search(words)
    found = told if told is not None and (given is None or given[2] == "0") else given
    if found is not None:
        return int(found[1]), f"{int(found[2])}.{int(found[3])}"
    if code is None and (said := _CODE.search(words)) is not None:
        code = int(said[1])
    return (code // 100 if code else 0), ""
