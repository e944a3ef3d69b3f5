"""Data sets that tensorflow-datasets has prepared on disk, read without TensorFlow."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from lbb_jax import paths
from lbb_jax.extras import MissingExtraError, needs

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

READ_AT_ONCE = 1000

StoredRecord = dict[str, Any]


class MissingDatasetError(FileNotFoundError):
    """A data set is not prepared on this machine, or cannot be read; the message says how to prepare it."""


def open_builder(name: str) -> "tfds.core.DatasetBuilder":
    """The builder of a data set, which knows its features and where its files are.

    Args:
      name: As tensorflow-datasets knows it, with its configuration if it has several: ``"emnist/balanced"``.

    Raises:
      PathError: If ``TFDS_DATA_DIR`` names no local folder.
      MissingExtraError: If tensorflow-datasets, or a package that it needs, is not installed.
      MissingDatasetError: If the data set's description cannot be read.
    """
    data_dir = os.environ.get("TFDS_DATA_DIR")
    if data_dir is not None:
        data_dir = str(paths.folder(data_dir, name="TFDS_DATA_DIR"))
    # The library takes seconds to import; runs on other data should not wait for it. It only logs that a package
    # is missing; its module public_api raises the error.
    with needs("experiments"):
        from tensorflow_datasets import public_api as tfds

    with _explained(f"opening {name}"):
        return tfds.builder(name, data_dir=data_dir, file_format="array_record")


def open_split(builder: "tfds.core.DatasetBuilder", split: str) -> Sequence[StoredRecord]:
    """The records of a split; none has been read yet.

    Raises:
      MissingExtraError: If a package that reads the files is not installed.
      MissingDatasetError: If the data set is not prepared where tensorflow-datasets looks for it.
    """
    try:
        with needs("experiments"):
            return builder.as_data_source(split)
    except (KeyError, NotImplementedError) as error:
        name = "/".join(filter(None, (builder.name, builder.builder_config and builder.builder_config.name)))
        raise MissingDatasetError(
            f"data set {name!r} is not prepared in array_record format at {builder.data_dir}; set "
            "TFDS_DATA_DIR to where it is, or prepare it: pip install 'lbb_jax[tfds]', then "
            f'python -c "import tensorflow_datasets as tfds; '
            f"tfds.builder('{name}', file_format='array_record').download_and_prepare()\""
        ) from error


@contextlib.contextmanager
def _explained(description: str) -> Iterator[None]:
    """Reports what was being done if reading fails inside the context."""
    try:
        with needs("experiments"):
            yield
    except (MemoryError, MissingExtraError):
        raise
    # The errors of the libraries that read the files have no other class in common.
    except Exception as error:
        raise MissingDatasetError(
            f"{description}: its files cannot be read ({type(error).__name__}: {error}); where they are damaged, "
            "remove them and prepare the data set again"
        ) from error


def read_records(
    records: Sequence[StoredRecord], start: int, stop: int, *, description: str, unit: str
) -> Iterator[StoredRecord]:
    """The records from ``start`` to before ``stop``, with a progress bar.

    Raises:
      MissingDatasetError: If they cannot be read.
    """
    with tqdm(total=stop - start, desc=description, unit=unit, disable=None, leave=False) as bar:
        for first in range(start, stop, READ_AT_ONCE):
            with _explained(description):
                block = records.__getitems__(list(range(first, min(first + READ_AT_ONCE, stop))))
            yield from block
            bar.update(len(block))
