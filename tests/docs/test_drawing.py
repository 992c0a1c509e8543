"""What the documents say of the code is made from the code: the drawing of the rooms, and the list of modules."""

from docs import draw_rooms, list_modules
from nurture.bench.paths.drawing import map_of
from nurture.bench.paths.explore import explore
from nurture.content.folder import load_catalogue
from nurture.journey.track import load_tracks
from perennial.app.drawing import svg_of
from tests.paths import CONTENT, ROOT

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


def test_the_picture_of_a_track_shows_its_code() -> None:
    """README's picture of `new-lead`; `make drawing` draws it again."""
    track = load_tracks("workflows.tracks")["new-lead"]
    drawn = map_of(track, explore(track, load_catalogue(CONTENT)))
    assert (ROOT / "docs" / "new-lead.svg").read_text(encoding="utf-8") == svg_of(drawn)
