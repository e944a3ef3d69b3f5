"""Compilation: for devices that are there, kept on disk from one process to the next, and reported."""

import contextlib
import hashlib
import logging
import os
import platform
import re
import time
from collections.abc import Iterator
from pathlib import Path

import jax
from jaxlib import utils as jaxlib_utils

from lbb_jax import paths
from lbb_jax.experiment.configuration import ExperimentError
from lbb_jax.files import cache_folder

_COMPILED = "/jax/core/compile/backend_compile_duration"
_REQUEST, _HIT = "/jax/compilation_cache/compile_requests_use_cache", "/jax/compilation_cache/cache_hits"


def check_platform() -> None:
    """Raises ExperimentError if JAX finds no device of the platform that it is to use."""
    try:
        jax.devices()
    # JAX 0.10.1 fails an assertion, without a message, where it leaves out CUDA because there is no driver.
    except (AssertionError, RuntimeError) as error:
        raise ExperimentError(
            f"JAX_PLATFORMS={jax.config.jax_platforms}: JAX finds no such device; unset it to use what there is "
            f"({str(error) or 'JAX gives no reason'})"
        ) from error


def use_cache() -> None:
    """Keeps compiled programs in the user's cache folder, unless ``JAX_COMPILATION_CACHE_DIR`` names another.

    Each kind of processor has a folder of its own there: home folders are shared, and a program may hold instructions
    that another processor does not have.

    Raises:
      PathError: If a variable names no local folder.
    """
    named, processor = jax.config.jax_compilation_cache_dir, _instruction_set()
    folder = paths.resolve(named, name="JAX_COMPILATION_CACHE_DIR") if named else cache_folder("compiled")
    if folder.name == processor:
        # An earlier call has set it.
        return
    jax.config.update("jax_compilation_cache_dir", str(folder / processor))
    jax.monitoring.register_event_listener(_hush)
    jax.monitoring.register_event_duration_secs_listener(_hush_no_longer)


def _instruction_set() -> str:
    """A name for the instructions that the processor has."""
    try:
        description = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        description = ""
    # "Features" on ARM.
    instructions = re.search(r"^(?:flags|Features)\s*:(.*)$", description, flags=re.MULTILINE)
    words = sorted(instructions[1].split()) if instructions else [platform.processor()]
    return f"{platform.machine()}-{hashlib.sha256(' '.join(words).encode()).hexdigest()[:8]}"


def _hush(event: str, **details: str | int) -> None:
    """Silences the log of XLA while it loads or compiles a program; failures there raise exceptions.

    XLA warns that programs from the cache may end in SIGILL, even on the processor that compiled them: it looks for
    preferences of its compiler among the processor's instructions (github.com/openxla/xla/issues/44565).
    """
    if event == _REQUEST and int(os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1")) > 0:
        _set_log_level(3)


def _hush_no_longer(event: str, duration: float, **details: str | int) -> None:
    if event == _COMPILED:
        _set_log_level(int(os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1")))


def _set_log_level(level: int) -> None:
    """Sets the lowest level of messages that XLA logs, as ``TF_CPP_MIN_LOG_LEVEL`` does."""
    # JAX has no public function for it.
    set_level = getattr(jaxlib_utils, "absl_set_min_log_level", None)
    if set_level is not None:
        set_level(level)


@contextlib.contextmanager
def reported(logger: logging.Logger) -> Iterator[None]:
    """Logs how long the programs compiled within took, and how many of them came from the cache."""
    counts = {_REQUEST: 0, _HIT: 0}

    def count(event: str, **details: str | int) -> None:
        del details
        if event in counts:
            counts[event] += 1

    jax.monitoring.register_event_listener(count)
    start = time.perf_counter()
    try:
        yield
    finally:
        jax.monitoring.unregister_event_listener(count)
    from_cache = f" ({counts[_HIT]} of {counts[_REQUEST]} programs from the cache)" if counts[_REQUEST] else ""
    logger.info("compiled in %.1f s%s", time.perf_counter() - start, from_cache)
