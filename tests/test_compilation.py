"""The cache of compiled programs: kept apart by processor, and quiet."""

import re

import jax
import jax.numpy as jnp
import pytest

# What is tested is how XLA reads what JAX keeps; only JAX itself knows how that is written.
from jax._src import compilation_cache

from lbb_jax.experiment import compilation
from lbb_jax.paths import PathError


@pytest.fixture
def own_cache(tmp_path):
    """An empty cache in the place of the tests' own."""
    before = jax.config.jax_compilation_cache_dir, jax.config.jax_persistent_cache_min_compile_time_secs
    compilation_cache.reset_cache()
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    yield tmp_path
    compilation_cache.reset_cache()
    jax.config.update("jax_compilation_cache_dir", before[0])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", before[1])


@pytest.fixture
def listeners(monkeypatch):
    """What `use_cache` listens with, noted and not registered."""
    noted = []
    monkeypatch.setattr(jax.monitoring, "register_event_listener", noted.append)
    monkeypatch.setattr(jax.monitoring, "register_event_duration_secs_listener", noted.append)
    return noted


def compile_twice(folder):
    """A program, and the same from a cache that says that it was compiled for another processor."""

    def double(values):
        return 2 * values

    jax.jit(double)(jnp.ones(3))
    (entry,) = folder.glob("jit_double-*-cache")
    content = compilation_cache.decompress_executable(entry.read_bytes())
    other = re.sub(rb"\+\w+(?=,\+)", lambda found: b"+".ljust(len(found[0]), b"z"), content, count=1)
    assert other != content
    entry.write_bytes(compilation_cache.compress_executable(other))
    jax.clear_caches()
    return jax.jit(double)(jnp.ones(3))


@pytest.mark.slow
@pytest.mark.parametrize("is_verbose", [False, True])
def test_programs_from_the_cache_are_loaded_in_silence_unless_all_is_to_be_logged(
    is_verbose, own_cache, monkeypatch, capfd
):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0" if is_verbose else "1")
    hits = []
    listeners = [compilation._hush, lambda event, **details: hits.append(event.endswith("cache_hits"))]
    for listener in listeners:
        jax.monitoring.register_event_listener(listener)
    jax.monitoring.register_event_duration_secs_listener(compilation._hush_no_longer)
    try:
        compilation._set_log_level(1)
        assert compile_twice(own_cache).tolist() == [2, 2, 2]
    finally:
        for listener in listeners:
            jax.monitoring.unregister_event_listener(listener)
        jax.monitoring.unregister_event_duration_listener(compilation._hush_no_longer)
        compilation._set_log_level(1)
    assert any(hits)
    assert ("SIGILL" in capfd.readouterr().err) is is_verbose


def test_each_processor_has_a_cache_of_its_own(own_cache, listeners, monkeypatch):
    compilation.use_cache()
    folder = jax.config.jax_compilation_cache_dir
    assert folder == str(own_cache / compilation._instruction_set())
    compilation.use_cache()
    assert jax.config.jax_compilation_cache_dir == folder
    assert listeners == [compilation._hush, compilation._hush_no_longer]
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(own_cache / "cache"))
    compilation.use_cache()
    assert jax.config.jax_compilation_cache_dir.startswith(str(own_cache / "cache"))


def test_a_cache_that_is_no_local_folder_is_an_error(own_cache, listeners):
    jax.config.update("jax_compilation_cache_dir", "gs://bucket/cache")
    with pytest.raises(PathError, match="JAX_COMPILATION_CACHE_DIR=gs://bucket/cache: only local paths"):
        compilation.use_cache()
