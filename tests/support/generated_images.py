"""Data sets of generated images, in files that tensorflow-datasets writes with the features of the real ones."""

import io

import numpy as np
import prepared_files
from PIL import Image


def generate(rng, num_examples, shape, num_classes):
    """Random images, each with its number in the first pixel, and labels from the first class to the last."""
    images = rng.integers(0, 256, (num_examples, *shape), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(num_examples)
    labels = np.linspace(0, num_classes - 1, num_examples).round().astype(np.int64)
    return images, labels


def prepare(folder, tfds_name, splits):
    """Writes splits of images and labels; the images go in as PNG, as which the data set's own builder stores them."""

    def records(features, examples):
        return _records(features, *examples)

    prepared_files.write(folder, tfds_name, splits, records)


def _records(features, images, labels):
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        others = {"id": f"image_{number}", "coarse_label": 0}
        yield {"image": _png(image), "label": label} | {name: others[name] for name in features if name in others}


def _png(image):
    encoded = io.BytesIO()
    Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(encoded, "png")
    return encoded.getvalue()
