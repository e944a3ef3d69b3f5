"""A data set: points around the corners of a cube in 64 dimensions."""

import numpy as np

from lbb_jax.datasets import Source, in_memory


def corners(*, num_classes: int = 4, spread: float = 1.0):
    """500 points to label and 100 to test on, float32 ``[n, 64]``, one cluster a class."""
    generator = np.random.default_rng(0)
    centres = generator.choice([-1.0, 1.0], size=(num_classes, 64))
    labels = generator.integers(num_classes, size=600)
    features = (centres[labels] + spread * generator.normal(size=(600, 64))).astype(np.float32)
    return Source(in_memory(features[:500], labels[:500]), in_memory(features[500:], labels[500:]), num_classes)
