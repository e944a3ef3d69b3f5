"""The data sets by name, and how each is put on the device.

These data sets have been run on real data: ``digits``, ``mnist`` and ``fashion_mnist`` (the official files), ``kmnist``
(the official test images alone), ``emnist`` (a selection of its official test sets), ``cifar10`` re-encoded as JPEG,
and ``ag_news`` (the official test file alone, split in two). The loaders of ``svhn`` and ``cifar100`` have only read
generated images, in files that tensorflow-datasets wrote with the shapes, types and classes of the real ones.
"""

import logging
from typing import Any, NamedTuple

import jax
import numpy as np

from lbb_jax import components, examples, ranges
from lbb_jax.components import Found
from lbb_jax.datasets import classes
from lbb_jax.datasets.source import Source, Split, check_examples
from lbb_jax.errors import ExperimentError
from lbb_jax.examples import Examples
from lbb_jax.networks.encoder import PretrainedEncoder
from lbb_jax.ranges import Count, NotNegative, NotNegativeCount, OptionalCount

_LOGGER = logging.getLogger(__name__)


class Dataset(NamedTuple):
    """A data set ready for an experiment.

    Attributes:
      pool: Examples to choose from.
      test: Examples to evaluate on.
      num_classes: ``C``.
      validation: Examples by which the best epoch is chosen, none of them in the pool; None if none were requested.
      encoder: The pretrained encoder, if the examples are tokens of texts; None for other examples.
      encoder_digest: Hash of the encoder that the examples are for, or that made them; empty for none.
      class_names: The name of each class; empty where a class has no name but its number.
    """

    pool: Examples
    test: Examples
    num_classes: int
    validation: Examples | None = None
    encoder: PretrainedEncoder | None = None
    encoder_digest: str = ""
    class_names: tuple[str, ...] = ()


def load(
    name: str,
    *,
    num_pool: OptionalCount = None,
    num_test: OptionalCount = None,
    num_validation: NotNegativeCount = 0,
    copies: Count = 1,
    noise: NotNegative = 0.0,
    **options: Any,
) -> Dataset:
    """Loads a data set.

    Args:
      name: A row of `lbb_jax.components.DATASETS`, or ``"module:attribute"``: a function that returns a `Source`.
      num_pool: Base examples in the pool, the first of the training split; None for all but the validation examples.
      num_test: Test examples, the first of the test split; None for all.
      num_validation: Validation examples, the last of the training split, whatever the size of the pool.
      copies: Copies of each base example in the pool; the test and validation examples are never repeated.
      noise: Standard deviation of the Gaussian noise on every copy in the pool, after normalisation; always the same
        noise.
      **options: Arguments of what ``name`` names. For ``"ag_news"`` and ``"ag_news_tokens"``: ``encoder``, a
        pretrained one as `lbb_jax.text.locate` takes it, and ``max_length``, the tokens of a text that it reads.

    Returns:
      The data set, its features as stored: images as uint8 and vectors as float32, which are normalised when they are
      used, and tokens as int32.

    Raises:
      TypeError: For an argument of another kind.
      ValueError: For an unknown name, options other than the data set's, a size that it does not have, and files whose
        labels are not those of its classes.
      MissingDatasetError: If its files are not there.
    """
    sizes = {"num_pool": num_pool, "num_test": num_test, "num_validation": num_validation}
    found = check(name, **sizes, copies=copies, noise=noise, **options)
    source = found.build()
    if not isinstance(source, Source):
        raise ExperimentError(f"name={name!r}: returns {type(source).__name__}; must return lbb_jax.datasets.Source")
    num_train = source.train.num_examples
    for split, num_examples in (("train", num_train), ("test", source.test.num_examples)):
        if num_examples < 1:
            raise ValueError(f"name={name!r}: the split {split!r} has no examples; prepare the data set anew")
    if num_validation >= num_train:
        raise ValueError(
            f"num_validation={num_validation}: must be between 0 and {num_train - 1}, to leave some of the "
            f"{num_train} training examples to the pool"
        )
    num_left = num_train - num_validation
    besides = f" besides num_validation={num_validation}" if num_validation else ""
    num_pool = _checked_size("num_pool", num_pool, num_left, besides)
    num_test = _checked_size("num_test", num_test, source.test.num_examples)
    pool = _examples(source, source.train, 0, num_pool)
    num_present = len(np.unique(pool.labels))
    if num_pool < num_left and num_present < source.num_classes:
        _LOGGER.warning(
            "num_pool=%d: the first examples are of %d of the %d classes only, as in a file that is sorted by class; "
            "shuffle it, or take a larger pool",
            *(num_pool, num_present, source.num_classes),
        )
    if source.class_names:
        _LOGGER.info("pool: %s", classes.describe_labels(np.asarray(pool.labels), source.class_names))
    if copies != 1 or noise != 0:
        pool = examples.repeat(jax.random.key(0), pool, copies=copies, noise=noise)
    return Dataset(
        pool,
        test=_examples(source, source.test, 0, num_test),
        num_classes=source.num_classes,
        validation=_examples(source, source.train, num_left, num_train) if num_validation else None,
        encoder=source.encoder,
        encoder_digest=source.encoder_digest,
        class_names=source.class_names,
    )


def check(name: str, **fields: Any) -> Found:
    """Checks the arguments of `load`, and loads nothing.

    Args:
      name: As `load` takes it.
      **fields: The other arguments of `load`, or some of them, and the options of the data set.

    Returns:
      What ``name`` names, with its options.

    Raises:
      TypeError: For an argument of another kind; the message begins with its name.
      ValueError: For an unknown name, an argument out of range, or options other than the data set's.
    """
    shared = {field: allowed for field, allowed in ranges.of(load).items() if field != "name"}
    return components.find("dataset", {"name": name} | fields, shared=shared, prefix="")


def _checked_size(size_name: str, num_wanted: int | None, num_there: int, besides: str = "") -> int:
    """The number of examples wanted, all if None, if there are so many."""
    if num_wanted is None:
        return num_there
    if num_wanted > num_there:
        raise ValueError(f"{size_name}={num_wanted}: must be between 1 and the {num_there} examples there are{besides}")
    return num_wanted


def _examples(source: Source, split: Split, start: int, stop: int) -> Examples:
    """The examples of a split from ``start`` to before ``stop``."""
    features, labels = split.read(start, stop)
    check_examples(features, labels, source.num_classes)
    return examples.create(features, labels, mean=source.mean, std=source.std)
