"""The body of a v3 Mail Send, by SendGrid's OpenAPI description (`tsg_mail_v3`)."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict

MOST_PERSONALIZATIONS = 1_000
MOST_CATEGORIES, LONGEST_CATEGORY = 10, 255


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Address(_Part):
    """An e-mail address, perhaps with a name."""

    email: str
    name: str | None = None


class Personalization(_Part):
    """One message to one or more recipients who see each other."""

    to: Annotated[list[Address], Field(min_length=1)]
    sender: Annotated[Address | None, Field(alias="from")] = None
    cc: list[Address] = []
    bcc: list[Address] = []
    subject: Annotated[str, Field(min_length=1)] | None = None
    headers: dict[str, str] = {}
    substitutions: dict[str, str] = {}
    dynamic_template_data: dict[str, Any] = {}
    custom_args: dict[str, str] = {}
    send_at: int | None = None

    def recipients(self) -> Iterator[tuple[str, Address]]:
        """Each recipient, with the field's place."""
        for place, addresses in (("to", self.to), ("cc", self.cc), ("bcc", self.bcc)):
            for number, address in enumerate(addresses):
                yield f"{place}.{number}", address


class Content(_Part):
    """A part of the message."""

    type: Annotated[str, Field(min_length=1)]
    value: Annotated[str, Field(min_length=1)]


class Switch(BaseModel):
    """A setting that is on or off; a mailbox ignores its other fields."""

    model_config = ConfigDict(extra="allow", frozen=True)

    enable: Annotated[bool, Strict()] = False


class MailSettings(BaseModel):
    """The mail settings that a mailbox applies."""

    model_config = ConfigDict(extra="allow", frozen=True)

    sandbox_mode: Switch = Switch()


class TrackingSettings(BaseModel):
    """The tracking settings that a mailbox applies; both are on in a new SendGrid account."""

    model_config = ConfigDict(extra="allow", frozen=True)

    click_tracking: Switch = Switch(enable=True)
    open_tracking: Switch = Switch(enable=True)


class MailSend(_Part):
    """A whole request."""

    personalizations: Annotated[list[Personalization], Field(min_length=1, max_length=MOST_PERSONALIZATIONS)]
    sender: Annotated[Address, Field(alias="from")]
    reply_to: Address | None = None
    reply_to_list: list[Address] = []
    subject: Annotated[str, Field(min_length=1)] | None = None
    content: list[Content] = []
    attachments: list[dict[str, Any]] = []
    template_id: str | None = None
    headers: dict[str, str] = {}
    categories: Annotated[
        list[Annotated[str, Field(max_length=LONGEST_CATEGORY)]], Field(max_length=MOST_CATEGORIES)
    ] = []
    custom_args: dict[str, str] = {}
    send_at: int | None = None
    batch_id: str | None = None
    asm: dict[str, Any] | None = None
    ip_pool_name: str | None = None
    sections: dict[str, str] = {}
    mail_settings: MailSettings = MailSettings()
    tracking_settings: TrackingSettings = TrackingSettings()
