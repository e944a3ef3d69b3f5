"""Settings for all tests. Environment variables must be set before jax is first imported."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

# Most of the time goes into compilation: what one test or process has compiled, the others need not.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="lbb_jax_compiled_")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    _MADE_HERE = os.environ["JAX_COMPILATION_CACHE_DIR"]
else:
    _MADE_HERE = None
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2".strip()

import hypothesis
import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Where data sets are prepared, unless TFDS_DATA_DIR says otherwise.
SHARED = Path(__file__).parents[2] / "shared" / "tfds"

hypothesis.settings.register_profile("lbb_jax", deadline=None, derandomize=True, print_blob=True, max_examples=30)
hypothesis.settings.load_profile("lbb_jax")


@pytest.fixture(scope="module")
def quick_compilation():
    """For tests of what programs do, not of their rounding: to optimise them would take far longer than they run."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def training_settings(quick_compilation):
    """For tests that train networks: Optax's Adam mixes integers and floats, which strict promotion refuses."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="module")
def programs_of_runs():
    """The programs of runs in this process, by configuration: one that goes on need not be compiled once more.

    test_killed_runs goes on in another process, as users do.
    """
    from lbb_jax.experiment import driver

    compiled, original = {}, driver._compile

    def compile_once(config, *arguments):
        key = config.to_json()
        if key not in compiled:
            compiled[key] = original(config, *arguments)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(driver, "_compile", compile_once)
        yield compiled


@pytest.fixture
def stopped_after_saving(monkeypatch):
    """A context in which whatever runs is stopped once so many checkpoints have been saved, as by Ctrl-C."""
    from lbb_jax.experiment import driver

    @contextlib.contextmanager
    def stopped(count):
        original, saved = driver.Checkpoints.save, []

        def save(self, states):
            original(self, states)
            saved.append(int(states.round[0]))
            if len(saved) == count:
                raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(driver.Checkpoints, "save", save)
            with pytest.raises(KeyboardInterrupt):
                yield

    return stopped


@pytest.fixture
def read_from(monkeypatch):
    """A function after which data sets are looked for in the folder given."""

    import tensorflow_datasets as tfds

    def set_folder(folder):
        monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(folder))
        monkeypatch.setenv("TFDS_DATA_DIR", str(folder))

    return set_folder


@pytest.fixture
def need_real(read_from):
    """A function after which the real data set given is read; skips where it is not prepared."""
    folder = Path(os.environ.get("TFDS_DATA_DIR", SHARED))

    def need(name):
        if not (folder / name).is_dir():
            pytest.skip(f"{name} is not prepared at {folder}")
        read_from(folder)

    return need


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


def pytest_unconfigure():
    """Removes what this process made; the workers of a parallel run use their parent's."""
    if _MADE_HERE is not None:
        shutil.rmtree(_MADE_HERE, ignore_errors=True)
