"""Whether an accelerator gives what the CPU of the same machine gives: every method, every posterior."""

import concurrent.futures
import functools
import os
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lbb_jax import acquisition, examples, labelled_set, networks, posteriors, training
from lbb_jax.examples import Data
from lbb_jax.json_lines import Record
from paper.benchmarks import predictions
from paper.benchmarks.acquisition_cases import COUNTING

_NUM_POINTS, _NUM_DRAWS, _NUM_CLASSES, _BATCH_SIZE = 3_000, 5, 10, 10
_NUM_EMBEDDING_POINTS = 300
# Picks may differ where two points are this close, as a share of the score. The second number is for sampled labels,
# which rounding can change.
_RESOLUTION, _RESOLUTION_OF_SAMPLES = 1e-4, 2e-2
# For probabilities after a few steps of training, in which rounding grows.
_TOLERANCE = 0.03
_OPTIONS = {
    "batch_bald": ({"num_samples": 1_000},),
    "lbb": ({}, {"redundancy": "tree"}, {"redundancy": "tree", "pairs": "chi2"}),
    "power_lbb": ({}, {"redundancy": "tree"}),
    "epig": ({"num_targets": 50},),
    "batch_epig": ({"num_targets": 50, "num_samples": 100},),
}


def check_methods() -> Iterator[Record]:
    """Every method's picks on the default device beside the CPU's."""
    log_probs = jax.jit(predictions.generate, static_argnums=(1, 2, 3))(
        jax.random.key(0), _NUM_POINTS, _NUM_DRAWS, _NUM_CLASSES
    )
    log_probs = np.asarray(log_probs)
    cases = [(row, options) for name, row in acquisition.METHODS.items() for options in _OPTIONS.get(name, ({},))]
    # Most of the time goes into compiling.
    with concurrent.futures.ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        yield from pool.map(lambda case: _check_method(log_probs, *case), cases)


def _check_method(log_probs: np.ndarray, row: acquisition.Method, options: dict[str, Any]) -> Record:
    more = {}
    if row.uses_embeddings:
        log_probs = log_probs[:_NUM_EMBEDDING_POINTS]
        more["embeddings"] = np.random.default_rng(0).normal(size=(_NUM_EMBEDDING_POINTS, 8)).astype(np.float32)
    pick = functools.partial(
        acquisition.acquire, jax.random.key(1), log_probs, method=row, batch_size=_BATCH_SIZE, **options, **more
    )
    picked = pick()
    with jax.default_device(jax.devices("cpu")[0]):
        expected = pick()
    resolution = _RESOLUTION_OF_SAMPLES if "num_samples" in options else _RESOLUTION
    name = ", ".join([f"method {row.name}", *map(str, options.values())])
    return _differences(name, picked, expected, resolution)


def check_forms() -> Iterator[Record]:
    """Whether the forms of the greedy methods pick the same on the default device."""
    log_probs = predictions.generate(jax.random.key(0), _NUM_POINTS, _NUM_DRAWS, _NUM_CLASSES)
    available = jnp.ones(_NUM_POINTS, bool)
    for method, options in (("lbb", {}), ("lbb", {"redundancy": "tree"}), ("power_lbb", {}), ("log_det", {})):
        pick = functools.partial(COUNTING[acquisition.METHODS[method].function], batch_size=_BATCH_SIZE, **options)
        picks = [
            jax.jit(functools.partial(pick, form=form))(jax.random.key(1), log_probs, available).acquisition
            for form in ("lazy", "dense")
        ]
        yield _differences(f"{', '.join([method, *options.values()])}, lazy and dense", *picks)


def check_posteriors() -> Iterator[Record]:
    """Every posterior's probabilities after a few steps of training, on the default device beside the CPU's.

    Matrix products are computed at the highest precision, since training enlarges what others round.
    """
    network = networks.functional(networks.MLP(_NUM_CLASSES, hidden_sizes=(32,), dropout_rate=0.3))
    steps = training.fixed_steps(optax.adam(1e-2), num_steps=20, batch_size=16)
    cases: dict[str, Callable[[], Any]] = {
        "deep_ensemble": lambda: posteriors.deep_ensemble(network, steps, num_members=3),
        "mc_dropout": lambda: posteriors.mc_dropout(network, steps, num_draws=4),
        "laplace": lambda: posteriors.laplace(network, steps, num_draws=4),
    }
    for name, make in cases.items():
        with jax.default_matmul_precision("highest"):
            devices = (jax.devices()[0], jax.devices("cpu")[0])
            probs = [np.asarray(_fit_and_predict(make(), device)) for device in devices]
        difference = float(np.max(np.abs(probs[0] - probs[1])))
        yield {
            "check": f"posterior {name}",
            "passed": bool(np.isfinite(difference) and difference < _TOLERANCE),
            "largest_difference": difference,
        }


def _fit_and_predict(posterior: Any, device: jax.Device) -> jax.Array:
    """Probabilities ``[N, K, C]`` of random images after training on a few of them."""
    with jax.default_device(device):
        rng = np.random.default_rng(0)
        features = rng.normal(size=(64, 8, 8, 1)).astype(np.float32)
        labels = (features[:, 0, :, 0].argmax(-1)).astype(np.int32)
        pool = examples.create(features, labels)
        data = Data(pool, pool)
        labelled = labelled_set.create(jnp.arange(32), capacity=32)

        @jax.jit
        def run(data: Data) -> jax.Array:
            params = posterior.init(jax.random.key(0), examples.inputs(data.pool, jnp.arange(1)))
            params, _ = posterior.fit(jax.random.key(1), params, data, labelled)
            return jnp.exp(posterior.sample(jax.random.key(2), params, data.pool))

        return run(data)


def _differences(name: str, picked: Any, expected: Any, resolution: float = _RESOLUTION) -> Record:
    """Whether picks are the same up to the first step at which the scores of two points are too close."""
    indices, scores = (np.asarray(leaf) for leaf in picked)
    expected_indices, expected_scores = (np.asarray(leaf) for leaf in expected)
    differ = np.flatnonzero(indices != expected_indices)
    same = int(differ[0]) if len(differ) else len(indices)
    # The first picks that differ must have equal scores.
    compared = slice(0, same + 1)
    scale = np.maximum(np.abs(expected_scores[compared]), 1e-3)
    difference = np.abs(scores[compared] - expected_scores[compared]) / scale
    finite = bool(np.all(np.isfinite(difference)))
    return {
        "check": name,
        "passed": finite and bool(np.max(difference) < resolution),
        "same_picks": same,
        "largest_difference": float(np.max(difference)) if finite else None,
    }
