"""Stopping a run from outside: SIGTERM and Ctrl-C take effect at once, but never in the middle of a write."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn, TypeVar

import jax

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_POLLING_SECONDS = 0.001

Awaited = TypeVar("Awaited")


class Interruption:
    """Turns signals into KeyboardInterrupt, and holds them back while something is being written."""

    def __init__(self) -> None:
        self._is_held = False
        self._is_pending = False

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Inside the context, SIGTERM does what Ctrl-C does. Outside the main thread nothing changes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def held_back(self) -> Iterator[None]:
        """Inside the context, signals wait; at the end, the first one takes effect."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        if self._is_pending:
            raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if not self._is_held:
            raise KeyboardInterrupt
        self._is_pending = True


def wait_for(arrays: Awaited) -> Awaited:
    """Waits until all ``arrays`` are computed and returns them; unlike JAX's own waiting, signals end it."""
    # Arrays of random keys do not tell whether they are ready.
    for array in (leaf for leaf in jax.tree.leaves(arrays) if hasattr(leaf, "is_ready")):
        while not array.is_ready():
            time.sleep(_POLLING_SECONDS)
    # Raises what went wrong.
    return jax.block_until_ready(arrays)


def leave(message: str) -> NoReturn:
    """Ends the process at once with a message and status 1; a normal exit would wait for running computations."""
    print(f"\n{message}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(1)
