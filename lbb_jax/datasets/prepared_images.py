"""Image data sets that tensorflow-datasets has prepared on disk."""

import functools
from collections.abc import Sequence

import numpy as np

from lbb_jax.datasets import prepared
from lbb_jax.datasets.prepared import StoredRecord
from lbb_jax.datasets.source import Source, Split

# One value for all channels, or one for each.
ChannelValues = float | tuple[float, ...]


def load(prepared_as: str, *, mean: ChannelValues, std: ChannelValues, transposed: bool = False) -> Source:
    """Opens the splits ``train`` and ``test`` of a data set in `array_record` format.

    Args:
      prepared_as: As tensorflow-datasets knows it, with its configuration if it has several: ``"emnist/balanced"``.
      mean: The mean of the pixel values scaled to between 0 and 1, for each channel or for all.
      std: The standard deviation, likewise.
      transposed: Whether height and width are exchanged in the files; they are put right when read.

    Returns:
      The images as uint8 ``[n, height, width, channels]`` and their feature ``label``. Nothing has been read yet.

    Raises:
      MissingDatasetError: If the data set is not prepared where tensorflow-datasets looks for it.
    """
    builder = prepared.open_builder(prepared_as)

    def open_split(split: str) -> Split:
        records = prepared.open_split(builder, split)
        return Split(len(records), functools.partial(_read, records, f"reading {prepared_as} {split}", transposed))

    return Source(
        train=open_split("train"),
        test=open_split("test"),
        num_classes=builder.info.features["label"].num_classes,
        mean=np.asarray(mean, np.float32).reshape(1, 1, -1) * 255,
        std=np.asarray(std, np.float32).reshape(1, 1, -1) * 255,
    )


def _read(
    records: Sequence[StoredRecord], description: str, transposed: bool, start: int, stop: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of the records from ``start`` to before ``stop``, with a progress bar."""
    images, labels = [], []
    for record in prepared.read_records(records, start, stop, description=description, unit="image"):
        images.append(record["image"])
        labels.append(record["label"])
    stacked = np.stack(images)
    return stacked.swapaxes(1, 2) if transposed else stacked, np.asarray(labels)
