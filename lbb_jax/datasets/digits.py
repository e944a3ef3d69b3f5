"""The handwritten digits that come with scikit-learn: 1,797 images of 8 × 8, no download."""

import numpy as np

from lbb_jax.datasets.source import Source, in_memory
from lbb_jax.extras import needs

NUM_TEST = 500


def load() -> Source:
    """1,297 images to label and 500 to test on, one fixed stratified split; grey values 0 to 16 as uint8."""
    # scikit-learn takes 1.5 seconds to import; runs on other data should not wait for it.
    with needs("experiments"):
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = digits.images.astype(np.uint8)[..., None]
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, digits.target, test_size=NUM_TEST, random_state=0, stratify=digits.target
    )
    return Source(
        train=in_memory(train_images, train_labels),
        test=in_memory(test_images, test_labels),
        num_classes=10,
        mean=np.mean(train_images, keepdims=True)[0],
        std=np.std(train_images, keepdims=True)[0],
    )
