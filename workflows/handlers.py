"""What reaches a journey: its signals, its query and its updates. Handlers only put into the inbox; the loop takes."""

from collections.abc import Sequence
from datetime import datetime

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from models.messages import Behaviour, Behaviours, Control, JournalView, Journey, Release, Request, Verb
    from nurture.journey.decision import AnyNext, Finish, Park
    from nurture.journey.facts import AnyFact, Done
    from nurture.journey.journal import Journal
    from nurture.journey.wording import say_fact, say_next
    from workflows.inbox import Inbox


class JourneyHandlers:
    """A journey's state, and how it is reached.

    `saved` of the `total` facts so far are in the database, with this `digest`. `heard` is how many of the inbox's
    messages a wake has taken, `outcome` what came of the step that the last wake did at once.
    """

    def __init__(self, args: Sequence[RawValue]) -> None:
        journey = workflow.payload_converter().from_payload(args[0].payload, Journey)
        self.journey = journey
        self.journal = Journal(journey.facts, journey.decided)
        self.inbox = Inbox(journey.inbox, journey.heard, first=journey.total)
        self.total = journey.total
        self.saved = journey.saved
        self.digest = journey.digest
        self.shown = dict(journey.shown)
        self.now = journey.now or self.journal.enrolled.at
        self.next: AnyNext | None = None
        self.because: tuple[str, ...] = ()
        self.outcome: AnyFact | None = None
        self.heard = 0

    @workflow.signal
    def behaviour(self, behaviour: Behaviour | None = None) -> None:
        """The lead, or sales about it, did something. An id heard before is not heard again."""
        if behaviour is not None:
            self.inbox.put(behaviour)

    @workflow.signal
    def behaviours(self, burst: Behaviours | None = None) -> None:
        """A burst of behaviours, in order, in one signal."""
        for behaviour in burst.items if burst is not None else ():
            self.inbox.put(behaviour)

    @workflow.signal
    def pause(self, request: Request | None = None) -> None:
        """Send nothing, and let time stand still, until resumed. Exits still work."""
        self._put("pause", request)

    @workflow.signal
    def resume(self, request: Request | None = None) -> None:
        """Go on."""
        self._put("resume", request)

    @workflow.signal
    def refresh(self, request: Request | None = None) -> None:
        """Decide again now, with the track's code as it is."""
        self._put("refresh", request)

    @workflow.signal
    def exit(self, request: Request | None = None) -> None:
        """End the journey; the reason is recorded."""
        self._put("exit", request)

    def _put(self, verb: Verb, request: Request | None) -> None:
        """Take what a person asked: in the Temporal UI perhaps without an input."""
        request = request or Request()
        self.inbox.put(Control(verb=verb, id=request.id, reason=request.reason))

    @workflow.query(name="journal")
    def view(self) -> JournalView:
        """The journal, and where the journey stands."""
        return JournalView(
            enrolment_id=self.journey.enrolment_id,
            lead_id=self.journey.lead_id,
            track=workflow.info().workflow_type,
            facts=self.journal.facts,
            decided=self.journal.decided,
            total=self.total,
            now=self.clock_now(),
            next=self.next,
            because=self.because,
        )

    @workflow.update
    async def override(self, request: Request | None = None) -> str:
        """End the present wait and move on; answers what comes next. An id heard before ends nothing again."""
        request = request or Request()
        return await self._answered(Control(verb="override", id=request.id, reason=request.reason))

    @override.validator
    def _may_override(self, request: Request | None = None) -> None:
        if not (isinstance(self.next, Park) and self.next.why == "wait"):
            raise ApplicationError(
                f"there is no wait to end: the journey stands at {self._standing()}",
                type="NotWaiting",
                non_retryable=True,
            )
        if request is not None and request.wait not in ("", self.next.key):
            raise ApplicationError(
                f"that wait is over: the journey stands at {self._standing()}", type="Over", non_retryable=True
            )

    @workflow.update
    async def release(self, release: Release | None = None) -> str:
        """Put a held lead on its way; answers what comes next. An id heard before releases nothing again."""
        release = release or Release()
        return await self._answered(
            Control(verb="release", id=release.id, reason=release.reason, step=release.step, end=release.end)
        )

    @release.validator
    def _may_release(self, release: Release | None = None) -> None:
        if not (isinstance(self.next, Park) and self.next.why == "held"):
            raise ApplicationError(
                f"the lead is not held: it stands at {self._standing()}", type="NotHeld", non_retryable=True
            )
        if release is None or not (release.end or release.step):
            raise ApplicationError("a release names a step, or the end", type="NoPlace", non_retryable=True)

    async def _answered(self, control: Control) -> str:
        ticket = self.inbox.put(control)
        await workflow.wait_condition(lambda: self.heard >= ticket or isinstance(self.next, Finish))
        done = f"{say_fact(self.outcome)}, then " if isinstance(self.outcome, Done) else ""
        return done + self._standing()

    def _standing(self) -> str:
        return say_next(self.next) if self.next is not None else "its first decision"

    def clock_now(self) -> datetime:
        """The journey's time: the clock's, and never before what was already recorded."""
        return max(self.journey.clock.virtual_at(workflow.now()), self.now)
