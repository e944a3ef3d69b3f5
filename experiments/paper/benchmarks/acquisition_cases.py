"""The acquisition methods, timed in units of one pass of BALD over the same pool."""

import functools
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lbb_jax import acquisition
from lbb_jax.acquisition import exponential_race
from lbb_jax.acquisition.batch_bald import BatchBaldPicks, pick_batch_bald
from lbb_jax.acquisition.large_batch_bald import pick_lbb, pick_power_lbb
from lbb_jax.acquisition.log_det import pick_log_det
from lbb_jax.json_lines import Record
from paper.benchmarks.roofline import memory_of
from paper.benchmarks.timing import time_beside


class Case(NamedTuple):
    """What is timed.

    Attributes:
      method: A method of `acquire`, timed through `acquire` if ``checked``, otherwise as a jit'ed pure function.
      batch_size: ``b``.
      options: The options of the method.
      checked: Whether the checks of `acquire` are timed too.
    """

    method: str
    batch_size: int
    options: Mapping[str, Any] = MappingProxyType({})
    checked: bool = False


_TREE = {"redundancy": "tree"}
_CHI2 = {"pairs": "chi2"}
_SAMPLES = {"num_samples": 10_000}

PAPER_POOL = (
    *(Case("bald", size) for size in (10, 20)),
    Case("bald", 10, checked=True),
    *(Case("power_bald", size) for size in (10, 20)),
    *(Case("lbb", size, _TREE) for size in (2, 5, 10, 20, 50, 100)),
    *(Case("power_lbb", size, _TREE) for size in (2, 5, 10, 20, 50, 100)),
    *(Case("lbb", size) for size in (2, 5, 10, 20, 50, 100)),
    *(Case("power_lbb", size) for size in (10, 20)),
    *(Case("log_det", size) for size in (10, 20, 100)),
    *(Case("lbb_released", size) for size in (10, 20, 100)),
    *(Case("batch_bald", size, _SAMPLES) for size in (2, 5, 10, 20, 50, 100)),
)

# Methods whose cost depends on the pool.
POOLS = tuple(
    Case(method, size, options)
    for method, options in (
        ("bald", {}),
        ("lbb", _TREE),
        ("power_lbb", _TREE),
        ("lbb", _CHI2),
        ("log_det", {}),
        ("lbb", {}),
    )
    for size in (10, 20, 100)
)

# RCIFAR-100's size; and ImageNet's classes, with few points and with many.
MANY_CLASSES = (Case("bald", 200), Case("lbb", 200, _TREE), Case("lbb", 200))
THOUSAND_CLASSES = (
    (2_000, 10, (*(Case(method, 10) for method in ("bald", "lbb", "epig")), Case("batch_bald", 10, _SAMPLES))),
    (50_000, 5, (Case("bald", 100), Case("lbb", 100, _TREE), Case("lbb", 100, _CHI2))),
)

# Ten times the batch, and ten times the pool; and RMNIST's pool, on which the paper calls BatchBALD infeasible.
GROWTH = (
    (100_000, (Case("lbb", 100, _TREE), Case("lbb", 1_000, _TREE), Case("lbb", 10), Case("lbb_released", 100))),
    (240_000, (Case("batch_bald", 10, _SAMPLES), Case("batch_bald", 20, _SAMPLES))),
    (1_000_000, (Case("lbb", 100, _TREE), Case("lbb", 10), Case("lbb_released", 100))),
)

# Several pools at once, as when the seeds of an experiment run side by side.
SEEDS = (Case("bald", 10), Case("lbb", 10, _TREE), Case("power_lbb", 10, _TREE), Case("batch_bald", 10, _SAMPLES))


@functools.partial(jax.jit, static_argnames="batch_size")
def bald_pass(log_probs: jax.Array, *, batch_size: int) -> tuple[jax.Array, jax.Array]:
    """The unit: BALD of every point and the best ``batch_size``, written by hand for this comparison."""
    probs = jnp.exp(log_probs)
    expected_entropy = -jnp.sum(jnp.where(probs > 0, probs * log_probs, 0), axis=(1, 2)) / log_probs.shape[1]
    mean = jnp.mean(probs, axis=1)
    entropy = -jnp.sum(jnp.where(mean > 0, mean * jnp.log(jnp.where(mean > 0, mean, 1)), 0), axis=1)
    return jax.lax.top_k(entropy - expected_entropy, batch_size)


def run(cases: tuple[Case, ...], log_probs: jax.Array, *, repetitions: int) -> Iterator[Record]:
    """Times each case on ``log_probs[N, K, C]`` beside the unit, and yields a record as each is done."""
    for case in cases:
        yield run_one(case, log_probs, repetitions=repetitions)


def run_one(case: Case, log_probs: jax.Array, *, repetitions: int) -> Record:
    """Times one case, and counts what it evaluated."""
    num_points, num_draws, num_classes = log_probs.shape
    key, available = jax.random.key(0), jnp.ones(num_points, bool)
    record = {
        "case": case.method + (" (acquire)" if case.checked else ""),
        **case.options,
        "N": num_points,
        "K": num_draws,
        "C": num_classes,
        "b": case.batch_size,
    }
    if case.checked:
        call = functools.partial(
            acquisition.acquire, key, log_probs, method=case.method, batch_size=case.batch_size, **case.options
        )
        memory = 0
    else:
        compiled = jax.jit(functools.partial(_counted(case), **case.options)).lower(key, log_probs, available).compile()
        call = functools.partial(compiled, key, log_probs, available)
        memory = memory_of(compiled)
    timing = time_beside(call, lambda: bald_pass(log_probs, batch_size=case.batch_size), repetitions=repetitions)
    record["milliseconds"] = round(1e3 * timing.seconds, 3)
    record["bald_milliseconds"] = round(1e3 * timing.unit_seconds, 3)
    record["ratio_to_bald"] = round(timing.seconds / timing.unit_seconds, 2)
    record |= _evaluations(case, call(), num_points)
    if memory:
        record["peak_megabytes"] = round(memory / 1e6, 1)
    return record


def run_side_by_side(case: Case, log_probs: jax.Array, *, repetitions: int) -> Record:
    """Times one case on the pools ``log_probs[S, N, K, C]`` side by side, beside the same one after another.

    Under vmap every pool takes as many steps as the slowest.
    """
    num_pools, num_points, num_draws, num_classes = log_probs.shape
    keys, available = jax.random.split(jax.random.key(0), num_pools), jnp.ones(num_points, bool)

    def pick(arguments: tuple[jax.Array, jax.Array]) -> Any:
        return _counted(case)(*arguments, available, **case.options)

    side_by_side = jax.jit(jax.vmap(pick))
    one_after_another = jax.jit(functools.partial(jax.lax.map, pick))
    arguments = (keys, log_probs)
    timing = time_beside(lambda: side_by_side(arguments), lambda: one_after_another(arguments), repetitions=repetitions)
    return {
        "case": f"{case.method}, side by side",
        **case.options,
        "pools": num_pools,
        "N": num_points,
        "K": num_draws,
        "C": num_classes,
        "b": case.batch_size,
        "milliseconds": round(1e3 * timing.seconds, 3),
        "milliseconds_one_after_another": round(1e3 * timing.unit_seconds, 3),
        "ratio": round(timing.seconds / timing.unit_seconds, 2),
    }


def _power_lbb(key: jax.Array, log_probs: jax.Array, available: jax.Array, **options: Any) -> acquisition.Ranked:
    variates = exponential_race.variates(key, jnp.arange(len(log_probs)), log_probs.dtype)
    return pick_power_lbb(variates, log_probs, available, **options)


# From functions to their variants that count what they evaluate; for the first three ``form`` is an option, too.
COUNTING: dict[Callable[..., Any], Callable[..., Any]] = {
    acquisition.large_batch_bald: lambda key, *pool, **options: pick_lbb(*pool, **options),
    acquisition.power_large_batch_bald: _power_lbb,
    acquisition.log_det: lambda key, *pool, **options: pick_log_det(*pool, **options),
    acquisition.batch_bald: pick_batch_bald,
}


def _counted(case: Case) -> Callable[..., Any]:
    """The case's function of ``(key, log_probs, available, **options)``, which counts its evaluations if it can."""
    function = acquisition.find_method(case.method).function
    return functools.partial(COUNTING.get(function, function), batch_size=case.batch_size)


def _evaluations(case: Case, result: Any, num_points: int) -> Record:
    """Pairs, determinants, or points times configurations that were evaluated, and their share of all."""
    match result:
        case acquisition.Ranked():
            is_of_pairs = acquisition.find_method(case.method).function is not acquisition.log_det
            # The first pick takes no pairs.
            num_steps = case.batch_size - is_of_pairs
            evaluated, everything = int(result.num_evaluations), num_steps * num_points
        case BatchBaldPicks():
            configurations = np.asarray(result.num_configurations, np.int64)
            evaluated = int(configurations @ np.asarray(result.num_evaluated, np.int64))
            everything = int(configurations[1:].sum()) * num_points
        case _:
            return {}
    return {"evaluations": evaluated, "share_of_dense": round(evaluated / everything, 6)}
