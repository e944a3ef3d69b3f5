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

from lbb_jax import acquisition, datasets, examples, networks, ranges
from lbb_jax.datasets.identity import identify
from lbb_jax.experiment.compilation import check_platform
from lbb_jax.experiment.configuration import (
    ExperimentError,
    acquisition_options,
    check_fields,
    check_plain,
    check_ranges,
)
from lbb_jax.loop import Data, Settings
from lbb_jax.networks import Network
from lbb_jax.posteriors import Posterior, deep_ensemble, mc_dropout
from lbb_jax.ranges import Count, Positive
from lbb_jax.training import Training, epochs, fine_tuning, fixed_steps

NETWORKS: dict[str, type[nn.Module]] = {
    "mlp": networks.MLP,
    "convolutional": networks.ConvolutionalClassifier,
    "emnist_convolutional": networks.EMNISTConvolutionalClassifier,
    "resnet18": networks.ResNet18,
    "text_classifier": networks.TextClassifier,
}
POSTERIORS = ("deep_ensemble", "mc_dropout")
# What a network takes from the data set, and what Flax adds to its fields.
_NOT_CONFIGURED = {"num_classes", "architecture", "parent", "name"}


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


def check(config: ConfigDict) -> None:
    """Holds every field against its range, and the fields against one another; loads and compiles nothing.

    Raises:
      ExperimentError: For the first field that is missing, unknown, of another kind, out of its range, or at odds with
        another; the message has its full name, its value and what is allowed.
    """
    check_fields(config)
    _check_dataset(config)
    _check_network(config)
    posterior = ranges.of(deep_ensemble) | ranges.of(mc_dropout)
    posterior |= {"name": ranges.choice(*POSTERIORS), "num_test_draws": posterior["num_draws"]}
    check_ranges(posterior, config.posterior, "config.posterior")
    _training(config)
    acquisition_options(config)
    check_plain(config)
    num_pool = config.dataset.num_pool
    if num_pool is not None:
        _check_sizes(config, num_pool * config.dataset.copies)


def assemble(config: ConfigDict) -> Parts:
    """Loads the data and builds everything else, after checking that it fits together.

    Raises:
      ExperimentError: As `check`, for a size that the data set does not have, for a network that does not take its
        examples or has no dropout where the posterior needs it, and if JAX finds no device of the platform that it is
        to use.
      MissingDatasetError: If the data set's files are not there.
    """
    check(config)
    check_platform()
    options = acquisition_options(config)
    training = _training(config)
    dataset = _dataset(config.dataset)
    _require(
        not config.training.get("augment") or dataset.pool.features.ndim == 4,
        f"config.training.augment=True: the examples of {config.dataset.name!r} are not images",
    )
    _check_sizes(config, dataset.pool.num_examples)
    network = _network(config, dataset)
    _check_fit(config, network, dataset)
    method = acquisition.METHODS[config.acquisition.method]
    settings = Settings(
        posterior=_posterior(config, network, training),
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


def _check_dataset(config: ConfigDict) -> None:
    try:
        datasets.check(**config.dataset)
    except (TypeError, ValueError) as error:
        raise ExperimentError(f"config.dataset.{error}") from error


def _dataset(config: ConfigDict) -> datasets.Dataset:
    try:
        return datasets.load(**dict(config))
    except ValueError as error:
        # A message about one of its fields begins with the field.
        separator = "." if str(error).partition("=")[0] in config else ": "
        raise ExperimentError(f"config.dataset{separator}{error}") from error


def _check_sizes(config: ConfigDict, num_points: int) -> None:
    """Holds the sizes of the labelled set against one another and against the pool."""
    _require(
        config.final_size <= num_points,
        f"config.final_size={config.final_size}: the pool has only {num_points} points",
    )
    num_unlabelled = num_points - config.initial_size
    _require(
        config.batch_size <= num_unlabelled or config.initial_size == config.final_size,
        f"config.batch_size={config.batch_size}: only {num_unlabelled} of the pool's {num_points} points are left "
        f"after the initial {config.initial_size}",
    )


def _check_network(config: ConfigDict) -> None:
    fields = config.network.to_dict()
    name = fields.pop("name", None)
    check_ranges({"name": ranges.choice(*NETWORKS)}, {"name": name}, "config.network")
    names = {field.name for field in dataclasses.fields(NETWORKS[name])} - _NOT_CONFIGURED
    _require(
        fields.keys() <= names,
        f"config.network has the fields {', '.join(sorted(fields))}; name={name!r} takes {', '.join(sorted(names))}",
    )
    check_ranges(ranges.of(NETWORKS[name]), fields, "config.network")


def _network(config: ConfigDict, dataset: datasets.Dataset) -> Network:
    fields = config.network.to_dict()
    name = fields.pop("name")
    _require(
        (name == "text_classifier") == (dataset.encoder is not None),
        f"config.network.name={name!r}: 'text_classifier' is the network for tokens, and only for tokens; "
        f"config.dataset.name={config.dataset.name!r} has {'no ' if dataset.encoder is None else ''}tokens",
    )
    if dataset.encoder is not None:
        fields["architecture"] = dataset.encoder.architecture
    module = NETWORKS[name](dataset.num_classes, **fields)
    return networks.functional(module, compute_dtype=jnp.dtype(config.compute_dtype))


def _check_fit(config: ConfigDict, network: Network, dataset: datasets.Dataset) -> None:
    """Raises ExperimentError unless the network takes the data set's examples and has the dropout that draws need.

    It looks at shapes alone.
    """
    inputs = jax.eval_shape(lambda pool: examples.inputs(pool, jnp.arange(2, dtype=jnp.int32)), dataset.pool)
    what = (
        f"config.network.name={config.network.name!r}: does not fit config.dataset.name={config.dataset.name!r}, whose "
        f"examples have the shape {inputs.shape[1:]}"
    )
    key = jax.random.key(0)
    try:
        variables = jax.eval_shape(network.init, key, inputs)
        logits, _ = jax.eval_shape(network.training_logits, key, variables, inputs)
    # Whatever Flax, JAX or a module of the user's may raise.
    except Exception as error:
        raise ExperimentError(f"{what} ({type(error).__name__}: {error})") from error
    _require(
        all(leaf.size for leaf in jax.tree.leaves(variables.params)),
        f"{what}: its convolutions and pools leave nothing of these; choose one for smaller images",
    )
    expected = (2, dataset.num_classes)
    _require(logits.shape == expected, f"{what}: 2 examples yield logits of shape {logits.shape}, not {expected}")
    _require(
        config.posterior.name != "mc_dropout" or networks.has_dropout(network, inputs),
        f"config.posterior.name='mc_dropout': its draws are dropout masks, and config.network.name="
        f"{config.network.name!r} has no dropout with these fields, so that all draws would be the same; give it a "
        "dropout rate above 0, or choose 'deep_ensemble'",
    )


def _fixed_steps(*, learning_rate: Positive, num_steps: Count, batch_size: Count) -> Training:
    ranges.check(ranges.of(_fixed_steps), {"learning_rate": learning_rate})
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
    name = fields.pop("name", None)
    check_ranges({"name": ranges.choice(*_TRAININGS)}, {"name": name}, "config.training")
    make, names = _TRAININGS[name]
    _require(
        fields.keys() == names,
        f"config.training has the fields {', '.join(sorted(fields))}; name={name!r} takes {', '.join(sorted(names))}",
    )
    if name == "epochs":
        # As many points in a minibatch as are acquired in a round.
        smallest = {"smallest_batch_size": fields.pop("smallest_batch_size")}
        check_ranges({"smallest_batch_size": ranges.of(epochs)["batch_size"]}, smallest, "config.training")
        fields["batch_size"] = max(smallest["smallest_batch_size"], config.batch_size)
    try:
        return make(**fields)
    except (TypeError, ValueError) as error:
        raise ExperimentError(f"config.training.{error}") from error


def _gain_side_by_side(config: ConfigDict) -> bool:
    """Whether networks are trained faster side by side than one after another.

    On a CPU convolutions are not: `experiments/benchmark_training.py`.
    """
    return jax.default_backend() != "cpu" or config.network.name == "mlp"


def _posterior(config: ConfigDict, network: Network, training: Training) -> Posterior:
    fields = config.posterior
    if fields.name == "deep_ensemble":
        at_once = fields.members_at_once or (fields.num_members if _gain_side_by_side(config) else 1)
        return deep_ensemble(network, training, num_members=fields.num_members, members_at_once=at_once)
    return mc_dropout(network, training, num_draws=fields.num_draws)
