"""Keys: what they say, and that a string and its key are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.journey.keys import Key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("send:tip", Key("send", "tip")),
        ("send:tip~2", Key("send", "tip", 2)),
        ("start/wait", Key("wait", anchor="start")),
        ("send:tip~2/wait~3", Key("wait", count=3, anchor="send:tip~2")),
        ("graduation/hand_off:sales", Key("hand_off", "sales", scope="graduation")),
        ("graduation~2/hand_off:sales/wait", Key("wait", scope="graduation~2", anchor="hand_off:sales")),
        ("catch-up/send:terms", Key("send", "terms", scope="catch-up")),
        ("alert:open http://a/b~c", Key("alert", "open http://a/b~c")),
        ("alert:tell ~2~1", Key("alert", "tell ~2")),
        ("alert:please /wait~1~2", Key("alert", "please /wait", 2)),
    ],
)
def test_a_key_says_what_its_string_says(text: str, key: Key) -> None:
    """Both ways."""
    assert Key.parse(text) == key
    assert str(key) == text


subjects = st.text(st.sampled_from("ab:~12/wait \n"), min_size=1, max_size=8)
steps = st.builds(
    Key,
    st.sampled_from(["send", "alert", "do"]),
    subjects,
    st.integers(1, 30),
    st.sampled_from(["", "graduation", "graduation~2", "catch-up"]),
)
waits = st.builds(
    lambda step, count, scope: Key("wait", count=count, scope=scope, anchor=str(step)),
    steps.map(lambda step: Key(step.verb, step.subject, step.count)),
    st.integers(1, 30),
    st.sampled_from(["", "graduation", "graduation~2"]),
)


@given(steps | waits)
def test_whatever_a_step_is_called_its_key_is_read_back(key: Key) -> None:
    """Also a text that ends like a count, or like a wait."""
    assert Key.parse(str(key)) == key


@given(st.text())
def test_any_string_is_read(text: str) -> None:
    """A key from elsewhere is at worst an odd verb."""
    assert Key.parse(text).name is not None


def test_the_place_of_a_key_has_no_counts() -> None:
    """So that all turns of a loop are one place."""
    assert Key.parse("graduation~2/send:tip~2/wait~3").place == "graduation/send:tip/wait"
    assert Key.parse("start/wait").place == "start/wait"


def test_a_wait_names_the_step_it_follows() -> None:
    """In the same scope."""
    assert str(Key.parse("graduation/send:tip~2/wait").step) == "graduation/send:tip~2"
    assert Key.parse("send:tip").step == Key("send", "tip")
