"""Parameters of a test of which only some are tried in the quick tests."""

import pytest


def slow_but(values, *quick):
    """``values`` as parameters: those in ``quick`` as they are, all others marked slow."""
    unknown = set(quick) - set(values)
    assert not unknown, unknown
    return [value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values]
