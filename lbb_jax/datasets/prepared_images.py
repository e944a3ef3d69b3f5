"""Image data sets that tensorflow-datasets has prepared on disk, read without TensorFlow."""

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from lbb_jax.datasets.source import Source

READ_AT_ONCE = 1000


class MissingDatasetError(FileNotFoundError):
    """A data set is not prepared on this machine; the message says how to prepare it."""


def load(name: str, *, mean: float, std: float, num_train: int | None = None, num_test: int | None = None) -> Source:
    """Reads the splits ``train`` and ``test`` of a data set in `array_record` format.

    Args:
      name: As tensorflow-datasets knows it.
      mean: Of the pixel values scaled to between 0 and 1, for each channel or for all.
      std: Likewise.
      num_train: Read only so many of the training images, from the first; None for all.
      num_test: Likewise for the test images.

    Returns:
      The images as uint8 ``[n, height, width, channels]``.

    Raises:
      MissingDatasetError: If the data set is not prepared where tensorflow-datasets looks for it.
    """
    builder = tfds.builder(name, file_format="array_record")
    train_images, train_labels = _read(builder, "train", num_train)
    test_images, test_labels = _read(builder, "test", num_test)
    return Source(
        train_images,
        train_labels,
        test_images,
        test_labels,
        num_classes=builder.info.features["label"].num_classes,
        mean=np.asarray(mean, np.float32).reshape(1, 1, -1) * 255,
        std=np.asarray(std, np.float32).reshape(1, 1, -1) * 255,
    )


def _read(builder: tfds.core.DatasetBuilder, split: str, num_wanted: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of a split, with a progress bar."""
    try:
        source = builder.as_data_source(split)
    except (KeyError, NotImplementedError) as error:
        raise MissingDatasetError(
            f"data set {builder.name!r} is not prepared in array_record format at {builder.data_dir}; set "
            "TFDS_DATA_DIR to where it is, or prepare it: pip install 'lbb_jax[tfds]', then "
            f'python -c "import tensorflow_datasets as tfds; '
            f"tfds.builder('{builder.name}', file_format='array_record').download_and_prepare()\""
        ) from error
    num_read = len(source) if num_wanted is None else min(num_wanted, len(source))
    images, labels = [], []
    with tqdm(total=num_read, desc=f"reading {builder.name} {split}", unit="image", disable=None, leave=False) as bar:
        for start in range(0, num_read, READ_AT_ONCE):
            records = source.__getitems__(list(range(start, min(start + READ_AT_ONCE, num_read))))
            images.extend(record["image"] for record in records)
            labels.extend(record["label"] for record in records)
            bar.update(len(records))
    return np.stack(images), np.asarray(labels)
