"""Content pieces: what one is, how it is read from Markdown, and which one a lead gets next.

A piece is one e-mail: YAML front matter over a Markdown body. `nurture.content.folder` reads the files, and
`perennial.channels.render` makes mails of them.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import frontmatter
import yaml
from frontmatter.default_handlers import YAMLHandler

from nurture.errors import ContentError, close_names
from nurture.people.slugs import slug

Stage = Literal["awareness", "consideration", "decision"]
Format = Literal[
    "welcome",
    "education",
    "case-study",
    "guide",
    "check-in",
    "industry",
    "product-update",
    "reconsideration",
    "re-engagement",
    "sunset",
]
STAGES: tuple[Stage, ...] = get_args(Stage)
FORMATS: tuple[Format, ...] = get_args(Format)
ANY = "any"
"""The topic or industry of a piece that suits everyone."""

LONGEST_TOPIC = 64
"""Characters of a topic or an industry: a lead's wish for no more of it is kept by this name."""

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_REQUIRED = ("subject", "preheader", "stage", "format")
_FIELDS = (*_REQUIRED, "topic", "industry", "order", "variants", "was")


@dataclass(frozen=True, slots=True)
class Piece:
    """One e-mail of the catalogue; `subject`, `preheader`, `variants` and `body` are Jinja2 templates.

    `variants` are further subject lines for an experiment; `order` sorts within one topic (low first);
    `hash` is the SHA-256 (hex) of everything that a reader of the piece sees; `was` are the ids that the piece had
    before its file was renamed.
    """

    id: str
    subject: str
    preheader: str
    stage: Stage
    topic: str
    industry: str
    format: Format
    order: int
    variants: tuple[str, ...]
    body: str
    hash: str
    was: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subject lines by variant number: 0 is `subject`, then `variants`."""
        return (self.subject, *self.variants)


def parse_piece(id: str, text: str) -> Piece:  # noqa: A002 - the piece's own field
    """Read one piece from Markdown with YAML front matter.

    Raises ContentError with one line a problem; each names the piece, the field and the remedy.
    """
    if not _SLUG.fullmatch(id):
        raise ContentError(f"{id}: id: not a slug; name the file in lower case, like `case-retail.md`")
    fields, body = _read(id, text)
    if problems := [f"{id}: {line}" for line in _problems(fields, body)]:
        raise ContentError("\n".join(problems))
    variants = tuple(fields.get("variants") or ())
    seen_by_reader = json.dumps([fields["subject"], fields["preheader"], variants, body])
    return Piece(
        id=id,
        subject=fields["subject"],
        preheader=fields["preheader"],
        stage=fields["stage"],
        topic=fields.get("topic", ANY),
        industry=fields.get("industry", ANY),
        format=fields["format"],
        order=fields.get("order", 100),
        variants=variants,
        body=body,
        hash=hashlib.sha256(seen_by_reader.encode()).hexdigest(),
        was=_former_ids(fields.get("was")),
    )


def _former_ids(was: object) -> tuple[str, ...]:
    """One id, or a list of ids; anything else is none, and complained of."""
    listed = [was] if isinstance(was, str) else was
    return tuple(listed) if isinstance(listed, list) and all(isinstance(each, str) for each in listed) else ()


def _read(name: str, text: str) -> tuple[dict[str, Any], str]:
    """The front matter and the body below it."""
    try:
        fields, body = frontmatter.parse(text, handler=YAMLHandler())
    except yaml.YAMLError as error:
        where = f" (line {mark.line + 1})" if (mark := getattr(error, "problem_mark", None)) else ""
        problem = getattr(error, "problem", None) or "unreadable"
        raise ContentError(
            f"{name}: front matter: not valid YAML{where}: {problem}; put text with a colon in quotes"
        ) from None
    if not fields:
        required = ", ".join(_REQUIRED)
        raise ContentError(f"{name}: front matter: missing; begin with `---`, then {required}, then `---`")
    return fields, body


def _problems(fields: Mapping[str, object], body: str) -> list[str]:  # noqa: C901 - one case a field
    """Everything that is wrong with the front matter, as `field: what; remedy`."""
    found = [
        f"{name}: unknown field{_did_you_mean(str(name), _FIELDS)}; the fields are {', '.join(_FIELDS)}"
        for name in fields
        if name not in _FIELDS
    ]
    missing = [name for name in _REQUIRED if name not in fields]
    found += [f"{name}: missing; add `{name}: ...` to the front matter" for name in missing]
    for name, closed in (("stage", STAGES), ("format", FORMATS)):
        if name in fields and fields[name] not in closed:
            guess = _did_you_mean(str(fields[name]), closed)
            found.append(f"{name}: {fields[name]!r} is none{guess}; use one of {', '.join(closed)}")
    for name in ("subject", "preheader"):
        if name in fields and not _is_line(fields[name]):
            found.append(f"{name}: {fields[name]!r} is not one line of text; write one line, in quotes")
    for name in ("topic", "industry"):
        value = fields.get(name, ANY)
        if not (isinstance(value, str) and value and value == slug(value)):
            like = (isinstance(value, str) and slug(value)) or "data-quality"
            found.append(f"{name}: {value!r} is not a slug; write it like `{like}`, or `{ANY}`")
        elif len(value) > LONGEST_TOPIC:
            found.append(f"{name}: {value!r} is too long; it has at most {LONGEST_TOPIC} characters")
    if type(fields.get("order", 0)) is not int:
        found.append(f"order: {fields['order']!r} is not a whole number; write one like `10`")
    variants = fields.get("variants") or []
    if not (isinstance(variants, list) and all(_is_line(line) for line in variants)):
        found.append(f'variants: {variants!r} is not a list of subject lines; write each as `- "..."`')
    was = fields.get("was")
    if was is not None and not (_former_ids(was) and all(_SLUG.fullmatch(each) for each in _former_ids(was))):
        found.append(f"was: {was!r} is no former id; write one like `case-retail`, or a list of them")
    if not body.strip():
        found.append("body: empty; write the piece below the front matter")
    return found


def _is_line(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value.splitlines()) == 1


def _did_you_mean(word: str, known: Collection[str]) -> str:
    close = close_names(word, known, most=3)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All pieces by id. Each kind of reader has a shelf of pieces, sorted once, from which `pick` takes the next.

    `renames` are the former and the present id of each piece whose file was renamed.
    """

    pieces: Mapping[str, Piece]
    renames: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    _topics: frozenset[str] = field(init=False, repr=False, compare=False)
    _industries: frozenset[str] = field(init=False, repr=False, compare=False)
    _shelves: dict[tuple[str, str, str, tuple[str, ...]], tuple[str, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        pieces = MappingProxyType(dict(self.pieces))
        object.__setattr__(self, "pieces", pieces)
        renames = tuple((was, piece.id) for piece in pieces.values() for was in piece.was if was not in pieces)
        object.__setattr__(self, "renames", renames)
        object.__setattr__(self, "_topics", frozenset(piece.topic for piece in pieces.values()))
        object.__setattr__(self, "_industries", frozenset(piece.industry for piece in pieces.values()))

    def get(self, id: str) -> Piece:  # noqa: A002 - the piece's own field
        """The piece of that id. Raises ContentError for an unknown one, with the closest ids."""
        try:
            return self.pieces[id]
        except KeyError:
            guess = _did_you_mean(id, self.pieces)
            raise ContentError(f"{id}: no such content piece{guess}; mend the name or add {id}.md") from None

    def current(self, id: str) -> str:  # noqa: A002 - the piece's own field
        """The id that a piece has now, by one that it has or had; an unknown one as it is."""
        if id in self.pieces:
            return id
        return next((now for was, now in self.renames if was == id), id)

    def pick(
        self, stage: str, *, traits: Mapping[str, str], seen: Collection[str], formats: Collection[str] = ()
    ) -> str | None:
        """The id of the next piece for a reader at `stage`, or None when all that suit are seen.

        `traits` may hold `topic` and `industry` (slugs). Pieces on the reader's topic come first, then those
        for the reader's industry, then those for anyone, each by `order` and id; a piece on another topic or
        for another industry is never picked. `formats` narrows the choice; empty means every format.
        Raises ContentError for an unknown stage or format.
        """
        # An unknown trait counts as `any`, so that odd values in profiles cannot add shelves without end.
        topic, industry = traits.get("topic", ANY), traits.get("industry", ANY)
        key = (
            stage,
            topic if topic in self._topics else ANY,
            industry if industry in self._industries else ANY,
            tuple(formats),
        )
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = self._shelves[key] = self._shelf(*key)
        for id_ in shelf:
            if id_ not in seen:
                return id_
        return None

    def _shelf(self, stage: str, topic: str, industry: str, formats: tuple[str, ...]) -> tuple[str, ...]:
        for kind, asked, known in (("stage", (stage,), STAGES), ("format", formats, FORMATS)):
            for word in asked:
                if word not in known:
                    guess = _did_you_mean(word, known)
                    raise ContentError(f"no {kind} {word!r}{guess}; use one of {', '.join(known)}")
        suited = [
            piece
            for piece in self.pieces.values()
            if piece.stage == stage
            and piece.topic in (topic, ANY)
            and piece.industry in (industry, ANY)
            and (not formats or piece.format in formats)
        ]
        suited.sort(key=lambda piece: (piece.topic == ANY, piece.industry == ANY, piece.order, piece.id))
        return tuple(piece.id for piece in suited)
