"""POST /v3/mail/send of a real mailbox: SendGrid's limits, its error bodies, its headers."""

import time
from typing import Any

import httpx2
import pytest

from perennial.mailroom.faults import Fault
from tests.mailroom.mails import accepted, post, request_for
from tests.mailroom.running import Running

TO = {"email": "ada@contoso.example"}
TEXT = {"type": "text/plain", "value": "x"}
HTML = {"type": "text/html", "value": "<p>x</p>"}


def test_a_request_is_answered_202_without_a_body_and_with_its_id(mailbox: Running) -> None:
    """The id begins each of its `sg_message_id`s, up to the first dot."""
    answer = post(mailbox, request_for())

    assert (answer.status_code, answer.content) == (202, b"")
    message_id = answer.headers["X-Message-Id"]
    assert mailbox.client.message(message_id)["sg_message_id"].split(".")[0] == message_id
    assert int(answer.headers["X-RateLimit-Remaining"]) < int(answer.headers["X-RateLimit-Limit"])
    assert int(answer.headers["X-RateLimit-Reset"]) > time.time()


@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic dTpw"])
def test_without_a_bearer_key_nothing_is_taken(mailbox: Running, authorization: str) -> None:
    """401 with SendGrid's body."""
    before = mailbox.client.totals()

    answer = post(mailbox, request_for(), Authorization=authorization)

    assert answer.status_code == 401
    assert answer.json() == {
        "errors": [{"message": "Permission denied, wrong credentials", "field": None, "help": None}]
    }
    assert mailbox.client.totals() == before


def people(count: int) -> list[dict[str, str]]:
    return [{"email": f"p{number}@contoso.example"} for number in range(count)]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"personalizations": []}, "personalizations", "must have at least one personalization"),
        ({"personalizations": [{"to": [TO]}] * 1001}, "personalizations", "limited to 1000 personalizations"),
        ({"personalizations": [{"to": people(1001)}]}, "personalizations", "limit of 1000 total recipients"),
        ({"personalizations": [{"to": []}]}, "personalizations.0.to", "to array is required"),
        ({"personalizations": [{}]}, "personalizations.0.to", "to array is required"),
        ({"personalizations": [{"to": [{"email": "ada"}]}]}, "personalizations.0.to.0.email", "valid address"),
        ({"personalizations": [{"to": [TO | {"name": "A; B"}]}]}, "personalizations.0.to.0.email", "valid address"),
        ({"personalizations": [{"to": [TO], "cc": [TO]}]}, "personalizations.0", "first duplicate instance"),
        ({"personalizations": [{"to": [TO], "colour": 1}]}, "personalizations.0.colour", "is not allowed"),
        ({"from": None}, "from", "Invalid type. Expected: object, given: null."),
        ({"from": {"email": "dana@"}}, "from.email", "The from email does not contain a valid address."),
        ({"reply_to": {"email": "x"}}, "reply_to.email", "valid address"),
        ({"reply_to": TO, "reply_to_list": [TO]}, "reply_to", "but not both"),
        ({"subject": None}, "subject", "The subject is required."),
        ({"subject": ""}, "subject", "at least one character"),
        ({"content": []}, "content", "Unless a valid template_id is provided"),
        ({"content": [HTML, TEXT]}, "content", "text/plain must be first"),
        ({"content": [TEXT, TEXT]}, "content", "may only be provided once"),
        ({"content": [{"type": "text/plain", "value": ""}]}, "content.0.value", "at least one character"),
        ({"categories": [str(n) for n in range(11)]}, "categories", "limit of 10 categories"),
        ({"categories": ["x" * 256]}, "categories.0", "must not exceed 255 characters"),
        ({"categories": ["a", "a"]}, "categories", "unique"),
        ({"custom_args": {"n": 7}}, "custom_args.n", "Invalid type. Expected: string, given: integer."),
        ({"custom_args": "x"}, "custom_args", "Invalid type. Expected: object, given: string."),
        ({"custom_args": {"n": "x" * 10_000}}, "custom_args", "must not exceed 10000 bytes"),
        ({"headers": {"Reply-To": "x"}}, "headers", "reserved"),
        ({"send_at": "soon"}, "send_at", "Invalid type. Expected: integer, given: string."),
        ({"send_at": 4_102_444_800}, "send_at", "72 hours"),
    ],
)
def test_what_sendgrid_refuses_is_refused_with_the_field_and_the_reason(
    mailbox: Running, changes: dict[str, Any], field: str, message: str
) -> None:
    """400 names the field as SendGrid does, and nothing is accepted."""
    before = mailbox.client.totals()

    answer = post(mailbox, request_for(**changes))

    assert answer.status_code == 400
    (error,) = (each for each in answer.json()["errors"] if each["field"] == field)
    assert message in error["message"]
    assert error["help"].startswith("http://sendgrid.com/docs/")
    assert mailbox.client.totals() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"personalizations": [{"to": [{"email": address["email"]}]} for address in people(1000)]},
        {"categories": [str(number) * 255 for number in range(10)]},
        {"custom_args": {"n": "x" * 9_990}},
        {"send_at": int(time.time()) + 71 * 3600},
        {"content": [TEXT]},
        {"content": [HTML, {"type": "text/calendar", "value": "x"}]},
        {"personalizations": [{"to": [TO | {"name": '"A; B"'}], "subject": "Own"}], "subject": None},
        {"tracking_settings": {"ganalytics": {"enable": True, "utm_source": "x"}}},
        {"template_id": "d-1", "content": [], "subject": None},
    ],
)
def test_what_lies_within_the_limits_is_taken(mailbox: Running, changes: dict[str, Any]) -> None:
    """A mailbox that is stricter than SendGrid would hide nothing, and cost time."""
    given = {name: value for name, value in request_for(**changes).items() if value is not None}

    assert post(mailbox, given).status_code == 202


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "7", '"x"', '{"personalizations": 3, "from": []}', "[" * 9999])
def test_a_body_that_is_no_request_is_refused(mailbox: Running, body: str) -> None:
    """Nothing makes the mailbox fail."""
    headers = {"Authorization": "Bearer x", "Content-Type": "application/json"}

    answer = httpx2.post(f"{mailbox.url}/v3/mail/send", content=body, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_another_content_type_or_method_or_path_is_refused_as_sendgrid_does(mailbox: Running) -> None:
    """415, 405 and 404 carry `errors` too."""
    form = post(mailbox, request_for(), **{"Content-Type": "text/plain"})
    got = httpx2.get(f"{mailbox.url}/v3/mail/send")
    lost = httpx2.post(f"{mailbox.url}/v3/mail/sent")

    assert [each.status_code for each in (form, got, lost)] == [415, 405, 404]
    assert all(each.json()["errors"][0]["message"] for each in (form, got, lost))


def test_the_record_is_one_row_a_recipient_in_order(mailbox: Running) -> None:
    """Tests count by it, so each recipient of a request has a number and an id of his own."""
    request = request_for("tc-many", personalizations=[{"to": people(2)}, {"to": people(3)[2:]}])

    answer = post(mailbox, request)

    rows = [row for row in mailbox.client.accepted() if row["message_id"] == answer.headers["X-Message-Id"]]
    assert [row["email"] for row in rows] == [address["email"] for address in people(3)]
    assert [row["seq"] for row in rows] == list(range(rows[0]["seq"], rows[0]["seq"] + 3))
    assert len({row["sg_message_id"] for row in rows}) == 3
    assert {row["touch_id"] for row in rows} == {"tc-many"}


def test_a_touch_that_is_accepted_twice_is_counted(mailbox: Running) -> None:
    """The mailbox is the judge of double sends, and does not hide them."""
    before = mailbox.client.totals()["doubled"]

    accepted(mailbox, request_for("tc-twice"))
    accepted(mailbox, request_for("tc-twice"))

    assert mailbox.client.totals()["doubled"] == before + 1


def test_faults_strike_in_their_order_and_so_often(mailbox: Running) -> None:
    """A test says what the next requests meet."""
    mailbox.client.fault(Fault(kind="unauthorised", times=2))
    mailbox.client.fault(Fault(kind="error_before", times=1))

    assert [post(mailbox, request_for()).status_code for _ in range(4)] == [401, 401, 500, 202]


def test_faults_by_chance_fall_the_same_under_the_same_seed(mailbox: Running) -> None:
    """A kill test that fails can be run again."""

    def drawn(seed: int) -> list[int]:
        mailbox.client.fault(Fault(kind="error_before", chance=0.5, seed=seed))
        answers = [post(mailbox, request_for()).status_code for _ in range(20)]
        mailbox.client.clear_faults()
        return answers

    first = drawn(1)
    assert first == drawn(1)
    assert first != drawn(2)
    assert set(first) == {202, 500}


def test_a_fault_is_written_down_beside_what_it_struck(mailbox: Running) -> None:
    """The record tells an honest 202 from a mail that was taken and denied."""
    mailbox.client.fault(Fault(kind="error_after"))
    request = request_for("tc-denied")

    assert post(mailbox, request).status_code == 500
    assert [row["answer"] for row in mailbox.client.accepted() if row["touch_id"] == "tc-denied"] == ["error_after"]
