"""`starter.py keys`: made, listed, revoked, as a person types it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from perennial.access.keys import find_key
from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from perennial.platform.settings import load_settings
from tests.cli.conftest import invoke


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder with a database."""
    asyncio.run(upgrade(load_settings(data_dir=tmp_path).database_url))
    return tmp_path


def let_in(data_dir: Path, text: str) -> frozenset[str] | None:
    """The scopes of a key as the web service finds them; None if it lets nobody in."""

    async def find() -> frozenset[str] | None:
        database = Database(load_settings(data_dir=data_dir).database_url)
        try:
            async with database.reading() as session:
                key = await find_key(session, text)
                return None if key is None else frozenset(key.scopes)
        finally:
            await database.close()

    return asyncio.run(find())


def listed(data_dir: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(invoke("keys", "list", "--json", data_dir=data_dir).stdout)
    return found


def test_a_key_is_made_shown_once_and_revoked(data_dir: Path) -> None:
    """The key alone is on standard output, for a script to take; the list never says it."""
    made = invoke("keys", "create", "website", "--scope", "ingest", "--scope", "support", data_dir=data_dir)
    key = made.stdout.strip()

    assert made.exit_code == 0
    assert "shown this once" in made.stderr
    assert let_in(data_dir, key) == {"ingest", "support"}
    told = invoke("keys", "list", data_dir=data_dir).stdout
    assert "website" in told
    assert key not in told
    assert [(each["name"], each["revoked_at"]) for each in listed(data_dir)] == [("website", None)]

    assert invoke("keys", "revoke", "website", data_dir=data_dir).exit_code == 0

    assert let_in(data_dir, key) is None
    (after,) = listed(data_dir)
    assert after["revoked_at"] is not None


def test_a_key_in_json_says_what_it_may_do(data_dir: Path) -> None:
    """For a program that sets an installation up."""
    answer = json.loads(invoke("keys", "create", "crm", "--scope", "marketing", "--json", data_dir=data_dir).stdout)

    assert (answer["name"], list(answer["scopes"])) == ("crm", ["marketing"])
    assert let_in(data_dir, answer["text"]) == {"marketing"}


def test_without_keys_the_list_says_how_to_make_one(data_dir: Path) -> None:
    """And that is no error."""
    told = invoke("keys", "list", data_dir=data_dir)

    assert told.exit_code == 0
    assert "starter.py keys create" in told.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "website", "--scope", "everything"), "everything"),
        (("create", "website"), "--scope"),
        (("revoke", "nobody"), "nobody"),
    ],
)
def test_what_is_wrong_with_a_key_is_one_line(data_dir: Path, words: tuple[str, ...], said: str) -> None:
    """Exit code 2, and no key is made."""
    result = invoke("keys", *words, data_dir=data_dir)

    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert listed(data_dir) == []


def test_a_second_key_of_a_name_is_refused_while_the_first_is_good(data_dir: Path) -> None:
    """`revoke website` must mean one key."""
    words = ("keys", "create", "website", "--scope", "ingest")
    assert invoke(*words, data_dir=data_dir).exit_code == 0

    assert invoke(*words, data_dir=data_dir).exit_code != 0

    assert len(listed(data_dir)) == 1
