"""How long hypothesis searches: the same examples in every test run, many new ones with `make nightly`."""

from hypothesis import settings

_EXAMPLES = 100
_NIGHTLY = 20

settings.register_profile("perennial", max_examples=_EXAMPLES, deadline=None, derandomize=True)
settings.register_profile("nightly", max_examples=_NIGHTLY * _EXAMPLES, deadline=None, print_blob=True)
settings.load_profile("perennial")  # `--hypothesis-profile=nightly` comes later, and wins


def examples(count: int) -> settings:
    """`count` examples in a test run, and in proportion more at night."""
    return settings(max_examples=count * settings.default.max_examples // _EXAMPLES)
