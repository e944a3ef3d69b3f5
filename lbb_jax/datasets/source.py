"""A data set as read from its files, before any of it is on a device."""

from typing import NamedTuple

import numpy as np


class Source(NamedTuple):
    """A data set in host memory.

    Attributes:
      train_features: ``[n, ...]``, as stored.
      train_labels: ``[n]`` integers.
      test_features: ``[t, ...]``.
      test_labels: ``[t]`` integers.
      num_classes: ``C``.
      mean: Of the features, in their units; broadcasts against one example.
      std: Likewise.
    """

    train_features: np.ndarray
    train_labels: np.ndarray
    test_features: np.ndarray
    test_labels: np.ndarray
    num_classes: int
    mean: np.ndarray
    std: np.ndarray
