"""Data sets of generated images, in files that tensorflow-datasets writes with the features of the real ones."""

import io
import types

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image


def generate(rng, num_examples, shape, num_classes):
    """Random images, each with its number in the first pixel, and labels from the first class to the last."""
    images = rng.integers(0, 256, (num_examples, *shape), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(num_examples)
    labels = np.linspace(0, num_classes - 1, num_examples).round().astype(np.int64)
    return images, labels


def prepare(folder, tfds_name, splits):
    """Writes the splits as ``download_and_prepare`` does, all but the download, without TensorFlow.

    Encoding, hashing into another order, files and metadata are those of the data set's own builder; the images go in
    as PNG, as which it would store them.
    """
    builder = tfds.builder(tfds_name, data_dir=folder, file_format="array_record")
    builder._split_generators = lambda downloads: {
        split: enumerate(_records(builder.info.features, *examples)) for split, examples in splits.items()
    }
    # What would download needs a package that tensorflow-datasets does not declare.
    builder._make_download_manager = lambda **options: types.SimpleNamespace(downloaded_size=0)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))


def _records(features, images, labels):
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        others = {"id": f"image_{number}", "coarse_label": 0}
        yield {"image": _png(image), "label": label} | {name: others[name] for name in features if name in others}


def _png(image):
    encoded = io.BytesIO()
    Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(encoded, "png")
    return encoded.getvalue()
