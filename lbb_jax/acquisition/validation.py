"""Checks of what a caller brings, made on the host before anything is compiled."""

import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lbb_jax import entropy
from lbb_jax.acquisition.large_batch_bald import PAIRS, REDUNDANCIES

NORMALISATION_TOLERANCE = 1e-3
MAX_ALPHA = 1e30
# Sums of products of these stay finite in float32.
MAX_EMBEDDING = 1e15


def as_array(name: str, value: Any) -> jax.Array | np.ndarray:
    """``value`` as an array, if it is a NumPy or JAX array or offers ``__array__`` or ``__dlpack__``."""
    if isinstance(value, (jax.Array, np.ndarray)):
        return value
    if hasattr(value, "__array__"):
        return np.asarray(value)
    if hasattr(value, "__dlpack__"):
        return jnp.from_dlpack(value)
    raise TypeError(f"{name}: a {type(value).__name__} is not an array; pass a NumPy or JAX array (np.asarray(...))")


def check_available(available: Any, num_points: int) -> jax.Array | np.ndarray:
    """The mask of available points as a bool array ``[N]``, where it is; all of them where ``available`` is None."""
    if available is None:
        return np.ones(num_points, bool)
    mask = as_array("available", available)
    if mask.dtype != bool or mask.shape != (num_points,):
        raise ValueError(
            f"available has dtype {mask.dtype} and shape {mask.shape}: must be bool of shape ({num_points},), "
            "one entry for each point of log_probs"
        )
    return mask


def check_shape(log_probs: jax.Array | np.ndarray, *, name: str = "log_probs", axes: str = "NKC") -> None:
    """Raises ValueError unless ``log_probs`` is a floating-point ``[N, K, C]`` without an empty axis."""
    if log_probs.ndim != 3:
        raise ValueError(f"{name} has shape {log_probs.shape}: must be [{', '.join(axes)}] (points, draws, classes)")
    if not jnp.issubdtype(log_probs.dtype, jnp.floating):
        raise ValueError(f"{name} has dtype {log_probs.dtype}: must be floating point log-probabilities")
    for of_what, axis, size in zip(("points", "draws", "classes"), axes, log_probs.shape, strict=True):
        if size == 0:
            raise ValueError(f"{name} has shape {log_probs.shape}: {axis}, the number of {of_what}, must be at least 1")


def check_targets_agree(targets: jax.Array | None, log_probs: jax.Array | np.ndarray) -> None:
    """Raises ValueError unless ``targets[T, K, C]``, if there are any, have the draws and classes of ``log_probs``."""
    if targets is not None and targets.shape[1:] != log_probs.shape[1:]:
        _, num_draws, num_classes = log_probs.shape
        raise ValueError(
            f"targets has shape {targets.shape}: must be [T, {num_draws}, {num_classes}], with the draws and classes "
            "of log_probs; predict the targets with the same draws as the pool"
        )


class Fault(NamedTuple):
    """The first row of an array ``[N, K, C]`` that is no normalised log-probabilities.

    Attributes:
      exists: Whether there is one, ``[]`` bool.
      row: Its number among the ``N * K`` rows, ``[]``.
      log_probs: What it holds, ``[C]``.
    """

    exists: jax.Array
    row: jax.Array
    log_probs: jax.Array


@jax.jit
def find_fault(log_probs: jax.Array, available: jax.Array) -> Fault:
    """The first fault among the available points of ``log_probs[N, K, C]``; a program of its own."""
    # Where a row holds NaN or +inf, so does its sum.
    sums = entropy.sum_of_terms(jnp.exp(log_probs))
    is_fault = (available[:, None] & ~(jnp.abs(sums - 1) <= NORMALISATION_TOLERANCE)).reshape(-1)
    row = jnp.argmax(is_fault)
    return Fault(is_fault[row], row, log_probs.reshape(len(is_fault), -1)[row])


def check_values(log_probs: jax.Array, available: jax.Array, *, name: str = "log_probs") -> None:
    """Raises ValueError unless the rows of all available points are normalised log-probabilities."""
    raise_if_fault(find_fault(log_probs, available), log_probs.shape[1], name=name)


def raise_if_fault(fault: Fault, num_draws: int, *, first_point: int = 0, name: str = "log_probs") -> None:
    """Raises ValueError if there is a fault, in rows of ``num_draws`` draws of the points from ``first_point`` on."""
    fault = jax.device_get(fault)
    if not fault.exists:
        return
    point, draw = divmod(int(fault.row), num_draws)
    row = f"{name}[{first_point + point}, {draw}]"
    if np.any(np.isnan(fault.log_probs) | (fault.log_probs == np.inf)):
        remedy = "mark points without a prediction as not available" if name == "log_probs" else "leave such points out"
        raise ValueError(f"{row} holds NaN or +inf: must be log-probabilities (-inf is allowed); {remedy}")
    with np.errstate(over="ignore"):
        total = np.sum(np.exp(fault.log_probs))
    raise ValueError(
        f"{row}: the probabilities sum to {total:.4g}, must be 1 within {NORMALISATION_TOLERANCE}; pass normalised "
        "log-probabilities (np.log(probs), or jax.nn.log_softmax(logits) in float32)"
    )


def check_batch_size(batch_size: Any, num_available: int) -> int:
    """``batch_size`` as an int between 1 and ``num_available``."""
    batch_size = check_integer("batch_size", batch_size)
    if not 1 <= batch_size <= num_available:
        raise ValueError(f"batch_size={batch_size}: must be between 1 and the {num_available} available points")
    return batch_size


def check_integer(name: str, value: Any) -> int:
    """``value`` as an int; TypeError for anything but an integer."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}={value!r}: must be an integer, not {type(value).__name__}")
    return int(value)


def check_positive_integer(name: str, value: Any) -> int:
    """``value`` as an int of at least 1."""
    value = check_integer(name, value)
    if value < 1:
        raise ValueError(f"{name}={value}: must be at least 1")
    return value


def check_finite_and_not_negative(name: str, value: Any) -> np.float32:
    """A number of at least 0 that is finite in float32."""
    is_scalar_array = isinstance(value, (np.ndarray, jax.Array)) and value.ndim == 0
    if isinstance(value, (bool, np.bool_)) or not (isinstance(value, numbers.Real) or is_scalar_array):
        raise TypeError(f"{name}={value!r}: must be one number, not {type(value).__name__}")
    with np.errstate(over="ignore"):
        number = np.float32(value)
    if not np.isfinite(number) or number < 0:
        raise ValueError(f"{name}={float(value)}: must be finite, in float32, and at least 0")
    return number


def check_alpha(name: str, value: Any) -> np.float32:
    """A power of at least 0, small enough for its rates to be told from 0 in float32."""
    number = check_finite_and_not_negative(name, value)
    if number > MAX_ALPHA:
        raise ValueError(f"{name}={float(value)}: must be at most {MAX_ALPHA:g}; method 'bald' or 'lbb' is its limit")
    return number


def check_redundancy(name: str, value: Any) -> str:
    """One of the known redundancies."""
    if not isinstance(value, str) or value not in REDUNDANCIES:
        raise ValueError(f"{name}={value!r}: must be one of {', '.join(map(repr, REDUNDANCIES))}")
    return value


def check_pairs(name: str, value: Any) -> str:
    """One of the known ways to get the information of a pair."""
    if not isinstance(value, str) or value not in PAIRS:
        raise ValueError(f"{name}={value!r}: must be one of {', '.join(map(repr, PAIRS))}")
    return value


def check_boolean(name: str, value: Any) -> bool:
    """``value`` as a bool; TypeError for anything but True and False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}={value!r}: must be True or False, not {type(value).__name__}")
    return bool(value)


def check_targets(name: str, value: Any) -> jax.Array | None:
    """Normalised log-probabilities ``[T, K, C]`` in float32; None for None."""
    if value is None:
        return None
    array = as_array(name, value)
    check_shape(array, name=name, axes="TKC")
    array = jnp.asarray(array, jnp.float32)
    check_values(array, jnp.ones(len(array), bool), name=name)
    return array


def check_embeddings(name: str, value: Any) -> jax.Array:
    """Floating-point ``[N, D]`` without an empty axis, in float32."""
    array = as_array(name, value)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}: must be [N, D] (points, features), neither of them 0")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"{name} has dtype {array.dtype}: must be floating point; pass {name}.astype(np.float32)")
    return jnp.asarray(array, jnp.float32)


def check_embeddings_agree(embeddings: jax.Array | None, available: jax.Array) -> None:
    """Raises ValueError unless ``embeddings[N, D]``, if there are any, are those of the points of ``available[N]``."""
    if embeddings is None:
        return
    if len(embeddings) != len(available):
        raise ValueError(
            f"embeddings has shape {embeddings.shape}: must be [{len(available)}, D], one row for each point of "
            "log_probs"
        )
    is_fault = np.asarray(_are_out_of_range(embeddings, available))
    if is_fault.any():
        raise ValueError(
            f"embeddings[{np.argmax(is_fault)}] holds NaN, infinity or a value beyond {MAX_EMBEDDING:g}: must be "
            "finite and smaller; scale the embeddings, or mark points without one as not available"
        )


@jax.jit
def _are_out_of_range(embeddings: jax.Array, available: jax.Array) -> jax.Array:
    """Whether each point is available, and its row of ``embeddings[N, D]`` not to be computed with: ``[N]``."""
    return available & ~jnp.all(jnp.abs(embeddings) <= MAX_EMBEDDING, axis=1)


OptionCheck = Callable[[str, Any], Any]
