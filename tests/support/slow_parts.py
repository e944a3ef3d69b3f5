"""Parameters of a test of which only some are tried in the quick tests."""

import pytest


def slow_but(values, *quick):
    """``values`` of one parameter: those in ``quick`` as they are, all others marked slow."""
    return slow_rows_but([(value,) for value in values], *((value,) for value in quick))


def slow_rows_but(rows, *quick):
    """``rows`` of several parameters: those in ``quick`` as they are, all others marked slow."""
    unknown = [row for row in quick if row not in rows]
    assert not unknown, unknown
    return [pytest.param(*row, marks=() if row in quick else pytest.mark.slow) for row in rows]
