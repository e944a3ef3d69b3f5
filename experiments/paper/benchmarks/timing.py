"""Wall time of functions, each compared with a unit that is timed beside it."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np


class Timing(NamedTuple):
    """Medians over several repetitions.

    Attributes:
      seconds: What the function took.
      unit_seconds: What the unit took, timed in turn with the function.
    """

    seconds: float
    unit_seconds: float


def seconds_of(function: Callable[[], Any]) -> float:
    """Wall time of one call, until all arrays that it returns are there."""
    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start


def time_beside(function: Callable[[], Any], unit: Callable[[], Any], *, repetitions: int) -> Timing:
    """Times ``function`` and ``unit`` in turn, after one call of each that is not counted."""
    seconds_of(unit)
    seconds_of(function)
    pairs = np.array([(seconds_of(function), seconds_of(unit)) for _ in range(repetitions)])
    return Timing(*map(float, np.median(pairs, axis=0)))
