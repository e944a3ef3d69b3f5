"""The data sets by name, and how each is put on the device."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from lbb_jax import examples
from lbb_jax.datasets import digits, prepared_images
from lbb_jax.datasets.source import Source
from lbb_jax.examples import Examples


class Dataset(NamedTuple):
    """A data set ready for an experiment.

    Attributes:
      pool: Examples to choose from.
      test: Examples to evaluate on.
      num_classes: ``C``.
      validation: Examples to choose between epochs by, none of them in the pool; None if none were asked for.
    """

    pool: Examples
    test: Examples
    num_classes: int
    validation: Examples | None = None


def _load_mnist(num_train: int | None, num_test: int | None) -> Source:
    return prepared_images.load("mnist", mean=0.1307, std=0.3081, num_train=num_train, num_test=num_test)


def _load_digits(num_train: int | None, num_test: int | None) -> Source:
    del num_train, num_test  # Nothing is saved by reading less.
    return digits.load()


_LOADERS: dict[str, Callable[[int | None, int | None], Source]] = {"digits": _load_digits, "mnist": _load_mnist}

NAMES = tuple(_LOADERS)


def load(
    name: str, *, num_pool: int | None = None, num_test: int | None = None, copies: int = 1, noise: float = 0.0
) -> Dataset:
    """Loads a data set.

    Args:
      name: One of `NAMES`.
      num_pool: Base examples in the pool, the first of the training split; None for all.
      num_test: Test examples, the first of the test split; None for all.
      copies: Copies of each base example in the pool.
      noise: Standard deviation of the Gaussian noise on every copy, after normalisation; always the same noise.

    Returns:
      The data set, its features as stored (uint8), normalised when they are used.

    Raises:
      ValueError: For an unknown name, or a size that the data set does not have.
      MissingDatasetError: If its files are not there.
    """
    if name not in _LOADERS:
        raise ValueError(f"dataset name={name!r}: must be one of {', '.join(map(repr, NAMES))}")
    source = _LOADERS[name](num_pool, num_test)
    pool = _examples("num_pool", source.train_features, source.train_labels, num_pool, source)
    test = _examples("num_test", source.test_features, source.test_labels, num_test, source)
    if copies != 1 or noise != 0:
        pool = examples.repeat(jax.random.key(0), pool, copies=copies, noise=noise)
    return Dataset(pool, test, source.num_classes)


def _examples(
    size_name: str, features: np.ndarray, labels: np.ndarray, num_wanted: int | None, source: Source
) -> Examples:
    """The first ``num_wanted`` examples of a split."""
    num_examples = len(features) if num_wanted is None else num_wanted
    if not 1 <= num_examples <= len(features):
        raise ValueError(f"{size_name}={num_wanted}: must be between 1 and the {len(features)} examples there are")
    return examples.create(features[:num_examples], labels[:num_examples], mean=source.mean, std=source.std)
