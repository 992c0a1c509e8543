"""Files as spreadsheets and other programs write them, row by row, or refused with the line at fault."""

from pathlib import Path

import pytest

from nurture.errors import ImportFileError
from perennial.leads.importing.csv_rows import LONGEST_ROW, csv_rows


def read(folder: Path, content: bytes, delimiter: str = ",") -> list[list[str]]:
    path = folder / "leads.csv"
    path.write_bytes(content)
    return list(csv_rows(path, delimiter))


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        pytest.param(b"a,b\r1,2\r3,4\r", [["a", "b"], ["1", "2"], ["3", "4"]], id="CR alone"),
        pytest.param(b"a,b\r\n1,2", [["a", "b"], ["1", "2"]], id="CR LF, and none at the end"),
        pytest.param(b'a,b\n"1\r2",3\n', [["a", "b"], ["1\r2", "3"]], id="CR in a cell"),
        pytest.param(b"sep=;\r\na;b\r\n1;2\r\n", [["a", "b"], ["1", "2"]], id="a line that names the separator"),
        pytest.param(b"\xef\xbb\xbfsep=\t\na\tb\n", [["a", "b"]], id="the same behind a byte order mark"),
        pytest.param(b"a,b\n1," + b"x" * 300_000 + b"\n", [["a", "b"], ["1", "x" * 300_000]], id="an enormous cell"),
        pytest.param(("a\n" + "ü" * 900_000).encode(), [["a"], ["ü" * 900_000]], id="letters across blocks"),
        pytest.param(b"a\r" * 70_000, [["a"]] * 70_000, id="line ends across blocks"),
        pytest.param(b'"sep=;"\r\na;b\r\n', [["a", "b"]], id="the same in quotation marks"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_what_can_be_read_is(tmp_path: Path, content: bytes, rows: list[list[str]]) -> None:
    """Whatever ends its lines and wherever its letters fall."""
    assert read(tmp_path, content) == rows


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(
            b'a,b\n1,2\n3,"4\n5,6\n7,8\n',
            "line 3 is not CSV: it opens a quotation mark that nothing closes",
            id="stray",
        ),
        pytest.param(
            b'a,b\n"x\ny","q\n5,6\n', "line 3 is not CSV: it opens a quotation mark", id="stray, later in its row"
        ),
        pytest.param(b'a,b\n1,"2"x\n', "line 2 is not CSV", id="text behind a quotation"),
        pytest.param(
            b'a,b\n3,"4\n' + b"5,6\n" * (LONGEST_ROW // 3),
            "begins on line 2 is longer than 1,000,000 letters; a quotation mark opens on line 2",
            id="stray, in a long file",
        ),
        pytest.param(b"a,b\n1," + b"x" * LONGEST_ROW + b"\n2,3\n", "is a line end missing", id="a row without an end"),
        pytest.param("a,b\n1,ü".encode()[:-1], "it is cut inside a letter", id="cut inside a letter"),
        pytest.param(b"a,b\n" * 40_000 + b"\xe9,2\n", "line 40001, byte 160000 (0xe9) is not UTF-8", id="Latin-1"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path, content: bytes, says: str) -> None:
    """The line on which the fault began, not the one on which it was noticed."""
    with pytest.raises(ImportFileError) as refused:
        read(tmp_path, content)
    assert says in str(refused.value)
