"""The mailbox as a process: its clock, its folder, its record, its command."""

import json
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from nurture.errors import InputError, NotFoundError, SettingsError
from perennial.cli.mailbox import mailbox as command
from perennial.mailroom.events import Act
from perennial.mailroom.faults import Fault, parse_fault
from perennial.mailroom.serve import running_mailbox
from tests.mailroom.mails import accepted, post, request_for
from tests.mailroom.running import PATIENCE, Running, running

VIRTUAL = datetime(2031, 5, 1, 8, 0, tzinfo=UTC)


def test_events_are_stamped_in_the_journeys_time(tmp_path: Path) -> None:
    """Under a clock of a day a second a mail of May 2031 is opened in May 2031."""
    clock = {"real": datetime.now(UTC).isoformat(), "virtual": VIRTUAL.isoformat(), "speed": 86_400}
    with running(tmp_path, "--clock", json.dumps(clock)) as mailbox:
        letter = accepted(mailbox)
        (opened,) = mailbox.client.happen(letter["touch_id"], Act(event="open"))

    sent = datetime.fromisoformat(letter["at"])
    assert VIRTUAL <= sent < VIRTUAL + timedelta(days=365)
    assert sent.timestamp() - 1 <= opened["timestamp"] < (VIRTUAL + timedelta(days=365)).timestamp()


def test_a_time_that_comes_with_the_mail_is_its_own_and_time_goes_on_from_there(mailbox: Running) -> None:
    """`X-Perennial-At`, for a sender that knows the time."""
    letter = accepted(mailbox, at=VIRTUAL.isoformat())
    (opened,) = mailbox.client.happen(letter["touch_id"], Act(event="open"))
    (clicked,) = mailbox.client.happen(letter["touch_id"], Act(event="click", at=VIRTUAL + timedelta(days=2)))

    assert letter["at"] == VIRTUAL.isoformat()
    assert 0 <= opened["timestamp"] - VIRTUAL.timestamp() < 60
    assert clicked["timestamp"] == (VIRTUAL + timedelta(days=2)).timestamp()


def test_a_mailbox_that_holds_delivers_nothing_by_itself(tmp_path: Path) -> None:
    """A person decides."""
    with running(tmp_path, "--hold") as mailbox:
        letter = accepted(mailbox)

        assert [each["event"] for each in letter["events"]] == ["processed"]


def test_the_record_can_neither_be_changed_nor_shortened(tmp_path: Path) -> None:
    """Not even by whoever opens the file."""
    with running(tmp_path) as mailbox:
        accepted(mailbox)

    database = sqlite3.connect(tmp_path / "mailbox.db")
    for change in (
        "DELETE FROM accepted",
        "DELETE FROM requests",
        "UPDATE accepted SET touch_id = 'x'",
        "UPDATE accepted SET email = 'other@contoso.example'",
        "UPDATE requests SET answer = 'x'",
        "UPDATE requests SET body = '{}'",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="stays as it was"):
            database.execute(change)
    database.close()


def test_forgotten_mail_leaves_its_line_in_the_record_and_no_word_in_the_file(tmp_path: Path) -> None:
    """By a touch: also the mail that went to the same address without one, and what was to be told of it."""
    ada = {"personalizations": [{"to": [{"email": "Ada@gone.example"}]}]}
    with running(tmp_path, "--webhook-url", "http://127.0.0.1:9/never") as mailbox:
        accepted(mailbox, request_for("t-ada", subject="For Ada", **ada))
        accepted(mailbox, request_for(subject="Ada, please confirm", custom_args={}, **ada))
        other = accepted(mailbox)
        press = mailbox.client.unsubscribe("t-ada")

        assert press
        assert mailbox.client.forget(touches=["t-ada"]) == 2
        assert mailbox.client.forget(touches=["t-ada"], addresses=["ada@gone.example"]) == 0
        assert [letter["to"] for letter in mailbox.client.messages()] == [other["to"]]
        assert [row["touch_id"] for row in mailbox.client.accepted()] == ["t-ada", "", other["touch_id"]]
        with pytest.raises(NotFoundError):
            mailbox.client.message("t-ada")
        left = b"".join(path.read_bytes() for path in tmp_path.glob("mailbox.db*")).lower()
        assert b"gone.example" not in left
        assert b"for ada" not in left
        assert other["to"].encode() in left
    with running(tmp_path) as again:
        assert again.client.totals() == {"total": 3, "touches": 3, "doubled": 0}


def test_a_second_mailbox_on_the_folder_is_refused_and_says_where_the_first_is(tmp_path: Path) -> None:
    """One judge a folder."""
    with running(tmp_path) as first:
        assert running_mailbox(tmp_path) == first.url
        second = subprocess.run(
            [sys.executable, "-m", "perennial.mailroom", "--data-dir", str(tmp_path), "--port", "0"],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    assert second.returncode == 4
    assert first.url in second.stderr
    assert running_mailbox(tmp_path) is None


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    """And what to do."""
    with running(tmp_path / "one") as first:
        port = first.url.rpartition(":")[2]
        second = subprocess.run(
            [sys.executable, "-m", "perennial.mailroom", "--data-dir", str(tmp_path / "two"), "--port", port],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    assert second.returncode == 4
    assert second.stderr.count("\n") == 1
    assert "--port" in second.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """Exit code 0, and the folder is free."""
    with running(tmp_path) as mailbox:
        mailbox.process.send_signal(number)

        assert mailbox.process.wait(PATIENCE) == 0


def test_the_same_address_serves_again_after_an_outage(mailbox: Running) -> None:
    """Its port is closed, then open, and its mail is there."""
    letter = accepted(mailbox)
    mailbox.client.fault(Fault(kind="refuse", seconds=0.5))

    with pytest.raises(SettingsError, match="no mailbox answers"):
        mailbox.client.message(letter["touch_id"])

    mailbox.await_back()
    assert mailbox.client.message(letter["touch_id"])["seq"] == letter["seq"]


def test_a_letter_is_found_by_each_of_its_names(mailbox: Running) -> None:
    """Its number, both ids of SendGrid's, and the touch."""
    letter = accepted(mailbox)

    names = (str(letter["seq"]), letter["message_id"], letter["sg_message_id"], letter["touch_id"])
    assert {mailbox.client.message(name)["seq"] for name in names} == {letter["seq"]}
    with pytest.raises(NotFoundError):
        mailbox.client.message("nobody")


def test_an_act_that_is_none_is_refused_with_a_reason(mailbox: Running) -> None:
    """A click wants a link."""
    letter = accepted(mailbox)

    with pytest.raises(InputError, match="no such link"):
        mailbox.client.happen(letter["touch_id"], Act(event="click", url="https://elsewhere.example"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("quota", Fault(kind="quota", times=1)),
        ("rate_limited times=3 seconds=5", Fault(kind="rate_limited", times=3, seconds=5)),
        ("drop_after chance=0.05 seed=7", Fault(kind="drop_after", chance=0.05, seed=7)),
    ],
)
def test_a_fault_can_be_written_on_a_command_line(text: str, fault: Fault) -> None:
    """Its kind, then what is to be said of it; once unless said otherwise."""
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    "text", ["", "fire", "slow 3", "slow times=0", "slow seconds=x", "quota chance=2", "quota a=1"]
)
def test_a_fault_that_is_none_is_refused(text: str) -> None:
    """One line that quotes it."""
    with pytest.raises(InputError, match="--fault"):
        parse_fault(text)


def test_the_command_tells_a_running_mailbox_what_goes_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`starter.py mailbox --fault quota` beside a mailbox, and `--clear`."""
    app = typer.Typer()
    app.command()(command)
    monkeypatch.setenv("PERENNIAL_DATA_DIR", str(tmp_path))
    with running(tmp_path) as mailbox:
        told = CliRunner().invoke(app, ["--fault", "quota", "--fault", "slow times=2"])
        assert told.exit_code == 0, told.output
        assert [fault["kind"] for fault in mailbox.client.faults()] == ["quota", "slow"]
        assert post(mailbox, request_for()).json()["errors"][0]["message"] == "Maximum credits exceeded"

        assert CliRunner().invoke(app, ["--clear"]).exit_code == 0
        assert mailbox.client.faults() == []
