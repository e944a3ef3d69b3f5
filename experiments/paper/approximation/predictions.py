"""The predictions that are studied: from a file or a posterior trained on few labels; with fewer draws or classes."""

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from lbb_jax import analysis, components, labelled_set, loop
from lbb_jax.acquisition import checks
from lbb_jax.acquisition.stored import open_predictions
from lbb_jax.examples import Data
from lbb_jax.experiment.build import assemble
from lbb_jax.experiment.configuration import ExperimentError
from lbb_jax.run_folder import dataset_name


class Predictions(NamedTuple):
    """A posterior's predictions for the points that are not labelled yet.

    Attributes:
      log_probs: ``[N, K, C]`` float32.
      source: Where they are from, in words: data set, posterior and labels, or the name of a file.
      reduced: What was cut down from the whole data set, in words; empty for nothing.
      seed: The seed of the labelled points and of training.
    """

    log_probs: jax.Array
    source: str
    reduced: str = ""
    seed: int = 0

    @property
    def origin(self) -> dict[str, str | int]:
        """What every record of a measurement says of the predictions."""
        return {"source": self.source, "reduced": self.reduced, "seed": self.seed}


def from_file(path: str | os.PathLike, *, name: str = "path") -> Predictions:
    """The predictions in a ``.npy`` file.

    Args:
      path: The file.
      name: The argument that names it, for messages.

    Raises:
      PathError: If there is no such file.
      ValueError: If it does not hold log-probabilities ``[N, K, C]``.
    """
    log_probs = jnp.asarray(checks.predictions_in_float32(open_predictions(path, name=name)))
    checks.check_values(log_probs, jnp.ones(len(log_probs), bool), name=f"{name}={path}")
    return Predictions(log_probs, Path(path).stem)


def of_posterior(
    config: ConfigDict, *, num_labels: int, num_seeds: int, name: str = "num_labels"
) -> Iterator[Predictions]:
    """Trains the posterior of a configuration once for each seed, and predicts the points that it was not trained on.

    Args:
      config: As `lbb_jax.experiment.default_config` has it; its acquisition and sizes have no effect.
      num_labels: Points to train on, drawn at random and balanced by class, as a run draws its initial points.
      num_seeds: The number of seeds, which count from 0.
      name: The argument that gives ``num_labels``, for messages.

    Yields:
      The predictions of each seed, all of the same shape.

    Raises:
      ExperimentError: If a field is out of range, or no points of the pool are left to predict.
      MissingDatasetError: If the data set's files are not there.
    """
    config = copy.deepcopy(config)
    config.acquisition.method = "bald"
    # Sizes that fit every pool; the size of this one is known once it is loaded.
    config.initial_size = config.final_size = 1
    parts = assemble(config)
    num_points = parts.data.pool.num_examples
    if not 1 <= num_labels < num_points:
        raise ExperimentError(
            f"{name}={num_labels}: must be between 1 and {num_points - 1}; the pool has {num_points} points"
        )
    settings = parts.settings._replace(initial_size=num_labels, final_size=num_labels)

    @jax.jit
    def train_and_predict(key: jax.Array, data: Data) -> tuple[jax.Array, jax.Array]:
        state = loop.init(key, data, settings)
        params, _ = loop.train(state, data, settings)
        log_probs = loop.predict(state, params, data, settings).log_probs
        return log_probs, labelled_set.contains(state.labelled, len(log_probs))

    source = f"{dataset_name(config)}, {components.title('posterior', config.posterior.name)}, {num_labels} labels"
    for seed in range(num_seeds):
        log_probs, is_labelled = train_and_predict(jax.random.key(seed), parts.data)
        yield Predictions(log_probs[~is_labelled], source, analysis.describe_reduction(config), seed)


def merge_classes(log_probs: jax.Array, num_classes: int) -> jax.Array:
    """Merges neighbouring classes: ``[N, K, C]`` to ``[N, K, num_classes]``.

    Class ``c`` of ``C`` becomes class ``c * num_classes // C``, and its probability is added to that of the others
    there: ten digits become the two classes 0 to 4 and 5 to 9.
    """
    before = log_probs.shape[2]
    if num_classes == before:
        return log_probs
    membership = np.arange(before) * num_classes // before == np.arange(num_classes)[:, None]
    membership = jnp.asarray(membership, log_probs.dtype)
    # Other precisions would leave sums of probabilities that are not 1.
    return jnp.log(jnp.einsum("nkc,dc->nkd", jnp.exp(log_probs), membership, precision=jax.lax.Precision.HIGHEST))
