"""Names that are refused before the database is opened or Temporal is asked."""

from perennial.app.programme import programme_of
from perennial.leads.selection import parse_where
from perennial.platform.settings import load_settings


def require_names(*, track: str | None = None, where: str | None = None, segment: str | None = None) -> None:
    """Raise NotFoundError for a track or segment that is none, InputError for a filter that is not understood.

    Whether any lead has a trait of a filter's name, only the database says.
    """
    programme = programme_of(load_settings())
    if track is not None:
        programme.tracks[track]
    if segment is not None:
        programme.segments[segment]
    if where is not None:
        parse_where(where)
