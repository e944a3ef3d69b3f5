"""Checks of arguments, made before anything is computed. Every error names the argument, its value and the remedy.

Shapes and dtypes are checked under ``jit``, too. Values are checked where they are known (`are_known`): the caller must
check values that are traced.
"""

import numbers
import reprlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array | np.ndarray


def are_known(*arrays: Any) -> bool:
    """Whether none of ``arrays`` is traced by ``jit``, ``vmap`` or ``grad``."""
    return not any(isinstance(array, jax.core.Tracer) for array in arrays)


def as_array(name: str, value: Any) -> Array:
    """``value`` as an array, if it is a NumPy or JAX array or offers ``__array__`` or ``__dlpack__``.

    Raises:
      TypeError: For anything else, and for what cannot be read as an array.
      ValueError: For a masked array with masked entries, and for a JAX array whose buffer was donated or deleted.
    """
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            raise ValueError(f"{name}: is a masked array with masked entries; pass an array without a mask")
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        # JAX takes no other byte order than the machine's.
        return value if value.dtype.isnative else value.astype(value.dtype.newbyteorder("="))
    if isinstance(value, jax.Array):
        if are_known(value) and value.is_deleted():
            raise ValueError(f"{name}: this jax.Array was donated or deleted; pass a copy that is still there")
        return value
    return _read(name, value)


def _read(name: str, value: Any) -> Array:
    """An object of another library as an array."""
    readers = {"__array__": np.asarray, "__dlpack__": jnp.from_dlpack}
    errors = []
    for protocol, read in readers.items():
        if hasattr(value, protocol):
            try:
                return as_array(name, read(value))
            # The argument is to be named whatever the other library raises.
            except Exception as error:
                errors.append(error)
    kind = type(value).__name__
    if errors:
        raise TypeError(
            f"{name}: this {kind} cannot be read as an array ({errors[0]}); pass a NumPy or JAX array (of a PyTorch "
            "tensor: tensor.detach().cpu().float().numpy())"
        ) from errors[0]
    raise TypeError(f"{name}: a {kind} is not an array; pass a NumPy or JAX array (np.asarray(...))")


def check_key(name: str, key: Any) -> jax.Array:
    """``key``, one random key of either kind: of ``jax.random.key`` or of ``jax.random.PRNGKey``."""
    remedy = "must be one random key; pass jax.random.key(seed), or one key of jax.random.split(key)"
    if not isinstance(key, (jax.Array, np.ndarray)):
        raise TypeError(f"{name}: a {type(key).__name__} is not a random key; {remedy}")
    key = as_array(name, key)
    described = f"{name}: has dtype {key.dtype} and shape {key.shape}; {remedy}"
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        shape = key.shape
    elif key.dtype == np.uint32:
        try:
            shape = jax.random.wrap_key_data(jnp.asarray(key)).shape
        except (TypeError, ValueError) as error:
            raise ValueError(described) from error
    else:
        raise TypeError(described)
    if shape != ():
        raise ValueError(described)
    return jnp.asarray(key)


def check_integer(name: str, value: Any) -> int:
    """``value`` as an int; TypeError for anything but an integer."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}={reprlib.repr(value)}: must be an integer, not {type(value).__name__}")
    return int(value)


def check_positive_integer(name: str, value: Any) -> int:
    """``value`` as an int of at least 1."""
    value = check_integer(name, value)
    if value < 1:
        raise ValueError(f"{name}={value}: must be at least 1")
    return value


def check_choice(name: str, value: Any, *, choices: tuple[str, ...]) -> str:
    """One of ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}={value!r}: must be one of {', '.join(map(repr, choices))}")
    return value


def check_finite_and_not_negative(name: str, value: Any) -> np.float32:
    """A number of at least 0 that is finite in float32."""
    if not _is_number(value):
        raise TypeError(f"{name}={reprlib.repr(value)}: must be one number, not {type(value).__name__}")
    try:
        with np.errstate(over="ignore"):
            number = np.float32(value)
    except OverflowError:
        number = np.float32(np.inf)
    if not np.isfinite(number) or number < 0:
        raise ValueError(f"{name}={value}: must be finite, in float32, and at least 0")
    return number


def _is_number(value: Any) -> bool:
    """Whether ``value`` is a real number, or an array that holds one."""
    if isinstance(value, (np.ndarray, jax.Array)):
        is_real = jnp.issubdtype(value.dtype, jnp.integer) or jnp.issubdtype(value.dtype, jnp.floating)
        return value.ndim == 0 and is_real
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def check_predictions(log_probs: Array, *, name: str = "log_probs", axes: str = "NKC") -> None:
    """Raises ValueError unless ``log_probs`` is a floating-point array of three axes, none of them empty.

    Args:
      log_probs: ``[N, K, C]``.
      name: The argument's name.
      axes: The letters of the axes.
    """
    if np.ndim(log_probs) != 3:
        raise ValueError(
            f"{name} has shape {np.shape(log_probs)}: must be [{', '.join(axes)}] (points, draws, classes)"
        )
    check_floating(name, log_probs, "floating point log-probabilities")
    for of_what, axis, size in zip(("points", "draws", "classes"), axes, log_probs.shape, strict=True):
        if size == 0:
            raise ValueError(f"{name} has shape {log_probs.shape}: {axis}, the number of {of_what}, must be at least 1")


def as_predictions(name: str, value: Any, axes: str = "NKC") -> jax.Array:
    """``value`` as predictions that `check_predictions` accepts, on the device; their values are not checked."""
    array = as_array(name, value)
    check_predictions(array, name=name, axes=axes)
    return jnp.asarray(array)


def check_targets_agree(targets: Array, shape: tuple[int, ...]) -> None:
    """Raises ValueError unless ``targets[T, K, C]`` have the draws and classes of predictions of ``shape``."""
    if targets.shape[1:] != shape[1:]:
        _, num_draws, num_classes = shape
        raise ValueError(
            f"targets has shape {targets.shape}: must be [T, {num_draws}, {num_classes}], with the draws and classes "
            "of log_probs; predict the targets with the same draws as the pool"
        )


def as_class_weights(name: str, value: Any, num_classes: int) -> Array:
    """``value`` as floating-point weights ``[C]`` of the classes; known values are finite, none below 0, not all 0."""
    weights = as_array(name, value)
    check_floating(name, weights)
    if weights.shape != (num_classes,):
        raise ValueError(f"{name} has shape {weights.shape}: must be ({num_classes},), one weight for each class")
    if are_known(weights):
        values = np.asarray(weights, np.float32)
        if not np.all(np.isfinite(values) & (values >= 0)) or not values.any():
            raise ValueError(f"{name}={values}: must be finite, at least 0, and above 0 for some class")
    return weights


def as_pool(log_probs: Any, available: Any, batch_size: Any) -> tuple[jax.Array, jax.Array]:
    """The pool of a pure method, ``log_probs[N, K, C]`` and ``available[N]``; ``batch_size`` is from 1 to ``N``.

    Shapes and dtypes are checked, but not values.
    """
    predictions, mask = as_predictions("log_probs", log_probs), as_array("available", available)
    num_points = len(predictions)
    if mask.dtype != bool or mask.shape != (num_points,):
        raise ValueError(
            f"available has dtype {mask.dtype} and shape {mask.shape}: must be bool of shape ({num_points},), True for "
            "the points that may be picked"
        )
    if check_positive_integer("batch_size", batch_size) > num_points:
        raise ValueError(f"batch_size={batch_size}: must be at most the {num_points} points of log_probs")
    return predictions, jnp.asarray(mask)


def as_embeddings(name: str, value: Any, num_points: int | None = None) -> Array:
    """``value`` as floating-point ``[N, D]`` without an empty axis, ``N`` being ``num_points`` where that is given."""
    array = as_array(name, value)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}: must be [N, D] (points, features), neither of them 0")
    check_floating(name, array)
    if num_points not in (None, len(array)):
        raise ValueError(f"{name} has shape {array.shape}: must be [{num_points}, D], one row for each point")
    return array


def check_floating(name: str, array: Array, required: str = "floating point") -> None:
    """Raises ValueError unless the dtype of ``array`` is floating point, of 16 bits or more."""
    if not jnp.issubdtype(array.dtype, jnp.floating) or array.dtype.itemsize < 2:
        raise ValueError(f"{name} has dtype {array.dtype}: must be {required}; pass {name}.astype(np.float32)")


def check_integers(name: str, array: Array, *, low: int, high: int | None = None, remedy: str = "") -> None:
    """Raises ValueError unless ``array[n]`` holds integers from ``low`` to below ``high``.

    Args:
      name: The argument's name.
      array: ``[n]``. Its values are checked where they are known.
      low: The least that is allowed.
      high: Static; the least that is too large; None for no bound.
      remedy: What to do about a value out of range.
    """
    if array.ndim != 1 or not jnp.issubdtype(array.dtype, jnp.integer):
        raise ValueError(f"{name} has dtype {array.dtype} and shape {array.shape}: must be integers of one axis")
    if not are_known(array):
        return
    values = np.asarray(array)
    is_fault = (values < low) | (values >= (np.inf if high is None else high))
    if is_fault.any():
        place = int(np.argmax(is_fault))
        allowed = f"at least {low}" if high is None else f"between {low} and {high - 1}"
        raise ValueError(f"{name}[{place}]={values[place]}: must be {allowed}{remedy and f'; {remedy}'}")
