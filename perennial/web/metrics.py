"""What the web service counts, for Prometheus. Each application has its own registry."""

import time
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


@dataclass(frozen=True)
class Metrics:
    """The counters. Labels are routes, sources, fates and tracks; never an address, a path with a token, or a lead."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: Counter = field(init=False)
    seconds: Histogram = field(init=False)
    events: Counter = field(init=False)
    outbox: Gauge = field(init=False)
    outbox_age: Gauge = field(init=False)
    failed: Gauge = field(init=False)
    database: Gauge = field(init=False)
    temporal: Gauge = field(init=False)
    held: Gauge = field(init=False)
    stuck: Gauge = field(init=False)

    def __post_init__(self) -> None:
        into = self.registry
        made = {
            "requests": Counter("perennial_requests", "Requests", ["method", "route", "status"], registry=into),
            "seconds": Histogram("perennial_request_seconds", "To answer", ["route"], buckets=_BUCKETS, registry=into),
            "events": Counter(
                "perennial_events",
                "Events by source and fate: new, known (a duplicate), refused",
                ["source", "fate"],
                registry=into,
            ),
            "outbox": Gauge("perennial_outbox_events", "Events the relay has yet to pass on", registry=into),
            "outbox_age": Gauge("perennial_outbox_age_seconds", "How long the oldest has waited", registry=into),
            "failed": Gauge("perennial_failed_events", "Events that could not be passed on", registry=into),
            "database": Gauge("perennial_database_up", "1 if the database answers", registry=into),
            "temporal": Gauge("perennial_temporal_up", "1 if Temporal answers", registry=into),
            "held": Gauge(
                "perennial_held_journeys", "Leads that an edit left without a place", ["track"], registry=into
            ),
            "stuck": Gauge(
                "perennial_stuck_journeys", "Journeys whose code or step keeps failing", ["track"], registry=into
            ),
        }
        for name, metric in made.items():
            object.__setattr__(self, name, metric)

    def text(self) -> bytes:
        """Every metric, in Prometheus' text format."""
        return generate_latest(self.registry)


class CountRequests:
    """ASGI middleware: counts and times each request under its route's template, so that no token becomes a label."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            method = (
                scope["method"] if route != "unmatched" else "any"
            )  # anyone can make up methods: they would become labels
            self.metrics.requests.labels(method, route, str(status)).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - started)
