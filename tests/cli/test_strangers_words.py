"""Whatever strangers write reaches the terminal as text: no escape sequence, no markup, no line of its own."""

import asyncio
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from models.journeys import Alert
from models.leads import BehaviourRow
from models.touches import Message
from perennial.cli.printing import SafeConsole, escape
from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from perennial.platform.settings import load_settings
from perennial.platform.terminal import escaped_in_json, shown
from tests.builders import enrolment, granted, person, store, touch
from tests.cli.conftest import invoke
from tests.paths import ROOT

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\u202e\r\nEnrolled [/x] [red]all[/]"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose database holds hostile words wherever the world can write."""
    folder = tmp_path_factory.mktemp("hostile")
    settings = load_settings(data_dir=folder)
    at = datetime.now(UTC)
    lead = person(first_name=HOSTILE, last_name=HOSTILE, company=HOSTILE, traits={"topic": HOSTILE, "x": HOSTILE})
    sent = touch(at=at, state="refused", provider_id=HOSTILE, reason=HOSTILE)
    rows = [
        granted(at=at, source=HOSTILE),
        enrolment(at=at, step=HOSTILE, because=[HOSTILE]),
        BehaviourRow(id=HOSTILE, lead_id="l1", name="page.viewed", subject=HOSTILE, at=at, received_at=at),
        Alert(enrolment_id="new-lead/l1/1", lead_id="l1", step_key="alert:x", text=HOSTILE, at=at),
        Message(
            touch_id="t1", lead_id="l1", sender=HOSTILE, to=HOSTILE, subject=HOSTILE, text=HOSTILE, html=HOSTILE, at=at
        ),
    ]

    async def keep() -> None:
        await upgrade(settings.database_url)
        database = Database(settings.database_url)
        await store(database, lead)
        await store(database, sent, *rows)
        await database.close()

    asyncio.run(keep())
    return folder


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize(
    "words",
    [
        ("show", "l1"),
        ("why", "l1"),
        ("leads",),
        ("alerts",),
        ("mail",),
        ("mail", "--open", "t1"),
        ("tracks",),
    ],
    ids=" ".join,
)
def test_a_command_prints_what_strangers_wrote_as_text(
    data_dir: Path, words: tuple[str, ...], *, as_json: bool
) -> None:
    """Every field that the world can fill holds a title change, a clear screen, a reversal and markup."""
    done = invoke(*words, *(["--json"] if as_json else []), data_dir=data_dir, PERENNIAL_PROVIDER="database")
    assert done.exit_code in {0, 3}, done.output
    assert not CONTROLS.search(done.output)
    if as_json:
        json.loads(done.stdout)
    elif words[0] != "mail":
        assert not re.search(r"^Enrolled", done.output, re.MULTILINE)


def test_an_error_repeats_a_hostile_argument_as_text(data_dir: Path) -> None:
    """Also bytes of a command line that are no text."""
    done = invoke("show", f"{HOSTILE}\udcff", data_dir=data_dir)
    assert done.exit_code == 2
    assert not CONTROLS.search(done.output)


def test_a_console_keeps_its_own_colours_and_shows_the_texts_controls() -> None:
    """In text, markup and the cells of a table."""
    file = io.StringIO()
    console = SafeConsole(file=file, force_terminal=True, color_system="standard", width=80)
    table = Table("head")
    table.add_row("cell\x1b[2J")
    for each in ("[red]a\x1b[2J[/]", Text("b\x9b2J", "bold"), table):
        console.print(each)
    said = file.getvalue()
    assert "\x1b[31ma␛" in said
    assert "\x1b[1mb�2J\x1b[0m" in said
    assert "cell␛[2J" in said


def test_a_value_in_json_is_the_same_value() -> None:
    """Escaping changes how a document is written, not what it says."""
    assert json.loads(escaped_in_json(json.dumps({"x": HOSTILE}, indent=2, ensure_ascii=False))) == {"x": HOSTILE}


@pytest.mark.parametrize("text", ["Zoë Ångström", "制造业", "עברית עם \u200fסימן", "👩‍💻", "a\tb\nc"])
def test_every_script_stays_as_it_is(text: str) -> None:
    """Only what steers a terminal is replaced."""
    assert shown(text) == text


def test_a_value_stays_on_its_line() -> None:
    """A line break in a name would look like a line of ours."""
    assert escape("Ada\nEnrolled") == "Ada␊Enrolled"


def test_words_that_are_gone_are_said_to_be() -> None:
    """A reference that nobody knows any more tells a reader nothing."""
    assert (
        escape("viewed ref:0123456789abcdef, enrolled (ref:fedcba9876543210)") == "viewed (erased), enrolled ((erased))"
    )
    assert escape("ref: see the contract") == "ref: see the contract"


def test_everything_is_printed_in_one_place() -> None:
    """A console, a markup escape or a print of a command's own would pass strangers' words on as they are."""
    own = re.compile(r"(?<!Safe)\bConsole\(|from rich\.markup|(?<![.\w])print\(|sys\.std(?:out|err)\.write")
    rooms = [*(ROOT / "perennial" / "cli").glob("*.py"), *(ROOT / "perennial" / "demo").glob("*.py")]
    found = {path.name: own.findall(path.read_text(encoding="utf-8")) for path in rooms}
    found = {name: hits for name, hits in found.items() if hits and name != "printing.py"}
    # Both print addresses of ours, `dev` through `shown`; the reference is written to a file.
    assert found.keys() <= {"dev.py", "mailbox.py", "reference.py"}
