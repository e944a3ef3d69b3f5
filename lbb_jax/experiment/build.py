"""From a configuration to the parts of a run: data, network, posterior, acquisition."""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from lbb_jax import acquisition, batching, components, datasets, examples, networks, ranges, references
from lbb_jax.components import Found
from lbb_jax.datasets.identity import identify
from lbb_jax.experiment.compilation import check_platform
from lbb_jax.experiment.configuration import (
    ExperimentError,
    PosteriorFields,
    acquisition_options,
    check_fields,
    check_plain,
)
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.loop import Data, Settings
from lbb_jax.networks import Network
from lbb_jax.posteriors import Posterior
from lbb_jax.training import Training


class Parts(NamedTuple):
    """What a run is made of.

    Attributes:
      data: Pool, test and validation examples, on the device.
      settings: The rest, static.
      training: How each network is trained.
      seeds_at_once: How many seeds a device works on side by side.
      data_identity: What distinguishes ``data`` from other data that the same configuration may load elsewhere.
    """

    data: Data
    settings: Settings
    training: Training
    seeds_at_once: int
    data_identity: dict[str, Any]


class Components(NamedTuple):
    """What the sections of a configuration name.

    Attributes:
      network: Makes a module, given ``num_classes``, the ``architecture`` of an encoder and ``rngs`` as far as it takes
        them.
      training: Makes a `Training`, given ``acquired_batch_size`` if it takes that.
      posterior: Makes a `Posterior`, given ``network`` and ``training``.
    """

    network: Found
    training: Found
    posterior: Found


def check(config: ConfigDict) -> None:
    """Checks the range of every field, and that the fields fit one another; loads and compiles nothing.

    Raises:
      ExperimentError: For the first field that is missing, unknown, of another kind, out of its range, or inconsistent
        with another; the message has its full name, its value and what is allowed.
    """
    check_fields(config)
    with _reported("config.dataset."):
        datasets.check(**config.dataset)
    _training(_find(config).training, config)
    acquisition_options(config)
    check_plain(config)
    num_pool = config.dataset.num_pool
    if num_pool is not None:
        _check_sizes(config, num_pool * config.dataset.copies)


def assemble(config: ConfigDict) -> Parts:
    """Loads the data and builds everything else, after checking that it fits together.

    Raises:
      ExperimentError: As `check`, for a size that the data set does not have, for a network that does not take its
        examples or lacks what the posterior or the method needs, for a component of the user's that fails on the shapes
        of the run, and if JAX finds no device of the platform that it is to use.
      MissingDatasetError: If the data set's files are not there.
    """
    check(config)
    check_platform()
    options = acquisition_options(config)
    found = _find(config)
    training = _training(found.training, config)
    with _reported("config.dataset."):
        dataset = datasets.load(**config.dataset)
    _require(
        not training.takes_images or dataset.pool.features.ndim == 4,
        f"config.training.name={config.training.name!r}: takes images, which the examples of "
        f"{config.dataset.name!r} are not; set config.training.augment=False if it has that field",
    )
    _check_sizes(config, dataset.pool.num_examples)
    network = _network(found.network, config, dataset)
    variables = _check_fit(found.network.field, network, dataset, config.dataset.name)
    gain_side_by_side = _gain_side_by_side(variables, dataset)
    posterior = _posterior(found.posterior, network, training, gain_side_by_side=gain_side_by_side)
    _check_draws(found, posterior, network, dataset)
    method = acquisition.find_method(config.acquisition.method)
    _require(
        not method.uses_embeddings or posterior.embed is not None,
        f"config.acquisition.method={config.acquisition.method!r}: needs embeddings, which {found.network.field} with "
        f"{found.posterior.field} does not offer; give the network a method embed(x), which returns the inputs of its "
        "last layer [B, D]",
    )
    settings = Settings(
        posterior=posterior,
        acquire=functools.partial(method.function, **options),
        num_classes=dataset.num_classes,
        initial_size=config.initial_size,
        batch_size=config.batch_size,
        final_size=config.final_size,
        uses_predictions=method.uses_predictions,
        uses_embeddings=method.uses_embeddings,
        uses_labels=method.uses_labels,
    )
    pretrained = None if dataset.encoder is None else {"encoder": dataset.encoder.params}
    data = Data(dataset.pool, dataset.test, dataset.validation, pretrained)
    if found.training.is_users or found.posterior.is_users:
        _try_on_shapes(found, settings, data)
    seeds_at_once = config.seeds_at_once or (config.seeds if gain_side_by_side else 1)
    return Parts(data, settings, training, seeds_at_once, identify(dataset))


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ExperimentError(message)


@contextlib.contextmanager
def _reported(prefix: str) -> Iterator[None]:
    """Converts an error of this package, which begins with ``FIELD=VALUE``, to ExperimentError with a prefix."""
    try:
        yield
    except ExperimentError as error:
        raise ExperimentError(f"{prefix}{error}" if _names_a_field(error) else str(error)) from error
    except (TypeError, ValueError) as error:
        raise ExperimentError(f"{prefix if _names_a_field(error) else prefix[:-1] + ': '}{error}") from error


def _names_a_field(error: Exception) -> bool:
    """Whether a message begins with the name of a field, without that of its section."""
    return str(error).partition("=")[0].partition(":")[0].isidentifier()


def _find(config: ConfigDict) -> Components:
    """What the configuration names, once its fields are checked."""
    try:
        return Components(
            network=components.find("network", config.network, given=("num_classes", "architecture", "rngs")),
            training=components.find("training", config.training, given=("acquired_batch_size",)),
            posterior=components.find(
                "posterior", config.posterior, given=("network", "training"), shared=ranges.of(PosteriorFields)
            ),
        )
    except (TypeError, ValueError) as error:
        raise ExperimentError(str(error)) from error


def _check_sizes(config: ConfigDict, num_points: int) -> None:
    """Checks that the sizes of the labelled set fit one another and the pool."""
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


def _network(found: Found, config: ConfigDict, dataset: datasets.Dataset) -> Network:
    _require(
        found.is_users or found.takes("architecture") == (dataset.encoder is not None),
        f"{found.field}: 'text_classifier' is the network for tokens, and only for tokens; "
        f"config.dataset.name={config.dataset.name!r} has {'no ' if dataset.encoder is None else ''}tokens",
    )
    given = {"num_classes": dataset.num_classes}
    if dataset.encoder is not None:
        given["architecture"] = dataset.encoder.architecture
    fields = dict(found.fields) | {name: value for name, value in given.items() if found.takes(name)}
    with components.blamed(found.field):
        return networks.create(found.make, compute_dtype=jnp.dtype(config.compute_dtype), **fields)


def _check_fit(field: str, network: Network, dataset: datasets.Dataset, dataset_name: str) -> networks.Variables:
    """Raises ExperimentError unless the network takes the data set's examples; returns the shapes of its variables."""
    inputs = _inputs(dataset)
    what = f"{field}: does not fit config.dataset.name={dataset_name!r}, whose examples have the shape "
    what += f"{inputs.shape[1:]}"
    key = jax.random.key(0)
    try:
        variables = jax.eval_shape(network.init, key, inputs)
        logits, statistics = jax.eval_shape(network.training_logits, key, variables, inputs)
        evaluated = jax.eval_shape(network.logits, variables, inputs)
    # Flax, JAX or a module of the user's may raise any error.
    except Exception as error:
        place = references.users_place(error)
        where = f"at {place}: " if place else ""
        raise ExperimentError(f"{what} ({where}{type(error).__name__}: {error})") from error
    _require(
        all(leaf.size for leaf in jax.tree.leaves(variables.params)),
        f"{what}: its convolutions and pools leave nothing of these; choose one for smaller images",
    )
    expected = (2, dataset.num_classes)
    for shape in (logits.shape, evaluated.shape):
        _require(shape == expected, f"{what}: 2 examples yield logits of shape {shape}, not {expected}")
    _require(
        jax.tree.structure(statistics) == jax.tree.structure(variables.statistics),
        f"{what}: training changes which running statistics it has",
    )
    return variables


def _check_draws(found: Components, posterior: Posterior, network: Network, dataset: datasets.Dataset) -> None:
    """Raises ExperimentError where draws are dropout masks and the network has no dropout."""
    if not posterior.needs_dropout:
        return
    try:
        has_dropout = networks.has_dropout(network, _inputs(dataset))
    except ValueError as error:
        raise ExperimentError(f"{found.posterior.field}: {found.network.field}: {error}") from error
    _require(
        has_dropout,
        f"{found.posterior.field}: its draws are dropout masks, and {found.network.field} has no dropout with these "
        "fields, so that all draws would be the same; give it a dropout rate above 0, or choose 'deep_ensemble'",
    )


def _inputs(dataset: datasets.Dataset) -> jax.ShapeDtypeStruct:
    """Shape and dtype of two inputs."""
    return jax.eval_shape(lambda pool: examples.inputs(pool, jnp.arange(2, dtype=jnp.int32)), dataset.pool)


def _training(found: Found, config: ConfigDict) -> Training:
    with _reported("config.training."):
        training = found.build(acquired_batch_size=config.batch_size)
    _require(
        isinstance(training, Training),
        f"{found.field}: returns {type(training).__name__}; must return lbb_jax.training.Training",
    )
    return training


def _posterior(found: Found, network: Network, training: Training, *, gain_side_by_side: bool) -> Posterior:
    fields: Mapping[str, Any] = found.fields
    if found.takes("members_at_once") and fields.get("members_at_once") is None and not gain_side_by_side:
        fields = {**fields, "members_at_once": 1}
    with _reported("config.posterior."):
        posterior = found._replace(fields=fields).build(network=network, training=training)
    _require(
        isinstance(posterior, Posterior),
        f"{found.field}: returns {type(posterior).__name__}; must return lbb_jax.posteriors.Posterior",
    )
    return posterior


def _gain_side_by_side(variables: networks.Variables, dataset: datasets.Dataset) -> bool:
    """Whether networks are trained faster side by side than one after another.

    On a CPU this holds only for networks whose weights are all matrices or vectors and that train no encoder. It does
    not hold for convolutions (`experiments/benchmark_training.py`).
    """
    is_perceptron = dataset.encoder is None and all(leaf.ndim <= 2 for leaf in jax.tree.leaves(variables.params))
    return not batching.is_on_cpu() or is_perceptron


def _try_on_shapes(found: Components, settings: Settings, data: Data) -> None:
    """Runs the user's training and posterior on shapes alone, which finds what is wrong with them before any round.

    Raises:
      ExperimentError: If they fail, with the place, or return what they should not.
    """
    posterior, key = settings.posterior, jax.random.key(0)
    field = found.posterior.field if found.posterior.is_users else found.training.field
    labelled = LabelledSet(jax.ShapeDtypeStruct((settings.final_size,), jnp.int32), jax.ShapeDtypeStruct((), jnp.int32))
    one_input = jax.eval_shape(lambda pool: examples.inputs(pool, jnp.zeros(1, jnp.int32)), data.pool)
    with components.blamed(field):
        params = jax.eval_shape(posterior.init, key, one_input)
        trained, losses = jax.eval_shape(posterior.fit, key, params, data, labelled)
        log_probs = jax.eval_shape(posterior.sample, key, trained, data.pool)
        tested = jax.eval_shape(
            functools.partial(posterior.sample, num_draws=posterior.num_test_draws), key, trained, data.test
        )
    _require(len(losses.shape) == 2, f"{field}: losses have the shape {losses.shape}; must be [members, units]")
    for examples_, predicted in ((data.pool, log_probs), (data.test, tested)):
        shape = predicted.shape
        _require(
            len(shape) == 3 and (shape[0], shape[2]) == (examples_.num_examples, settings.num_classes),
            f"{field}: sample returns log-probabilities of shape {shape}; must be [{examples_.num_examples}, draws, "
            f"{settings.num_classes}]",
        )
