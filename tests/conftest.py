"""Settings for all tests. The flag must be set before jax is first imported."""

import os

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2".strip()

import hypothesis
import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

hypothesis.settings.register_profile("lbb_jax", deadline=None, derandomize=True, print_blob=True, max_examples=30)
hypothesis.settings.load_profile("lbb_jax")


@pytest.fixture(scope="module")
def training_settings():
    """Settings for tests that train networks, which compile much and run little.

    Optax's Adam mixes integers and floats, which strict promotion refuses; and optimising the programs would take far
    longer than they run. The tests of the entry points run the optimised ones.
    """
    with jax.numpy_dtype_promotion("standard"):
        jax.config.update("jax_disable_most_optimizations", True)
        yield
        jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def compilations():
    """A list that grows by one entry with every program that XLA compiles while the test runs."""
    compiled = []

    def listen(event, duration, **details):
        if event.endswith("backend_compile_duration"):
            compiled.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield compiled
    jax.monitoring.unregister_event_duration_listener(listen)


def pytest_collection_modifyitems(items):
    """Keeps the tests of one variant in one process, where what is compiled for one serves the others."""
    for item in items:
        name = getattr(item, "callspec", None) and item.callspec.params.get("name")
        if isinstance(name, str):
            item.add_marker(pytest.mark.xdist_group(name))
