"""Draw paths for property tests."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from nurture.measures.paths import Path, PathTouch

DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)


def path_of(channels: str, worth: float = 0.0, days: tuple[int, ...] = (), milestones: tuple[int, ...] = ()) -> Path:
    """A path from a word, one channel a letter; converted a day after its last touch."""
    at = days or tuple(range(len(channels)))
    touches = tuple(
        PathTouch(f"{letter}{place}", letter, DAY_0 + timedelta(days=day))
        for place, (letter, day) in enumerate(zip(channels, at, strict=True))
    )
    moments = tuple(DAY_0 + timedelta(days=day) for day in milestones)
    return Path(touches, worth, DAY_0 + timedelta(days=max(at, default=0)) if worth else None, moments)


@st.composite
def paths(draw: st.DrawFn) -> Path:
    """Any path of up to eight touches in up to five channels; two in three convert."""
    channels = draw(st.text("abcde", max_size=8))
    days = tuple(sorted(draw(st.lists(st.integers(0, 400), min_size=len(channels), max_size=len(channels)))))
    milestones = tuple(sorted(draw(st.lists(st.integers(-5, 405), max_size=2))))
    return path_of(channels, draw(st.sampled_from((0.0, 1.0, 1250.5))), days, milestones)
