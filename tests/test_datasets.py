import hashlib
import os
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow_datasets as tfds
from generated_images import generate, prepare

from lbb_jax import components, datasets, examples
from lbb_jax.datasets import digits, source
from lbb_jax.paths import PathError

OFFICIAL_TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
# In the order of tensorflow-datasets: the first and the last thousand of the training split and the first of the test
# split, images and labels, all of which were found in the official files; and all labels of the training split.
MNIST_DIGESTS = (
    "23479a4b66e334e31ac154a9f56948bc13e8724515e3edf93232a210876646ae",
    "ea2c254d1507282f23b1510fcd7e08d60c326fdc9e413595c3be16a9c1d4eb78",
    "1fce2fb9ddc2a8716df304ba27eb17d042ecb069f0015da9e421feeb4f3c51cd",
)
MNIST_LABELS_DIGEST = "2736d7d4fa861b3eb5cf799ed3247c49ba46c5b056b3b4aceabec80fbf37b0f7"


# Name, its name in tensorflow-datasets, shape of an image, classes.
PREPARED = [
    ("mnist", "mnist", (28, 28, 1), 10),
    ("fashion_mnist", "fashion_mnist", (28, 28, 1), 10),
    ("kmnist", "kmnist", (28, 28, 1), 10),
    ("emnist", "emnist/balanced", (28, 28, 1), 47),
    ("svhn", "svhn_cropped", (32, 32, 3), 10),
    ("cifar10", "cifar10", (32, 32, 3), 10),
    ("cifar100", "cifar100", (32, 32, 3), 100),
]
CIFAR = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
NORMALISATION = {
    "mnist": (0.1307, 0.3081),
    "fashion_mnist": (0.286, 0.353),
    "kmnist": (0.5, 0.5),
    "emnist": (0.1307, 0.3081),
    "svhn": ((0.4377, 0.4438, 0.4728), (0.198, 0.201, 0.197)),
    "cifar10": CIFAR,
    "cifar100": CIFAR,
}


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


def test_validation_examples_are_the_last_of_the_training_split():
    everything = datasets.load("digits").pool
    dataset = datasets.load("digits", num_validation=97)
    np.testing.assert_array_equal(dataset.pool.features, everything.features[:1200])
    np.testing.assert_array_equal(dataset.pool.labels, everything.labels[:1200])
    np.testing.assert_array_equal(dataset.validation.features, everything.features[1200:])
    np.testing.assert_array_equal(dataset.validation.labels, everything.labels[1200:])


def test_the_size_of_the_pool_does_not_move_the_validation_examples():
    dataset = datasets.load("digits", num_pool=100, num_validation=97)
    assert dataset.pool.num_examples == 100
    np.testing.assert_array_equal(
        dataset.validation.features, datasets.load("digits", num_validation=97).validation.features
    )


def test_validation_examples_are_neither_repeated_nor_noisy():
    dataset = datasets.load("digits", num_validation=97, copies=4, noise=0.1)
    assert dataset.pool.num_examples == 4 * 1200
    assert dataset.validation.num_examples == 97
    assert dataset.pool.noise == 0.1
    assert dataset.validation.noise == dataset.test.noise == 0


def test_there_are_no_validation_examples_unless_asked_for():
    assert datasets.load("digits").validation is None


def test_an_unknown_name_is_an_error_that_names_the_others():
    with pytest.raises(ValueError, match=r"'nosuch'.*'digits', 'mnist'"):
        datasets.load("nosuch")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_pool": 1298}, r"num_pool=1298: must be between 1 and the 1297 examples there are$"),
        ({"num_pool": 0}, r"num_pool=0: must be at least 1"),
        ({"num_test": 501}, r"num_test=501: must be between 1 and the 500 examples"),
        ({"num_validation": -1}, r"num_validation=-1: must be at least 0"),
        ({"num_validation": 1297}, r"num_validation=1297: must be between 0 and 1296.*to the pool"),
        ({"num_pool": 1201, "num_validation": 97}, r"num_pool=1201: .* the 1200 examples .* besides num_validation=97"),
    ],
)
def test_sizes_that_are_not_there_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        datasets.load("digits", **options)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"num_pool": "100"}, TypeError, r"^num_pool='100': must be None or an integer, at least 1"),
        ({"copies": 0}, ValueError, r"^copies=0: must be at least 1"),
        ({"noise": float("nan")}, ValueError, r"^noise=nan: must be at least 0 and finite"),
        ({"name": "ag_news", "encoder": "", "max_length": 8}, ValueError, r"^encoder='': must be not empty"),
        ({"name": "ag_news", "encoder": "minilm", "max_length": 0}, ValueError, r"^max_length=0: must be at least 1"),
    ],
)
def test_arguments_are_checked_before_anything_is_opened(arguments, error, message, monkeypatch):
    monkeypatch.setattr(components.Found, "build", None)
    for function in (datasets.check, datasets.load):
        with pytest.raises(error, match=message):
            function(**({"name": "digits"} | arguments))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 1, 10]), r"the label of example 2 is 10: must be from 0 to 9, one of the 10 classes"),
        (np.array([0, -1, 1]), r"the label of example 1 is -1: .*; leave out examples without a label"),
        (np.array([0.0, 1.0, 2.0]), r"labels are of float64: must be integers"),
        (np.array([0, 1]), r"3 examples have labels of shape \(2,\): must be one for each example"),
    ],
)
def test_labels_that_are_not_those_of_the_examples_and_classes_are_errors(labels, message, monkeypatch):
    images = np.zeros((3, 4), np.uint8)
    split = source.Split(3, lambda start, stop: (images[start:stop], labels[start:stop]))
    monkeypatch.setattr(digits, "load", lambda: source.Source(split, split, 10))
    with pytest.raises(ValueError, match=message):
        datasets.load("digits")


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0)])
def test_a_split_without_examples_is_an_error(sizes, monkeypatch):
    splits = [source.in_memory(np.zeros((size, 4), np.uint8), np.zeros(size, int)) for size in sizes]
    monkeypatch.setattr(digits, "load", lambda: source.Source(*splits, 10))
    with pytest.raises(ValueError, match=r"^name='digits': the split '\w+' has no examples"):
        datasets.load("digits")


@pytest.mark.parametrize("value", ["", "gs://bucket/data"])
def test_where_data_sets_are_must_be_a_local_folder(value, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", value)
    with pytest.raises(PathError, match="TFDS_DATA_DIR="):
        datasets.load("mnist")


@pytest.mark.parametrize("file", ["dataset_info.json", "mnist-train.array_record-00000-of-00001"])
def test_damaged_files_are_an_error_that_names_the_data_set(file, tmp_path, read_from):
    images = generate(np.random.default_rng(0), 5, (28, 28, 1), 10)
    prepare(tmp_path, "mnist", {"train": images, "test": images})
    (path,) = tmp_path.rglob(file)
    path.write_bytes(path.read_bytes()[:40])
    read_from(tmp_path)
    with pytest.raises(datasets.MissingDatasetError, match=r"mnist.*: its files cannot be read"):
        datasets.load("mnist")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["promise", "array_record"])
def test_a_missing_package_of_the_library_is_named_with_its_extra(package, tmp_path):
    images = generate(np.random.default_rng(0), 5, (28, 28, 1), 10)
    prepare(tmp_path, "mnist", {"train": images, "test": images})
    load = "from lbb_jax import datasets, experiment; experiment.run_script(lambda: datasets.load('mnist'))"
    code = f"import sys; sys.modules['{package}'] = None; {load}"
    environment = {**os.environ, "TFDS_DATA_DIR": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.returncode == 1
    (message,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert message.startswith(f"error: {package}")
    assert message.endswith(" is not installed: pip install 'lbb_jax[experiments]'")


def test_data_sets_are_found_in_the_home_folder(tmp_path, monkeypatch):
    images = generate(np.random.default_rng(0), 5, (28, 28, 1), 10)
    prepare(tmp_path / "tfds", "mnist", {"train": images, "test": images})
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TFDS_DATA_DIR", "~/tfds")
    assert datasets.load("mnist").pool.num_examples == 5


@pytest.mark.parametrize(("name", "tfds_name"), [entry[:2] for entry in PREPARED])
def test_missing_files_are_an_error_that_says_how_to_prepare_them(name, tfds_name, tmp_path, read_from):
    read_from(tmp_path)
    with pytest.raises(datasets.MissingDatasetError, match=r"TFDS_DATA_DIR") as caught:
        datasets.load(name)
    assert f"tfds.builder('{tfds_name}', file_format='array_record').download_and_prepare()" in str(caught.value)


@pytest.mark.parametrize(("name", "tfds_name", "shape", "num_classes"), PREPARED)
def test_prepared_images_are_read_as_they_were_written(name, tfds_name, shape, num_classes, tmp_path, read_from):
    rng = np.random.default_rng(0)
    splits = {split: generate(rng, size, shape, num_classes) for split, size in {"train": 130, "test": 12}.items()}
    prepare(tmp_path, tfds_name, splits)
    read_from(tmp_path)
    dataset = datasets.load(name, num_validation=20)
    assert dataset.num_classes == num_classes
    assert (dataset.pool.num_examples, dataset.validation.num_examples, dataset.test.num_examples) == (110, 20, 12)
    train_features = np.concatenate([dataset.pool.features, dataset.validation.features])
    train_labels = np.concatenate([dataset.pool.labels, dataset.validation.labels])
    for (images, labels), read_images, read_labels in (
        (splits["train"], train_features, train_labels),
        (splits["test"], np.asarray(dataset.test.features), np.asarray(dataset.test.labels)),
    ):
        # The files hold the images in another order; each has its number in its first pixel.
        numbers = read_images[:, 0, 0, 0]
        np.testing.assert_array_equal(np.sort(numbers), np.arange(len(images)))
        upright = images.swapaxes(1, 2) if name == "emnist" else images
        np.testing.assert_array_equal(read_images, upright[numbers])
        np.testing.assert_array_equal(read_labels, labels[numbers])
    mean, std = NORMALISATION[name]
    np.testing.assert_allclose(
        examples.inputs(dataset.test, jnp.arange(12)), (read_images / 255 - np.array(mean)) / np.array(std), atol=1e-5
    )


def test_only_what_is_wanted_of_a_split_is_read(tmp_path, read_from, monkeypatch):
    images = generate(np.random.default_rng(0), 130, (28, 28, 1), 10)
    prepare(tmp_path, "mnist", {"train": images, "test": images})
    read_from(tmp_path)
    everything = datasets.load("mnist").pool
    asked_for = []
    source = tfds.core.data_sources.base.BaseDataSource
    original = source.__getitems__
    monkeypatch.setattr(source, "__getitems__", lambda self, keys: (asked_for.extend(keys), original(self, keys))[1])
    dataset = datasets.load("mnist", num_pool=7, num_validation=5, num_test=3)
    assert asked_for == [*range(7), *range(3), *range(125, 130)]
    np.testing.assert_array_equal(dataset.pool.features, everything.features[:7])
    np.testing.assert_array_equal(dataset.validation.features, everything.features[125:])


def digest(*arrays):
    """SHA-256 of the arrays' numbers."""
    return hashlib.sha256(b"".join(np.asarray(array).astype(np.uint8).tobytes() for array in arrays)).hexdigest()


@pytest.mark.slow
def test_mnist_is_the_official_set(need_real):
    # To decode all 70,000 images would take half a minute: of the images a sample, of the labels all.
    need_real("mnist")
    for too_many, there_are in ({"num_pool": 60_001}, 60_000), ({"num_test": 10_001}, 10_000):
        with pytest.raises(ValueError, match=f"the {there_are} examples there are$"):
            datasets.load("mnist", **too_many)
    dataset = datasets.load("mnist", num_pool=1_000, num_validation=1_000, num_test=1_000)
    assert dataset.num_classes == 10
    for examples_read, official in zip((dataset.pool, dataset.validation, dataset.test), MNIST_DIGESTS, strict=True):
        assert digest(examples_read.features, examples_read.labels) == official
    builder = tfds.builder("mnist", file_format="array_record")
    records = builder.as_data_source("train", decoders={"image": tfds.decode.SkipDecoding()})
    labels = [record["label"] for record in records.__getitems__(list(range(60_000)))]
    np.testing.assert_array_equal(np.bincount(labels), OFFICIAL_TRAIN_COUNTS)
    assert digest(labels) == MNIST_LABELS_DIGEST
    np.testing.assert_array_equal(dataset.pool.labels, labels[:1_000])


@pytest.mark.slow
def test_cifar10_has_its_classes_and_means(need_real):
    need_real("cifar10")
    dataset = datasets.load("cifar10", num_pool=5_000, num_validation=1_000, num_test=1_000)
    assert dataset.pool.features.shape == (5_000, 32, 32, 3)
    assert dataset.pool.features.dtype == jnp.uint8
    assert dataset.num_classes == 10
    # Each count has a standard deviation of 21.
    np.testing.assert_allclose(np.bincount(dataset.pool.labels), 500, atol=85)
    means = np.mean(np.asarray(dataset.pool.features) / 255, axis=(0, 1, 2))
    np.testing.assert_allclose(means, (0.4914, 0.4822, 0.4465), atol=0.01)
    assert not set(map(bytes, np.asarray(dataset.validation.features))) & set(
        map(bytes, np.asarray(dataset.pool.features))
    )


@pytest.mark.slow
def test_reading_prepared_data_imports_no_tensorflow(need_real):
    need_real("mnist")
    program = (
        "import sys; from lbb_jax import datasets; data = datasets.load('mnist', num_pool=7, num_test=3); "
        "assert data.pool.features.shape == (7, 28, 28, 1); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
