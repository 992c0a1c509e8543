"""Settings say which variable is wrong and what to set it to; logs say nothing about people."""

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import yaml

from nurture.errors import SettingsError
from perennial.platform.logs import configure_logs
from perennial.platform.setting_kinds import Sender
from perennial.platform.settings import Settings, load_settings, variable
from tests.paths import ROOT


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_with_nothing_set_everything_runs_in_a_folder_of_the_working_directory() -> None:
    """The defaults suffice for the embedded way to run."""
    settings = load_settings()
    assert settings.data_dir == Path(".perennial")
    assert settings.database_url == "sqlite+aiosqlite:///.perennial/perennial.db"
    assert settings.reply_to == settings.sender.address
    assert settings.content_dir.is_dir()
    assert settings.postal_address


def test_the_database_follows_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moving the data folder moves the SQLite file with it."""
    monkeypatch.setenv("PERENNIAL_DATA_DIR", "/srv/perennial")
    assert load_settings().database_url == "sqlite+aiosqlite:////srv/perennial/perennial.db"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_a_postgres_url_as_providers_hand_it_out_gets_the_asynchronous_driver(scheme: str) -> None:
    """Nobody has to know our driver, and the password stays as it was."""
    settings = load_settings(database_url=f"{scheme}://nurture:s3cret@db/perennial")
    assert settings.database_url == "postgresql+asyncpg://nurture:s3cret@db/perennial"
    assert "s3cret" not in repr(settings)


def test_the_environment_wins_over_the_env_file_and_an_option_over_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The nearer a setting is to the command, the more it counts; an option that was not given does not."""
    Path(".env").write_text(
        "PERENNIAL_TASK_QUEUE=from-file\nPERENNIAL_MAX_CACHED_WORKFLOWS=7\nTEMPORAL_ADDRESS=x:1\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PERENNIAL_TASK_QUEUE", "from-environment")
    assert load_settings().task_queue == "from-environment"
    assert load_settings().max_cached_workflows == 7
    assert load_settings(task_queue="from-option").task_queue == "from-option"
    assert load_settings(task_queue=None).task_queue == "from-environment"


def test_a_sender_is_written_as_in_a_mail_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name and an address in one variable; replies go there unless told otherwise."""
    monkeypatch.setenv("PERENNIAL_SENDER", "Dana Reyes <dana@acme.com>")
    settings = load_settings()
    assert settings.sender == Sender(name="Dana Reyes", address="dana@acme.com")
    assert str(settings.sender) == "Dana Reyes <dana@acme.com>"
    assert settings.reply_to == "dana@acme.com"


def test_settings_do_not_change_under_a_running_worker() -> None:
    """They are read once and frozen."""
    with pytest.raises(ValueError, match="frozen"):
        load_settings().task_queue = "other"  # type: ignore[misc]  # this is what is refused


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("PERENNIAL_POSTAL_ADDRESS", "   ", "postal address"),
        ("PERENNIAL_PROVIDER", "pigeon", "mailbox"),
        ("PERENNIAL_SENDER", "nobody", "Dana Reyes <dana@your-company.com>"),
        ("PERENNIAL_SENDER", '"Reyes; Dana" <dana@acme.com>', "Dana Reyes <dana@your-company.com>"),
        ("PERENNIAL_REPLY_TO", "nobody", "hello@your-company.com"),
        ("PERENNIAL_DATABASE_URL", "mysql://u:s3cret@h/db", "postgresql://"),
        ("PERENNIAL_DATABASE_URL", "s3cret", "sqlite:///perennial.db"),
        ("PERENNIAL_CONTENT_DIR", "no/such/folder", "./content"),
        ("PERENNIAL_PUBLIC_URL", "nurture.acme.com", "https://"),
        ("PERENNIAL_MAX_CACHED_WORKFLOWS", "0", "keeps in memory"),
        ("PERENNIAL_MAX_CONCURRENT_ACTIVITIES", "many", "1 or more"),
        ("PERENNIAL_EARLIER_SECRETS", "s3cret", "earlier secrets"),
        ("PERENNIAL_EARLIER_SECRETS", '["s3cret', "a JSON array"),
        ("PERENNIAL_SENDGRID_WEBHOOK_KEY", "s3cret", "the verification key"),
        ("PERENNIAL_CRM_WEBHOOK_SECRET", "whsec_s3cret", "a Standard Webhooks secret"),
        ("PERENNIAL_LOG_FORMAT", "xml", "console or json"),
    ],
)
def test_a_bad_value_gives_one_line_with_the_variable_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, remedy: str
) -> None:
    """No traceback, no second complaint about what follows from the first, and no secret shown."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    line = str(refused.value)
    assert line.startswith(f"{name} is not usable: ")
    assert remedy in line
    assert "\n" not in line
    assert line.count("is not usable") == 1
    assert "s3cret" not in line


def test_two_bad_values_are_both_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One round of mending is enough."""
    monkeypatch.setenv("PERENNIAL_PROVIDER", "pigeon")
    monkeypatch.setenv("PERENNIAL_LOG_LEVEL", "loud")
    with pytest.raises(SettingsError, match=r"PERENNIAL_PROVIDER.*; PERENNIAL_LOG_LEVEL"):
        load_settings()


REAL = {
    "provider": "smtp",
    "secret": "0123456789abcdef0123456789abcdef",
    "sender": "Dana Reyes <dana@acme.com>",
    "postal_address": "Acme, 5 High Street, Leeds LS1 4AP, United Kingdom",
    "public_url": "https://nurture.acme.com",
}
"""Settings that mail may go out with."""


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("secret", "change-me-to-32-random-characters-or-more", "it is the sample's"),
        ("secret", "x" * 40, "it is not random"),
        ("sender", "Maya at Northwind <maya@northwind.example>", "no mail reaches this domain"),
        ("sender", "Dana <dana@mail.EXAMPLE.com>", "no mail reaches this domain"),
        ("sender", "Dana <dana@your-company.com>", "no mail reaches this domain"),
        ("reply_to", "hello@northwind.example", "no mail reaches this domain"),
        ("postal_address", "northwind analytics,  1 Harbour Street, Rotterdam, Netherlands", "it is the sample's"),
        ("public_url", "http://nurture.acme.com", "it is not https"),
        ("public_url", "https://localhost:8000", "leads cannot reach it"),
        ("public_url", "https://127.0.0.1", "leads cannot reach it"),
        ("public_url", "https://[::1]:8000/p", "leads cannot reach it"),
        ("public_url", "https://10.0.0.7", "leads cannot reach it"),
        ("public_url", "https://nurture.example", "leads cannot reach it"),
    ],
)
@pytest.mark.parametrize("provider", ["smtp", "sendgrid"])
def test_a_value_of_the_sample_is_refused_once_mail_really_goes_out(
    provider: str, field: str, value: str, fault: str
) -> None:
    """One line with the variable, the fault and the remedy."""
    with pytest.raises(SettingsError) as refused:
        load_settings(**(REAL | {"provider": provider, field: value}))
    line = str(refused.value)
    assert line.startswith(f"{variable(field)} is not usable: ")
    assert fault in line
    assert line.count("is not usable") == 1


def test_settings_of_a_company_of_its_own_are_taken() -> None:
    """Also when its name contains that of a reserved domain."""
    assert load_settings(**REAL, sendgrid_api_key="SG.x").provider == "smtp"
    assert load_settings(**(REAL | {"sender": "Dana <dana@bestexample.com>", "provider": "sendgrid"}))


@pytest.mark.parametrize(
    "told",
    [
        {"provider": "mailbox"},
        {"provider": "database"},
        {"provider": "sendgrid", "sendgrid_host": "http://127.0.0.1:1"},
    ],
    ids=["mailbox", "database", "a SendGrid of this machine"],
)
def test_a_trial_may_use_the_sample(told: dict[str, str]) -> None:
    """Nothing goes out, and no lead reaches the web service."""
    assert load_settings(**told, secret="change-me-to-32-random-characters-or-more")


def test_the_samples_secret_is_refused_where_leads_reach_the_web_service() -> None:
    """With it anybody could sign a redirect of ours to any site, whatever the provider."""
    with pytest.raises(SettingsError, match="PERENNIAL_SECRET is not usable: it is the sample's"):
        load_settings(public_url="https://nurture.acme.com", secret="change-me-to-32-random-characters-or-more")


def test_every_value_of_the_sample_is_known() -> None:
    """What the compose file and our own defaults give is refused: each has a fault."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    given = {
        name.removeprefix("PERENNIAL_").lower(): found[1]
        for name, value in compose["services"]["web"]["environment"].items()
        if (found := re.fullmatch(r"\$\{\w+:-(.*)\}", str(value)))
    }
    for sample in ({name: given[name] for name in ("secret", "sender", "postal_address", "public_url")}, {}):
        with pytest.raises(SettingsError) as refused:
            load_settings(provider="smtp", **sample)
        for name in ("sender", "postal_address", "public_url", *(["secret"] if sample else [])):
            assert f"{variable(name)} is not usable" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", ()),
        ("a" * 32, ("a" * 32,)),
        (f"{'a' * 32} {'b' * 32},{'c' * 32}\n", ("a" * 32, "b" * 32, "c" * 32)),
        (f'["{"a b " * 9}"]', ("a b " * 9,)),
    ],
)
def test_earlier_secrets_stand_in_one_variable(
    monkeypatch: pytest.MonkeyPatch, text: str, read: tuple[str, ...]
) -> None:
    """Separated by spaces or commas, or as a JSON array."""
    monkeypatch.setenv("PERENNIAL_EARLIER_SECRETS", text)
    assert load_settings().earlier_secrets == read


def test_a_misspelt_variable_is_refused_with_the_right_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that silently does nothing is found out in production."""
    monkeypatch.setenv("PERENNIAL_DATABSE_URL", "sqlite:///x.db")
    with pytest.raises(SettingsError, match="did you mean PERENNIAL_DATABASE_URL"):
        load_settings()


def test_an_env_file_that_is_not_text_is_refused() -> None:
    """The message names the file."""
    Path(".env").write_bytes(b"PERENNIAL_TASK_QUEUE=\xff\xfe\n")
    with pytest.raises(SettingsError, match=r"\.env cannot be read"):
        load_settings()


@pytest.mark.usefixtures("_logging_as_before")
@pytest.mark.parametrize("log_format", ["console", "json"])
def test_no_address_reaches_the_logs_by_any_way(log_format: str) -> None:
    """Not in a message, a value, a nested value, a URL, a traceback, nor through a library's own logger."""
    stream = io.StringIO()
    configure_logs("json" if log_format == "json" else "console", stream=stream)
    ours, theirs = structlog.get_logger("perennial"), logging.getLogger("aiosqlite")
    ours.info("sent to ann@acme.com", who="ann@acme.com", deep={"ann@acme.com": ["x", ("ann@acme.com", 3)]})
    ours.info("opened", url="https://x.io/u?to=ann%40acme.com", lead=Sender(name="Ann", address="ann@acme.com"))
    theirs.warning("bad row\n%s", "ann@acme.com")
    try:
        raise ValueError("no such lead: ann@acme.com")  # noqa: TRY301  # a traceback is what is tested
    except ValueError:
        ours.exception("failed")
        theirs.exception("failed")
    text = stream.getvalue()
    assert "acme" not in text
    assert text.count("[e-mail]") >= 8
    assert "no such lead" in text


@pytest.mark.usefixtures("_logging_as_before")
def test_production_logs_are_one_json_object_a_line() -> None:
    """Also with line breaks and accents beside an address."""
    stream = io.StringIO()
    configure_logs("json", stream=stream)
    structlog.get_logger("perennial").info("touch.sent", note="à\nrené@acme.com", step="send:welcome")
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert entry["event"] == "touch.sent"
    assert entry["note"] == "à\n[e-mail]"
    assert (entry["level"], entry["logger"], entry["step"]) == ("info", "perennial", "send:welcome")


@pytest.mark.usefixtures("_logging_as_before")
def test_libraries_speak_from_warnings_on() -> None:
    """A worker's log is about journeys."""
    stream = io.StringIO()
    configure_logs("console", level="debug", stream=stream)
    for name in ("temporalio.worker", "sqlalchemy.engine.Engine"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("trouble")
    assert "chatter" not in stream.getvalue()
    assert stream.getvalue().count("trouble") == 2
