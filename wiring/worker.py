"""The one place where an installation is put together: database, client, tracks, content, clock, activities, worker."""

import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.behaviours import Ear
from activities.decide import DecideActivity
from activities.enrol import EnrolActivity, Enroller
from activities.envelope import From
from activities.hand_off import PeopleActivities
from activities.moment import Moment
from activities.provider import Provider
from activities.render import load_catalogue
from activities.send import SendActivity
from nurture.clock import Clock
from nurture.content import Catalogue
from nurture.scoring import DEFAULT_MODEL, ScoringModel
from nurture.track import Registry, load_tracks
from wiring.clock import read_clock
from wiring.database import Database
from wiring.provider import provider_of
from wiring.quiet_errors import QuietErrors
from wiring.secret import tokens_of
from wiring.settings import Settings
from wiring.temporal import connect
from workflows.nurture import Nurture

PASSED_THROUGH = (
    "models",
    "nurture",
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "workflows.inbox",
    "workflows.visibility",
)
"""All but the workflow's own file: modules that are not passed through are loaded again for each workflow."""

OWN_ACTIVITIES = "activities.own"


@dataclass(frozen=True)
class Installation:
    """Everything that commands, worker and web share."""

    settings: Settings
    database: Database
    client: Client
    tracks: Registry
    catalogue: Catalogue
    scoring: ScoringModel
    clock: Clock

    @property
    def moment(self) -> Moment:
        """Now."""
        return Moment(self.clock)

    @property
    def enroller(self) -> Enroller:
        """Puts leads on tracks."""
        return Enroller(self.database, self.client, self.tracks, self.settings.task_queue, self.clock)

    @property
    def ear(self) -> Ear:
        """Takes in behaviours."""
        return Ear(self.database, self.client, self.enroller, self.scoring)


@asynccontextmanager
async def installation(settings: Settings, address: str | None = None) -> AsyncIterator[Installation]:
    """The installation that the settings describe, connected; closed at the end of the block.

    Raises SettingsError if Temporal or the database cannot be reached, ContentError or TrackError if pieces or tracks
    are broken.
    """
    database = Database(settings.database_url)
    try:
        yield Installation(
            settings=settings,
            database=database,
            client=await connect(address),
            tracks=load_tracks("workflows.tracks"),
            catalogue=load_catalogue(settings.content_dir),
            scoring=DEFAULT_MODEL,
            clock=await read_clock(database),
        )
    finally:
        await database.close()


def build_worker(
    inst: Installation, *, provider: Provider | None = None, own: Sequence[Callable[..., Any]] | None = None
) -> Worker:
    """The worker: one workflow definition, the step activities, and the engineers' `own`: those of `activities.own`."""
    settings = inst.settings
    return Worker(
        inst.client,
        task_queue=settings.task_queue,
        workflows=[Nurture],
        activities=[
            *step_activities(inst, provider or provider_of(settings, inst.database)),
            *(own_activities() if own is None else own),
        ],
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[QuietErrors()],
        max_cached_workflows=settings.max_cached_workflows,
        max_concurrent_workflow_tasks=settings.max_concurrent_workflow_tasks,
        max_concurrent_activities=settings.max_concurrent_activities,
        max_concurrent_local_activities=settings.max_concurrent_local_activities,
        graceful_shutdown_timeout=timedelta(seconds=20),
    )


def sandbox() -> SandboxedWorkflowRunner:
    """Temporal's sandbox, all but the workflow's own file passed through: for replays of the golden histories."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


def step_activities(inst: Installation, provider: Provider) -> Sequence[Callable[..., Any]]:
    """The activities of the primitive steps."""
    moment = inst.moment
    people = PeopleActivities(inst.database, moment)
    settings = inst.settings
    sender = sender_of(settings)
    return [
        DecideActivity(inst.database, inst.tracks, inst.catalogue, inst.scoring).decide,
        SendActivity(inst.database, inst.tracks, inst.catalogue, provider, sender, moment, tokens_of(settings)).send,
        people.hand_off,
        people.alert,
        EnrolActivity(inst.enroller, moment).enrol,
    ]


def sender_of(settings: Settings) -> From:
    """Who our mails are from."""
    return From(
        name=settings.sender.name,
        address=settings.sender.address,
        reply_to=settings.reply_to,
        postal_address=settings.postal_address,
        public_url=settings.public_url,
    )


def own_activities(package: str = OWN_ACTIVITIES) -> Sequence[Callable[..., Any]]:
    """The functions marked `@activity.defn` in the modules of a package: what `lead.do(...)` can call."""
    root = importlib.import_module(package)
    modules = [
        root,
        *(importlib.import_module(f"{package}.{info.name}") for info in pkgutil.iter_modules(root.__path__)),
    ]
    return [
        function
        for module in modules
        for _, function in inspect.getmembers(module, inspect.isroutine)
        if hasattr(function, "__temporal_activity_definition")
    ]
