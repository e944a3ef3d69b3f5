"""Image data sets that tensorflow-datasets has prepared on disk, read without TensorFlow."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from lbb_jax.datasets.source import Source, Split

READ_AT_ONCE = 1000

# One value for all channels, or one for each.
ChannelValues = float | tuple[float, ...]


class MissingDatasetError(FileNotFoundError):
    """A data set is not prepared on this machine; the message says how to prepare it."""


def load(name: str, *, mean: ChannelValues, std: ChannelValues, transposed: bool = False) -> Source:
    """Opens the splits ``train`` and ``test`` of a data set in `array_record` format.

    Args:
      name: As tensorflow-datasets knows it, with its configuration if it has several: ``"emnist/balanced"``.
      mean: Of the pixel values scaled to between 0 and 1, for each channel or for all.
      std: Likewise.
      transposed: Whether height and width are exchanged in the files; they are put right when read.

    Returns:
      The images as uint8 ``[n, height, width, channels]`` and their feature ``label``. Nothing has been read yet.

    Raises:
      MissingDatasetError: If the data set is not prepared where tensorflow-datasets looks for it.
    """
    builder = tfds.builder(name, file_format="array_record")
    train, test = (_open(builder, name, split, transposed) for split in ("train", "test"))
    return Source(
        train,
        test,
        num_classes=builder.info.features["label"].num_classes,
        mean=np.asarray(mean, np.float32).reshape(1, 1, -1) * 255,
        std=np.asarray(std, np.float32).reshape(1, 1, -1) * 255,
    )


def _open(builder: tfds.core.DatasetBuilder, name: str, split: str, transposed: bool) -> Split:
    """A split of a prepared data set."""
    try:
        records = builder.as_data_source(split)
    except (KeyError, NotImplementedError) as error:
        raise MissingDatasetError(
            f"data set {name!r} is not prepared in array_record format at {builder.data_dir}; set "
            "TFDS_DATA_DIR to where it is, or prepare it: pip install 'lbb_jax[tfds]', then "
            f'python -c "import tensorflow_datasets as tfds; '
            f"tfds.builder('{name}', file_format='array_record').download_and_prepare()\""
        ) from error
    return Split(len(records), functools.partial(_read, records, f"reading {name} {split}", transposed))


def _read(
    records: Sequence[dict[str, Any]], description: str, transposed: bool, start: int, stop: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of the records from ``start`` to before ``stop``, with a progress bar."""
    images, labels = [], []
    with tqdm(total=stop - start, desc=description, unit="image", disable=None, leave=False) as bar:
        for first in range(start, stop, READ_AT_ONCE):
            block = records.__getitems__(list(range(first, min(first + READ_AT_ONCE, stop))))
            images.extend(record["image"] for record in block)
            labels.extend(record["label"] for record in block)
            bar.update(len(block))
    stacked = np.stack(images)
    return stacked.swapaxes(1, 2) if transposed else stacked, np.asarray(labels)
