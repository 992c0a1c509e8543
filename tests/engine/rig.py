"""An installation under test: a database with leads, a Temporal server, workers that come and go."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import Worker

from models.journeys import Enrolment, FactRow
from models.messages import Behaviour, JournalView
from models.shared import ClockRow
from models.touches import Touch
from nurture.content.folder import load_catalogue
from nurture.journey.decision import Park
from nurture.journey.facts import AnyFact
from nurture.journey.track import Registry, Track, load_tracks
from nurture.people.behaviours import behaviour_kind
from nurture.people.scoring import DEFAULT_MODEL
from nurture.timing.clock import Clock
from perennial.app.connected import ConnectedInstallation
from perennial.app.worker import build_worker
from perennial.channels.database_mail import DatabaseProvider
from perennial.channels.ports import Provider
from perennial.intake.reports import Report
from perennial.journeys.enrolling import workflow_id
from perennial.journeys.read_model import FACT
from perennial.platform.clock import read_clock
from perennial.platform.database import Database
from perennial.platform.settings import load_settings
from tests.builders import consenting
from tests.paths import CONTENT

MONDAY = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
"""A working Monday in Europe, before its clocks change on 29 March."""

QUICK = 20 * 86_400.0
"""Twenty days a second: half a year in nine seconds."""

CATALOGUE = load_catalogue(CONTENT)
TRACKS = load_tracks("workflows.tracks")

numbers = count(1)
Found = TypeVar("Found")


async def eventually(look: Callable[[], Awaitable[Found]], *, within: float = 30) -> Found:
    """What `look` finds, as soon as that is true; TimeoutError if it never is."""
    async with asyncio.timeout(within):
        while not (found := await look()):
            await asyncio.sleep(0.02)
    return found


def quick(at: datetime = MONDAY, speed: float = QUICK) -> Clock:
    """A clock that says `at` now and runs fast from there."""
    return Clock(real=datetime.now(UTC), virtual=at, speed=speed)


def still(at: datetime = MONDAY) -> Clock:
    """A clock that says `at` now and runs as the wall's does: a wait of days does not end within a test."""
    return quick(at, 1.0)


def behaviour(id_: str, name: str, subject: str = "", *, at: datetime = MONDAY, score: int | None = None) -> Behaviour:
    """A behaviour as the journeys hear of it."""
    return Behaviour(id=id_, name=name, subject=subject, at=at, score=score)


@dataclass
class Rig:
    """One installation with a task queue of its own; `tag` makes the names of leads unique on a shared server."""

    inst: ConnectedInstallation
    provider: Provider
    tag: str

    @property
    def database(self) -> Database:
        """Its database."""
        return self.inst.database

    def over(self, provider: Provider) -> Rig:
        """The same with another provider."""
        return replace(self, provider=provider)

    def running(self, *tracks: Track) -> Rig:
        """The same with these tracks, as after a deployment."""
        return replace(self, inst=replace(self.inst, tracks=Registry(tracks)))

    @asynccontextmanager
    async def working(self, *own: Callable[..., Any]) -> AsyncIterator[Worker]:
        """A worker, with activities of an engineer's own, for the length of the block."""
        async with build_worker(replace(self.inst, activities=own), provider=self.provider) as worker:
            yield worker

    def id(self, lead: str) -> str:
        """A lead's id."""
        return f"{lead}-{self.tag}" if self.tag else lead

    async def add_leads(self, *names: str, **changes: Any) -> None:
        """Leads who have consented."""
        async with self.database.writing() as session:
            for name in names:
                session.add_all(consenting(self.id(name), at=MONDAY, **changes))

    async def enrol(self, track: str, lead: str, at: datetime | None = None) -> WorkflowHandle[Any, Any]:
        """Enrol a lead; the journey's handle."""
        await self.inst.enroller.enrol(track, self.id(lead), at or self.inst.now(), "test")
        return self.journey(track, lead)

    async def journey_of(
        self, track: str, lead: str, at: datetime | None = None, **changes: Any
    ) -> WorkflowHandle[Any, Any]:
        """Add a lead and enrol it."""
        await self.add_leads(lead, **changes)
        return await self.enrol(track, lead, at)

    def journey(self, track: str, lead: str) -> WorkflowHandle[Any, Any]:
        """The handle of a lead's journey on a track."""
        return self.inst.client.get_workflow_handle(workflow_id(track, self.id(lead)))

    async def hears(
        self, lead: str, name: str, subject: str = "", *, at: datetime | None = None, id_: str = ""
    ) -> None:
        """Something a lead does, taken in as the world's behaviours are: recorded, scored, told to its journeys."""
        wanted = behaviour_kind(name).subject
        props = {wanted: subject} if wanted and subject else {}
        happening_id = id_ or f"b{next(numbers)}-{self.tag}"
        report = Report(happening_id, self.id(lead), name, props, at or self.inst.now())
        await self.inst.listener.take(report)

    async def facts(self, track: str, lead: str) -> list[AnyFact]:
        """The journal in the read model, in order; fails unless its numbers have no gap."""
        async with self.database.reading() as session:
            rows = await session.execute(
                select(FactRow.seq, FactRow.fact)
                .where(FactRow.enrolment_id == f"{track}/{self.id(lead)}/1")
                .order_by(FactRow.seq)
            )
            found = rows.all()
        assert [seq for seq, _ in found] == list(range(len(found)))
        return [FACT.validate_python(fact) for _, fact in found]

    async def sent(self, lead: str) -> list[tuple[str, str]]:
        """What was sent to a lead: (moment in UTC, piece)."""
        async with self.database.reading() as session:
            rows = await session.execute(
                select(Touch.at, Touch.piece)
                .where(Touch.lead_id == self.id(lead), Touch.state == "accepted")
                .order_by(Touch.at)
            )
            return [(f"{at:%Y-%m-%d %H:%M}", piece) for at, piece in rows]

    async def pieces(self, lead: str) -> list[str]:
        """What was sent to a lead, in order."""
        return [piece for _, piece in await self.sent(lead)]

    async def standing(self, track: str, lead: str) -> Enrolment:
        """The head of a lead's journal in the read model."""
        async with self.database.reading() as session:
            return await session.get_one(Enrolment, f"{track}/{self.id(lead)}/1")


@asynccontextmanager
async def rig_on(
    client: Client, data_dir: Path, clock: Clock | None, *, tag: str | None = None, url: str | None = None
) -> AsyncIterator[Rig]:
    """A rig on a server and on the migrated SQLite file in `data_dir`, with its clock there unless `clock` is set now.

    `url` names another database.

    Without a tag, with one that nobody else has.
    """
    tag = f"{next(numbers)}x{datetime.now(UTC):%H%M%S%f}" if tag is None else tag
    settings = load_settings(data_dir=data_dir, database_url=url, task_queue=f"nurture-{tag}")
    database = Database(settings.database_url)
    if clock is not None:
        async with database.writing() as session:
            session.add(ClockRow(id=1, real=clock.real, virtual=clock.virtual, speed=clock.speed))
    inst = ConnectedInstallation(
        settings=settings,
        database=database,
        client=client,
        tracks=TRACKS,
        catalogue=CATALOGUE,
        scoring=DEFAULT_MODEL,
        clock=await read_clock(database),
    )
    try:
        yield Rig(inst, DatabaseProvider(database), tag)
    finally:
        await database.close()


async def parked(handle: WorkflowHandle[Any, Any], key: str, why: str = "wait") -> JournalView:
    """The journey once it rests at this step."""

    async def look() -> JournalView | None:
        view = await view_of(handle)
        at_rest = isinstance(view.next, Park) and (view.next.key, view.next.why) == (key, why)
        return view if at_rest else None

    found = await eventually(look)
    assert found is not None
    return found


async def view_of(handle: WorkflowHandle[Any, Any]) -> JournalView:
    """What a journey answers to the query `journal`."""
    found: JournalView = await handle.query("journal", result_type=JournalView)
    return found


async def finished(handle: WorkflowHandle[Any, Any], within: float = 30) -> str:
    """The outcome of a journey, once it is over."""
    async with asyncio.timeout(within):
        return str(await handle.result())


def kinds(facts: list[AnyFact] | tuple[AnyFact, ...]) -> list[str]:
    """The facts by kind and key, `done send:welcome`: what happened, without when."""
    return [f"{fact.kind} {getattr(fact, 'key', '')}".strip() for fact in facts]


def events(history: WorkflowHistory, kind: str) -> int:
    """How many events of a kind (`TIMER_STARTED`) a history holds."""
    return sum(event["eventType"] == f"EVENT_TYPE_{kind}" for event in history.to_json_dict()["events"])


def decoded(value: Any) -> str:
    """Everything in a history's JSON as text, its payloads decoded."""
    match value:
        case dict():
            said = [f"{name} {decoded(each)}" for name, each in value.items()]
            if isinstance(value.get("data"), str):
                said.append(base64.b64decode(value["data"], validate=False).decode(errors="replace"))
            return "\n".join(said)
        case list():
            return "\n".join(map(decoded, value))
        case _:
            return json.dumps(value)
