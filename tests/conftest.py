"""Settings for all tests."""

import hashlib
import os
import platform
from importlib import metadata
from pathlib import Path

import hypothesis
import jax
import jaxtyping
import pytest


def _compiled_folder() -> Path:
    """Where programs are kept that this jaxlib compiles for this processor under these flags."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    features = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    key = hashlib.sha256(f"{platform.machine()} {features} {os.environ.get('XLA_FLAGS')}".encode()).hexdigest()[:12]
    return Path(__file__).parents[1] / ".cache" / "compiled" / f"jaxlib-{metadata.version('jaxlib')}-{key}"


# Most of the time goes into compilation: what one process has compiled, the others need not, today or tomorrow.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_compiled_folder())
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# What the pure modules return is held to the shapes in their signatures; what they are given, they check themselves.
_SHAPED = (
    "batching",
    "chi_squared",
    "entropy",
    "examples",
    "information",
    "interaction",
    "label_configurations",
    "labelled_set",
    "loop",
    "metrics",
    "networks.minimal_filtering",
    "networks.network",
    "posteriors.gauss_newton",
    "posteriors.laplace",
    "posteriors.posterior",
    "relative_entropy",
    "seeds",
    "sharding",
    "training.augmentation",
    "training.epochs",
    "training.training",
    "acquisition.badge",
    "acquisition.bait",
    "acquisition.batch_bald",
    "acquisition.batch_epig",
    "acquisition.blocks",
    "acquisition.candidates",
    "acquisition.checks",
    "acquisition.cluster_margin",
    "acquisition.contest",
    "acquisition.core_set",
    "acquisition.dense_greedy",
    "acquisition.epig",
    "acquisition.exponential_race",
    "acquisition.greedy",
    "acquisition.k_center",
    "acquisition.k_means",
    "acquisition.kept_points",
    "acquisition.large_batch_bald",
    "acquisition.large_batch_bald_released",
    "acquisition.lazy_greedy",
    "acquisition.lbb_rankings",
    "acquisition.log_det",
    "acquisition.oracle",
    "acquisition.pointwise",
    "acquisition.sampling",
    "acquisition.selection",
    "acquisition.shared_information",
    "acquisition.stream_passes",
    "acquisition.third_order",
    "acquisition.typiclust",
)
jaxtyping.install_import_hook([f"lbb_jax.{name}" for name in _SHAPED], "shape_checks.check_returned")

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
    from lbb_jax.experiment import drivers

    compiled, original = {}, drivers.compile_driver

    def compile_once(config, *arguments):
        key = config.to_json()
        if key not in compiled:
            compiled[key] = original(config, *arguments)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(drivers, "compile_driver", compile_once)
        yield compiled


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
