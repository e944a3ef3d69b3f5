"""A data set as its files hold it, before any of it is on a device."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lbb_jax.networks.encoder import PretrainedEncoder


class Split(NamedTuple):
    """A part of a data set, which is read on demand.

    Attributes:
      num_examples: How many examples there are.
      read: Maps ``start`` and ``stop`` to the features ``[stop - start, ...]`` of the examples between, as stored, and
        their labels ``[stop - start]``, integers.
    """

    num_examples: int
    read: Callable[[int, int], tuple[np.ndarray, np.ndarray]]


class Source(NamedTuple):
    """A data set in host memory or in files.

    Attributes:
      train: What the pool and the validation examples are taken from.
      test: The examples to evaluate on.
      num_classes: ``C``.
      mean: The mean of the features, in their units; broadcasts against one example. None, like ``std``, for features
        that are used as stored.
      std: The standard deviation, likewise.
      encoder: The pretrained encoder, if the features are tokens of texts; otherwise None.
      encoder_digest: Hash of the encoder that the features are for, or that made them; empty for none.
      class_names: The name of each class; empty where a class has no name but its number.
    """

    train: Split
    test: Split
    num_classes: int
    mean: np.ndarray | None = None
    std: np.ndarray | None = None
    encoder: PretrainedEncoder | None = None
    encoder_digest: str = ""
    class_names: tuple[str, ...] = ()


def check_examples(features: np.ndarray, labels: np.ndarray, num_classes: int) -> None:
    """Checks that labels fit their examples and the classes.

    Raises:
      ValueError: If there are not as many labels as examples, or one is no integer from 0 to below ``num_classes``.
    """
    if labels.shape != features.shape[:1]:
        raise ValueError(f"{len(features)} examples have labels of shape {labels.shape}: must be one for each example")
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels are of {labels.dtype}: must be integers")
    is_fault = (labels < 0) | (labels >= num_classes)
    if is_fault.any():
        first = np.argmax(is_fault)
        raise ValueError(
            f"the label of example {first} is {labels[first]}: must be from 0 to {num_classes - 1}, one of the "
            f"{num_classes} classes; leave out examples without a label"
        )


def in_memory(features: np.ndarray, labels: np.ndarray) -> Split:
    """The split of features ``[n, ...]`` and labels ``[n]`` that are in memory already."""
    return Split(len(features), lambda start, stop: (features[start:stop], labels[start:stop]))
