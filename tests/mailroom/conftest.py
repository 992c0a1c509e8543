"""A mailbox process and a receiver that a module's tests share."""

from collections.abc import Iterator

import pytest

from tests.mailroom.running import Receiver, Running, receiving, running


@pytest.fixture(scope="module")
def told() -> Iterator[Receiver]:
    """What the mailbox's webhook and buttons reach."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory, told: Receiver) -> Iterator[Running]:
    """A mailbox that tells the receiver."""
    with running(tmp_path_factory.mktemp("mailbox"), "--webhook-url", f"{told.url}/webhooks/sendgrid") as mailbox:
        yield mailbox
