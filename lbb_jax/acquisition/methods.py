"""The table of acquisition methods, and `acquire`, the front door to all of them."""

import inspect
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lbb_jax import arguments
from lbb_jax.acquisition import checks
from lbb_jax.acquisition.badge import badge
from lbb_jax.acquisition.batch_bald import batch_bald
from lbb_jax.acquisition.core_set import core_set
from lbb_jax.acquisition.epig import epig
from lbb_jax.acquisition.large_batch_bald import large_batch_bald, power_large_batch_bald
from lbb_jax.acquisition.large_batch_bald_released import large_batch_bald_released
from lbb_jax.acquisition.log_det import log_det
from lbb_jax.acquisition.pointwise import bald, least_confident, margin, max_entropy, power_bald, random
from lbb_jax.acquisition.selection import Acquisition


class Option(NamedTuple):
    """An option of a method: how it is checked, and whether it is part of the compiled program.

    Attributes:
      check: Takes the option's name and value, returns the value or raises ValueError or TypeError.
      static: Whether another value means another program (a size, a name or a choice) or only other numbers.
    """

    check: checks.OptionCheck
    static: bool = False


OPTIONS = {
    "alpha": Option(checks.check_alpha),
    "embeddings": Option(checks.check_embeddings),
    "num_samples": Option(arguments.check_positive_integer, static=True),
    "num_targets": Option(arguments.check_positive_integer, static=True),
    "pair_weight": Option(arguments.check_finite_and_not_negative),
    "pairs": Option(checks.check_pairs, static=True),
    "power": Option(arguments.check_boolean, static=True),
    "redundancy": Option(checks.check_redundancy, static=True),
    "targets": Option(checks.check_targets),
}


class Method(NamedTuple):
    """A method of acquisition.

    Attributes:
      function: The pure function ``(key, log_probs, available, *, batch_size, **options) -> Acquisition``.
      options: Names of its options, of `OPTIONS`.
      uses_predictions: Whether its picks depend on ``log_probs`` at all.
    """

    function: Callable[..., Acquisition]
    options: tuple[str, ...] = ()
    uses_predictions: bool = True

    @property
    def uses_embeddings(self) -> bool:
        """Whether it needs ``embeddings[N, D]`` of the pool."""
        return "embeddings" in self.options


METHODS: dict[str, Method] = {
    "random": Method(random, uses_predictions=False),
    "least_confident": Method(least_confident),
    "margin": Method(margin),
    "entropy": Method(max_entropy),
    "bald": Method(bald),
    "power_bald": Method(power_bald, ("alpha",)),
    "batch_bald": Method(batch_bald, ("num_samples",)),
    "lbb": Method(large_batch_bald, ("pair_weight", "redundancy", "pairs")),
    "power_lbb": Method(power_large_batch_bald, ("alpha", "pair_weight", "redundancy", "pairs")),
    "log_det": Method(log_det),
    "lbb_released": Method(large_batch_bald_released, ("power", "alpha")),
    "epig": Method(epig, ("targets", "num_targets", "power", "alpha")),
    "core_set": Method(core_set, ("embeddings",), uses_predictions=False),
    "badge": Method(badge, ("embeddings",)),
}

_COMPILED = {
    name: jax.jit(
        method.function,
        static_argnames=("batch_size", *(option for option in method.options if OPTIONS[option].static)),
    )
    for name, method in METHODS.items()
}


def check_method(method: Any) -> str:
    """``method`` itself, or a ValueError that names all methods."""
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method={method!r}: must be one of {', '.join(map(repr, METHODS))}")
    return method


def check_options(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of ``method``, each checked.

    Raises:
      ValueError: For an unknown method, an option that the method does not have, a value out of range, or an option
        that another one leaves without effect.
      TypeError: For a value of the wrong kind.
    """
    allowed = METHODS[check_method(method)].options
    for name in options:
        if name not in allowed:
            has = f"has the options {', '.join(allowed)}" if allowed else "has no options"
            raise ValueError(f"{name}={reprlib.repr(options[name])}: method {method!r} {has}")
    checked = {name: OPTIONS[name].check(name, value) for name, value in options.items()}
    _check_together(checked, has_power="power" in allowed)
    return checked


def options_with_effect(method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``fields`` that are options of ``method`` and that no other one of them leaves without effect.

    >>> options_with_effect("power_lbb", {"alpha": 5.0, "redundancy": "tree", "pair_weight": 1.0, "power": False})
    {'alpha': 5.0, 'redundancy': 'tree'}

    Args:
      method: A name in `METHODS`.
      fields: Values by name, of any options.

    Raises:
      ValueError: For an unknown method.
    """
    options = {name: fields[name] for name in METHODS[check_method(method)].options if name in fields}
    if options.get("redundancy") == "tree":
        # The pair weight belongs to the pairwise sum; the tree has none.
        options.pop("pair_weight", None)
    if not options.get("power", True):
        # So does alpha to power sampling.
        options.pop("alpha", None)
    return options


def _check_together(checked: Mapping[str, Any], *, has_power: bool) -> None:
    """Raises ValueError for an option that another one leaves without effect."""
    if checked.get("redundancy") == "tree" and checked.get("pair_weight", 1.0) != 1.0:
        raise ValueError(
            f"pair_weight={checked['pair_weight']}: must be 1 with redundancy='tree', which has no sum over pairs"
        )
    if has_power and not checked.get("power") and checked.get("alpha", 1.0) != 1.0:
        raise ValueError(
            f"alpha={checked['alpha']}: must be 1 with power=False, which picks the highest scores; pass power=True to "
            "sample by their powers"
        )
    if checked.get("targets") is not None and "num_targets" in checked:
        raise ValueError(
            f"num_targets={checked['num_targets']}: is the number of targets drawn from the pool; leave it out with "
            "targets=..., all of which are used"
        )


def complete_options(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of ``method``: those given, checked, and the defaults of its function for the others.

    Raises:
      ValueError: As `check_options`; also for an option without a default, ``embeddings``, that is not given.
      TypeError: For a value of the wrong kind.
    """
    checked = check_options(method, options)
    parameters = inspect.signature(METHODS[method].function).parameters
    defaults = {name: parameters[name].default for name in METHODS[method].options if name not in checked}
    if defaults.get("embeddings") is inspect.Parameter.empty:
        raise ValueError(
            f"embeddings: not given; method {method!r} needs embeddings[N, D], one row for each point of log_probs; "
            "pass embeddings=..., such as the inputs of your network's last layer"
        )
    return {**check_options(method, defaults), **checked}


def acquire(
    key: jax.Array,
    log_probs: Any,
    *,
    method: str,
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
      log_probs: Log-probabilities ``[N, K, C]``: NumPy, JAX or anything with ``__array__`` or ``__dlpack__``; computed
        with in float32. Rows in float16 and bfloat16, which these cannot hold exactly, are normalised in float32 first.
      method: A name in `METHODS`.
      batch_size: Points to pick, from 1 to the number available.
      available: Bool ``[N]``, True for the points that may be picked; None for all. Other rows may hold anything.
      **options: Options of the method: ``alpha`` (from 0 to 1e30), ``embeddings`` (``[N, D]``, of the same kinds as
        ``log_probs``; "core_set" and "badge" need them), ``num_samples`` and ``num_targets`` (at least 1),
        ``pair_weight`` (at least 0), ``pairs`` ("exact" or "chi2"), ``power`` (bool), ``redundancy`` ("pairwise" or
        "tree"), ``targets`` (log-probabilities ``[T, K, C]``, of the same kinds as ``log_probs``).

    Returns:
      The picks in order, and each one's score when it was picked: nats, for all methods but "random", whose scores
      are 0, "least_confident", "margin", "lbb_released", "core_set" and "badge".

    Raises:
      ValueError: For a shape other than ``[N, K, C]`` or an empty axis, a dtype that is not floating point, rows of
        available points that are not normalised log-probabilities (within 1e-3; in float16 and bfloat16 within
        ``eps (1 + log C)`` if that is more), a batch size out of range, a mask that is not bool ``[N]``, an unknown
        method, an option that the method does not have, that is out of range or that another option leaves without
        effect, ``num_samples`` label configurations that take more than 4 GiB, targets whose draws or classes are not
        those of ``log_probs``, and embeddings that are missing, of another number of points, or not finite (or above
        1e15) at available points. All of this is checked before the method is compiled.
      TypeError: For an argument of the wrong kind.
    """
    values = complete_options(method, options)
    predictions = checks.read_predictions("log_probs", log_probs)
    checks.check_shapes_agree(values, predictions.shape)
    key = arguments.check_key("key", key)
    mask = jnp.asarray(checks.check_available(available, predictions.shape))
    batch_size = checks.check_batch_size(batch_size, int(jnp.sum(mask)), predictions.shape)
    checks.check_samples_fit(values, predictions.shape, batch_size)
    # Rows that are not available may hold NaN, which is no fault of any program.
    with jax.debug_nans(False):
        predictions = jnp.asarray(checks.predictions_in_float32(predictions))
        checks.check_values(predictions, mask)
        values = checks.settle_arrays(values, mask)
        return _COMPILED[method](key, predictions, mask, batch_size=batch_size, **values)
