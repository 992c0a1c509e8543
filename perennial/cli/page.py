"""One page about a lead: its time zone, named once, and where the Temporal UI shows a journey of it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from urllib.parse import quote
from zoneinfo import ZoneInfo

from perennial.dev.engine_lock import running_engine
from perennial.journeys.handles import workflow_of
from perennial.platform.settings import Settings
from perennial.platform.temporal import configured_namespace

_IN_UTC = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d) UTC")


@dataclass(frozen=True, slots=True)
class Times:
    """The one time zone of a page: every moment and every text of ours is told in it."""

    zone: tzinfo
    name: str

    @classmethod
    def of(cls, time_zone: str, *, utc: bool) -> "Times":
        """The lead's own zone, or UTC."""
        return cls(UTC, "UTC") if utc else cls(ZoneInfo(time_zone), time_zone)

    def moment(self, at: datetime) -> str:
        """`Tue 03 Mar 2026 09:12`."""
        return f"{at.astimezone(self.zone):%a %d %b %Y %H:%M}"

    def day(self, at: datetime) -> str:
        """`03 Mar 2026`."""
        return f"{at.astimezone(self.zone):%d %b %Y}"

    def text(self, said: str) -> str:
        """A recorded text with its moments, written in UTC, in this zone, and without the zone's name."""
        said = _IN_UTC.sub(lambda found: self.moment(datetime.fromisoformat(f"{found[1]}+00:00")), said)
        return said.replace(f" in {self.name}", "")


def journey_link(settings: Settings, enrolment_id: str) -> str | None:
    """The page of a journey in the Temporal UI; None if nobody said where that is, and no engine runs here."""
    engine = running_engine(settings.data_dir)
    address = engine.ui_url if engine is not None else settings.temporal_ui_url
    if address is None:
        return None
    namespace = "default" if engine is not None else configured_namespace()
    return f"{address.rstrip('/')}/namespaces/{namespace}/workflows/{quote(workflow_of(enrolment_id), safe='')}"
