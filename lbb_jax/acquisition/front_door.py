"""`acquire`, the front door to all methods: checks on the host, then one compiled program."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lbb_jax import arguments
from lbb_jax.acquisition import checks
from lbb_jax.acquisition.registry import Method, complete_options, find_method
from lbb_jax.acquisition.selection import Acquisition

# Values of options that are part of a compiled program.
Static = tuple[tuple[str, Any], ...]


def acquire(
    key: jax.Array,
    log_probs: Any,
    *,
    method: str | Callable[..., Acquisition] | Method,
    batch_size: int,
    available: Any = None,
    **options: Any,
) -> Acquisition:
    """Checks its arguments and picks the next batch to label, with a program compiled once per method and shape.

    >>> import jax, numpy as np
    >>> from lbb_jax import acquisition
    >>> probs = np.random.default_rng(0).dirichlet(np.ones(3), size=(100, 5))  # 100 points, 5 draws, 3 classes
    >>> batch = acquisition.acquire(jax.random.key(0), np.log(probs), method="lbb", batch_size=4, redundancy="tree")
    >>> batch.indices.shape
    (4,)

    Args:
      key: Random key, consumed by the methods that sample.
      log_probs: Log-probabilities ``[N, K, C]``: NumPy, JAX or anything with ``__array__`` or ``__dlpack__``; they are
        converted to float32. Rows in float16 and bfloat16 are rounded coarsely, so they are then normalised again.
      method: A name in `METHODS`, ``"module:attribute"``, any pure function ``(key, log_probs, available, *,
        batch_size, **options) -> Acquisition``, or a `Method` that says more about one. The same function object is
        compiled once.
      batch_size: Points to pick, from 1 to the number available.
      available: Bool ``[N]``, True for the points that may be picked; None for all. Other rows may hold anything.
      **options: Options of the method: ``alpha`` (from 0 to 1e30; no effect with ``sampling="top"``), ``embeddings``
        (``[N, D]``, of the same kinds as ``log_probs``; "core_set" and "badge" need them, and "bait", "cluster_margin"
        and "typiclust" use the predictive means if none are given), ``num_samples`` and ``num_targets`` (at least 1),
        ``order`` (2 or 3) and ``pair_weight`` (0 to 1e30; neither has an effect with ``redundancy="tree"``), ``pairs``
        ("exact" or "chi2"), ``redundancy`` ("pairwise" or "tree"), ``sampling`` ("top", "power", "softmax" or
        "softrank"), ``targets`` (log-probabilities ``[T, K, C]``, of the same kinds as ``log_probs``), ``regularizer``
        (above 0), ``candidates_per_pick`` and ``mean_cluster_size`` (at least 1). For a function of your own: arrays
        are arguments of the compiled program, other values are part of it.

    Returns:
      The picks in order, and each one's score when it was picked: nats, for all methods but "random", whose scores
      are 0, "least_confident", "margin", "lbb_released" and those that take embeddings.

    Raises:
      ValueError: For a shape other than ``[N, K, C]`` or an empty axis, a dtype that is not floating point, rows of
        available points that are not normalised log-probabilities (within 1e-3; in float16 and bfloat16 within
        ``eps (1 + log C)`` if that is more), a batch size out of range, a mask that is not bool ``[N]``, an unknown
        method, an option that the method does not have, that is out of range or that is missing, ``num_samples`` label
        configurations that take more than 4 GiB, targets whose draws or classes are not those of ``log_probs``, and
        embeddings of another number of points, not finite (or above 1e15) at available points, or too long for "bait"
        to resolve in float32. All of this is checked before the method is compiled. A function that returns arrays of
        other shapes raises ValueError, too.
      TypeError: For an argument of the wrong kind, a function that returns no `Acquisition`, or one that `jax.jit`
        cannot compile, such as one that computes with NumPy.
    """
    row = find_method(method)
    values = complete_options(row, options)
    predictions = checks.read_predictions("log_probs", log_probs)
    checks.check_shapes_agree(values, predictions.shape)
    key = arguments.check_key("key", key)
    mask = jnp.asarray(checks.check_available(available, predictions.shape))
    batch_size = checks.check_batch_size(batch_size, int(jnp.sum(mask)), predictions.shape)
    checks.check_samples_fit(values, predictions.shape, batch_size)
    # Rows that are not available may hold NaN; this is no error.
    with jax.debug_nans(False):
        predictions = jnp.asarray(checks.predictions_in_float32(predictions))
        checks.check_values(predictions, mask)
        values = checks.settle_arrays(values, mask)
        row.values_check(values)
        static, arrays = split_options(values)
        return run_compiled(row.function, batch_size, static, key, predictions, mask, arrays)


def split_options(options: Mapping[str, Any]) -> tuple[Static, dict[str, Any]]:
    """The options that are part of a compiled program, and those that are its arguments: arrays and NumPy's numbers."""
    arrays = {name: value for name, value in options.items() if isinstance(value, np.ndarray | np.generic | jax.Array)}
    return tuple((name, value) for name, value in options.items() if name not in arrays), arrays


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def run_compiled(
    function: Callable[..., Acquisition],
    batch_size: int,
    static: Static,
    key: jax.Array,
    log_probs: jax.Array,
    available: jax.Array,
    arrays: Mapping[str, jax.Array],
) -> Acquisition:
    """The picks of ``function``, checked to be an `Acquisition`; one program for each function and shape."""
    try:
        picked = function(key, log_probs, available, batch_size=batch_size, **dict(static), **arrays)
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError) as error:
        name = getattr(function, "__qualname__", function)
        raise TypeError(
            f"method: {name} cannot be compiled ({str(error).splitlines()[0]}); a method computes with jax.numpy, not "
            "with NumPy, and no Python branch depends on values of arrays"
        ) from error
    checks.check_acquisition(picked, batch_size)
    return picked
