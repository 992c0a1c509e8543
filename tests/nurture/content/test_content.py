"""Pieces: read from Markdown with clear refusals, and picked for a reader by three plain rules."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.content.catalogue import ANY, FORMATS, STAGES, Catalogue, Piece, parse_piece
from nurture.content.folder import load_catalogue
from nurture.errors import ContentError
from nurture.people.slugs import slug

GOOD = """---
subject: "Five checks"
preheader: "A morning's work"
stage: awareness
topic: data-quality
format: education
order: 20
variants:
  - "Five small checks"
---

Hello {{ first_name }},

[Copy them](https://www.northwind.example/checks)
"""

topics = st.sampled_from([ANY, "forecasting", "dashboards"])
industries = st.sampled_from([ANY, "retail", "finance"])


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """Up to a dozen pieces over few topics and industries, so that ties and gaps are common."""
    pieces = [
        Piece(
            id=f"piece-{number}",
            subject="s",
            preheader="p",
            stage=draw(st.sampled_from(STAGES)),
            topic=draw(topics),
            industry=draw(industries),
            format=draw(st.sampled_from(FORMATS[:3])),
            order=draw(st.integers(0, 3)),
            variants=(),
            body="b",
            hash="",
        )
        for number in range(draw(st.integers(0, 12)))
    ]
    return Catalogue({piece.id: piece for piece in draw(st.permutations(pieces))})


traits_of = st.fixed_dictionaries({}, optional={"topic": topics, "industry": industries | st.just("fishing")})
seen_of = st.sets(st.integers(0, 12).map("piece-{}".format))
formats_of = st.sets(st.sampled_from(FORMATS[:3])).map(lambda few: tuple(sorted(few)))


def _without(line: str) -> str:
    return GOOD.replace(line + "\n", "")


def test_a_piece_is_read_with_its_front_matter_and_body() -> None:
    """Every field arrives, and what is left out suits anyone."""
    piece = parse_piece("five-checks", GOOD)
    assert (piece.id, piece.stage, piece.topic, piece.industry) == (
        "five-checks",
        "awareness",
        "data-quality",
        ANY,
    )
    assert (piece.format, piece.order, piece.subjects) == (
        "education",
        20,
        ("Five checks", "Five small checks"),
    )
    assert piece.body.startswith("Hello {{ first_name }}")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Five checks", "Six checks"),
        ("A morning", "A day"),
        ("small checks", "tiny checks"),
        ("Copy", "Take"),
    ],
)
def test_the_hash_changes_with_anything_the_reader_sees(before: str, after: str) -> None:
    """Subject, preheader, variants and body each count."""
    assert parse_piece("five-checks", GOOD).hash != parse_piece("five-checks", GOOD.replace(before, after)).hash


def test_the_hash_ignores_where_the_piece_is_filed() -> None:
    """Moving a piece to another place in the order is no new text."""
    assert parse_piece("five-checks", GOOD).hash == parse_piece("moved", GOOD.replace("order: 20", "order: 5")).hash


@pytest.mark.parametrize(
    ("text", "field", "remedy"),
    [
        ("Hello", "front matter: missing", "begin with `---`"),
        (GOOD.replace('"Five checks"', "Five: checks"), "front matter: not valid YAML (line 2)", "in quotes"),
        (_without('subject: "Five checks"'), "subject: missing", "add `subject: ...`"),
        (GOOD.replace('"Five checks"', "2024"), "subject: 2024", "write one line, in quotes"),
        (GOOD.replace('"Five checks"', '"Five\\nBcc: x"'), "subject: 'Five\\nBcc: x'", "write one line"),
        (GOOD.replace("stage: awareness", "stage: awarness"), "stage: 'awarness'", "did you mean awareness"),
        (GOOD.replace("format: education", "format: [a]"), "format: ['a']", "use one of welcome"),
        (
            GOOD.replace("data-quality", "Data Quality"),
            "topic: 'Data Quality'",
            "write it like `data-quality`",
        ),
        (GOOD.replace("order: 20", "order: soon"), "order: 'soon'", "write one like `10`"),
        (GOOD.replace("order: 20", "order: true"), "order: True", "write one like `10`"),
        (GOOD.replace('  - "Five small checks"', "  - 5"), "variants: [5]", "write each as"),
        (GOOD.replace("order:", "odrer:"), "odrer: unknown field", "did you mean order"),
        (GOOD[: GOOD.index("Hello")], "body: empty", "write the piece below"),
    ],
)
def test_a_broken_piece_is_refused_by_name_field_and_remedy(text: str, field: str, remedy: str) -> None:
    """One line tells an author where to look and what to write."""
    with pytest.raises(ContentError) as refusal:
        parse_piece("five-checks", text)
    assert str(refusal.value).startswith(f"five-checks: {field}")
    assert remedy in str(refusal.value)


def test_all_problems_of_a_piece_are_told_at_once() -> None:
    """An author mends a file in one go."""
    with pytest.raises(ContentError) as refusal:
        parse_piece("five-checks", GOOD.replace("awareness", "early").replace("order: 20", "order: x"))
    assert [line.split(":")[1] for line in str(refusal.value).splitlines()] == [" stage", " order"]


@pytest.mark.parametrize("word", ["制造业", "c-plus-plus", "c-sharp", "данные", "データ品質"])
def test_a_topic_is_a_word_of_any_script_spelled_as_a_trait(word: str) -> None:
    """The piece is picked for a lead whose trait says the same, and for no other."""
    piece = parse_piece("five-checks", GOOD.replace("data-quality", word))
    shelf = Catalogue({"five-checks": piece})
    assert shelf.pick("awareness", traits={"topic": slug(word.upper())}, seen=()) == "five-checks"
    assert shelf.pick("awareness", traits={"topic": "c"}, seen=()) is None


@pytest.mark.parametrize(
    ("word", "like"), [("C++", "c-plus-plus"), ("Données Clés", "donnees-cles"), ("?!", "data-quality")]
)
def test_a_topic_that_is_no_slug_is_told_how_it_is_spelled(word: str, like: str) -> None:
    """By the same rule as a trait."""
    with pytest.raises(ContentError, match=f"topic: .* is not a slug; write it like `{like}`"):
        parse_piece("five-checks", GOOD.replace("data-quality", f'"{word}"'))


def test_a_topic_that_no_lead_could_refuse_is_too_long() -> None:
    """The wish for no more of it is kept by its name, in 64 characters."""
    with pytest.raises(ContentError, match=r"topic: .* at most 64 characters"):
        parse_piece("five-checks", GOOD.replace("data-quality", "t" * 65))


def test_a_file_name_that_is_no_slug_is_refused() -> None:
    """Ids travel in step keys and addresses, so they are plain."""
    with pytest.raises(ContentError, match="name the file in lower case"):
        parse_piece("Five Checks", GOOD)


@pytest.mark.parametrize(
    ("former", "problem"),
    [
        ({"a": "a"}, "a: was: a is its present id; leave it out"),
        ({"a": "b", "b": ""}, "a: was: b is another piece's id; leave it out, or remove b.md"),
        ({"a": "old", "b": "old"}, "b: was: old is named by a too; leave it to one of the two"),
    ],
)
def test_a_former_id_that_is_not_one_pieces_alone_is_refused(
    tmp_path: Path, former: dict[str, str], problem: str
) -> None:
    """Two pieces under one name would be one to a lead's journal."""
    for piece, was in former.items():
        (tmp_path / f"{piece}.md").write_text(GOOD.replace("order: 20", f"order: 20\nwas: {was}"), encoding="utf-8")
    with pytest.raises(ContentError) as refused:
        load_catalogue(tmp_path)
    assert str(refused.value) == problem


def test_an_unknown_piece_is_refused_with_the_closest_ids() -> None:
    """A slip of the pen in a track is quickly found."""
    catalogue = Catalogue({"five-checks": parse_piece("five-checks", GOOD)})
    with pytest.raises(ContentError, match=r"five-check: no such content piece \(did you mean five-checks\?\)"):
        catalogue.get("five-check")


def test_an_unknown_stage_or_format_is_refused() -> None:
    """A misspelt stage would otherwise look like a lead who has read everything."""
    with pytest.raises(ContentError, match=r"no stage 'decison' \(did you mean decision"):
        Catalogue({}).pick("decison", traits={}, seen=())
    with pytest.raises(ContentError, match=r"no format 'guides' \(did you mean guide"):
        Catalogue({}).pick("decision", traits={}, seen=(), formats=("guides",))


@given(catalogues(), st.sampled_from(STAGES), traits_of, seen_of, formats_of)
def test_a_pick_is_unseen_at_the_stage_and_never_anothers(
    catalogue: Catalogue, stage: str, traits: dict[str, str], seen: set[str], formats: tuple[str, ...]
) -> None:
    """A pick is the first by the rules of all that suit the reader; None means that nothing suits."""

    def rank(piece: Piece) -> tuple[bool, bool, int, str]:
        return (piece.topic == ANY, piece.industry == ANY, piece.order, piece.id)

    suited = [
        piece
        for piece in catalogue.pieces.values()
        if piece.stage == stage
        and piece.id not in seen
        and piece.topic in (ANY, traits.get("topic"))
        and piece.industry in (ANY, traits.get("industry"))
        and (not formats or piece.format in formats)
    ]
    picked = catalogue.pick(stage, traits=traits, seen=seen, formats=formats)
    assert picked == (min(suited, key=rank).id if suited else None)


@given(catalogues(), st.sampled_from(STAGES), traits_of, seen_of)
def test_a_pick_does_not_depend_on_what_was_asked_before(
    catalogue: Catalogue, stage: str, traits: dict[str, str], seen: set[str]
) -> None:
    """A used catalogue answers like a new one whose pieces stand in another order."""
    for other in STAGES:
        catalogue.pick(other, traits={"topic": "dashboards"}, seen=())
    fresh = Catalogue(dict(reversed(list(catalogue.pieces.items()))))
    assert catalogue.pick(stage, traits=traits, seen=seen) == fresh.pick(stage, traits=traits, seen=seen)


@given(catalogues(), st.sampled_from(STAGES), traits_of)
def test_picking_until_none_visits_each_suited_piece_once(
    catalogue: Catalogue, stage: str, traits: dict[str, str]
) -> None:
    """The loop of a track ends, with nothing left and nothing sent twice."""
    seen: list[str] = []
    while (picked := catalogue.pick(stage, traits=traits, seen=seen)) is not None:
        assert picked not in seen
        seen.append(picked)
    assert len(seen) <= len(catalogue.pieces)


def test_odd_profile_values_do_not_grow_the_catalogue() -> None:
    """Ten thousand invented industries share one shelf."""
    catalogue = Catalogue({"five-checks": parse_piece("five-checks", GOOD)})
    for number in range(10_000):
        catalogue.pick("awareness", traits={"industry": f"i{number}"}, seen=())
    assert len(catalogue._shelves) == 1
