import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow_datasets as tfds

from lbb_jax import datasets, examples

SHARED = Path(__file__).parents[2] / "shared" / "tfds"
OFFICIAL_TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


@pytest.fixture
def prepared(monkeypatch):
    """Where prepared data sets are; skips where there are none."""
    folder = Path(os.environ.get("TFDS_DATA_DIR", SHARED))
    if not (folder / "mnist").is_dir():
        pytest.skip(f"MNIST is not prepared at {folder}")
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(folder))
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    return folder


def test_digits_are_whole_and_stored_as_integers():
    dataset = datasets.load("digits")
    assert dataset.pool.num_examples == 1297
    assert dataset.test.num_examples == 500
    assert dataset.pool.features.dtype == jnp.uint8
    inputs = examples.inputs(dataset.pool, jnp.arange(1297))
    assert np.mean(np.asarray(inputs)) == pytest.approx(0, abs=1e-4)
    assert np.std(np.asarray(inputs)) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(np.bincount(dataset.test.labels), 50, atol=2)


def test_repeated_digits_have_copies_in_the_pool_only():
    dataset = datasets.load("digits", num_pool=100, copies=4, noise=0.1)
    assert dataset.pool.num_examples == 400
    assert dataset.test.num_examples == 500


def test_an_unknown_name_is_an_error_that_names_the_others():
    with pytest.raises(ValueError, match=r"'nosuch'.*'digits', 'mnist'"):
        datasets.load("nosuch")


@pytest.mark.parametrize("options", [{"num_pool": 1298}, {"num_pool": 0}, {"num_test": 501}])
def test_sizes_that_are_not_there_are_errors(options):
    (name, value), *_ = options.items()
    with pytest.raises(ValueError, match=f"{name}={value}: must be between 1 and the"):
        datasets.load("digits", **options)


def test_missing_files_are_an_error_that_says_how_to_prepare_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    with pytest.raises(datasets.MissingDatasetError, match=r"mnist.*TFDS_DATA_DIR.*download_and_prepare"):
        datasets.load("mnist")


def test_mnist_is_the_official_set(prepared):
    dataset = datasets.load("mnist")
    assert dataset.pool.num_examples == 60_000
    assert dataset.test.num_examples == 10_000
    assert dataset.num_classes == 10
    np.testing.assert_array_equal(np.bincount(dataset.pool.labels), OFFICIAL_TRAIN_COUNTS)
    assert np.mean(np.asarray(dataset.pool.features) / 255) == pytest.approx(0.1307, abs=1e-4)
    assert np.std(np.asarray(dataset.pool.features) / 255) == pytest.approx(0.3081, abs=1e-4)


def test_reading_prepared_data_imports_no_tensorflow(prepared):
    program = (
        "import sys; from lbb_jax import datasets; data = datasets.load('mnist', num_pool=7, num_test=3); "
        "assert data.pool.features.shape == (7, 28, 28, 1); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
