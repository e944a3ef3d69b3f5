"""From a configuration to the parts of a run: data, network, posterior, acquisition."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from lbb_jax import acquisition, datasets, networks
from lbb_jax.datasets.identity import identify
from lbb_jax.experiment.configuration import ExperimentError, acquisition_options
from lbb_jax.loop import Data, Settings
from lbb_jax.networks import Network
from lbb_jax.posteriors import Posterior, deep_ensemble, mc_dropout
from lbb_jax.training import Training, epochs, fine_tuning, fixed_steps

NETWORKS: dict[str, type[nn.Module]] = {
    "mlp": networks.MLP,
    "convolutional": networks.ConvolutionalClassifier,
    "emnist_convolutional": networks.EMNISTConvolutionalClassifier,
    "resnet18": networks.ResNet18,
    "text_classifier": networks.TextClassifier,
}
POSTERIORS = ("deep_ensemble", "mc_dropout")
DRIVERS = ("auto", "host", "scan")
COMPUTE_DTYPES = ("float32", "bfloat16")


class Parts(NamedTuple):
    """What a run is made of.

    Attributes:
      data: Pool, test and validation examples, on the device.
      settings: The rest, static.
      unit: What one loss of a training is the loss of, "step" or "epoch".
      seeds_at_once: How many seeds a device works on side by side.
      data_identity: What tells ``data`` from others that the same configuration may load elsewhere.
    """

    data: Data
    settings: Settings
    unit: str
    seeds_at_once: int
    data_identity: dict[str, Any]


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
    _require(
        config.compute_dtype in COMPUTE_DTYPES,
        f"config.compute_dtype={config.compute_dtype!r}: must be one of {', '.join(map(repr, COMPUTE_DTYPES))}",
    )
    options = acquisition_options(config)
    training = _training(config)
    dataset = _dataset(config.dataset)
    _require(
        not config.training.get("augment") or dataset.pool.features.ndim == 4,
        f"config.training.augment=True: the examples of {config.dataset.name!r} are not images",
    )
    _check_sizes(config, dataset.pool.num_examples)
    method = acquisition.METHODS[config.acquisition.method]
    settings = Settings(
        posterior=_posterior(config, _network(config, dataset), training),
        acquire=functools.partial(method.function, **options),
        num_classes=dataset.num_classes,
        initial_size=config.initial_size,
        batch_size=config.batch_size,
        final_size=config.final_size,
        test_draws=config.posterior.num_test_draws if config.posterior.name == "mc_dropout" else None,
        uses_predictions=method.uses_predictions,
        uses_embeddings=method.uses_embeddings,
    )
    seeds_at_once = config.seeds_at_once or (config.seeds if _gain_side_by_side(config) else 1)
    pretrained = None if dataset.encoder is None else {"encoder": dataset.encoder.params}
    data = Data(dataset.pool, dataset.test, dataset.validation, pretrained)
    return Parts(data, settings, training.unit, seeds_at_once, identify(dataset))


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


def _network(config: ConfigDict, dataset: datasets.Dataset) -> Network:
    fields = config.network.to_dict()
    name = fields.pop("name")
    _require(name in NETWORKS, f"config.network.name={name!r}: must be one of {', '.join(map(repr, NETWORKS))}")
    of_the_data = {"num_classes", "architecture"}
    names = {field.name for field in dataclasses.fields(NETWORKS[name])} - of_the_data - {"parent", "name"}
    _require(
        fields.keys() <= names,
        f"config.network has the fields {', '.join(sorted(fields))}; name={name!r} takes {', '.join(sorted(names))}",
    )
    _require(
        (name == "text_classifier") == (dataset.encoder is not None),
        f"config.network.name={name!r}: 'text_classifier' is the network for tokens, and only for tokens; "
        f"config.dataset.name={config.dataset.name!r} has {'no ' if dataset.encoder is None else ''}tokens",
    )
    if dataset.encoder is not None:
        fields["architecture"] = dataset.encoder.architecture
    module = NETWORKS[name](dataset.num_classes, **fields)
    return networks.functional(module, compute_dtype=jnp.dtype(config.compute_dtype))


def _fixed_steps(*, learning_rate: float, num_steps: int, batch_size: int) -> Training:
    if not learning_rate > 0:
        raise ValueError(f"learning_rate={learning_rate}: must be above 0")
    return fixed_steps(optax.adam(learning_rate), num_steps=num_steps, batch_size=batch_size)


_TRAININGS: dict[str, tuple[Callable[..., Training], set[str]]] = {
    "fixed_steps": (_fixed_steps, {"learning_rate", "num_steps", "batch_size"}),
    "epochs": (
        epochs,
        {"num_epochs", "learning_rate", "momentum", "weight_decay", "decay_epochs", "augment", "smallest_batch_size"},
    ),
    "fine_tuning": (fine_tuning, {"learning_rate", "num_steps", "batch_size", "warmup", "weight_decay"}),
}


def _training(config: ConfigDict) -> Training:
    fields = config.training.to_dict()
    name = fields.pop("name")
    _require(name in _TRAININGS, f"config.training.name={name!r}: must be one of {', '.join(map(repr, _TRAININGS))}")
    make, names = _TRAININGS[name]
    _require(
        fields.keys() == names,
        f"config.training has the fields {', '.join(sorted(fields))}; name={name!r} takes {', '.join(sorted(names))}",
    )
    if name == "epochs":
        # As many points in a minibatch as are acquired in a round.
        smallest = fields.pop("smallest_batch_size")
        _require(smallest >= 1, f"config.training.smallest_batch_size={smallest}: must be at least 1")
        fields["batch_size"] = max(smallest, config.batch_size)
    try:
        return make(**fields)
    except ValueError as error:
        raise ExperimentError(f"config.training.{error}") from error


def _gain_side_by_side(config: ConfigDict) -> bool:
    """Whether networks are trained faster side by side than one after another.

    On a CPU convolutions are not: `experiments/benchmark_training.py`.
    """
    return jax.default_backend() != "cpu" or config.network.name == "mlp"


def _posterior(config: ConfigDict, network: Network, training: Training) -> Posterior:
    fields = config.posterior
    for name in ("num_members", "members_at_once", "num_draws", "num_test_draws"):
        _require(
            fields[name] is None or fields[name] >= 1, f"config.posterior.{name}={fields[name]}: must be at least 1"
        )
    if fields.name == "deep_ensemble":
        at_once = fields.members_at_once or (fields.num_members if _gain_side_by_side(config) else 1)
        return deep_ensemble(network, training, num_members=fields.num_members, members_at_once=at_once)
    if fields.name == "mc_dropout":
        return mc_dropout(network, training, num_draws=fields.num_draws)
    raise ExperimentError(f"config.posterior.name={fields.name!r}: must be one of {', '.join(map(repr, POSTERIORS))}")
