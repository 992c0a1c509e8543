"""What SendGrid refuses in a v3 Mail Send, and how it says so.

Limits and messages after SendGrid's OpenAPI description (`tsg_mail_v3`) and its page "Mail Send: Errors".
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from email_validator import EmailNotValidError, validate_email
from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

from perennial.mailroom.mail_send import LONGEST_CATEGORY, MOST_CATEGORIES, MOST_PERSONALIZATIONS, Address, MailSend

MOST_RECIPIENTS = 1_000
LARGEST_ARGUMENTS = 10_000
FURTHEST = timedelta(hours=72)
RESERVED_HEADERS = frozenset(
    (
        "x-sg-id",
        "x-sg-eid",
        "received",
        "dkim-signature",
        "content-type",
        "content-transfer-encoding",
        "to",
        "from",
        "subject",
        "reply-to",
        "cc",
        "bcc",
    )
)
HELP = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#message."


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One entry of SendGrid's `errors`."""

    message: str
    field: str | None = None
    help: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """The entry as SendGrid writes it."""
        return {"message": self.message, "field": self.field, "help": self.help}


def read_mail_send(body: bytes, now: datetime) -> MailSend | list[ErrorEntry]:
    """The request; or, if SendGrid would answer 400 at this moment, its errors."""
    try:
        given = from_json(body, allow_inf_nan=False)
    except ValueError:
        return [ErrorEntry("Bad Request")]
    try:
        mail = MailSend.model_validate(given)
    except ValidationError as error:
        return [_error_entry(each) for each in error.errors(include_url=False)]
    return list(_rule_errors(mail, now)) or mail


_INSTEAD = {
    "personalizations": "The personalizations field is required and must have at least one personalization.",
    "from": (
        "The from object must be provided for every email send. It is an object that requires the email parameter, "
        'but may also contain a name parameter.  e.g. {"email" : "example@example.com"}  or '
        '{"email" : "example@example.com", "name" : "Example Recipient"}.'
    ),
    "to": "The to array is required for all personalization objects, and must have at least one email object with a "
    "valid email address.",
    "value": "The content value must be a string at least one character in length.",
    "subject": "The subject must be a string at least one character in length.",
}
_TYPES = {
    "string_type": "string",
    "int_type": "integer",
    "bool_type": "boolean",
    "list_type": "array",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
}
_JSON = {str: "string", int: "integer", bool: "boolean", float: "number", list: "array", dict: "object"}


def _error_entry(error: ErrorDetails) -> ErrorEntry:
    field = ".".join(map(str, error["loc"]))
    last = str(error["loc"][-1]) if error["loc"] else ""
    match error["type"]:
        case "missing" | "too_short" | "string_too_short":
            message = _INSTEAD.get(last, f"The {field} field is required.")
        case "extra_forbidden":
            message = f"Additional property {last} is not allowed"
        case "too_long" if last == "personalizations":
            message = (
                f"The personalization block is limited to {MOST_PERSONALIZATIONS} personalizations per API request. "
                f"You have provided {len(error['input'])} personalizations. Please consider splitting this into "
                "multiple requests and resending your request."
            )
        case "too_long":
            message = f"There is a limit of {MOST_CATEGORIES} categories per request."
        case "string_too_long":
            message = f"Each category name must not exceed {LONGEST_CATEGORY} characters."
        case kind if kind in _TYPES:
            given = _JSON.get(type(error["input"]), "null")
            message = f"Invalid type. Expected: {_TYPES[kind]}, given: {given}."
        case _:
            message = error["msg"]
    return ErrorEntry(message, field or None, _help(field))


def _help(field: str) -> str | None:
    named = ".".join(part for part in field.split(".")[:3] if not part.isdigit())
    return HELP + named if named else None


def _rule_errors(mail: MailSend, now: datetime) -> Iterator[ErrorEntry]:
    yield from _about_addresses(mail)
    yield from _about_content(mail)
    for field, headers in _each(mail, "headers"):
        for name in sorted(set(map(str.lower, headers)) & RESERVED_HEADERS):
            yield ErrorEntry(f"The header {name} is reserved and may not be overridden.", field, _help(field))
    arguments = dict(_each(mail, "custom_args"))
    for field, given in arguments.items():
        # A personalization's arguments join the message's own, and the sum counts.
        size = len(json.dumps({**mail.custom_args, **given}, ensure_ascii=False).encode())
        if size > LARGEST_ARGUMENTS:
            message = (
                f"Custom arguments must not exceed {LARGEST_ARGUMENTS} bytes in total. You have provided {size} bytes."
            )
            yield ErrorEntry(message, field, _help(field))
    if len(set(mail.categories)) < len(mail.categories):
        yield ErrorEntry("Categories must be unique.", "categories", _help("categories"))
    for field, moment in _each(mail, "send_at"):
        if moment > (now + FURTHEST).timestamp():
            yield ErrorEntry("You can not schedule an email more than 72 hours in advance.", field, _help(field))


def _each(mail: MailSend, name: str) -> Iterator[tuple[str, Any]]:
    """The values of a field that stands on the message and on each personalization, with its place."""
    if value := getattr(mail, name):
        yield name, value
    for number, personalization in enumerate(mail.personalizations):
        if value := getattr(personalization, name):
            yield f"personalizations.{number}.{name}", value


def _about_addresses(mail: MailSend) -> Iterator[ErrorEntry]:
    if not _valid(mail.sender):
        yield ErrorEntry("The from email does not contain a valid address.", "from.email", _help("from"))
    if mail.reply_to is not None and mail.reply_to_list:
        message = "You may use either the reply_to parameter or the reply_to_list parameter, but not both."
        yield ErrorEntry(message, "reply_to", _help("reply_to"))
    replies: Sequence[Address] = [*([mail.reply_to] if mail.reply_to else []), *mail.reply_to_list]
    if not all(map(_valid, replies)):
        yield ErrorEntry("The reply_to email does not contain a valid address.", "reply_to.email", _help("reply_to"))
    total = 0
    for number, personalization in enumerate(mail.personalizations):
        seen: set[str] = set()
        for place, address in personalization.recipients():
            total += 1
            field = f"personalizations.{number}.{place}"
            if not _valid(address):
                where = f"{field}.email"
                yield ErrorEntry("Does not contain a valid address.", where, _help(where))
            elif address.email.lower() in seen:
                message = (
                    "Each email address in the personalization block should be unique between to, cc, and bcc. "
                    f"We found the first duplicate instance of [{address.email}] in the {field.rpartition('.')[0]} "
                    "field."
                )
                yield ErrorEntry(message, f"personalizations.{number}", _help("personalizations"))
            seen.add(address.email.lower())
    if total > MOST_RECIPIENTS:
        message = f"There is a limit of {MOST_RECIPIENTS} total recipients (to + cc + bcc) per request."
        yield ErrorEntry(message, "personalizations", _help("personalizations"))


def _valid(address: Address) -> bool:
    # SendGrid splits at a comma or a semicolon in a name, unless the name is quoted.
    if address.name and not re.fullmatch(r'"[^"]*"|[^,;]*', address.name):
        return False
    try:
        validate_email(address.email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        # The library refuses names reserved for documentation, which a mailbox is for.
        return bool(
            re.fullmatch(r"[^\s@,;<>()\[\]\"]+@([a-z0-9-]+\.)+(example|invalid|localhost)", address.email.lower())
        )
    return True


def _about_content(mail: MailSend) -> Iterator[ErrorEntry]:
    if mail.template_id is None and not (mail.subject or all(each.subject for each in mail.personalizations)):
        message = (
            "The subject is required. You can get around this requirement if you use a template with a subject defined "
            "or if every personalization has a subject defined."
        )
        yield ErrorEntry(message, "subject", _help("subject"))
    if mail.template_id is None and not mail.content:
        message = (
            "Unless a valid template_id is provided, the content parameter is required. There must be at least one "
            "defined content block. We typically suggest both text/plain and text/html blocks are included, but only "
            "one block is required."
        )
        yield ErrorEntry(message, "content", _help("content"))
    kinds = [part.type.lower().partition(";")[0].strip() for part in mail.content]
    if kinds != sorted(kinds, key=lambda kind: {"text/plain": 0, "text/html": 1}.get(kind, 2)):
        message = "If present, text/plain must be first, followed by text/html, followed by any other content."
        yield ErrorEntry(message, "content", _help("content"))
    for kind in ("text/plain", "text/html"):
        if kinds.count(kind) > 1:
            yield ErrorEntry(f"If present, {kind} may only be provided once.", "content", _help("content"))
