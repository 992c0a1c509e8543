"""The files that `new` writes: the path of each in the programme's folder, and its text; PROGRAMME is its name."""

_INIT = '"""The programme."""\n'

_TRACK = '''"""A download is answered, and followed up once."""

from nurture import Lead, Outcome, content_downloaded, converted, link_clicked, nurtured, opted_out, track, unreachable


@track("first-steps", enters_on=content_downloaded(), exits_on=(opted_out, unreachable, converted), graduates_at=75)
async def first_steps(lead: Lead) -> Outcome:
    """A download is answered at once; a week later comes a lesson, and for who clicked a checklist.

    A score of 75 is offered to sales at once, wherever the lead stands.
    """
    await lead.send("hello")
    clicked = await lead.wait(days=7, until=link_clicked("hello"))
    await lead.send("checklist" if clicked else "lesson")
    await lead.wait(days=14)
    return nurtured
'''

_SEGMENTS = '''"""Who is meant, by name: `segments` counts them, `enrol --segment readers` puts them on a track."""

from nurture.segments import content_downloaded, days, in_no_track, segment

readers = segment("readers", content_downloaded().within(days(30)), in_no_track())
'''

_PIECE = """---
subject: "{subject}"
preheader: "{preheader}"
stage: {stage}
topic: any
industry: any
format: {format}
order: 10
---

Hello {{{{ first_name }}}},

{body}

[{button}](https://www.example.com/{page})

Kind regards
"""

_TEST_TRACK = '''"""The track tells its story, and may ship."""

from pathlib import Path

from nurture import Rehearsal, load_catalogue
from nurture.bench.tryout import try_out

from PROGRAMME.tracks.first_steps import first_steps

CATALOGUE = load_catalogue(Path(__file__).parents[1] / "content")


def test_who_clicks_gets_the_checklist() -> None:
    """And who does not, the lesson."""
    clicked = Rehearsal(first_steps, catalogue=CATALOGUE).does("email.clicked", "hello").passes(days=21)
    assert clicked.pieces == ["hello", "checklist"]
    silent = Rehearsal(first_steps, catalogue=CATALOGUE).passes(days=21)
    assert silent.pieces == ["hello", "lesson"]


def test_the_track_may_ship() -> None:
    """Driven through its outcomes it breaks no rule, and sends only what exists."""
    assert try_out(first_steps, CATALOGUE) == []
'''

_TEST_SEGMENTS = '''"""Who is in a segment."""

from datetime import UTC, datetime

from nurture.segments import days
from nurture.segments.facts import LeadFacts, Seen

from PROGRAMME.segments import readers

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_a_reader_downloaded_something_within_a_month() -> None:
    """And is on no track now."""
    download = (Seen("content.downloaded", "guide", NOW - days(30)),)
    assert readers.includes(LeadFacts(behaviours=download), NOW)
    assert not readers.includes(LeadFacts(behaviours=download, tracks=frozenset({"first-steps"})), NOW)
    assert not readers.includes(LeadFacts(), NOW)
'''

_README = """# PROGRAMME

A programme for Perennial: what this company writes for itself.

| what | where |
| --- | --- |
| tracks, one file each | `tracks/` |
| segments | `segments.py` |
| activities of your own, as files with functions marked `@activity.defn` | `activities/`, a package |
| content, one Markdown file a piece, and the layouts around it | `content/` |
| tests | `tests/` |

In the folder that `PROGRAMME` lies in:

```sh
export PERENNIAL_PROGRAMME=PROGRAMME
perennial check                  # every piece, track and segment
python -m pytest PROGRAMME       # its tests
perennial dev                    # everything on this machine
```

From a source tree of Perennial, `python PATH/starter.py` stands for `perennial`, and `PYTHONPATH` must name
the tree for the tests.
"""


def _piece(*words: str) -> str:
    names = ("subject", "preheader", "stage", "format", "body", "button", "page")
    return _PIECE.format(**dict(zip(names, words, strict=True)))


FILES = {
    "__init__.py": _INIT,
    "README.md": _README,
    "segments.py": _SEGMENTS,
    "tracks/__init__.py": '"""The tracks, one file each."""\n',
    "tracks/first_steps.py": _TRACK,
    "tests/test_first_steps.py": _TEST_TRACK,
    "tests/test_segments.py": _TEST_SEGMENTS,
    "content/hello.md": _piece(
        "Here is what you asked for",
        "The guide, and the page to read first.",
        "awareness",
        "welcome",
        "Thank you for your interest. The guide is ready for you; page 7 is the one to begin with.",
        "Open the guide",
        "guide",
    ),
    "content/lesson.md": _piece(
        "One idea to try today",
        "Ten minutes, no tools.",
        "awareness",
        "education",
        "Take one report that you rely on, and ask who would notice if it were wrong. That is where to begin.",
        "Read how others did it",
        "lesson",
    ),
    "content/checklist.md": _piece(
        "A checklist to choose by",
        "Twelve questions for your next talk.",
        "consideration",
        "guide",
        "You have read the guide. These twelve questions help to compare what is on the market, us included.",
        "Open the checklist",
        "checklist",
    ),
}
"""By path, in the order in which they are written."""
