"""Words: what a value that others sent says as text; a list says several."""

from collections.abc import Mapping

_NAMED_BY = ("name", "title", "id")
MOST_WORDS = 20


def words_of(value: object) -> tuple[str, ...]:
    """Each distinct word of a text, a number, an object with a name, or a list of these; at most MOST_WORDS.

    Nothing else is a word: neither true nor false, nor what a program would print for an object.
    """
    return tuple(dict.fromkeys(_words(value, deep=True)))[:MOST_WORDS]


def word_of(value: object) -> str:
    """The first word of a value; empty for none."""
    return next(iter(words_of(value)), "")


def trait_words(traits: Mapping[str, object]) -> dict[str, str]:
    """Traits as a track and a mail read them, each as one word: of a list the first."""
    return {name: word_of(value) if isinstance(value, list) else str(value) for name, value in traits.items()}


def say_words(value: object) -> str:
    """A trait for people to read: a list as `retail, finance`."""
    return ", ".join(words_of(value)) if isinstance(value, list) else str(value)


def _words(value: object, *, deep: bool) -> list[str]:
    match value:
        case bool() | None:
            return []
        case str():
            return [value.strip()] if value.strip() else []
        case int() | float():
            return [str(value)]
        case Mapping():
            return next((said for name in _NAMED_BY if (said := _words(value.get(name), deep=False))), [])
        case list() | tuple() if deep:
            return [word for each in value for word in _words(each, deep=False)]
    return []
