"""Checks of the arguments of `acquire`, made on the host before any method is compiled."""

import functools
import math
import reprlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from lbb_jax import entropy
from lbb_jax.acquisition.sampling import SAMPLINGS
from lbb_jax.acquisition.selection import Acquisition
from lbb_jax.acquisition.shared_information import PAIRS, REDUNDANCIES
from lbb_jax.arguments import (
    Array,
    are_known,
    as_array,
    as_class_weights,
    as_embeddings,
    check_choice,
    check_finite_and_not_negative,
    check_integer,
    check_predictions,
    check_targets_agree,
)

# From an option's name and value to the value; raises ValueError or TypeError.
OptionCheck = Callable[[str, Any], Any]
# How far the probabilities of a row may be from a sum of 1.
NORMALISATION_TOLERANCE = 1e-3
MAX_ALPHA = 1e30
MAX_PAIR_WEIGHT = 1e30
# Sums of products of these stay finite in float32.
MAX_EMBEDDING = 1e15
# Working on arrays copies them a few times: this many bytes of them fit into the memory of most devices.
MAX_BYTES = 2**32


def read(name: str, value: Any) -> Array:
    """``value`` as an array whose values are known; TypeError for an array that is traced by ``jit``."""
    array = as_array(name, value)
    if not are_known(array):
        raise TypeError(
            f"{name}: is traced by jit, vmap or grad, so that its values cannot be checked; inside of these call the "
            "method's pure function, such as acquisition.bald(key, log_probs, available, batch_size=...)"
        )
    return array


def read_predictions(name: str, value: Any, axes: str = "NKC") -> Array:
    """``value`` as a floating-point array ``[N, K, C]`` without an empty axis; its values are not checked."""
    array = read(name, value)
    check_predictions(array, name=name, axes=axes)
    return array


def check_available(available: Any, shape: tuple[int, ...], *, name: str = "available") -> Array:
    """The mask of available points, a bool array ``[N]`` of NumPy or JAX as given; all True if ``available`` is None.

    Args:
      available: What the caller gave.
      shape: That of the predictions, ``(N, K, C)``.
      name: The argument's name.
    """
    num_points = shape[0]
    if available is None:
        return np.ones(num_points, bool)
    mask = read(name, available)
    if mask.dtype != bool or mask.shape != (num_points,):
        raise ValueError(
            f"{name} has dtype {mask.dtype} and shape {mask.shape}: must be bool of shape ({num_points},), one entry "
            f"for each point of log_probs, True for the points that may be picked{_mask_remedy(mask, shape)}"
        )
    return mask


def _mask_remedy(mask: Array, shape: tuple[int, ...]) -> str:
    if jnp.issubdtype(mask.dtype, jnp.integer):
        return f"; from the indices of these points pass np.isin(np.arange({shape[0]}), indices)"
    return _other_axes("log_probs", shape, mask.shape[0]) if mask.ndim == 1 else ""


def _other_axes(name: str, shape: tuple[int, ...], num_points: int) -> str:
    """The remedy if ``num_points`` is the length of an axis after the first, which may then be the axis of points."""
    if num_points == shape[0] or num_points not in shape[1:]:
        return ""
    axis = shape.index(num_points, 1)
    return f"; {name} has shape {shape}: if its axis {axis} are the points, pass np.moveaxis({name}, {axis}, 0)"


class Fault(NamedTuple):
    """The first row of an array ``[N, K, C]`` that does not hold normalised log-probabilities.

    Attributes:
      exists: Whether there is one, ``[]`` bool.
      row: Its number among the ``N * K`` rows, ``[]``.
      point: The log-probabilities of its point, ``[K, C]``.
    """

    exists: Bool[jax.Array, ""]
    row: Int[jax.Array, ""]
    point: Float[jax.Array, "K C"]


@jax.jit
def find_fault(log_probs: Float[jax.Array, "N K C"], available: Bool[jax.Array, " N"]) -> Fault:
    """The first fault among the available points of ``log_probs[N, K, C]``, in a compiled program of its own."""
    # Where a row holds NaN or +inf, so does its sum.
    sums = entropy.sum_of_terms(jnp.exp(log_probs))
    is_fault = (available[:, None] & ~(jnp.abs(sums - 1) <= NORMALISATION_TOLERANCE)).reshape(-1)
    row = jnp.argmax(is_fault)
    return Fault(is_fault[row], row, log_probs[row // log_probs.shape[1]])


def check_values(log_probs: Array, available: Array, *, name: str = "log_probs") -> None:
    """Raises ValueError unless the rows of all available points are normalised log-probabilities."""
    with jax.debug_nans(False):
        fault = find_fault(jnp.asarray(log_probs), jnp.asarray(available))
    raise_if_fault(fault, name=name)


def raise_if_fault(fault: Fault, *, first_point: int = 0, name: str = "log_probs") -> None:
    """Raises ValueError if there is a fault, in rows of the points from ``first_point`` on."""
    fault = jax.device_get(fault)
    if not fault.exists:
        return
    point, draw = divmod(int(fault.row), len(fault.point))
    log_probs, row = fault.point[draw], f"{name}[{first_point + point}, {draw}]"
    if np.any(np.isnan(log_probs) | (log_probs == np.inf)):
        remedy = "mark points without a prediction as not available" if name != "targets" else "leave such points out"
        raise ValueError(f"{row} holds NaN or +inf: must be log-probabilities (-inf is allowed); {remedy}")
    with np.errstate(over="ignore"):
        total, over_axis_1 = np.sum(np.exp(log_probs)), np.sum(np.exp(fault.point), axis=0)
    if len(over_axis_1) > 1 and np.all(np.abs(over_axis_1 - 1) <= NORMALISATION_TOLERANCE):
        remedy = "over axis 1 they sum to 1: put the classes last, with np.swapaxes(..., 1, 2)"
    else:
        remedy = "pass normalised log-probabilities (np.log(probs), or jax.nn.log_softmax(logits) in float32)"
    raise ValueError(
        f"{row}: the probabilities sum to {total:.6g}, must be 1 within {NORMALISATION_TOLERANCE} (float16 and "
        f"bfloat16: within what these can hold); {remedy}"
    )


def in_float32(array: Array) -> Array:
    """``array`` in float32, of NumPy or JAX as given."""
    if isinstance(array, np.ndarray):
        # Values beyond float32 become infinite, which the checks of values find.
        with np.errstate(over="ignore"):
            return array.astype(np.float32, copy=False)
    with jax.debug_nans(False):
        return array.astype(jnp.float32)


def predictions_in_float32(log_probs: Array) -> Array:
    """Predictions ``[N, K, C]`` in float32, of NumPy or JAX as given.

    Rows in float16 and bfloat16 sum to 1 only within the precision of these dtypes. Rows that do so are normalised
    again; other rows stay unchanged, so that `find_fault` finds them.
    """
    converted = in_float32(log_probs)
    if log_probs.dtype.itemsize != 2:
        return converted
    library = np if isinstance(log_probs, np.ndarray) else jnp
    with np.errstate(over="ignore", invalid="ignore"), jax.debug_nans(False):
        sums = library.sum(library.exp(converted), axis=-1, keepdims=True)
        is_near = library.abs(sums - 1) <= _tolerance(log_probs.dtype, log_probs.shape[-1])
        return converted - library.log(library.where(is_near, sums, np.float32(1)))


def _tolerance(dtype: np.dtype, num_classes: int) -> float:
    """How far the sum of a row may be from 1: rounding a logarithm gives an error in proportion to it, about log C."""
    return max(NORMALISATION_TOLERANCE, float(jnp.finfo(dtype).eps) * (1 + math.log(num_classes)))


def check_batch_size(batch_size: Any, num_available: int, shape: tuple[int, ...]) -> int:
    """``batch_size`` as an int between 1 and ``num_available`` of the points of predictions of ``shape``."""
    batch_size = check_integer("batch_size", batch_size)
    if not 1 <= batch_size <= num_available:
        longest = max(shape)
        remedy = _other_axes("log_probs", shape, longest) if shape[0] < batch_size <= longest else ""
        raise ValueError(
            f"batch_size={batch_size}: must be between 1 and the {num_available} available points (of {shape[0]}; "
            f"available is True for the points that may be picked){remedy}"
        )
    return batch_size


def check_at_most(name: str, value: Any, *, most: float, remedy: str) -> np.float32:
    """A finite number from 0 to ``most``."""
    number = check_finite_and_not_negative(name, value)
    if number > most:
        raise ValueError(f"{name}={float(value)}: must be at most {most:g}; {remedy}")
    return number


def check_above_0(name: str, value: Any) -> np.float32:
    """A finite number above 0."""
    number = check_finite_and_not_negative(name, value)
    if number == 0:
        raise ValueError(f"{name}={value}: must be above 0, in float32")
    return number


def check_order(name: str, value: Any) -> int:
    """The order of LBB's series, 2 or 3."""
    order = check_integer(name, value)
    if order not in (2, 3):
        raise ValueError(f"{name}={order}: must be 2 (pairs) or 3 (pairs and triples)")
    return order


check_targets = functools.partial(read_predictions, axes="TKC")
# A power up to which rates differ from 0 in float32.
check_alpha = functools.partial(check_at_most, most=MAX_ALPHA, remedy="method 'bald' or 'lbb' is its limit")
# Its product with the information of a batch does not overflow.
check_pair_weight = functools.partial(check_at_most, most=MAX_PAIR_WEIGHT, remedy="1 counts every pair once")
check_pairs = functools.partial(check_choice, choices=PAIRS)
check_redundancy = functools.partial(check_choice, choices=REDUNDANCIES)
check_sampling = functools.partial(check_choice, choices=SAMPLINGS)


def check_array_or_hashable(name: str, value: Any) -> Any:
    """An array whose values are known, or a value that can be part of a compiled program."""
    if any(hasattr(value, protocol) for protocol in ("__array__", "__dlpack__")):
        return read(name, value)
    try:
        hash(value)
    except TypeError as error:
        raise TypeError(
            f"{name}={reprlib.repr(value)}: must be an array or hashable, not {type(value).__name__}; pass an array "
            "or a tuple"
        ) from error
    return value


def check_acquisition(picked: Any, batch_size: int) -> None:
    """Raises TypeError or ValueError unless a method returned an `Acquisition` of ``batch_size`` picks."""
    if not isinstance(picked, Acquisition):
        kind = "jax.Array" if isinstance(picked, jax.Array) else type(picked).__name__
        raise TypeError(f"method: returned a {kind}; must return acquisition.Acquisition(indices[b], scores[b])")
    indices, scores = map(jnp.asarray, picked)
    is_right = jnp.issubdtype(indices.dtype, jnp.integer) and jnp.issubdtype(scores.dtype, jnp.floating)
    if not is_right or indices.shape != (batch_size,) or scores.shape != (batch_size,):
        raise ValueError(
            f"method: returned indices of dtype {indices.dtype} and shape {indices.shape}, and scores of dtype "
            f"{scores.dtype} and shape {scores.shape}; must be integer and floating point, each of shape "
            f"({batch_size},)"
        )


def check_picks(indices: np.ndarray, available: np.ndarray) -> None:
    """Raises ValueError unless the ``indices[b]`` that a method returned are distinct, and ``available[N]``."""
    picks = indices.tolist()
    wrong = [pick for pick in picks if not 0 <= pick < len(available) or not available[pick]]
    if wrong:
        raise ValueError(
            f"method: returned the indices {reprlib.repr(wrong)}; must be rows from 0 to {len(available) - 1} that are "
            "available"
        )
    if len(set(picks)) < len(picks):
        raise ValueError(f"method: returned the indices {reprlib.repr(picks)}; must be distinct")


def check_embeddings(name: str, value: Any) -> Array:
    """Floating-point ``[N, D]`` without an empty axis; its values are not checked."""
    return as_embeddings(name, read(name, value))


def check_labels(name: str, value: Any) -> Array:
    """Integers ``[N]``; their values are not checked here."""
    labels = read(name, value)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"{name} has dtype {labels.dtype} and shape {labels.shape}: must be integers [N]")
    return labels


def check_shapes_agree(options: dict[str, Any], shape: tuple[int, ...]) -> None:
    """Raises ValueError unless the arrays among ``options`` fit predictions of ``shape``."""
    if options.get("targets") is not None:
        check_targets_agree(options["targets"], shape)
    if options.get("target_weights") is not None:
        as_class_weights("target_weights", options["target_weights"], shape[2])
    if options.get("embeddings") is not None:
        embeddings = options["embeddings"]
        if len(embeddings) != shape[0]:
            raise ValueError(
                f"embeddings has shape {embeddings.shape}: must be [{shape[0]}, D], one row for each point of "
                f"log_probs{_other_axes('log_probs', shape, len(embeddings))}"
            )
    if options.get("labels") is not None:
        labels = np.asarray(options["labels"])
        if len(labels) != shape[0]:
            raise ValueError(f"labels has shape {labels.shape}: must be [{shape[0]}], one for each point of log_probs")
        if np.any((labels < 0) | (labels >= shape[2])):
            raise ValueError(f"labels: must be from 0 to {shape[2] - 1}, the classes of log_probs")


def check_samples_fit(options: dict[str, Any], shape: tuple[int, ...], batch_size: int) -> None:
    """Raises ValueError if ``num_samples`` is given and that many label configurations take more than 4 GiB."""
    _, num_draws, num_classes = shape
    num_samples = options.get("num_samples", 1)
    # If the batch has fewer configurations, only these are enumerated.
    # 64 labels have more configurations than anyone asks for. The power of a vast batch would take minutes.
    num_configurations = min(num_samples, num_classes ** min(batch_size - 1, 64))
    num_bytes = 4 * num_configurations * num_draws
    if num_bytes > MAX_BYTES:
        raise ValueError(
            f"num_samples={num_samples}: label configurations of {num_draws} draws take {num_bytes:,} bytes, more than "
            f"the {MAX_BYTES:,} that a device is sure to have; pass at most {MAX_BYTES // (4 * num_draws):,}"
        )


def settle_arrays(options: dict[str, Any], available: jax.Array | None = None) -> dict[str, Any]:
    """The options with their arrays in float32 on the device, the values of these checked.

    Args:
      options: As `check_options` returns them.
      available: The points of the pool that may be picked, ``[N]`` bool; None where there are no embeddings.
    """
    settled = dict(options)
    if options.get("targets") is not None:
        targets = predictions_in_float32(options["targets"])
        check_values(targets, np.ones(len(targets), bool), name="targets")
        settled["targets"] = jnp.asarray(targets)
    if options.get("target_weights") is not None:
        weights = np.asarray(in_float32(options["target_weights"]))
        # Only their ratios count. The largest becomes about 1, so that no sum of them overflows or vanishes.
        settled["target_weights"] = jnp.asarray(np.ldexp(weights, -np.frexp(weights.max())[1]))
    if options.get("embeddings") is not None:
        embeddings = jnp.asarray(in_float32(options["embeddings"]))
        # pyrefly: ignore[bad-argument-type]: with embeddings there is a mask.
        _check_range("embeddings", embeddings, available)
        settled["embeddings"] = embeddings
    if options.get("labels") is not None:
        settled["labels"] = jnp.asarray(np.asarray(options["labels"]), jnp.int32)
    return settled


def _check_range(name: str, embeddings: jax.Array, available: jax.Array) -> None:
    """Raises ValueError unless the rows of available points are finite and at most `MAX_EMBEDDING` in size."""
    is_fault, row = jax.device_get(_first_out_of_range(embeddings, available))
    if is_fault:
        raise ValueError(
            f"{name}[{row}] holds NaN, infinity or a value beyond {MAX_EMBEDDING:g}: must be finite "
            "and smaller; scale the embeddings, or mark points without one as not available"
        )


@jax.jit
def _first_out_of_range(
    embeddings: Float[jax.Array, "N D"], available: Bool[jax.Array, " N"]
) -> tuple[Bool[jax.Array, ""], Int[jax.Array, ""]]:
    """Whether a row of ``embeddings[N, D]`` of an available point is out of range, and the first such row.

    Both are single numbers, which every process can read where the rows are spread over several.
    """
    is_fault = available & ~jnp.all(jnp.abs(embeddings) <= MAX_EMBEDDING, axis=1)
    return jnp.any(is_fault), jnp.argmax(is_fault)
