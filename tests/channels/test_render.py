"""Rendering: every shipped piece is readable, and nothing a form was filled with can act in a mail."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nurture.content.catalogue import Catalogue, parse_piece
from nurture.content.folder import load_catalogue
from nurture.errors import ContentError, SettingsError
from perennial.channels.check import check_catalogue
from perennial.channels.inert import inert
from perennial.channels.render import Reader, Rendered, render
from perennial.platform.paths import CONTENT

FRONT = '---\nsubject: "{}"\npreheader: "For {{{{ company }}}}"\nstage: awareness\nformat: education\n---\n'
BODY = "Hello **{{ first_name }}** of {{ company }},\n\n[Read on](https://www.northwind.example/on)\n"
ADDRESS = "Northwind Analytics\n12 Harbour Street\nBristol"
UNSUBSCRIBE = "https://www.northwind.example/u/token?a=1&b=2"
SHIPPED = load_catalogue(CONTENT)

NASTY = (
    "<b>Ana</b>",
    "{{ x }}",
    "{% for a in b %}",
    "[a](http://evil)",
    "[a](//evil.example)",
    "**bold** `code` _x_",
    "Ana\r\nBcc: victim@example.com",
    "Ana\u2028Bcc: x",
    '"><script>alert(1)</script>',
    "&lt;b&gt;",
    "# Ana",
    "1. Ana",
    "\ue0000\ue001",
    "\u202egnirts",
    "![x](y)",
    "<!-- -->",
)
values = st.sampled_from(NASTY) | st.text(max_size=90)


class _Tags(HTMLParser):
    """The tags and attributes of a page, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(attrs)))


def _mail(body: str = BODY, reader: Reader | None = None, *, subject: str = "Hello {{ first_name }}") -> Rendered:
    piece = parse_piece("note", FRONT.format(subject) + body)
    return render(piece, reader or Reader(), postal_address=ADDRESS, unsubscribe_url=UNSUBSCRIBE)


def _write(folder: Path, **pieces: str) -> Path:
    for layout in ("layout.html.j2", "layout.txt.j2"):
        (folder / layout).write_text((CONTENT / layout).read_text(encoding="utf-8"), encoding="utf-8")
    for name, text in pieces.items():
        (folder / f"{name.replace('_', '-')}.md").write_text(text, encoding="utf-8")
    return folder


@given(values, values)
@example("<b>", "[a](http://evil)")
def test_a_profile_value_never_acts(first_name: str, company: str) -> None:
    """Whatever a form held, the HTML has the same tags, the text the same links, the subject one line."""
    plain, mail = _mail(), _mail(reader=Reader(first_name, company))
    assert _Tags(mail.html).seen == _Tags(plain.html).seen
    assert re.findall(r"https?://\S+", mail.text) == re.findall(r"https?://\S+", plain.text)
    assert len(mail.text.splitlines()) == len(plain.text.splitlines())
    for header in (mail.subject, mail.preheader):
        assert len(header.splitlines()) == 1
        assert all(character.isprintable() or character in "\u200c\u200d" for character in header)


@pytest.mark.parametrize("name", ["<b>Ana</b>", "{{ x }}", "**Ana** _x_", "&lt;b&gt;", "1. Ana", "O'Brien & Søn"])
def test_an_odd_name_is_shown_letter_by_letter(name: str) -> None:
    """Inert does not mean lost: the reader sees what was typed."""
    mail = _mail(reader=Reader(name))
    assert mail.subject == f"Hello {name}"
    assert mail.text.startswith(f"Hello {name} of your team,")
    assert f"Hello {name} of your team," in unescape(re.sub(r"</?strong>", "", mail.html))


LINKS = (
    *(
        "evil.example/free",
        "evil.example",
        "Win at evil.example now",
        "bit.ly/x",
        "EVIL.EXAMPLE",
        "evil.xn--p1ai",
        "зло.рф",
    ),
    *(
        "evil。example",
        "evil．example",
        "evil\u2024example",
        "evil.\u200dexample",
        "evil\u200b.example",
        "//evil",
        "ｅvil.ｃom",
    ),
    *("10.0.0.1/x", "tel:+4930123", "mailto:x", "javascript:alert(1)", "x＠evil"),
)
"""What some mail program makes a link of."""


@pytest.mark.parametrize(
    "name",
    [
        "Acme Inc.",
        "J. R. Smith",
        "J.R.R. Tolkien",
        "Müller & Söhne GmbH & Co. KG",
        "St. John",
        "Dr. Who",
        "Re: Zero",
        "O'Neill 3.0",
    ],
)
def test_a_name_with_dots_is_a_name(name: str) -> None:
    """Only what looks like an address is left out."""
    assert inert(name) == name


@pytest.mark.parametrize(
    "name", ["[a](http://evil)", "www.evil.example", "x@evil.example", " ", "\u202e", *LINKS, None]
)
def test_a_name_that_is_an_address_or_nothing_becomes_the_default(name: str | None) -> None:
    """Mail programs make links of addresses, so a form may not send one through us."""
    assert _mail(reader=Reader(name)).subject == "Hello there"


def test_what_is_known_is_said_in_readable_words() -> None:
    """Slugs are for machines."""
    body = "On {{ topic }} in {{ industry }}: [read](https://www.northwind.example)"
    known = _mail(body, Reader(topic="data-quality", industry="food-retail")).text
    assert known.startswith("On data quality in food retail: read: https://www.northwind.example")
    assert _mail(body).text.startswith("On analytics in your industry: ")


def test_the_text_part_reads_well() -> None:
    """Lists keep their marks, links become `label: url`, marks of emphasis go, the footer is there."""
    lists = "- one\n- two\n\n3. three\n4. four\n\n> said"
    text = _mail(f"A **strong** start,\ngoes on.\n\n{lists}\n\n[Go](https://n.example)\n").text
    assert text.startswith(f"A strong start, goes on.\n\n{lists}\n\nGo: https://n.example\n\n-- \n")
    assert text.endswith(f"{UNSUBSCRIBE}\nNorthwind Analytics · 12 Harbour Street · Bristol")


def test_the_html_part_has_a_button_and_the_footer() -> None:
    """A paragraph that is one link is a button; the address and the way out are at the foot."""
    mail = _mail()
    tags = _Tags(mail.html).seen
    links = [dict(attributes) for tag, attributes in tags if tag == "a"]
    assert [link["href"] for link in links] == ["https://www.northwind.example/on", UNSUBSCRIBE]
    assert links[0]["class"] == "button"
    assert "12 Harbour Street" in mail.html


def test_html_in_a_piece_is_shown_and_not_obeyed() -> None:
    """Markdown is the whole language of a piece."""
    mail = _mail("<script>alert(1)</script> [go](javascript:x) [on](https://n.example)\n")
    tags = [tag for tag, _ in _Tags(mail.html).seen]
    assert "script" not in tags
    assert "javascript:" not in "".join(str(attributes) for _, attributes in _Tags(mail.html).seen)


def test_a_piece_may_decide_by_what_it_knows() -> None:
    """Jinja's `if` works around whole paragraphs, and leaves no hole when it says no."""
    body = "Hi.\n\n{% if company == 'Contoso' %}\n\nHello, Contoso.\n\n{% endif %}\n\n[Go](https://n.example)\n"
    assert "Hi.\n\nGo: " in _mail(body).text
    with_company = _mail(body, Reader(company="Contoso"))
    assert "Hi.\n\nHello, Contoso.\n\nGo: " in with_company.text
    assert with_company.html.count("<p") == _mail(body).html.count("<p") + 1


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("Hello {{ firstname }}", "body: no variable firstname; a piece may use first_name, company"),
        ("{% if company == 'x' %}{{ secret }}{% endif %}", "body: no variable secret"),
        ("Hello {{ first_name", "body: unexpected end of template"),
        ("{% if company %} open", "body: Unexpected end of template"),
        ("{{ company|safe }}", "body: No filter named 'safe'"),
        ("{% autoescape false %}{{ company }}{% endautoescape %}", "body: autoescape may not be changed"),
        ("[x](https://n.example/{{company}})", "body: a link holds a variable"),
        ("{{ company.__class__.mro() }}", "does not render: access to attribute '__class__'"),
        ("{{ company / 2 }}", "does not render: unsupported operand"),
        ("{% include 'other' %}", "does not render: no loader"),
    ],
)
def test_a_template_that_cannot_render_is_refused_by_piece_and_place(body: str, problem: str) -> None:
    """The same words come from the check before anything is sent, and from the send itself."""
    with pytest.raises(ContentError) as refusal:
        _mail(body)
    assert str(refusal.value).startswith(f"note: {problem}")
    found = check_catalogue(Catalogue({"note": parse_piece("note", FRONT.format("Hi") + body)}), folder=CONTENT)
    assert [line for line in found if line.startswith(f"note: {problem}")] == found


def test_the_check_names_a_long_subject_a_missing_link_and_a_relative_one() -> None:
    """What renders can still be no mail to send."""
    catalogue = Catalogue(
        {
            "long": parse_piece("long", FRONT.format("x" * 79) + BODY),
            "no-link": parse_piece("no-link", FRONT.format("Hi") + "Hello."),
            "lost": parse_piece("lost", FRONT.format("Hi") + "[go](/pricing)"),
        }
    )
    assert check_catalogue(catalogue, folder=CONTENT) == [
        "long: subject 0: 79 characters; shorten to 78",
        "no-link: body: no link; give the reader one next thing, as [words](https://...)",
        "lost: body: the link '/pricing' is not whole; begin it with https://",
    ]


def test_a_variant_that_is_not_there_is_refused() -> None:
    """An experiment can only choose a subject that exists."""
    with pytest.raises(ContentError, match="welcome: variants: no subject 9; use 0 to 2"):
        render(SHIPPED.get("welcome"), Reader(), postal_address=ADDRESS, unsubscribe_url=UNSUBSCRIBE, variant=9)


@pytest.mark.parametrize(("address", "url"), [(" ", UNSUBSCRIBE), (ADDRESS, ""), (ADDRESS, "javascript:x")])
def test_no_mail_without_a_postal_address_and_a_way_out(address: str, url: str) -> None:
    """The law asks for both in each mail."""
    with pytest.raises(SettingsError):
        render(SHIPPED.get("welcome"), Reader(), postal_address=address, unsubscribe_url=url)


def test_a_folder_with_broken_pieces_tells_all_problems_at_once(tmp_path: Path) -> None:
    """Two bad files, two lines; nothing is loaded by halves."""
    folder = _write(tmp_path, good=FRONT.format("Hi") + BODY, bare="Hello", odd_one="---\nstage: x\n---\nHi")
    (folder / "latin.md").write_bytes("---\nsubject: Café\n---\n".encode("latin-1"))
    with pytest.raises(ContentError) as refusal:
        load_catalogue(folder)
    problems = str(refusal.value).splitlines()
    assert {line.split(":")[0] for line in problems} == {"bare", "latin", "odd-one"}
    assert "latin: not UTF-8 at byte 16; save the file as UTF-8" in problems


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """A wrong path must not look like a catalogue with nothing to say."""
    with pytest.raises(ContentError, match="no content piece here"):
        load_catalogue(tmp_path)


def test_a_folder_without_its_layout_is_named_by_the_check(tmp_path: Path) -> None:
    """The remedy says where a layout can be had."""
    folder = _write(tmp_path, note=FRONT.format("Hi") + BODY)
    (folder / "layout.txt.j2").unlink()
    assert check_catalogue(load_catalogue(folder), folder=folder) == [
        f"layout.txt.j2: not in {folder}; copy it from the content/ that ships"
    ]


def test_every_shipped_piece_renders() -> None:
    """The check that runs before anything is sent finds nothing in what we ship."""
    assert check_catalogue(SHIPPED, folder=CONTENT) == []


@pytest.mark.parametrize("piece", SHIPPED.pieces.values(), ids=lambda piece: piece.id)
def test_a_shipped_piece_is_short_has_one_link_and_greets_a_stranger_well(piece: object) -> None:
    """House rules: 80 to 200 words, one clear link, subjects that read well without a name."""
    shipped = SHIPPED.get(str(getattr(piece, "id", "")))
    assert 80 <= len(re.findall(r"\w[\w'’.,%-]*", shipped.body)) <= 200
    assert len(re.findall(r"\]\(https://www\.northwind\.example/[\w/-]+\)", shipped.body)) == 1
    for variant in range(len(shipped.subjects)):
        mail = render(shipped, Reader(), postal_address=ADDRESS, unsubscribe_url=UNSUBSCRIBE, variant=variant)
        assert not re.search(r", there\b|\bat your team", mail.subject + mail.preheader + mail.text)


@pytest.mark.parametrize("topic", ["data-quality", "forecasting", "dashboards", "data-governance"])
@pytest.mark.parametrize("industry", ["manufacturing", "retail", "healthcare", "finance", "education"])
def test_a_new_lead_is_led_from_topic_to_industry_to_decision(topic: str, industry: str) -> None:
    """Education on the own topic first, then a story from the own industry, then the guides in order."""
    told: dict[str, list[str]] = {}
    for stage in ("awareness", "consideration", "decision"):
        seen = told[stage] = []
        while (
            picked := SHIPPED.pick(
                stage,
                traits={"topic": topic, "industry": industry},
                seen=seen,
                formats=("education", "case-study", "guide"),
            )
        ) is not None:
            seen.append(picked)
    assert [id_.startswith(f"{topic}-{n}") for n, id_ in enumerate(told["awareness"][:3], 1)] == [True] * 3
    assert len(told["awareness"]) == 6
    assert told["consideration"][0].startswith(f"case-{industry}-")
    assert len(told["consideration"]) == 3
    assert told["decision"] == [
        "pricing-guide",
        "buyers-checklist",
        "implementation-week-by-week",
    ]
