"""Mail Send requests for tests."""

import json
from itertools import count
from typing import Any

import httpx2

from tests.mailroom.running import Running

_numbers = count(1)


def request_for(touch_id: str = "", **changes: Any) -> dict[str, Any]:
    """A request that SendGrid takes, to an address of its own, with changes."""
    number = next(_numbers)
    return {
        "personalizations": [{"to": [{"email": f"lead{number}@contoso.example"}]}],
        "from": {"email": "dana@northwind.example", "name": "Dana Reyes"},
        "subject": f"Mail {number}",
        "content": [
            {"type": "text/plain", "value": "Read on: https://northwind.example/guide"},
            {
                "type": "text/html",
                "value": '<p>Read <a href="https://northwind.example/guide?a=1&amp;b=2">on</a>, or '
                "<a class='x' href='http://127.0.0.1:9/next'>next</a>, write to <a href=\"mailto:a@b.example\">us</a>, "
                '<a clicktracking=off href="https://northwind.example/u/1">unsubscribe</a></p>',
            },
        ],
        "categories": ["new-lead", "welcome"],
        "custom_args": {"perennial_touch_id": touch_id or f"tc{number}"},
        **changes,
    }


def post(mailbox: Running, request: Any, **headers: str) -> httpx2.Response:
    """The answer to a request with a key."""
    sent = {"Authorization": "Bearer SG.any", "Content-Type": "application/json", **headers}
    return httpx2.post(f"{mailbox.url}/v3/mail/send", content=json.dumps(request), headers=sent)


def accepted(mailbox: Running, request: dict[str, Any] | None = None, at: str = "") -> dict[str, Any]:
    """The letter of a request that was taken."""
    answer = post(mailbox, request or request_for(), **({"X-Perennial-At": at} if at else {}))
    assert answer.status_code == 202, answer.text
    return mailbox.client.message(answer.headers["X-Message-Id"])
