"""What every registered track must pass before it ships."""

import pytest

from nurture.bench.tryout import try_out
from nurture.content.folder import load_catalogue
from nurture.journey.track import load_tracks
from perennial.app.checking import check_paths
from tests.paths import CONTENT

TRACKS = load_tracks("workflows.tracks")


def test_there_are_tracks() -> None:
    """A package that lost its tracks would pass every other test here."""
    assert len(TRACKS) > 0


@pytest.mark.parametrize("name", sorted(TRACKS))
def test_the_track_may_ship(name: str) -> None:
    """Driven through its outcomes it breaks no rule, sends only what exists, and comes to rest."""
    assert try_out(TRACKS[name], load_catalogue(CONTENT)) == []


@pytest.mark.parametrize("name", sorted(TRACKS))
def test_every_path_of_the_track_is_sound(name: str) -> None:
    """It ends, reaches each step, sends nothing twice, and hands over nobody who showed nothing."""
    explored, problems, _ = check_paths(TRACKS[name], load_catalogue(CONTENT))
    assert problems == []
    assert explored.whole
    assert explored.decisions < 100_000


@pytest.mark.parametrize("name", sorted(TRACKS))
def test_the_track_tells_its_story(name: str) -> None:
    """Its docstring is what the people at the controls read about it."""
    assert len(TRACKS[name].story.split()) > 10
