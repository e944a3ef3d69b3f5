"""AG News (Zhang, Zhao and LeCun, 2015): news in four classes, for a pretrained encoder.

Needs the extra ``text``. tensorflow-datasets prepares it as ``ag_news_subset``: 120,000 articles to label and 7,600 to
test on. The loader has been run only on the 7,600 test articles, split into 6,600 and 1,000.
"""

import functools
from collections.abc import Sequence

import numpy as np

from lbb_jax import text
from lbb_jax.datasets import encoded_texts, prepared
from lbb_jax.datasets.prepared import StoredRecord
from lbb_jax.datasets.source import Source, Split
from lbb_jax.ranges import Count, Text

NAME = "ag_news_subset"


def load(*, encoder: Text, max_length: Count, frozen: bool) -> Source:
    """Opens the splits ``train`` and ``test``.

    Args:
      encoder: A checkpoint, as `lbb_jax.text.locate` takes it.
      max_length: Tokens of an article that the encoder reads.
      frozen: Whether the encoder is not trained, so that each article becomes one vector.

    Returns:
      With a frozen encoder, the articles as vectors ``[n, D]`` float32, made when they are first read, and the mean and
      standard deviation of each feature over the first 1,000 of ``train``. Otherwise the articles as tokens
      ``[n, max_length]`` int32, and the encoder.

    Raises:
      MissingDatasetError: If the data set is not prepared where tensorflow-datasets looks for it.
      ValueError: If the encoder cannot be read or ``max_length`` is out of its range; also, when vectors are made, if
        they are not finite or cannot be kept.
    """
    builder = prepared.open_builder(NAME)
    records = {split: prepared.open_split(builder, split) for split in ("train", "test")}
    text_encoder = text.load_text_encoder(encoder, max_length=max_length)
    names = tuple(builder.info.features["label"].names)

    def open_split(name: str) -> Split:
        num_texts, read_texts = len(records[name]), functools.partial(_read, records[name])
        if frozen:
            return encoded_texts.vectors(text_encoder, num_texts, read_texts, description=f"embedding {NAME} {name}")
        return encoded_texts.tokens(text_encoder, num_texts, read_texts)

    train, test = open_split("train"), open_split("test")
    if not frozen:
        return Source(
            train,
            test,
            len(names),
            encoder=text_encoder.encoder,
            encoder_digest=text_encoder.digest,
            class_names=names,
        )
    return encoded_texts.standardised(train, test, text_encoder, names)


def _read(records: Sequence[StoredRecord], start: int, stop: int) -> tuple[list[str], np.ndarray]:
    """Texts, the title before the description, and labels of the records from ``start`` to before ``stop``."""
    block = list(prepared.read_records(records, start, stop, description=f"reading {NAME}", unit="text"))
    texts = [f"{record['title'].decode()} {record['description'].decode()}" for record in block]
    return texts, np.asarray([record["label"] for record in block])
