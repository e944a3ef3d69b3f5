"""Labelled examples on the device: small integers in storage, normalised float32 when a network asks for them.

Tokens of texts stay integers for the network: examples without a mean are used as stored.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, Int32, PyTree, Shaped

from lbb_jax import arguments
from lbb_jax.batching import map_chunks

# What convolutions make of more images does not fit the cache of a CPU.
CHUNK_SIZE = 250
_MOST_LABELS = 2**31 - 1


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Examples:
    """Examples with their labels, each possibly in several noisy copies that are made only when they are used.

    Example ``i`` is copy ``i // n`` of base example ``i % n`` of ``n``. Its noise depends on ``i`` and the noise key
    alone: an example always gives the same input, whichever examples are requested with it.

    Attributes:
      features: Base examples as stored, ``[n, ...]``, commonly uint8.
      labels: Labels of the base examples, ``[n]`` int32.
      mean: Subtracted from the features, in their units; broadcasts against one example. None, like ``std``, for
        features that are used as stored.
      std: Divides the result; broadcasts against one example.
      noise_key: Random key of the noise.
      noise: Standard deviation of the Gaussian noise added after normalisation.
      copies: Copies of each base example.
    """

    features: jax.Array
    labels: jax.Array
    mean: jax.Array | None
    std: jax.Array | None
    noise_key: jax.Array
    noise: float = dataclasses.field(default=0.0, metadata={"static": True})
    copies: int = dataclasses.field(default=1, metadata={"static": True})

    @property
    def num_base(self) -> int:
        """Number of base examples."""
        return self.features.shape[0]

    @property
    def num_examples(self) -> int:
        """Number of examples, all copies counted."""
        return self.num_base * self.copies


class Data(NamedTuple):
    """The examples of an experiment.

    Attributes:
      pool: The examples to label.
      test: The examples to evaluate on.
      validation: The examples by which the best epoch of training is chosen; None to keep the last epoch.
      pretrained: Parameters that a network starts from in place of drawn ones, as `networks.start_from` takes them;
        None for none.
    """

    pool: Examples
    test: Examples
    validation: Examples | None = None
    pretrained: PyTree | None = None


def create(
    features: Shaped[ArrayLike, "n ..."],
    labels: Shaped[ArrayLike, " n"],
    *,
    mean: ArrayLike | None = None,
    std: ArrayLike | None = None,
    num_classes: int | None = None,
) -> Examples:
    """Examples without copies or noise. Values are checked outside of ``jit``.

    Args:
      features: ``[n, ...]``, finite numbers.
      labels: ``[n]``, whole numbers of at least 0.
      mean: In the units of ``features``; broadcasts against one example. None, like ``std``, to use them as stored.
      std: The standard deviation, likewise; above 0.
      num_classes: The number of classes, which all labels are below; None if it is unknown.

    Raises:
      ValueError: If an argument is not as above, or features and labels differ in length.
      TypeError: For an argument of the wrong kind.
    """
    features = arguments.as_array("features", features)
    _check_features(features)
    labels = _read_labels(labels, len(features), num_classes)
    if (mean is None) != (std is None):
        raise ValueError(f"{'mean' if mean is None else 'std'}: not given; pass both mean and std, or neither")
    return Examples(
        features=jnp.asarray(features),
        labels=labels,
        mean=None if mean is None else _read_statistic("mean", mean, features.shape[1:]),
        std=None if std is None else _read_statistic("std", std, features.shape[1:], above_0=True),
        noise_key=jax.random.key(0),
    )


def _check_features(features: arguments.Array) -> None:
    """Raises ValueError unless ``features[n, ...]`` holds at least one example, of finite numbers that JAX holds."""
    is_floating = jnp.issubdtype(features.dtype, jnp.floating)
    if not (is_floating or jnp.issubdtype(features.dtype, jnp.integer) or features.dtype == bool):
        raise ValueError(f"features has dtype {features.dtype}: must be integers or floating point")
    if features.ndim == 0 or 0 in features.shape:
        raise ValueError(f"features has shape {features.shape}: must be [n, ...], with no axis of length 0")
    if not arguments.are_known(features):
        return
    if is_floating:
        with np.errstate(over="ignore"):
            is_right = np.isfinite(np.asarray(features).astype(np.float32, copy=False))
        allowed = "finite"
    elif features.dtype.itemsize == 8:
        # JAX converts 64-bit integers to 32 bits without a warning.
        is_right = np.asarray(features) == np.asarray(features).astype(np.int32)
        allowed = "within 32 bits"
    else:
        return
    if not is_right.all():
        place = np.argwhere(~is_right)[0].tolist()
        raise ValueError(f"features{place} is {np.asarray(features)[tuple(place)]}: must be {allowed}")


def _read_labels(labels: Any, num_examples: int, num_classes: int | None) -> jax.Array:
    """``labels[n]`` as int32; whole numbers in floating point and bools are taken for the integers that they are."""
    labels = arguments.as_array("labels", labels)
    if labels.shape != (num_examples,):
        raise ValueError(
            f"labels has shape {labels.shape}: must be ({num_examples},), one class for each of features (of one-hot "
            "labels: labels.argmax(axis=1))"
        )
    if labels.dtype == bool:
        labels = labels.astype(np.int32)
    elif jnp.issubdtype(labels.dtype, jnp.floating) and arguments.are_known(labels):
        values = np.asarray(labels, np.float64)
        is_fault = ~(np.abs(values) < _MOST_LABELS) | (values != np.trunc(values))
        if is_fault.any():
            place = int(np.argmax(is_fault))
            raise ValueError(f"labels[{place}]={values[place]}: must be a whole number; leave unlabelled examples out")
        labels = values.astype(np.int64)
    high = _MOST_LABELS if num_classes is None else arguments.check_positive_integer("num_classes", num_classes)
    arguments.check_integers("labels", labels, low=0, high=high, remedy="leave unlabelled examples out")
    return jnp.asarray(labels, jnp.int32)


def _read_statistic(name: str, value: Any, shape: tuple[int, ...], *, above_0: bool = False) -> jax.Array:
    """A mean or standard deviation in float32, one that broadcasts against an example of ``shape``."""
    try:
        array = arguments.as_array(name, np.asarray(value) if isinstance(value, (int, float, list, tuple)) else value)
    except ValueError as error:
        raise ValueError(f"{name}: cannot be read as an array ({error})") from error
    if not (jnp.issubdtype(array.dtype, jnp.floating) or jnp.issubdtype(array.dtype, jnp.integer)):
        raise ValueError(f"{name} has dtype {array.dtype}: must be floating point")
    try:
        fits = np.broadcast_shapes(array.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name} has shape {array.shape}: must broadcast against an example, of shape {shape}")
    if arguments.are_known(array):
        with np.errstate(over="ignore"):
            values = np.asarray(array).astype(np.float32)
        if not np.all(np.isfinite(values)) or (above_0 and not np.all(values > 0)):
            raise ValueError(f"{name}={values}: must be finite{' and above 0' if above_0 else ''}")
    return jnp.asarray(array, jnp.float32)


def repeat(key: jax.Array, examples: Examples, *, copies: int, noise: float) -> Examples:
    """The same examples in noisy copies, as in RMNIST.

    Args:
      key: Random key of the noise, consumed.
      examples: Without copies.
      copies: At least 1; at most 2 ** 31 - 1 examples in all.
      noise: Standard deviation of the noise on every copy, after normalisation.

    Returns:
      Examples that take no more memory than those given.

    Raises:
      ValueError: If ``examples`` are repeated already, or an argument is out of range.
      TypeError: For an argument of the wrong kind.
    """
    key = arguments.check_key("key", key)
    _check_examples(examples)
    copies = arguments.check_positive_integer("copies", copies)
    arguments.check_finite_and_not_negative("noise", noise)
    if examples.copies != 1:
        raise ValueError(f"examples: already repeated {examples.copies} times; repeat the base examples")
    if examples.num_base * copies >= 2**31:
        raise ValueError(f"copies={copies}: makes {examples.num_base * copies:,} examples, more than 2 ** 31 - 1")
    if noise > 0 and examples.mean is None:
        raise ValueError(f"noise={noise}: must be 0 for features that are not normalised")
    return dataclasses.replace(examples, noise_key=key, noise=float(noise), copies=copies)


def _check_examples(examples: Examples) -> None:
    """Raises TypeError for what is not `Examples`."""
    if not isinstance(examples, Examples):
        raise TypeError(f"examples: a {type(examples).__name__} is not Examples; pass those of examples.create")


def _check_indices(examples: Examples, indices: ArrayLike) -> Int32[Array, " B"]:
    """``indices[B]`` of examples as int32, those outside of ``jit`` between 0 and the number of examples."""
    _check_examples(examples)
    indices = arguments.as_array("indices", indices)
    arguments.check_integers("indices", indices, low=0, high=examples.num_examples)
    # A narrower type might not hold the number of examples.
    return jnp.asarray(indices, jnp.int32)


def inputs(examples: Examples, indices: Int[ArrayLike, " B"]) -> Shaped[Array, "B ..."]:
    """The examples ``indices[B]`` as inputs ``[B, ...]``: normalised, float32, with their noise; or as stored.

    Raises:
      ValueError: If ``indices`` are not integers of one axis; outside of ``jit``, also if there is no such example.
      TypeError: For an argument of the wrong kind.
    """
    indices = _check_indices(examples, indices)
    if examples.mean is None or examples.std is None:
        return examples.features[indices % examples.num_base]
    features = examples.features[indices % examples.num_base].astype(jnp.float32)
    normalised = _normalise(features, examples.mean, examples.std)
    if examples.noise == 0:
        return normalised
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(examples.noise_key, indices)
    deviates = jax.vmap(lambda key: jax.random.normal(key, normalised.shape[1:]))(keys)
    return normalised + examples.noise * deviates


def blank_input(examples: Examples) -> jax.Array:
    """The network input ``[...]`` of an example whose features are all 0, without noise."""
    if examples.mean is None or examples.std is None:
        return jnp.zeros(examples.features.shape[1:], examples.features.dtype)
    return _normalise(jnp.zeros((1, *examples.features.shape[1:])), examples.mean, examples.std)[0]


def _normalise(
    features: Float[Array, "B ..."], mean: Float[Array, "..."], std: Float[Array, "..."]
) -> Float[Array, "B ..."]:
    """Normalised ``features[B, ...]``."""
    mean, std = (leaf.reshape((1,) * (features.ndim - leaf.ndim) + leaf.shape) for leaf in (mean, std))
    return (features - mean) / std


def labels(examples: Examples, indices: Int[ArrayLike, " B"]) -> Int32[Array, " B"]:
    """The labels ``[B]`` of the examples ``indices[B]``, int32. Raises as `inputs`."""
    indices = _check_indices(examples, indices)
    return examples.labels[indices % examples.num_base]


def all_labels(examples: Examples) -> Int32[Array, " N"]:
    """The labels of all examples, ``[num_examples]`` int32."""
    return jnp.tile(examples.labels, examples.copies)


def map_inputs(
    function: Callable[[jax.Array], PyTree], examples: Examples, indices: Int32[Array, " N"] | None = None
) -> PyTree[Shaped[Array, "..."]]:
    """Applies a function to the inputs of examples, a few hundred at a time.

    Args:
      function: From inputs ``[B, ...]`` to a pytree of arrays ``[B, ...]``, each row by itself.
      examples: The examples; their inputs exist only a chunk at a time.
      indices: ``[N]``, which of them; None for all ``N``.

    Returns:
      The pytree of arrays ``[N, ...]``.
    """
    num_rows = examples.num_examples if indices is None else len(indices)
    chunk_size = min(CHUNK_SIZE, num_rows)

    def chunk(start: jax.Array) -> PyTree:
        rows = start + jnp.arange(chunk_size, dtype=jnp.int32)
        return function(inputs(examples, rows if indices is None else indices[rows]))

    return map_chunks(chunk, num_rows, chunk_size)
