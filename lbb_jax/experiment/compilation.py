"""Compilation: kept on disk from one process to the next, and reported."""

import contextlib
import logging
import time
from collections.abc import Iterator

import jax
import platformdirs

_REQUEST, _HIT = "/jax/compilation_cache/compile_requests_use_cache", "/jax/compilation_cache/cache_hits"


def use_cache() -> None:
    """Keeps compiled programs in the user's cache folder, unless JAX_COMPILATION_CACHE_DIR names another."""
    if jax.config.jax_compilation_cache_dir is None:
        folder = platformdirs.user_cache_path("lbb_jax") / "compiled"
        jax.config.update("jax_compilation_cache_dir", str(folder))


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
