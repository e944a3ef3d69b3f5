"""Times the acquisition methods and prints one JSON line for each case.

    python experiments/benchmark_acquisition.py                         # the paper's pool: N = 49,980, K = 5, C = 10
    python experiments/benchmark_acquisition.py --table2                # and the paper's Table 2 beside these times
    python experiments/benchmark_acquisition.py --suite=pools           # three pools of that size
    python experiments/benchmark_acquisition.py --suite=many_classes    # N = 200,000, K = 5, C = 100, batches of 200
    python experiments/benchmark_acquisition.py --suite=thousand_classes    # 2,000 and 50,000 points, C = 1,000
    python experiments/benchmark_acquisition.py --suite=growth          # ten times the batch, ten times the pool
    python experiments/benchmark_acquisition.py --suite=stream          # ten million points in one pass
    python experiments/benchmark_acquisition.py --suite=seeds           # five pools under vmap
    .venv-parity/bin/python experiments/benchmark_acquisition.py --peers    # batchbald_redux and PyTorch too

Each case is timed in turn with the unit, one pass of BALD over the same pool, written by hand; times are medians.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from absl import flags

from lbb_jax import experiment, figures, information, paths
from paper.approximation import predictions as predictions_of_file
from paper.benchmarks import acquisition_cases, predictions, stream, table2

_SUITES = ("paper", "pools", "many_classes", "thousand_classes", "growth", "stream", "seeds")
_SUITE = flags.DEFINE_enum("suite", "paper", _SUITES, "What is timed.")
_PEERS = flags.DEFINE_bool("peers", False, "Whether batchbald_redux and PyTorch are timed too (suite paper).")
_TABLE2 = flags.DEFINE_bool("table2", False, "Whether the paper's Table 2 is printed beside these times.")
_PREDICTIONS = flags.DEFINE_string(
    "predictions", None, "A .npy file of log-probabilities [N, K, C] to time on, instead of generated ones."
)
_NUM_POINTS = flags.DEFINE_integer("num_points", None, "Points; the suite's own number if not given.", lower_bound=1)
_NUM_CANDIDATES = flags.DEFINE_integer("num_candidates", None, "Most points kept of a stream.", lower_bound=100)
_REPETITIONS = flags.DEFINE_integer("repetitions", 7, "Times that each case is timed.", lower_bound=1)
_FIGURE = flags.DEFINE_string("figure", None, "Where to draw time against batch size (png, pdf).")


def main() -> None:
    """Runs the suite that the flags name."""
    figure = _FIGURE.value
    if figure is not None:
        figure = paths.output_file(figure, name="--figure", suffixes=figures.SUFFIXES)
    experiment.check_platform()
    records = []
    for record in _records():
        record["device"] = jax.devices()[0].device_kind
        records.append(record)
        print(json.dumps(record), flush=True)
    if _TABLE2.value:
        print(table2.compare(records).to_string())
    if figure is not None:
        figures.save(figures.time_against_batch_size(records), figure)
        print(f"figure: {figure}")


def _records() -> Iterator[dict[str, Any]]:
    """The records of the suite, as each is done."""
    match _SUITE.value:
        case "paper":
            log_probs = _log_probs(*table2.POOL)
            yield from acquisition_cases.run(acquisition_cases.PAPER_POOL, log_probs, repetitions=_REPETITIONS.value)
            if _PEERS.value:
                from paper.benchmarks import peers

                yield from peers.run(log_probs, num_samples=10_000, redux_batch_size=5, repetitions=_REPETITIONS.value)
                best = np.argsort(-np.asarray(information.mutual_information(log_probs)))[:100]
                yield peers.standard_errors(log_probs[best], batch_size=10, num_samples=10_000, num_keys=20)
        case "pools":
            for name, make in predictions.POOLS.items():
                pool = _log_probs(*table2.POOL, make=make)
                for record in acquisition_cases.run(acquisition_cases.POOLS, pool, repetitions=_REPETITIONS.value):
                    yield {"pool": name, **record}
        case "many_classes":
            log_probs = _log_probs(200_000, 5, 100)
            yield from acquisition_cases.run(acquisition_cases.MANY_CLASSES, log_probs, repetitions=_REPETITIONS.value)
        case "thousand_classes":
            for num_points, num_draws, cases in acquisition_cases.THOUSAND_CLASSES:
                log_probs = _log_probs(num_points, num_draws, 1_000)
                yield from acquisition_cases.run(cases, log_probs, repetitions=_REPETITIONS.value)
        case "growth":
            for num_points, cases in acquisition_cases.GROWTH:
                log_probs = _log_probs(num_points, 5, 10)
                yield from acquisition_cases.run(cases, log_probs, repetitions=_REPETITIONS.value)
        case "stream":
            yield stream.run(_NUM_POINTS.value or 10**7, 5, 10, batch_size=100, num_candidates=_NUM_CANDIDATES.value)
        case "seeds":
            pools = jax.numpy.stack([_log_probs(49_980, 5, 10, seed=seed) for seed in range(5)])
            for case in acquisition_cases.SEEDS:
                yield acquisition_cases.run_side_by_side(case, pools, repetitions=_REPETITIONS.value)


def _log_probs(
    num_points: int,
    num_draws: int,
    num_classes: int,
    *,
    seed: int = 0,
    make: Callable[[jax.Array, int, int, int], jax.Array] = predictions.generate,
) -> jax.Array:
    """The predictions to time on."""
    if _PREDICTIONS.value is not None:
        return predictions_of_file.from_file(_PREDICTIONS.value, name="--predictions").log_probs
    return jax.jit(make, static_argnums=(1, 2, 3))(
        jax.random.key(seed), _NUM_POINTS.value or num_points, num_draws, num_classes
    )


if __name__ == "__main__":
    experiment.run_script(main)
