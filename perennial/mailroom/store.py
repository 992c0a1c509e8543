"""The mailbox's file, SQLite: the requests, the accepted letters, what happened to them.

`accepted` is the record that tests judge by: a row for each letter, committed before the request is answered, numbered
without gaps. Triggers let nobody change or delete a row; only personal columns can be emptied.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from perennial.mailroom.events import MessageIds
from perennial.mailroom.letters import Letter, letters
from perennial.mailroom.mail_send import MailSend
from perennial.mailroom.schema import SCHEMA

FILE = "mailbox.db"


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A letter in the mailbox. `at` is its time for the journeys; `answer` says how its request was answered."""

    seq: int
    ids: MessageIds
    at: datetime
    real: datetime
    answer: str
    letter: Letter


@dataclass(frozen=True, slots=True)
class LetterEvent:
    """An event of a letter; `told` once the webhook's receiver took it."""

    seq: int
    name: str
    at: datetime
    body: dict[str, Any]
    tries: int
    told: bool


class Store:
    """The file, opened by one process and used by one thread."""

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = data_dir / FILE
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives the files beside it the same mode
        file.chmod(0o600)
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = wal")
        self._db.execute("PRAGMA synchronous = normal")
        self._db.execute("PRAGMA foreign_keys = on")
        self._db.execute("PRAGMA secure_delete = on")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def keep(self, name: str, value: str) -> str:
        """Store a value under a name that has none; the value of that name."""
        self._db.execute("INSERT INTO kept VALUES (?, ?) ON CONFLICT DO NOTHING", (name, value))
        return str(self._db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()[0])

    def accept(self, mail: MailSend, message_id: str, at: datetime, answer: str) -> list[StoredLetter]:
        """Commit a request and its letters."""
        real = datetime.now(UTC)
        stored = []
        with self._transaction():
            body = mail.model_dump_json(by_alias=True, exclude_unset=True)
            row = (message_id, at.isoformat(), real.isoformat(), answer, body)
            self._db.execute("INSERT INTO requests VALUES (?, ?, ?, ?, ?)", row)
            for number, letter in enumerate(letters(mail)):
                ids = MessageIds(message_id, f"{message_id}.filter0001.16648.5515E0B88.{number}")
                row_of = (message_id, number, ids.sg_message_id, letter.touch_id, letter.to.lower(), letter.subject)
                seq = self._db.execute(
                    "INSERT INTO accepted (message_id, number, sg_message_id, touch_id, email, subject)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    row_of,
                ).lastrowid
                stored.append(StoredLetter(int(seq or 0), ids, at, real, answer, letter))
        return stored

    def accepted(self, after: int, limit: int, touch_id: str | None) -> list[dict[str, Any]]:
        """Accepted letters after a number, in order."""
        rows = self._db.execute(
            "SELECT seq, touch_id, email, sg_message_id, message_id, at, real, answer"
            " FROM accepted JOIN requests USING (message_id)"
            " WHERE seq > :after AND (:touch IS NULL OR touch_id = :touch) ORDER BY seq LIMIT :limit",
            {"after": after, "limit": limit, "touch": touch_id},
        )
        return [dict(row) for row in rows]

    def totals(self) -> dict[str, int]:
        """How many letters were accepted, of how many touches, and how many touches were accepted twice or more."""
        row = self._db.execute(
            "SELECT coalesce(sum(n), 0) AS total, count(*) AS touches, coalesce(sum(n > 1), 0) AS doubled"
            " FROM (SELECT count(*) AS n FROM accepted GROUP BY CASE touch_id WHEN '' THEN seq ELSE touch_id END)"
        ).fetchone()
        return dict(row)

    def find(self, *, words: str = "", to: str = "", before: int | None = None, limit: int = 50) -> list[StoredLetter]:
        """The newest letters first; `words` are searched in address, subject and body."""
        like = "%" + words.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        rows = self._db.execute(
            "SELECT seq FROM accepted JOIN requests USING (message_id)"
            " WHERE body <> '' AND (:before IS NULL OR seq < :before) AND (:to = '' OR email = :to)"
            " AND (:like = '%%' OR email LIKE :like ESCAPE '\\' OR subject LIKE :like ESCAPE '\\'"
            " OR body LIKE :like ESCAPE '\\') ORDER BY seq DESC LIMIT :limit",
            {"before": before, "to": to.strip().lower(), "like": like, "limit": limit},
        )
        return [stored for row in rows.fetchall() if (stored := self.letter(row["seq"]))]

    def letter(self, seq: int) -> StoredLetter | None:
        """The letter with this number; None if there is none, or it was forgotten."""
        row = self._db.execute(
            "SELECT seq, number, message_id, sg_message_id, at, real, answer, body"
            " FROM accepted JOIN requests USING (message_id) WHERE seq = ? AND body <> ''",
            (seq,),
        ).fetchone()
        if row is None:
            return None
        letter = list(letters(MailSend.model_validate_json(row["body"])))[row["number"]]
        at, real = datetime.fromisoformat(row["at"]), datetime.fromisoformat(row["real"])
        return StoredLetter(
            row["seq"], MessageIds(row["message_id"], row["sg_message_id"]), at, real, row["answer"], letter
        )

    def number_of(self, name: str) -> int | None:
        """The number of the letter with this number, `sg_message_id`, `X-Message-Id` or touch; of several, the last."""
        row = self._db.execute(
            "SELECT max(seq) FROM accepted WHERE sg_message_id = :name OR message_id = :name"
            " OR (touch_id = :name AND touch_id <> '') OR seq = :number",
            {"name": name, "number": int(name) if name.isdecimal() and len(name) < 19 else -1},
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def happen(self, seq: int, bodies: Sequence[tuple[dict[str, Any], datetime]], *, told: bool) -> None:
        """Commit events of a letter, as `told` if there is no webhook to call."""
        with self._transaction():
            self._db.executemany(
                "INSERT INTO events (letter, name, at, body, told) VALUES (?, ?, ?, ?, ?)",
                [(seq, body["event"], at.isoformat(), json.dumps(body), told) for body, at in bodies],
            )

    def forget(self, addresses: Sequence[str], touches: Sequence[str]) -> int:
        """Empty every letter to these addresses, and to those that these touches were sent to; how many.

        The record that they were accepted stays, with times and touches. A request is emptied whole, whomever else it
        names. Events that the webhook has yet to send are deleted too.
        """
        names = {"addresses": json.dumps([each.lower() for each in addresses]), "touches": json.dumps(list(touches))}
        with self._transaction():
            rows = self._db.execute(
                "SELECT seq, message_id FROM accepted WHERE email <> '' AND (email IN (SELECT value FROM json_each("
                ":addresses)) OR email IN (SELECT email FROM accepted WHERE touch_id <> '' AND touch_id IN "
                "(SELECT value FROM json_each(:touches))))",
                names,
            ).fetchall()
            letters_ = [(row["seq"],) for row in rows]
            for table in ("events", "asked"):
                self._db.executemany(f"DELETE FROM {table} WHERE letter = ?", letters_)  # noqa: S608 - a name of ours
            self._db.executemany("UPDATE accepted SET email = '', subject = '' WHERE seq = ?", letters_)
            self._db.executemany(
                "UPDATE requests SET body = '' WHERE message_id = ?", [(row["message_id"],) for row in rows]
            )
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the write-ahead log still has the old text
        return len(rows)

    def eventless(self) -> list[StoredLetter]:
        """Letters without an event: the mailbox was killed right after it accepted them."""
        rows = self._db.execute("SELECT seq FROM accepted WHERE seq NOT IN (SELECT letter FROM events) ORDER BY seq")
        return [stored for row in rows.fetchall() if (stored := self.letter(row["seq"]))]

    def events_of(self, seq: int) -> list[LetterEvent]:
        """A letter's events, in order."""
        rows = self._db.execute("SELECT * FROM events WHERE letter = ? ORDER BY seq", (seq,))
        return [_event_of(row) for row in rows]

    def last_events(self, seqs: Sequence[int]) -> dict[int, set[str]]:
        """The names of each letter's events."""
        rows = self._db.execute(
            "SELECT letter, name FROM events WHERE letter IN (SELECT value FROM json_each(?))",
            (json.dumps(list(seqs)),),
        )
        found: dict[int, set[str]] = {seq: set() for seq in seqs}
        for row in rows:
            found[row["letter"]].add(row["name"])
        return found

    def shuts_out(self, email: str) -> str | None:
        """Why SendGrid's own lists drop mail to an address; None if they do not."""
        rows = self._db.execute(
            "SELECT body FROM events JOIN accepted ON accepted.seq = events.letter"
            " WHERE email = ? AND name IN ('bounce', 'spamreport', 'unsubscribe') ORDER BY events.seq",
            (email.lower(),),
        )
        for row in rows:
            body = json.loads(row["body"])
            reason = _DROPS.get((body["event"], body.get("type")))
            if reason:
                return reason
        return None

    def untold(self, now: float, limit: int) -> list[LetterEvent]:
        """Events that the webhook has yet to send, and that are due; `now` in seconds of the real clock."""
        rows = self._db.execute("SELECT * FROM events WHERE told = 0 AND due <= ? ORDER BY seq LIMIT ?", (now, limit))
        return [_event_of(row) for row in rows]

    def waiting(self) -> tuple[int, float | None]:
        """How many events the webhook has yet to send, and when the first is due."""
        row = self._db.execute("SELECT count(*), min(due) FROM events WHERE told = 0").fetchone()
        return int(row[0]), row[1]

    def told(self, seqs: Sequence[int]) -> None:
        """Mark events as taken by the webhook's receiver."""
        with self._transaction():
            self._db.executemany("UPDATE events SET told = 1 WHERE seq = ?", [(seq,) for seq in seqs])

    def put_off(self, seqs: Sequence[int], due: float) -> None:
        """Count a failed try of these events, and make them due at a later time."""
        with self._transaction():
            self._db.executemany(
                "UPDATE events SET tries = tries + 1, due = ? WHERE seq = ?", [(due, seq) for seq in seqs]
            )

    def ask(self, seq: int, at: datetime, what: str) -> None:
        """Record what a person did with a letter that is no event of SendGrid's."""
        self._db.execute("INSERT INTO asked (letter, at, what) VALUES (?, ?, ?)", (seq, at.isoformat(), what))

    def asked_of(self, seq: int) -> list[tuple[datetime, str]]:
        """What a person did with a letter that is no event of SendGrid's, in order."""
        rows = self._db.execute("SELECT at, what FROM asked WHERE letter = ? ORDER BY seq", (seq,))
        return [(datetime.fromisoformat(row["at"]), row["what"]) for row in rows]


_DROPS = {
    ("bounce", "bounce"): "Bounced Address",
    ("spamreport", None): "Spam Reporting Address",
    ("unsubscribe", None): "Unsubscribed Address",
}


def _event_of(row: sqlite3.Row) -> LetterEvent:
    at = datetime.fromisoformat(row["at"])
    return LetterEvent(row["seq"], row["name"], at, json.loads(row["body"]), row["tries"], bool(row["told"]))
