"""What an author may get wrong with a lead and its steps is refused when its file is read, with line and remedy."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from nurture.errors import NotFoundError
from nurture.journey.track import Registry, load_tracks

HEAD = """\
import contextlib
from datetime import timedelta
from nurture import Lead, Outcome, days, hand_to_sales, link_clicked, nurtured, opted_out, page_viewed, track

KEPT = []
SEEN = {}
TOPICS = {"forecasting", "dashboards"}
SEVEN = 7
TICKS = iter(range(100))
BY_INDUSTRY = {"retail": {"a", "b"}}

class Shop:
    topics = {"a", "b"}

    class Inner:
        kept = []

class Quiet:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return True

class Choosy(Quiet):
    def __exit__(self, kind, *_):
        return kind is ValueError

@contextlib.contextmanager
def silent():
    try:
        yield
    except BaseException:
        pass

def picked():
    return {"a", "b"}
"""
SOUND = """
@track("sound", exits_on=(opted_out,))
async def sound(lead: Lead) -> Outcome:
    await lead.send("welcome")
    return nurtured
"""

Load = Callable[..., Registry]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Read files of tracks, by their names, as a package of their own."""

    def loaded(**files: str) -> Registry:
        package = f"authored_{tmp_path.name.replace('-', '_')}"
        folder = tmp_path / package
        folder.mkdir()
        (folder / "__init__.py").touch()
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        importlib.invalidate_caches()
        registry = load_tracks(package)
        for name in [each for each in sys.modules if each.startswith(package)]:
            monkeypatch.delitem(sys.modules, name)
        return registry

    return loaded


def story(body: str, *, arguments: str = "", below: str = "") -> str:
    """A file of one track with this body; its first line is marked."""
    lines = indent(dedent(body).strip(), "    ")
    rest = dedent(below)
    return f'{HEAD}\n@track("tried"{arguments})\nasync def tried(lead):\n{lines}\n    return nurtured\n{rest}'


WRONG = {
    "a step without await": (
        'lead.send("a")  # here',
        "without await",
        'write `await lead.send("a")`'.replace('"', "'"),
    ),
    "a wait without await": ("if lead.wait(days=7):  # here\n    pass", "without await", "write `await"),
    "a helper without await": ("hand_to_sales(lead)  # here", "without await", "write `await hand_to_sales(lead)`"),
    "an inner function without await": (
        "async def inner():\n    await lead.send('a')\ninner()  # here",
        "without await",
        "write `await inner()`",
    ),
    "a step under another name of the lead": ("one = lead\none.send('a')  # here", "without await", "write `await one"),
    "a step kept for later": ("kept = lead.send('a')  # here\nawait kept", "without await", "write `await lead.send"),
    "a step handed back unawaited": ("return lead.send('a')  # here", "without await", "write `await lead.send"),
    "a set in a loop": ("for piece in {'a', 'b'}:  # here\n    await lead.send(piece)", "takes a set", "sorted(...)"),
    "a global set": ("for piece in TOPICS:  # here\n    await lead.send(piece)", "takes a set", "sorted(...)"),
    "a set by name": (
        "found = set('ab')\nfor x in found:  # here\n    await lead.send(x)",
        "takes a set",
        "sorted(...)",
    ),
    "sets joined": ("for x in TOPICS | {'c'}:  # here\n    await lead.send(x)", "takes a set", "sorted(...)"),
    "a list of a set": ("await lead.send(list(TOPICS)[0])  # here", "takes a set", "sorted(...)"),
    "a comprehension over a set": ("x = [each for each in TOPICS]  # here", "takes a set", "sorted(...)"),
    "the next of a set": ("await lead.send(next(iter(TOPICS)))  # here", "takes a set", "sorted(...)"),
    "a set's pop": ("x = {'a', 'b'}\nawait lead.send(x.pop())  # here", "takes a set", "sorted(...)"),
    "a set as variants": ("await lead.choose('x', {'a', 'b'})  # here", "takes a set", "sorted(...)"),
    "a set in a text": ("await lead.alert(f'{TOPICS}')  # here", "takes a set", "sorted(...)"),
    "two matchers joined by and": (
        "await lead.wait(days=1, until=link_clicked('a') and page_viewed('/b'))  # here",
        "for true or false",
        "write `a | b`",
    ),
    "two matchers joined by or": (
        "either = opted_out or page_viewed()  # here\nawait lead.wait(days=1, until=either)",
        "for true or false",
        "write `a | b`",
    ),
    "a matcher asked": ("if link_clicked():  # here\n    await lead.send('a')", "for true or false", "lead.has(a)"),
    "a matcher denied": ("if lead.has(not opted_out):  # here\n    pass", "for true or false", "lead.has(a)"),
    "a step kept on an inner class": (
        "Shop.Inner.kept.append(await lead.send('a'))  # here",
        "changes Shop",
        "keep it in a variable",
    ),
    "a step kept in a table's list": (
        "SEEN['a'].append(await lead.send('a'))  # here",
        "changes SEEN",
        "in a variable",
    ),
    "a step kept on an object's class": (
        "type(Shop()).kept = await lead.send('a')  # here",
        "changes a class",
        "keep it in a variable",
    ),
    "a step kept on a class by its dunder": (
        "shop = Shop()\nshop.__class__.kept = await lead.send('a')  # here",
        "changes a class",
        "keep it in a variable",
    ),
    "a manager that swallows": (
        "with Quiet():  # here\n    await lead.wait(days=1)",
        "swallows what lets the lead rest",
        "let it return None",
    ),
    "a named manager that swallows": (
        "quiet = Quiet()\nwith quiet:  # here\n    await lead.wait(days=1)",
        "swallows what lets the lead rest",
        "let it return None",
    ),
    "a manager's generator that swallows": (
        "with silent():  # here\n    await lead.wait(days=1)",
        "swallows what lets the lead rest",
        "let it return None",
    ),
    "the first of a set by its key": (
        "await lead.alert(sorted(TOPICS, key=len)[0])  # here",
        "whose keys are equal",
        "sorted(sorted(...), key=...)",
    ),
    "the least of a set by its key": ("await lead.alert(min(TOPICS, key=len))  # here", "whose keys", "sorted(sorted"),
    "a set formatted": ("await lead.alert('{}'.format(TOPICS))  # here", "takes a set", "sorted(...)"),
    "a set by percent": ("await lead.alert('%s %d' % (TOPICS, 1))  # here", "takes a set", "sorted(...)"),
    "a set as keys": ("for x in dict.fromkeys(TOPICS):  # here\n    await lead.send(x)", "takes a set", "sorted(...)"),
    "a set named in passing": (
        "for x in (found := {'a', 'b'}):  # here\n    await lead.send(x)",
        "takes a set",
        "sorted(...)",
    ),
    "steps in a set's order": ("x = {await lead.send(each) for each in TOPICS}  # here", "takes a set", "sorted(...)"),
    "a table of sets": (
        "for x in BY_INDUSTRY[lead.trait('industry')]:  # here\n    await lead.send(x)",
        "takes a set",
        "sorted(...)",
    ),
    "a table of sets, asked": (
        "for x in BY_INDUSTRY.get('retail', ()):  # here\n    await lead.send(x)",
        "takes a set",
        "sorted(...)",
    ),
    "a set of a class": ("for x in Shop.topics:  # here\n    await lead.send(x)", "takes a set", "sorted(...)"),
    "a set from a helper": ("for x in picked():  # here\n    await lead.send(x)", "takes a set", "sorted(...)"),
    "a question not asked": ("if lead.has:  # here\n    await lead.send('a')", "without calling it", "lead.has(...)"),
    "a question compared": ("if lead.trait == 'x':  # here\n    pass", "without calling it", "lead.trait(...)"),
    "a step not taken": ("if not lead.wait:  # here\n    pass", "without calling it", "await lead.wait(...)"),
    "a global by another name": (
        "kept = KEPT\nkept.append(1)  # here",
        "changes kept",
        "a variable of the",
    ),
    "a global iterator": ("if next(TICKS) > 2:  # here\n    pass", "uses up TICKS", "make it in the function"),
    "an attribute set by its name": ("setattr(Shop, 'n', 1)  # here", "changes Shop", "a variable of the"),
    "all globals": ("globals()['SEVEN'] = 8  # here", "uses globals()", "name the value itself"),
    "hash": ("if hash(lead.trait('topic')) % 2:  # here\n    pass", "uses hash()", "lead.choose(...)"),
    "id": ("if id(lead) % 2:  # here\n    pass", "uses id()", "lead.choose(...)"),
    "a step in finally": ("try:\n    pass\nfinally:\n    await lead.send('a')  # here", "in finally", "after the try"),
    "a return in finally": (
        "try:\n    await lead.wait(days=1)\nfinally:\n    return nurtured  # here",
        "leaves a finally",
        "after the try",
    ),
    "a bare except": (
        "try:\n    await lead.send('a')\nexcept:  # here\n    pass",
        "catches everything",
        "name the error",
    ),
    "a base exception": (
        "try:\n    await lead.send('a')\nexcept (ValueError, BaseException):  # here\n    pass",
        "catches everything",
        "name the error",
    ),
    "a suppressed end": (
        "with contextlib.suppress(BaseException):  # here\n    await lead.send('a')",
        "catches everything",
        "name the error",
    ),
    "a step in a global list": ("KEPT.append(await lead.send('a'))  # here", "changes KEPT", "a variable of the"),
    "a step in a global dict": ("SEEN['a'] = await lead.send('a')  # here", "changes SEEN", "a variable of the"),
    "a step on a function": ("days.kept = await lead.send('a')  # here", "changes days", "a variable of the"),
    "a private name": ("if lead._run.now:  # here\n    pass", "reads lead._run", "a track reads"),
    "a private name by getattr": ("x = getattr(lead, '_run')  # here", "reads lead._run", "a track reads"),
    "a mistyped member": ("await lead.sent('a')  # here", "a lead has no 'sent'", "did you mean lead.send?"),
    "a bare number": ("await lead.wait(7)  # here", "waits for 7", "write days=..."),
    "a bare number by name": ("await lead.wait(SEVEN)  # here", "waits for 7", "write days=..."),
    "a negative wait": ("await lead.wait(days=-7)  # here", "waits for days=-7", "drop it, or mend it"),
    "negative hours": ("await lead.wait(hours=-0.5)  # here", "waits for hours=-0.5", "drop it, or mend it"),
    "days as text": ("await lead.wait(days='7')  # here", "waits for days='7'", "write days=7"),
    "itself": ("await lead.wait(days=1)\nawait tried(lead)  # here", "without an end", "a while loop"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_an_author_gets_wrong_is_told_with_its_line_and_what_to_do(wrong: str, load: Load) -> None:
    """And the track in the file beside it is there."""
    body, what, remedy = WRONG[wrong]
    text = story(body)
    registry = load(tried=text, sound=HEAD + SOUND)
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "# here" in each)
    found = [each for each in registry.broken if f"tried.py:{line}: " in each and what in each]
    assert found, registry.broken
    assert remedy in found[0]
    assert list(registry) == ["sound"]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("async def again(lead):\n    await lead.wait(days=1)\n    await again(lead)", "calls again again and again"),
        (
            "async def again(lead):\n    if lead.score:\n        await on(lead)\nasync def on(x):\n    await again(x)",
            "again and again without an end",
        ),
        ("async def again(lead):\n    lead.send('a')", "without await"),
        ("async def again(lead, seen=[]):\n    seen += [await lead.send('a')]", "changes seen"),
        ("async def one(lead):\n    KEPT.append(await lead.send('a'))\nagain = {'a': one}['a']", "changes KEPT"),
    ],
)
def test_a_helper_below_its_track_is_read_too(body: str, what: str, load: Load) -> None:
    """When the track is registered it is not there yet."""
    assert what in load(tried=story("await again(lead)", below=f"\n\n{body}\n")).broken[0]


@pytest.mark.parametrize(
    ("body", "below"),
    [
        ("await TABLE['a'](lead)", "TABLE = {'a': helper}"),
        ("for each in STEPS:\n    await each(lead)", "STEPS = [helper, hand_to_sales]"),
        ("await PART()", "import functools\nPART = functools.partial(helper, None)"),
        ("await Helpers().go(lead)", "class Helpers:\n    async def go(self, lead):\n        KEPT.append(1)"),
        (
            "await Helpers.go(lead)",
            "class Helpers:\n    @staticmethod\n    async def go(lead):\n        KEPT.append(1)",
        ),
        ("await (lambda: helper(lead))()", ""),
    ],
)
def test_a_helper_that_is_no_plain_name_is_read_too(body: str, below: str, load: Load) -> None:
    """In a table, a partial or a class it does the same harm."""
    helper = "\n\nasync def helper(lead):\n    KEPT.append(1)\n"
    (said,) = load(tried=story(body, below=f"{helper}\n{below}\n")).broken
    assert "changes KEPT" in said


SOUND_BODIES = [
    "with Choosy():\n    await lead.wait(days=1)",
    "kept = {'a': []}\nkept['a'].append(await lead.send('a'))",
    "for piece in sorted(TOPICS):\n    await lead.send(piece)",
    "if lead.trait('topic') in TOPICS and any(x for x in TOPICS) and len(list(TOPICS)):\n    await lead.send('a')",
    "x = {each.upper() for each in TOPICS}\nawait lead.alert(', '.join(sorted(x)))",
    "try:\n    await lead.send('a')\nexcept ValueError:\n    await lead.alert('a')",
    "try:\n    await lead.send('a')\nexcept BaseException:\n    raise",
    "kept = []\nkept.append(await lead.send('a'))",
    "await lead.wait(days=0)",
    "x = sorted(sorted(TOPICS), key=len)\nawait lead.alert(x[0])",
    "await lead.alert(min(TOPICS))",
    "n = SEVEN\nn += 1",
    "ticks = iter(range(3))\nawait lead.alert(str(next(ticks)))",
    "ask = lead.has\nif ask(opted_out):\n    await lead.send('a')",
    "if lead.trait('industry') in BY_INDUSTRY['retail']:\n    await lead.send('a')",
    "TABLE = {\n    'a': lambda: lead.send('a'),\n}\nawait TABLE['a']()",
    "await (lead.send('a') if lead.score else lead.send('b'))",
    "async def inner(one):\n    await lead.send(one)\nawait inner('a')",
    "answered = [await lead.send(each) for each in ('a', 'b')]",
    "hash_ = 1\nid = 2\nawait lead.send(str(id))",
]


@pytest.mark.parametrize("body", SOUND_BODIES)
def test_what_is_sound_is_let_through(body: str, load: Load) -> None:
    """A rule that refuses sound tracks is one that authors go round."""
    assert load(tried=story(body)).broken == ()


def test_a_recursion_that_counts_down_is_let_through(load: Load) -> None:
    """Its argument brings it to an end."""
    drip = """

    async def drip(lead, pieces):
        if pieces:
            await lead.send(pieces[0])
            await drip(lead, pieces[1:])
    """
    assert load(tried=story("await drip(lead, ('a', 'b'))", below=drip)).broken == ()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (", exits_on=opted_out", "put a comma behind the one: exits_on=(opted_out,)"),
        (", exits_on=(link_clicked,)", "write link_clicked()"),
        (", exits_on='lead.opted_out'", "exits_on is a tuple of matchers"),
        (", enters_on=(page_viewed(), link_clicked())", "join several with |"),
        (", enters_on=page_viewed", "write page_viewed()"),
        (", graduates_at='75'", "a score from 1 to 100"),
        (", graduates_at=True", "a score from 1 to 100"),
        (", re_entry=days(90)", "re_entry=ReEntry.once_over()"),
        (", on_graduation=nurtured", "given uncalled"),
        (", exit_on=(opted_out,)", "unexpected keyword argument 'exit_on'"),
    ],
)
def test_a_wrong_argument_is_told_with_what_to_write(arguments: str, says: str, load: Load) -> None:
    """The file and the line of the function, or of the call."""
    text = story("await lead.send('a')", arguments=arguments)
    (found,) = load(tried=text).broken
    assert says in found
    tracks = [number for number, line in enumerate(text.splitlines(), 1) if line.startswith(("@track", "async def"))]
    assert any(f"tried.py:{number}:" in found for number in tracks)


def test_a_decorator_that_hides_the_function_is_told(load: Load) -> None:
    """With the place of the function, and in which order the two stand."""
    text = HEAD + "import functools\n" + SOUND.replace("async def", "@functools.lru_cache\nasync def")
    (said,) = load(tried=text).broken
    assert "tried.py:" in said
    assert "a track is an `async def` of a lead, right below its @track" in said


def test_a_decorator_without_its_name_is_told(load: Load) -> None:
    """Such a function would be no track, and nobody would know."""
    (found,) = load(tried=f"{HEAD}\n\n@track\nasync def tried(lead):\n    return nurtured\n").broken
    assert 'write @track("new-lead", ...)' in found


BROKEN_FILES = {
    "async def tried(lead:\n": ":1: ",
    "x = 1\nimport no_such_module\n": ":2: ModuleNotFoundError: No module named 'no_such_module'",
    "x = 1\n\n1 / 0\n": ":3: ZeroDivisionError: division by zero",
    "raise SystemExit(3)\n": ":1: SystemExit: 3",
    "x = '\\N{no such}'\n": ":1: ",
}


@pytest.mark.parametrize("text", BROKEN_FILES)
def test_a_file_that_cannot_be_read_stops_no_other(text: str, load: Load) -> None:
    """It is told with its line, and whoever asks for its track hears of it."""
    registry = load(tried=text, sound=HEAD + SOUND)
    (found,) = registry.broken
    assert f"tried.py{BROKEN_FILES[text]}" in found
    assert list(registry) == ["sound"]
    with pytest.raises(NotFoundError, match=r"tried\.py"):
        registry["tried"]


def test_two_tracks_of_one_name_leave_the_first(load: Load) -> None:
    """A copied file is told, and the others run."""
    registry = load(a_sound=HEAD + SOUND, b_copy=HEAD + SOUND)
    assert registry["sound"].file.endswith("a_sound.py")
    assert "b_copy.py" in registry.broken[0]
