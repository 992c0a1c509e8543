"""Which relay passes on whose events: leads are shared out in parts, and each part has one relay at a time, by a lease.

Where events come from one relay's database alone (SQLite) there is one part: one relay works, others stand by. A lease
is renewed every two seconds and over after seven, so the parts of a killed relay are taken over within ten. They go by
the machines' clocks, not by the journeys'.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_hex

from sqlalchemy import ColumnElement, delete, func, literal_column, or_, select, true, update

from models.intake import Event
from models.shared import Lease
from models.touches import Touch
from perennial.platform.database import Database, upsert_ignore

PARTS = 8
"""A power of two. More relays than that stand by."""

LEASE = timedelta(seconds=7)
RENEW = timedelta(seconds=2)

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_MAIL = "coalesce(events.body->>'perennial_touch_id', events.body->>'touch_id')"
_PART = "relay "
_MEMBER = "relays "


@dataclass
class Shares:
    """The parts that one relay holds."""

    database: Database
    holder: str = field(default_factory=lambda: token_hex(8))
    held: tuple[int, ...] = ()
    until: datetime = _LONG_AGO
    renewed: datetime = _LONG_AGO

    @property
    def due(self) -> bool:
        """Whether to renew now."""
        return datetime.now(UTC) >= self.renewed + RENEW

    @property
    def parts(self) -> int:
        """How many there are."""
        return 1 if self.database.is_sqlite else PARTS

    @property
    def is_first(self) -> bool:
        """Whether this relay also does what only one may do."""
        return 0 in self.held

    async def renew(self) -> Sequence[int]:
        """Renew the leases, take a fair share of those that are free, and give up what is more than fair."""
        now = datetime.now(UTC)
        until = now + LEASE
        names = [f"{_PART}{part}" for part in range(self.parts)]
        async with self.database.writing() as session:
            free = now - LEASE
            rows = [{"name": name, "holder": "", "until": free} for name in names]
            await session.execute(upsert_ignore(Lease), [*rows, self._member(until)])
            await session.execute(update(Lease).where(Lease.name == _MEMBER + self.holder).values(until=until))
            await session.execute(delete(Lease).where(Lease.name.startswith(_MEMBER), Lease.until < now))
            count = select(func.count()).select_from(Lease).where(Lease.name.startswith(_MEMBER))
            fair = -(-self.parts // (await session.scalar(count) or 1))
            mine = Lease.holder == self.holder
            wanted = (
                select(Lease.name)
                .where(Lease.name.in_(names), or_(mine, Lease.until < now))
                .order_by(Lease.until < now, Lease.name)  # rather keep than change
                .with_for_update(skip_locked=True)
            )
            keep = (await session.scalars(wanted)).all()[:fair]
            let_go = update(Lease).where(Lease.name.in_(names), mine, Lease.name.not_in(keep))
            await session.execute(let_go.values(holder="", until=free))
            await session.execute(update(Lease).where(Lease.name.in_(keep)).values(holder=self.holder, until=until))
        self.held, self.until = tuple(sorted(int(name.removeprefix(_PART)) for name in keep)), until
        self.renewed = now
        return self.held

    async def extend(self) -> None:
        """Renew the leases held, and take no others."""
        if self.held:
            until = datetime.now(UTC) + LEASE
            async with self.database.writing() as session:
                await session.execute(update(Lease).where(Lease.holder == self.holder).values(until=until))
            self.until = until

    async def give_up(self) -> None:
        """Let another relay take over at once."""
        self.held = ()
        async with self.database.writing() as session:
            await session.execute(delete(Lease).where(Lease.name == _MEMBER + self.holder))
            over = datetime.now(UTC) - LEASE
            await session.execute(update(Lease).where(Lease.holder == self.holder).values(holder="", until=over))

    def mine(self) -> ColumnElement[bool]:
        """The events of the parts held: by lead, also by that of the mail they are about, else by the visitor."""
        if self.parts == 1:
            return true()
        mail: ColumnElement[str] = literal_column(
            "coalesce(events.body->>'perennial_touch_id', events.body->>'touch_id')"
        )
        of_mail = select(Touch.lead_id).where(Touch.id == mail).scalar_subquery()
        whose = func.coalesce(Event.lead_id, of_mail, mail, Event.anonymous_id, Event.fingerprint)
        return func.hashtext(whose).op("&")(self.parts - 1).in_(self.held)

    def _member(self, until: datetime) -> dict[str, object]:
        return {"name": _MEMBER + self.holder, "holder": self.holder, "until": until}
