"""Addresses as they go over the wire: an international domain in its ASCII form."""

from email_validator import EmailNotValidError, validate_email

from perennial.channels.ports import NotSentError, SendingStoppedError


def wire_address(address: str) -> str:
    """`ada@bücher.example` as `ada@xn--bcher-kva.example`.

    Raises NotSentError for an address that no provider of ours can mail: one with other letters before the @-sign,
    which takes SMTPUTF8 at every server on the way.
    """
    if address.isascii():
        return address
    try:
        found = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        raise NotSentError("the address is malformed", code="address") from None
    if found.ascii_email is None:
        raise NotSentError("the address has letters before the @-sign that no mail server need take", code="smtputf8")
    return found.ascii_email


def own_wire_address(address: str) -> str:
    """As `wire_address`, of an address of our own: one that cannot be mailed from is the settings' fault.

    Raises SendingStoppedError, so that no lead's piece is used up.
    """
    try:
        return wire_address(address)
    except NotSentError as error:
        raise SendingStoppedError(f"our own address cannot be used: {error}", code="sender") from None
