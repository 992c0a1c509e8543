"""What the documents say of the code is made from the code: the drawing of the rooms, and the list of modules."""

from docs import draw_rooms, list_modules

AGAIN = "the rooms, their imports or the modules' words have changed: run `make drawing`"


def test_the_drawing_shows_the_rooms_and_their_imports() -> None:
    """A new room, a new arrow, or other words of a room call for a new drawing."""
    assert draw_rooms.DRAWING.read_text(encoding="utf-8") == draw_rooms.drawing(), AGAIN


def test_the_architecture_page_lists_every_module() -> None:
    """With the first line of its docstring."""
    assert list_modules.PAGE.read_text(encoding="utf-8") == list_modules.page(), AGAIN


def test_every_room_and_module_says_what_it_is_about() -> None:
    """No row of the list is empty."""
    assert not [line for line in list_modules.listing().splitlines() if line.endswith("|  |")]
