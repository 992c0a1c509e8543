"""Leads are read from CSV by a mapping; what is wrong is named by file, line, row or key."""

from __future__ import annotations

import csv
import gzip
import runpy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from nurture.errors import ImportFileError, InputError
from nurture.people.slugs import slug
from perennial.leads.importing.leads_file import LeadRecord, Reject, check_file, read_leads, rejects_file, rejects_path
from perennial.leads.importing.mapping import BehaviourColumn, LeadMapping, SuppressionColumn, TraitColumn, read_mapping
from tests.paths import SAMPLE

PLAIN = LeadMapping.model_validate(
    {
        "source": "test",
        "basis": "consent",
        "not_given": ["", "Select"],
        "segment": ["Note"],
        "lead": {
            "external_id": "Id",
            "email": "E-mail",
            "first_name": "Name",
            "country": "Country",
            "time_zone": "Zone",
        },
        "traits": {"industry": {"column": "Industry", "values": {"Shops": "retail"}}},
        "suppress": [{"column": "No mail", "values": ["Yes"], "harmless": ["No"]}],
        "behaviours": [{"column": "Last", "values": {"Clicked": "email.clicked"}, "subject": "news", "time": "On"}],
    }
)
HEADER = "Id,E-mail,Name,Country,Zone,Industry,Note,No mail,Last,On"
HEAD = "source = 'x'\nbasis = 'consent'\n[lead]\nemail = 'E'\n"
ANN = "1,Ann@northwind.example,Ann,Germany,,Shops,vip,No,Clicked,2026-03-01"


def written(folder: Path, *lines: str, name: str = "leads.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read_one(folder: Path, line: str, mapping: LeadMapping = PLAIN) -> LeadRecord | Reject:
    (only,) = read_leads(written(folder, HEADER, line), mapping)
    return only


def test_a_row_becomes_a_record_by_the_mapping(tmp_path: Path) -> None:
    """Every kind of key in the mapping is read as it says."""
    record = read_one(tmp_path, ANN)
    assert isinstance(record, LeadRecord)
    assert (record.row, record.email, record.email_key) == (2, "Ann@northwind.example", "ann@northwind.example")
    assert (record.external_id, record.first_name, record.country) == ("1", "Ann", "DE")
    assert record.time_zone == "Europe/Berlin"
    assert (record.traits, record.segment) == ({"industry": "retail"}, {"Note": "vip"})
    assert record.suppress == ()
    (click,) = record.behaviours
    assert (click.name, click.subject) == ("email.clicked", "news")
    assert click.at == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("text", "time_format", "when"),
    [
        ("02.05.2026", "%d.%m.%Y", date(2026, 5, 2)),
        ("02.05.2026 00:00", "%d.%m.%Y %H:%M", datetime(2026, 5, 2, tzinfo=UTC)),
        ("2026-05-02", None, date(2026, 5, 2)),
        ("2026-05-02T00:00", None, datetime(2026, 5, 2, tzinfo=UTC)),
    ],
)
def test_a_date_without_a_time_is_a_day_and_no_midnight(text: str, time_format: str | None, when: date) -> None:
    """Midnight in UTC is the day before in half of the world."""
    rule = {"column": "L", "values": {"A": "deal.lost"}, "time": "On", "time_format": time_format}
    assert BehaviourColumn.model_validate(rule).when(text) == when


def test_what_is_not_given_is_left_out(tmp_path: Path) -> None:
    """An untouched drop-down must not become the industry `select`."""
    record = read_one(tmp_path, "1,ann@northwind.example,,,,select,Select,No,,")
    assert isinstance(record, LeadRecord)
    assert (record.first_name, record.country, record.time_zone) == (None, None, None)
    assert (record.traits, record.segment, record.behaviours) == ({}, {}, ())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,ann.northwind.example,Ann,,,,,No,,", "not an e-mail address: it needs exactly one @-sign"),
        ("1,,Ann,,,,,No,,", "not an e-mail address: it is empty"),
        (",ann@northwind.example,Ann,,,,,No,,", "Id is empty"),
        ("1,ann@northwind.example,Ann,Atlantis,,,,No,,", "unknown Country 'Atlantis'"),
        ("1,ann@northwind.example,Ann,DE,Berlin,,,No,,", "unknown time zone 'Berlin'"),
        ("1,ann@northwind.example,Ann,,,,,Yess,,", "No mail 'Yess' is in neither list"),
        ("1,ann@northwind.example,Ann,,,,,No,Clicked,31.3.26", "On '31.3.26' is no time"),
        ("1,ann@northwind.example,Ann", "has 3 fields, the header has 10"),
        ("1,ann@northwind.example,A\0nn,,,,,No,,", "NUL"),
        (f"1,ann@northwind.example,{'A' * 129},,,,,No,,", "Name is 129 letters long"),
    ],
)
def test_a_bad_row_is_rejected_with_its_number_and_reason(tmp_path: Path, line: str, reason: str) -> None:
    """Each defect that the store or the gate would choke on later is met here, with its row."""
    reject = read_one(tmp_path, line)
    assert isinstance(reject, Reject)
    assert reject.row == 2
    assert reason in reject.reason
    assert reject.values == tuple(line.split(","))


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    """A field over two lines and an empty line must not shift the number a person looks up."""
    path = written(tmp_path, HEADER, '1,ann@northwind.example,"An\nn",,,,,No,,', "", "2,bob,Bob,,,,,No,,")
    assert [one.row for one in read_leads(path, PLAIN)] == [2, 4]
    assert check_file(path, PLAIN).rows == 2


def test_the_second_of_two_alike_rows_is_rejected(tmp_path: Path) -> None:
    """By address in any case or by id; the reason names the row that was taken."""
    path = written(
        tmp_path,
        HEADER,
        ANN,
        "2,ANN@northwind.example,Ann,,,,,No,,",
        "1,bob@northwind.example,Bob,,,,,No,,",
        "3,ann+1@northwind.example,Ann,,,,,No,,",
    )
    first, by_address, by_id, other = read_leads(path, PLAIN)
    assert isinstance(first, LeadRecord)
    assert isinstance(other, LeadRecord)
    assert isinstance(by_address, Reject)
    assert isinstance(by_id, Reject)
    assert by_address.reason == "the same address as row 2"
    assert by_id.reason == "the same id as row 2"


def test_an_opt_out_is_read_in_any_case(tmp_path: Path) -> None:
    """`yes` and ` YES ` mean what `Yes` means."""
    for text in ("yes", " YES "):
        record = read_one(tmp_path, f"1,ann@northwind.example,Ann,,,,,{text},,")
        assert isinstance(record, LeadRecord)
        assert record.suppress == ("opt-out",)


def test_a_file_is_read_the_same_plain_compressed_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Excel writes the mark, exports come compressed."""
    plain = list(read_leads(written(tmp_path, HEADER, ANN), PLAIN))
    text = f"{HEADER}\r\n{ANN}\r\n"
    marked = tmp_path / "marked.csv"
    marked.write_bytes(text.encode("utf-8-sig"))
    packed = tmp_path / "packed.CSV.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert list(read_leads(marked, PLAIN)) == plain == list(read_leads(packed, PLAIN))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "first row is empty"),
        (b"\n\n", "first row is empty"),
        (f"{HEADER}\n".encode() + b"1,ann@northwind.example,Jos\xe9", "line 2, byte 85 (0xe9) is not UTF-8"),
        (b"\xef\xbb\xbfId,Jos\xe9", "line 1, byte 9 (0xe9) is not UTF-8"),
        (HEADER.encode("utf-16"), "UTF-16"),
        (b"Id,Email,Name\n", "no column 'E-mail' (mapping: lead.email); did you mean 'Email'?"),
        (HEADER.replace(",", ";").encode(), "delimiter = ';'"),
        (f"{HEADER},Id\n".encode(), "two columns are called 'Id'"),
        (f'{HEADER}\n1,"ann@northwind.example,Ann\n'.encode(), "is not CSV"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_what_to_do(tmp_path: Path, content: bytes, says: str) -> None:
    """Before its first record is given, so that nothing is half imported."""
    path = tmp_path / "leads.csv"
    path.write_bytes(content)
    with pytest.raises(ImportFileError) as error:
        read_leads(path, PLAIN)
    assert says in str(error.value)
    assert str(path) in str(error.value)


def test_a_missing_foreign_or_damaged_file_is_named(tmp_path: Path) -> None:
    """No traceback for a typing mistake or a broken download."""
    with pytest.raises(ImportFileError, match="No such file"):
        read_leads(tmp_path / "none.csv", PLAIN)
    with pytest.raises(ImportFileError, match=r"\.csv or \.csv\.gz"):
        read_leads(tmp_path / "leads.xlsx", PLAIN)
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(f"{HEADER}\n{ANN}\n".encode())[:-9])
    with pytest.raises(ImportFileError, match="cut short"):
        read_leads(cut, PLAIN)


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("source = ", "not TOML"),
        ("source = 'x'\nbasis = 'consent'", "lead: is missing"),
        ("source = 'x'\nbasis = 'hope'\n[lead]\nemail = 'E'", "basis: input should be 'consent'"),
        (
            HEAD + "firstname = 'N'",
            "lead.firstname: unknown key; did you mean 'first_name'?",
        ),
        (
            HEAD + "default_time_zone = 'Berlin'",
            "lead.default_time_zone: unknown time zone",
        ),
        (
            HEAD + "[traits.topic]\ncolumn = 'T'\nvalues = { A = 'Data Quality' }",
            "write 'data-quality'",
        ),
        (
            HEAD + "[[behaviours]]\ncolumn = 'L'\nvalues = { A = 'email.klicked' }\ndays_before = 1",
            "unknown behaviour 'email.klicked'",
        ),
        (
            HEAD + "[[behaviours]]\ncolumn = 'L'\nvalues = { A = 'email.clicked' }",
            "say when",
        ),
    ],
)
def test_a_wrong_mapping_names_the_key_and_the_remedy(tmp_path: Path, toml: str, says: str) -> None:
    """A mapping is written by hand, so its mistakes are answered as a colleague would."""
    path = written(tmp_path, toml, name="mapping.toml")
    with pytest.raises(ImportFileError) as error:
        read_mapping(path)
    assert says in str(error.value)
    assert str(path) in str(error.value)


def test_rejects_are_kept_with_the_rows_own_columns_and_nothing_else(tmp_path: Path) -> None:
    """The file can be mended and imported again; other rows' personal data is not in it."""
    path = written(tmp_path, HEADER, ANN, "2,bob,Bob,,,,,No,,")
    columns = check_file(path, PLAIN).columns
    target = rejects_path(path)
    with rejects_file(target, columns) as keep:
        for one in read_leads(path, PLAIN):
            if isinstance(one, Reject):
                keep(one)
    assert target.name == "leads.csv.rejects.csv"
    with target.open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)
    assert header == ["row", "reason", *columns]
    assert row[:2] == ["3", "not an e-mail address: it needs exactly one @-sign"]
    assert ",".join(row[2:]) == "2,bob,Bob,,,,,No,,"
    assert target.stat().st_mode & 0o077 == 0


FORMULAS = ("=cmd|' /C calc'!A1", "+49 30 555", "-2", "@SUM(1)", " =1+1", "'=1+1", "＝1+1", "\t=1", "\r=1")


@pytest.mark.parametrize("cell", [*FORMULAS, "plain", "'tis", "1-2", ""])
def test_a_reject_is_text_to_a_spreadsheet_and_itself_when_imported_again(tmp_path: Path, cell: str) -> None:
    """Whoever fills a form may write a formula, and whoever mends the rejects opens them in a spreadsheet."""
    path, target = tmp_path / "leads.csv", tmp_path / "again.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER.split(","), ["2", "bob", cell, "", "", "", cell, "No", "", ""]])
    with rejects_file(target, check_file(path, PLAIN).columns) as keep:
        (first,) = read_leads(path, PLAIN)
        assert isinstance(first, Reject)
        keep(first)
    with target.open(encoding="utf-8", newline="") as file:
        written_cells = [each for row in csv.reader(file) for each in row]
    assert not [each for each in written_cells if each.lstrip().startswith(("=", "+", "-", "@", "＝"))]

    (again,) = read_leads(target, PLAIN)

    assert isinstance(again, Reject)
    assert again.values[2:] == first.values


def test_an_import_without_rejects_takes_the_old_rejects_file_away(tmp_path: Path) -> None:
    """A stale file would send someone to mend rows that are long in."""
    target = written(tmp_path, "row,reason", name="leads.csv.rejects.csv")
    with rejects_file(target, ("Id",)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_matters_only_to_rejects() -> None:
    """A container may import from a folder that it can only read."""
    target = Path("/proc/leads.csv.rejects.csv")
    with rejects_file(target, ("Id",)):
        pass
    with pytest.raises(ImportFileError, match="--rejects"), rejects_file(target, ("Id",)) as keep:
        keep(Reject(2, "bad", ("1",)))


def test_a_failed_import_leaves_the_rejects_file_as_it_was(tmp_path: Path) -> None:
    """Half a list of rejects would pass for the whole."""
    target = written(tmp_path, "row,reason", name="leads.csv.rejects.csv")

    def fail() -> None:
        with rejects_file(target, ("Id",)) as keep:
            keep(Reject(2, "bad", ("1",)))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_text() == "row,reason\n"


def test_text_becomes_a_slug() -> None:
    """The slugs of the mapping's values and of unmapped texts are alike."""
    assert slug("Banking, Investment And Insurance") == "banking-investment-and-insurance"
    assert slug("  Café  & Öl ") == "cafe-ol"


def test_the_sample_is_generated_byte_for_byte(tmp_path: Path) -> None:
    """A change of the sample is a change of sample/generate.py, which anyone can run."""
    generate = runpy.run_path(str(SAMPLE / "generate.py"))["generate"]
    generate(tmp_path / "leads.csv")
    assert (tmp_path / "leads.csv").read_bytes() == (SAMPLE / "leads.csv").read_bytes()


def test_the_sample_has_300_leads_and_three_rows_to_mend() -> None:
    """A first import shows what rejects look like, and every audience is large enough for a demo."""
    rows = list(read_leads(SAMPLE / "leads.csv", read_mapping(SAMPLE / "mapping.toml")))
    leads = [row for row in rows if isinstance(row, LeadRecord)]
    rejects = [row.reason for row in rows if isinstance(row, Reject)]
    assert len(leads) == 300
    assert len(rejects) == 3
    for reason in ("the same address as row", "not an e-mail address", "unknown time zone"):
        assert any(said.startswith(reason) for said in rejects)
    assert all(lead.email.endswith(".example") for lead in leads)
    assert 3 <= sum(bool(lead.suppress) for lead in leads) <= 10
    assert len({lead.time_zone for lead in leads}) > 20
    audiences = [lead.segment["Audience"] for lead in leads]
    assert {name: audiences.count(name) for name in set(audiences)} == {"new": 170, "lost": 70, "dormant": 60}
    assert {lead.traits["topic"] for lead in leads} == {
        "data-quality",
        "forecasting",
        "dashboards",
        "data-governance",
    }


def test_x_education_rows_follow_its_mapping(tmp_path: Path) -> None:
    """Of a set with no names: made-up addresses, `Select` as not given, opt-outs kept, no outcome as a trait."""
    mapping = read_mapping(SAMPLE / "x-education.toml")
    columns = ["Lead Number", "Lead Quality", "Lead Profile", *mapping.columns()]
    row = dict.fromkeys(dict.fromkeys(columns), "Select") | {
        "Prospect ID": "7927b2df",
        "Lead Number": "660737",
        "Lead Quality": "Worst",
        "Lead Source": "Organic Search",
        "Do Not Email": "Yes",
        "Last Activity": "Email Link Clicked",
        "Country": "India",
        "Specialization": "Banking, Investment And Insurance",
        "What is your current occupation": "Working Professional",
        "Tags": "Lost to EINS",
    }
    path = tmp_path / "leads.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    (record,) = read_leads(path, mapping)
    assert isinstance(record, LeadRecord)
    assert record.email == "lead-660737@x-education.example"
    assert (record.external_id, record.country, record.time_zone) == ("7927b2df", "IN", "Asia/Kolkata")
    assert record.traits == {
        "source": "organic-search",
        "occupation": "working-professional",
        "industry": "finance",
        "topic": "forecasting",
    }
    assert record.segment["Tags"] == "Lost to EINS"
    assert record.suppress == ("opt-out",)
    assert [(one.name, one.at, one.before) for one in record.behaviours] == [
        ("email.clicked", None, timedelta(days=30))
    ]
    assert "Worst" not in str(replace(record, values=()))


def test_a_value_that_no_slug_keeps_is_told() -> None:
    """Dropped in silence, nobody would know why the lead is in no segment."""
    with pytest.raises(InputError, match=r"Branch .* no letter or digit"):
        TraitColumn(column="Branch").read("???")
    assert TraitColumn(column="Branch", others="drop").read("???") == ""
    assert TraitColumn(column="Branch", values={"Shops": "retail"}).read("SHOPS") == "retail"


def test_rows_without_a_word_are_skipped_and_counted_nowhere(tmp_path: Path) -> None:
    """Spreadsheets leave rows of delimiters behind, old systems a Ctrl-Z."""
    path = written(tmp_path, HEADER, ANN, ",,,,,,,,,", " ,\u00a0,\u200b,,,,,,,", "\x1a")
    assert [each.row for each in read_leads(path, PLAIN)] == [2]
    assert check_file(path, PLAIN).rows == 1


@pytest.mark.parametrize("text", ["yes", " YES\u00a0", "yes\u200b", "\ufeffYes", "ｙｅｓ", "yes\x7f"])
def test_a_yes_is_a_yes_whatever_nobody_sees_around_it(text: str) -> None:
    """Without `harmless`, a text that is not understood would be mailed."""
    rule = SuppressionColumn(column="No mail", values=("Yes",))
    assert rule.applies(text, given=True)
    assert not rule.applies("yes, please", given=True)


def test_a_header_is_read_without_what_nobody_sees(tmp_path: Path) -> None:
    """A second byte order mark, or a zero-width space, is no part of a name."""
    path = written(tmp_path, f"\ufeff\ufeff{HEADER}\u200b", f"\u200b{ANN}")
    (record,) = read_leads(path, PLAIN)
    assert isinstance(record, LeadRecord)
    assert (record.external_id, record.email_key) == ("1", "ann@northwind.example")
