"""E-mail addresses: what a well-formed one is, and which two are the same."""

import re

from email_validator import EmailNotValidError, EmailSyntaxError, validate_email

from nurture.errors import InputError

# RFC 2142's names, what no-reply senders and ticket systems are called, and the same in other languages.
_ROLES = frozenset(
    """
    abuse accounting accounts admin administrator billing bounce bounces careers contact customerservice
    do-not-reply donotreply enquiries feedback ftp hello help helpdesk hostmaster hr info inquiries invoices
    it jobs mail mailer-daemon marketing media news newsletter no-reply no_reply noc noreply office orders
    postmaster press privacy purchasing reception recruiting root sales security service support sysadmin
    team unsubscribe usenet uucp webmaster www
    anfrage anfragen bewerbung buchhaltung buero büro datenschutz einkauf empfang kontakt kundendienst kundenservice
    rechnung rechnungen verkauf vertrieb zentrale
    accueil commercial comptabilite comptabilité facturation recrutement
    administracion administración contacto facturacion facturación informacion información ventas
    amministrazione commerciale contatti segreteria vendite
    atendimento comercial contato financeiro vendas
    administratie boekhouding inkoop verkoop
    biuro sekretariat sprzedaz
    """.split()  # noqa: SIM905 - a list of sixty quoted words reads worse
)

# What a name in front of an @ may hold (RFC 5322 atext and the dot), and an @ as a URL writes it.
_IN_TEXT = re.compile(r"[\w.!#$&'*+/=?^`{|}~-]{1,64}(?:@|%40)\w[\w-]*(?:\.[\w-]+)+", re.IGNORECASE)

_OF_TWO_WORDS = frozenset({"customerservice", "donotreply", "helpdesk", "kundendienst", "kundenservice", "noreply"})


def normalise(address: str) -> str:
    """The key under which an address is stored once: trimmed, NFC, local part and domain in lower case.

    RFC 5321 lets a host tell `Ann@` from `ann@`; none that people use does, and writing to a lead twice is
    the worse mistake. A `+tag` and dots stay: on most hosts they name other mailboxes. An international
    domain is spelled in Unicode. Asks no DNS, and the reserved `.example` passes. Raises InputError with
    the reason.
    """
    try:
        found = validate_email(address.strip(), check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise InputError(f"not an e-mail address: {_reason(address.strip(), error)}") from None
    return f"{found.local_part.lower()}@{found.domain.lower()}"


def try_normalise(address: str) -> str | None:
    """As `normalise`; None for what is no address."""
    try:
        return normalise(address)
    except InputError:
        return None


def is_role(address: str) -> bool:
    """Whether the address is a function's (`info@`, `noreply@`) and no person's; a `+tag` is ignored."""
    local = address.strip().partition("@")[0].lower()
    name = local.partition("+")[0]
    return name in _ROLES or re.sub("[._-]", "", name) in _OF_TWO_WORDS


def _reason(address: str, error: EmailNotValidError) -> str:
    """The library's reason, or a shorter one where it speaks of DNS or quotes the address."""
    if not address:
        return "it is empty"
    if address.count("@") != 1:
        return "it needs exactly one @-sign"
    if not isinstance(error, EmailSyntaxError):
        return "its domain is reserved and takes no mail"
    text = str(error).strip().rstrip(".")
    return text[:1].lower() + text[1:]


def hide_addresses(text: str) -> str:
    """The text with `[e-mail]` for whatever looks like an address, also as a URL writes it."""
    return _IN_TEXT.sub("[e-mail]", text) if "@" in text or "%40" in text else text
