"""The methods with the options under test, compiled once for each shape, and the gains that each maximises."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import reference

from lbb_jax import acquisition
from lbb_jax.acquisition import front_door, registry

# Of each point by its index, whatever is predicted of it.
EMBEDDINGS = np.random.default_rng(11).normal(size=(10_000, 5)).astype(np.float32)

# Each has a method's name and its options. Seven samples are fewer than the configurations of two points with three
# classes: the third pick on is sampled.
VARIANTS = {
    "random": ("random", {}),
    "least_confident": ("least_confident", {}),
    "margin": ("margin", {}),
    "margin softmax": ("margin", {"sampling": "softmax", "alpha": 2.0}),
    "entropy": ("entropy", {}),
    "bald": ("bald", {}),
    "bald softrank": ("bald", {"sampling": "softrank"}),
    "power_bald": ("power_bald", {"alpha": 2.0}),
    "batch_bald": ("batch_bald", {}),
    "batch_bald sampled": ("batch_bald", {"num_samples": 7}),
    "lbb": ("lbb", {}),
    "lbb printed": ("lbb", {"pair_weight": 2.0}),
    "lbb order 3": ("lbb", {"order": 3}),
    "lbb tree": ("lbb", {"redundancy": "tree"}),
    "power_lbb": ("power_lbb", {}),
    "power_lbb tree": ("power_lbb", {"alpha": 2.0, "redundancy": "tree"}),
    "log_det": ("log_det", {}),
    "lbb_released": ("lbb_released", {}),
    "lbb_released power": ("lbb_released", {"sampling": "power", "alpha": 2.0}),
    # All other points are targets in the pools of the tests, which are small, and only five of them.
    "epig": ("epig", {}),
    "epig power": ("epig", {"num_targets": 5, "sampling": "power", "alpha": 2.0}),
    "core_set": ("core_set", {}),
    "badge": ("badge", {}),
    "bait": ("bait", {}),
    "cluster_margin": ("cluster_margin", {}),
    "typiclust": ("typiclust", {}),
}
# The printed formula is another number in the program of "lbb", and left to the tests of gains.
ALL = tuple(name for name in VARIANTS if name != "lbb printed")
SAMPLING = (
    "random",
    "margin softmax",
    "bald softrank",
    "power_bald",
    "batch_bald sampled",
    "power_lbb",
    "power_lbb tree",
    "lbb_released power",
    "epig power",
    "badge",
    "cluster_margin",
    "typiclust",
)
# The methods that are given embeddings.
WITH_EMBEDDINGS = ("core_set", "badge", "bait", "cluster_margin", "typiclust")
# The methods to which the predictions of labelled points, those that are not available, matter.
OF_LABELLED = ("bait",)
# The methods whose batch is not the start of a larger one.
OF_WHOLE_BATCHES = ("bait", "cluster_margin", "typiclust")
# The methods whose picks are the same for every key.
GREEDY = tuple(name for name in VARIANTS if name not in SAMPLING)


def options_of(name: str, num_points: int) -> dict:
    """The variant's options for a pool of ``num_points``, with embeddings if it needs them."""
    embeddings = {"embeddings": jnp.asarray(EMBEDDINGS[:num_points])} if name in WITH_EMBEDDINGS else {}
    return {**VARIANTS[name][1], **embeddings}


def function_of(name: str):
    """The method's pure function ``(key, log_probs, available, *, batch_size)`` with the variant's options."""
    function = acquisition.METHODS[VARIANTS[name][0]].function
    return lambda *pool, **more: function(*pool, **{**options_of(name, len(pool[1])), **more})


def compiled(name: str):
    """The compiled ``(key, log_probs, available, *, batch_size)``: the program that `acquisition.acquire` runs."""
    row = acquisition.METHODS[VARIANTS[name][0]]

    def run(key, log_probs, available, *, batch_size):
        static, arrays = front_door.split_options(registry.complete_options(row, options_of(name, len(log_probs))))
        pool = jnp.asarray(log_probs), jnp.asarray(available)
        return front_door.run_compiled(row.function, batch_size, static, key, *pool, arrays)

    return run


def pick(name: str, probs: np.ndarray, batch_size: int, *, seed: int = 0, available=None) -> acquisition.Acquisition:
    """Picks from ``probs`` in float32, as NumPy arrays."""
    available = np.ones(len(probs), bool) if available is None else np.asarray(available)
    picked = compiled(name)(jax.random.key(seed), reference.log32(probs), available, batch_size=batch_size)
    return jax.tree.map(np.asarray, picked)


@functools.cache
def _compiled_for_many_keys(name: str, batch_size: int, static: tuple):
    function = functools.partial(function_of(name), batch_size=batch_size, **dict(static))
    return jax.jit(jax.vmap(lambda key, pool, numbers: function(key, *pool, **numbers), (0, None, None)))


def pick_for_many_keys(
    name: str, probs: np.ndarray, batch_size: int, num_keys: int, *, seed: int = 0, available=None, **options
) -> acquisition.Acquisition:
    """Picks from the same ``probs`` for every one of many keys, ``[num_keys, batch_size]``."""
    available = jnp.ones(len(probs), bool) if available is None else jnp.asarray(available)
    numbers = {option: value for option, value in options.items() if isinstance(value, float)}
    static = tuple((option, value) for option, value in options.items() if option not in numbers)
    keys = jax.random.split(jax.random.key(seed), num_keys)
    run = _compiled_for_many_keys(name, batch_size, static)
    return jax.tree.map(np.asarray, run(keys, (reference.log32(probs), available), numbers))


def gains_of(name: str, probs: np.ndarray, available: np.ndarray | None = None):
    """The reference ``batch -> gains[N]`` of a variant that is not random, all points being targets of EPIG."""
    method, options = VARIANTS[name]
    of_lbb = {key: value for key, value in options.items() if key in ("redundancy", "pair_weight", "order")}
    return reference.gains_of(method, probs, available, embeddings=EMBEDDINGS[: len(probs)], **of_lbb)
