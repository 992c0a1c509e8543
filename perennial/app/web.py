"""The one place where the web application is put together."""

from fastapi import APIRouter, FastAPI

from perennial.integrations.crm import webhook as crm
from perennial.integrations.crm.signature import StandardSignature
from perennial.integrations.segment import api as segment
from perennial.integrations.sendgrid import webhook as sendgrid
from perennial.integrations.sendgrid.signature import SendGridSignature
from perennial.web import errors, health
from perennial.web.browsers import ForBrowsers
from perennial.web.edge import Edge
from perennial.web.keys import Keyring
from perennial.web.metrics import Measured

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    sendgrid.router,
    segment.router,
    crm.router,
)


def create_app(edge: Edge, *pages: APIRouter) -> FastAPI:
    """The application over an edge, which the caller closes, with these `pages` for leads. It connects to nothing.

    `edge_of(request)` gives a route the edge; `Depends(Needs("support"))` asks for a key.
    """
    app = FastAPI(
        title="Perennial",
        version="0.1.0",
        description="The way in to lead-nurture journeys: signed webhooks, Segment's API, health.",
        docs_url=None,  # both pages load their scripts from elsewhere
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    settings = edge.settings
    key, secret = settings.sendgrid_webhook_key, settings.crm_webhook_secret
    app.state.edge = edge
    app.state.keyring = Keyring()
    app.state.sendgrid_signature = key and SendGridSignature.from_text(key, settings.webhook_max_age)
    app.state.crm_signature = secret and StandardSignature.from_secret(secret)
    for router in (*ROUTERS, *pages):
        app.include_router(router)
    errors.install(app)
    app.add_middleware(ForBrowsers)
    app.add_middleware(Measured, metrics=edge.metrics)
    return app
