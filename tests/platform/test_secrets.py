"""A secret is rotated: the newest signs, the earlier ones still open what they signed."""

from pathlib import Path

import pytest

from nurture.errors import InputError
from perennial.leads.suppressed_addresses import lift_address, suppress_address, suppressed_addresses
from perennial.platform.database import Database
from perennial.platform.secrets import Secrets, secrets_of, tokens_of
from perennial.platform.settings import load_settings
from perennial.platform.tokens import Tokens
from tests.builders import NOON, does

OLD, NEW, NEWEST = ("an old secret, long enough for any", "a new one, also long enough for any", "the newest " * 4)


def test_a_link_of_last_year_still_opens_and_a_new_one_is_signed_by_the_new_secret(tmp_path: Path) -> None:
    """Also after a second rotation; without the old secret it opens no more."""
    link = tokens_of(load_settings(data_dir=tmp_path, secret=OLD)).sign("preferences", "t1")
    rotated = tokens_of(load_settings(data_dir=tmp_path, secret=NEWEST, earlier_secrets=[NEW, OLD]))
    assert rotated.read("preferences", link) == ("t1",)
    assert rotated.sign("preferences", "t1") == Tokens(NEWEST).sign("preferences", "t1")
    with pytest.raises(InputError, match="not one of ours"):
        tokens_of(load_settings(data_dir=tmp_path, secret=NEWEST, earlier_secrets=[NEW])).read("preferences", link)


def test_the_data_folders_own_secret_is_an_earlier_one_once_the_settings_name_another(tmp_path: Path) -> None:
    """Links of the first weeks live on when the installation moves to a secret of its settings."""
    own = secrets_of(load_settings(data_dir=tmp_path))
    assert secrets_of(load_settings(data_dir=tmp_path)) == own
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert secrets_of(load_settings(data_dir=tmp_path, secret=NEW)) == Secrets(NEW, (own.newest,))
    assert secrets_of(load_settings(data_dir=tmp_path, secret=own.newest)) == own


async def test_an_address_is_recognised_under_every_secret(database: Database) -> None:
    """A person who was erased before the rotation is not imported after it; lifting it finds it too."""
    before, after = Secrets(OLD), Secrets(NEW, (OLD,))
    assert await does(database, lambda s: suppress_address(s, before, "ada@example.com", "erased", NOON))
    found = await does(database, lambda s: suppressed_addresses(s, after, ["ada@example.com", "bo@example.com"]))
    assert found == {"ada@example.com": "erased"}
    assert not await does(database, lambda s: suppress_address(s, after, "ada@example.com", "manual", NOON))
    assert await does(database, lambda s: lift_address(s, after, "ada@example.com"))
    assert await does(database, lambda s: suppressed_addresses(s, before, ["ada@example.com"])) == {}
