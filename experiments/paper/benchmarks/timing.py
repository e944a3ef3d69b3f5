"""Wall time of functions, each compared with a unit that is timed beside it."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np


class Timing(NamedTuple):
    """What several repetitions tell.

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
    """The medians of ``function`` and ``unit``, timed in turn after one call of each that is not counted."""
    return Timing(*map(float, np.median(_pairs(function, unit, repetitions), axis=0)))


def fastest_beside(function: Callable[[], Any], unit: Callable[[], Any], *, repetitions: int) -> Timing:
    """The fastest of each, timed as by `time_beside`: whatever else a machine does can only add time."""
    return Timing(*map(float, np.min(_pairs(function, unit, repetitions), axis=0)))


def _pairs(function: Callable[[], Any], unit: Callable[[], Any], repetitions: int) -> np.ndarray:
    """Times ``[repetitions, 2]``."""
    seconds_of(unit)
    seconds_of(function)
    return np.array([(seconds_of(function), seconds_of(unit)) for _ in range(repetitions)])
