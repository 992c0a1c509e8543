"""What is read of any body whatever: a request that can be kept, or complaints, and never a failure."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from perennial.mailroom.letters import letters
from perennial.mailroom.mail_send import MailSend
from perennial.mailroom.validation import read_mail_send
from tests.mailroom.mails import request_for

NOW = datetime(2026, 3, 2, tzinfo=UTC)

_numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)  # JSON has no other
_leaves = st.none() | st.booleans() | _numbers | st.text() | st.emails()
_json = st.recursive(_leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6)
_fields = st.sampled_from(
    [
        *MailSend.model_json_schema(by_alias=True)["properties"],
        "personalizations.0.to",
        "personalizations.0.headers",
        "personalizations.0.custom_args",
        "personalizations.0.to.0.email",
        "content.0.type",
        "from.email",
        "from.name",
    ]
)


def changed(request: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The request with another value at a path."""
    *way, last = path.split(".")
    at: Any = request
    for step in way:
        at = at[int(step) if step.isdigit() else step]
    at[int(last) if last.isdigit() else last] = value
    return request


@given(st.dictionaries(_fields, _json, max_size=3))
def test_any_json_in_any_field_is_taken_or_complained_of(changes: dict[str, Any]) -> None:
    """A taken request survives being kept, and makes letters; a complaint names a field and a reason."""
    request = request_for()
    for path, value in sorted(changes.items(), reverse=True):
        changed(request, path, value)

    read = read_mail_send(json.dumps(request).encode(), NOW)

    if isinstance(read, MailSend):
        again = MailSend.model_validate_json(read.model_dump_json(by_alias=True, exclude_unset=True))
        assert list(letters(again)) == list(letters(read))
        assert list(letters(read))
    else:
        assert all(each.message and each.field for each in read)


@given(st.binary() | st.text().map(str.encode) | st.just(b'{"subject": "\\ud800"}') | st.just(b"[" * 10_000))
def test_any_bytes_are_complained_of(body: bytes) -> None:
    """Broken JSON, lone surrogates, deep nesting."""
    assert not isinstance(read_mail_send(body, NOW), MailSend)


@given(st.text())
def test_any_html_is_shown_with_as_many_links_as_are_counted(html: str) -> None:
    """What leads through the mailbox and what it can resolve are the same links."""
    request = request_for(content=[{"type": "text/html", "value": f"<a href='http://a.example'>x</a>{html}"}])
    read = read_mail_send(json.dumps(request).encode(), NOW)
    assert isinstance(read, MailSend)
    (letter,) = letters(read)

    assert letter.tracked_html("/click/1/").count('"/click/1/') == len(letter.links)
