"""AG News (Zhang, Zhao and LeCun, 2015): news in four classes, as vectors by a frozen encoder.

tensorflow-datasets prepares it as ``ag_news_subset``: 120,000 articles to label and 7,600 to test on. Run on the 7,600
alone, split into 6,600 and 1,000.
"""

from collections.abc import Sequence

import numpy as np

from lbb_jax.datasets import prepared
from lbb_jax.datasets.prepared import Record
from lbb_jax.datasets.source import Source, Split

NAME = "ag_news_subset"
NUM_FOR_STATISTICS = 1000


def load(*, encoder: str, max_length: int) -> Source:
    """Opens the splits ``train`` and ``test``.

    Args:
      encoder: Of the checkpoint, as `lbb_jax.text.locate` takes it.
      max_length: Tokens of an article that the encoder reads.

    Returns:
      The articles as vectors ``[n, D]`` float32, embedded when they are first read, and the mean and standard deviation
      of each feature over the first 1,000 of ``train``.

    Raises:
      MissingDatasetError: If the data set is not prepared where tensorflow-datasets looks for it.
      ValueError: If the encoder cannot be read, ``max_length`` is out of its range, or a package is not installed.
    """
    builder = prepared.open_builder(NAME)
    records = {split: prepared.open_split(builder, split) for split in ("train", "test")}
    try:
        # What it needs is in an extra, which other data sets do without.
        from lbb_jax.datasets import embedded_texts
    except ModuleNotFoundError as error:
        raise ValueError(f"name='ag_news': {error.name} is not installed: pip install 'lbb_jax[text]'") from error
    embedder = embedded_texts.load_embedder(encoder, max_length=max_length)

    def open_split(split: str) -> Split:
        def read_texts(start: int, stop: int) -> tuple[list[str], np.ndarray]:
            return _read(records[split], start, stop)

        return embedded_texts.split(embedder, len(records[split]), read_texts, description=f"embedding {NAME} {split}")

    train = open_split("train")
    first, _ = train.read(0, min(NUM_FOR_STATISTICS, train.num_examples))
    return Source(
        train,
        test=open_split("test"),
        num_classes=builder.info.features["label"].num_classes,
        mean=np.mean(first, axis=0),
        # A feature that never changes is left as it is.
        std=np.where(np.ptp(first, axis=0) > 0, np.std(first, axis=0), 1),
    )


def _read(records: Sequence[Record], start: int, stop: int) -> tuple[list[str], np.ndarray]:
    """Texts, the title before the description, and labels of the records from ``start`` to before ``stop``."""
    block = list(prepared.read_records(records, start, stop, description=f"reading {NAME}", unit="text"))
    texts = [f"{record['title'].decode()} {record['description'].decode()}" for record in block]
    return texts, np.asarray([record["label"] for record in block])
