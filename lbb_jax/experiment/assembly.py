"""From a configuration to the parts of a run: data, network, posterior, acquisition."""

import functools
from typing import NamedTuple

import flax.linen as nn
import optax
from ml_collections import ConfigDict

from lbb_jax import acquisition, datasets, networks
from lbb_jax.experiment.configuration import ExperimentError, acquisition_options
from lbb_jax.loop import Data, Settings
from lbb_jax.networks import Network
from lbb_jax.posteriors import Posterior, deep_ensemble, mc_dropout
from lbb_jax.training import Training

NETWORKS: dict[str, type[nn.Module]] = {"mlp": networks.MLP, "convolutional": networks.ConvolutionalClassifier}
POSTERIORS = ("deep_ensemble", "mc_dropout")
DRIVERS = ("auto", "host", "scan")


class Parts(NamedTuple):
    """What a run is made of.

    Attributes:
      data: Pool and test examples, on the device.
      settings: The rest, static.
    """

    data: Data
    settings: Settings


def assemble(config: ConfigDict) -> Parts:
    """Loads the data and builds everything else, after checking that it fits together.

    Raises:
      ExperimentError: For a field out of range, with the numbers that it is held against.
      MissingDatasetError: If the data set's files are not there.
    """
    for name in ("initial_size", "batch_size", "seeds", "rounds_at_once", "seeds_at_once"):
        _require(config[name] is None or config[name] >= 1, f"config.{name}={config[name]}: must be at least 1")
    _require(
        config.driver in DRIVERS, f"config.driver={config.driver!r}: must be one of {', '.join(map(repr, DRIVERS))}"
    )
    for name in ("num_steps", "batch_size", "learning_rate"):
        _require(config.training[name] > 0, f"config.training.{name}={config.training[name]}: must be above 0")
    options = acquisition_options(config)
    dataset = _dataset(config.dataset)
    _check_sizes(config, dataset.pool.num_examples)
    method = acquisition.METHODS[config.acquisition.method]
    settings = Settings(
        posterior=_posterior(config, _network(config.network, dataset.num_classes)),
        acquire=functools.partial(method.function, **options),
        num_classes=dataset.num_classes,
        initial_size=config.initial_size,
        batch_size=config.batch_size,
        final_size=config.final_size,
        test_draws=config.posterior.num_test_draws if config.posterior.name == "mc_dropout" else None,
        uses_predictions=method.uses_predictions,
    )
    return Parts(Data(dataset.pool, dataset.test), settings)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ExperimentError(message)


def _dataset(config: ConfigDict) -> datasets.Dataset:
    try:
        return datasets.load(**config)
    except ValueError as error:
        raise ExperimentError(f"config.dataset: {error}") from error


def _check_sizes(config: ConfigDict, num_points: int) -> None:
    """Holds the sizes of the labelled set against one another and against the pool."""
    _require(
        config.final_size <= num_points,
        f"config.final_size={config.final_size}: the pool has only {num_points} points",
    )
    _require(
        config.initial_size <= config.final_size,
        f"config.initial_size={config.initial_size}: must be at most config.final_size={config.final_size}",
    )
    num_unlabelled = num_points - config.initial_size
    _require(
        config.batch_size <= num_unlabelled or config.initial_size == config.final_size,
        f"config.batch_size={config.batch_size}: only {num_unlabelled} of the pool's {num_points} points are left "
        f"after the initial {config.initial_size}",
    )


def _network(config: ConfigDict, num_classes: int) -> Network:
    fields = config.to_dict()
    name = fields.pop("name")
    _require(name in NETWORKS, f"config.network.name={name!r}: must be one of {', '.join(map(repr, NETWORKS))}")
    return networks.functional(NETWORKS[name](num_classes, **fields))


def _posterior(config: ConfigDict, network: Network) -> Posterior:
    training = Training(
        optax.adam(config.training.learning_rate), config.training.num_steps, config.training.batch_size
    )
    fields = config.posterior
    for name in ("num_members", "num_draws", "num_test_draws"):
        _require(fields[name] >= 1, f"config.posterior.{name}={fields[name]}: must be at least 1")
    if fields.name == "deep_ensemble":
        return deep_ensemble(network, training, num_members=fields.num_members)
    if fields.name == "mc_dropout":
        return mc_dropout(network, training, num_draws=fields.num_draws)
    raise ExperimentError(f"config.posterior.name={fields.name!r}: must be one of {', '.join(map(repr, POSTERIORS))}")
