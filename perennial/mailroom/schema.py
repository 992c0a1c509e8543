"""The tables of the mailbox, and the triggers that keep what was accepted unchanged."""

_TABLES = """
CREATE TABLE IF NOT EXISTS requests (
    message_id TEXT PRIMARY KEY,
    at TEXT NOT NULL,
    real TEXT NOT NULL,
    answer TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS accepted (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL REFERENCES requests,
    number INTEGER NOT NULL,
    sg_message_id TEXT NOT NULL UNIQUE,
    touch_id TEXT NOT NULL,
    email TEXT NOT NULL,
    subject TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS accepted_touch ON accepted (touch_id);
CREATE INDEX IF NOT EXISTS accepted_email ON accepted (email, seq);
CREATE INDEX IF NOT EXISTS accepted_message ON accepted (message_id);
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    letter INTEGER NOT NULL REFERENCES accepted,
    name TEXT NOT NULL,
    at TEXT NOT NULL,
    body TEXT NOT NULL,
    due REAL NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    told INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS events_letter ON events (letter, seq);
CREATE INDEX IF NOT EXISTS events_untold ON events (seq) WHERE told = 0;
CREATE TABLE IF NOT EXISTS asked (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    letter INTEGER NOT NULL REFERENCES accepted,
    at TEXT NOT NULL,
    what TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_STAYS = {
    "requests": ("message_id", "at", "real", "answer"),
    "accepted": ("seq", "message_id", "number", "sg_message_id", "touch_id"),
}
_EMPTIED = {"requests": ("body",), "accepted": ("email", "subject")}


def _append_only(table: str) -> str:
    """Triggers: no row is deleted and no column changes, except that personal ones may be emptied."""
    changes = [f"NEW.{name} IS NOT OLD.{name}" for name in _STAYS[table]]
    changes += [f"(NEW.{name} IS NOT OLD.{name} AND NEW.{name} <> '')" for name in _EMPTIED[table]]
    refuse = "BEGIN SELECT RAISE(ABORT, 'what was accepted stays as it was'); END;"
    return f"""
DROP TRIGGER IF EXISTS {table}_no_update;
CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} WHEN {" OR ".join(changes)} {refuse}
CREATE TRIGGER IF NOT EXISTS {table}_no_delete BEFORE DELETE ON {table} {refuse}
"""


SCHEMA = _TABLES + "".join(map(_append_only, _STAYS))
