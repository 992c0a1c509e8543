"""The sources of events, each with its reader. A new source is a folder in `perennial/integrations` and a line here."""

from collections.abc import Mapping

from nurture.people.scoring import ScoringModel
from perennial.intake import own
from perennial.intake.meaning import Reader, Translator
from perennial.integrations.clicks import links as clicks
from perennial.integrations.clicks.meanings import read_click
from perennial.integrations.crm import webhook as crm
from perennial.integrations.crm.meanings import read_crm
from perennial.integrations.segment import calls as segment
from perennial.integrations.segment.meanings import SegmentReader
from perennial.integrations.sendgrid import events as sendgrid
from perennial.integrations.sendgrid.meanings import read_sendgrid
from perennial.leads.identity import Identities
from perennial.platform.secrets import Secrets
from perennial.web import signups


def readers(secrets: Secrets, scoring: ScoringModel) -> Mapping[str, Reader]:
    """The reader of each source. `secrets` are the installation's: they key the hashes of barred addresses."""
    return {
        own.SOURCE: own.read_own,
        sendgrid.SOURCE: read_sendgrid,
        signups.SOURCE: signups.SignupReader(Identities(secrets, scoring)),
        segment.SOURCE: SegmentReader(Identities(secrets, scoring)),
        crm.SOURCE: read_crm,
        clicks.SOURCE: read_click,
    }


def translator(secrets: Secrets, scoring: ScoringModel) -> Translator:
    """What reads every event that this installation takes."""
    return Translator(readers(secrets, scoring))
