"""Labelled examples on the device: small integers in storage, normalised float32 when a network asks for them.

Tokens of texts are integers to networks, too: examples without a mean are used as they are stored.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lbb_jax.chunks import map_chunks

CHUNK_SIZE = 500


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Examples:
    """Examples with their labels, each possibly in several noisy copies that are made only when they are used.

    Example ``i`` is copy ``i // n`` of base example ``i % n`` of ``n``. Its noise depends on ``i`` and the noise key
    alone: the same example is the same input whenever and with whatever others it is asked for.

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
      pool: To label.
      test: To take metrics on.
      validation: To choose between epochs of training by; None to take the last.
      pretrained: Parameters that a network starts from in place of drawn ones, as `networks.start_from` takes them;
        None for none.
    """

    pool: Examples
    test: Examples
    validation: Examples | None = None
    pretrained: Any | None = None


def create(
    features: jax.Array, labels: jax.Array, *, mean: jax.Array | None = None, std: jax.Array | None = None
) -> Examples:
    """Examples without copies or noise.

    Args:
      features: ``[n, ...]``.
      labels: ``[n]`` integers.
      mean: In the units of ``features``; broadcasts against one example. None, like ``std``, to use them as stored.
      std: Likewise.
    """
    return Examples(
        features=jnp.asarray(features),
        labels=jnp.asarray(labels, jnp.int32),
        mean=None if mean is None else jnp.asarray(mean, jnp.float32),
        std=None if std is None else jnp.asarray(std, jnp.float32),
        noise_key=jax.random.key(0),
    )


def repeat(key: jax.Array, examples: Examples, *, copies: int, noise: float) -> Examples:
    """The same examples in noisy copies, as in RMNIST.

    Args:
      key: Random key of the noise, consumed.
      examples: Without copies.
      copies: At least 1.
      noise: Standard deviation of the noise on every copy, after normalisation.

    Returns:
      Examples that take no more memory than those given.

    Raises:
      ValueError: If ``examples`` are repeated already, or an argument is out of range.
    """
    if examples.copies != 1:
        raise ValueError(f"examples: already repeated {examples.copies} times; repeat the base examples")
    if copies < 1:
        raise ValueError(f"copies={copies}: must be at least 1")
    if not noise >= 0:
        raise ValueError(f"noise={noise}: must be at least 0")
    if noise > 0 and examples.mean is None:
        raise ValueError(f"noise={noise}: must be 0 for features that are not normalised")
    return dataclasses.replace(examples, noise_key=key, noise=float(noise), copies=copies)


def inputs(examples: Examples, indices: jax.Array) -> jax.Array:
    """The examples ``indices[B]`` as inputs ``[B, ...]``: normalised, float32, with their noise; or as stored."""
    if examples.mean is None:
        return examples.features[indices % examples.num_base]
    normalised = _normalise(examples, examples.features[indices % examples.num_base].astype(jnp.float32))
    if examples.noise == 0:
        return normalised
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(examples.noise_key, indices)
    deviates = jax.vmap(lambda key: jax.random.normal(key, normalised.shape[1:]))(keys)
    return normalised + examples.noise * deviates


def blank_input(examples: Examples) -> jax.Array:
    """The network input ``[...]`` of an example whose features are all 0, without noise."""
    return _normalise(examples, jnp.zeros((1, *examples.features.shape[1:])))[0]


def _normalise(examples: Examples, features: jax.Array) -> jax.Array:
    """Normalised ``features[B, ...]``."""
    ones = (1,) * (features.ndim - examples.mean.ndim)
    return (features - examples.mean.reshape(ones + examples.mean.shape)) / examples.std.reshape(
        ones + examples.std.shape
    )


def labels(examples: Examples, indices: jax.Array) -> jax.Array:
    """The labels ``[B]`` of the examples ``indices[B]``, int32."""
    return examples.labels[indices % examples.num_base]


def all_labels(examples: Examples) -> jax.Array:
    """The labels of all examples, ``[num_examples]`` int32."""
    return jnp.tile(examples.labels, examples.copies)


def map_inputs(function: Callable[[jax.Array], Any], examples: Examples) -> Any:
    """Applies a function to the inputs of all examples, a few hundred at a time.

    Args:
      function: From inputs ``[B, ...]`` to a pytree of arrays ``[B, ...]``, each row by itself.
      examples: ``N`` examples; their inputs exist only a chunk at a time.

    Returns:
      The pytree of arrays ``[N, ...]``.
    """
    chunk_size = min(CHUNK_SIZE, examples.num_examples)

    def chunk(start: jax.Array) -> Any:
        return function(inputs(examples, start + jnp.arange(chunk_size, dtype=jnp.int32)))

    return map_chunks(chunk, examples.num_examples, chunk_size)
