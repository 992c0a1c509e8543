"""Put the web application together: routes, error answers, middleware."""

from fastapi import APIRouter, FastAPI

from perennial.integrations.crm import webhook as crm
from perennial.integrations.crm.signature import StandardSignature
from perennial.integrations.segment import api as segment
from perennial.integrations.sendgrid import webhook as sendgrid
from perennial.integrations.sendgrid.signature import SendGridSignature
from perennial.web import errors, health
from perennial.web.browsers import OpenToBrowsers
from perennial.web.edge import Edge
from perennial.web.keys import KeyCache
from perennial.web.metrics import CountRequests
from perennial.web.signups import Signups

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    sendgrid.router,
    segment.router,
    crm.router,
)


def create_app(edge: Edge, *pages: APIRouter, signups: Signups | None = None) -> FastAPI:
    """Make the application over an edge, with these `pages` for leads. It opens nothing; the caller closes the edge.

    Without `signups` nobody is asked to confirm an address that came through a browser, so none becomes a lead's.

    A route gets the edge by `edge_of(request)`, and requires a key by `Depends(RequireScope("support"))`.
    """
    app = FastAPI(
        title="Perennial",
        version="0.1.0",
        description="The way in to lead-nurture journeys: signed webhooks, Segment's API, health.",
        docs_url=None,  # both pages load scripts from other sites
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    settings = edge.settings
    app.state.edge = edge
    app.state.key_cache = KeyCache()
    app.state.signups = signups
    app.state.sendgrid_signature = SendGridSignature.of(settings.sendgrid_webhook_key, settings.webhook_max_age)
    app.state.crm_signature = StandardSignature.of(settings.crm_webhook_secret)
    for router in (*ROUTERS, *pages, *([signups.router()] if signups else [])):
        app.include_router(router)
    errors.install(app)
    app.add_middleware(OpenToBrowsers, prefix=segment.PREFIX)
    app.add_middleware(CountRequests, metrics=edge.metrics)
    return app
