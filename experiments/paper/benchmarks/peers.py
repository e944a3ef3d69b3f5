"""The same selection by other programs: batchbald_redux, and PyTorch as one would write it by hand.

Needs PyTorch, toma, tqdm and batchbald_redux, which `make parity` installs in an environment of its own.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import torch
from batchbald_redux import batchbald

from lbb_jax import acquisition
from lbb_jax.json_lines import Record
from paper.benchmarks import torch_round
from paper.benchmarks.timing import seconds_of


def run(log_probs: jax.Array, *, num_samples: int, redux_batch_size: int, repetitions: int) -> Iterator[Record]:
    """Times the peers on ``log_probs[N, K, C]``; batchbald_redux's BatchBALD once, as it takes minutes."""
    array = np.asarray(log_probs)
    single, double = torch.from_numpy(array.copy()), torch.from_numpy(array.astype(np.float64))
    shape = dict(zip("NKC", array.shape, strict=True))
    yield {"case": "bald (PyTorch)", **shape, "b": 10} | _median(lambda: torch_round.bald(single).topk(10), repetitions)
    yield {"case": "lbb (PyTorch, dense)", "redundancy": "tree", **shape, "b": 10} | _median(
        lambda: torch_round.tree(single, 10), 3
    )
    yield {"case": "bald (batchbald_redux)", **shape, "b": 10} | _median(
        lambda: batchbald.get_bald_batch(double, 10), 3
    )
    yield {
        "case": "batch_bald (batchbald_redux)",
        "num_samples": num_samples,
        **shape,
        "b": redux_batch_size,
    } | _median(lambda: redux_batch_bald(double, redux_batch_size, num_samples), 1, warm_up=False)


def standard_errors(log_probs: jax.Array, *, batch_size: int, num_samples: int, num_keys: int) -> Record:
    """How much each estimate of a batch's joint information varies with the random key, and the time it takes.

    Args:
      log_probs: A pool ``[N, K, C]``, small, as the peer is run ``num_keys`` times.
      batch_size: Points in a batch, enough for configurations to be sampled.
      num_samples: Configurations of each program.
      num_keys: Runs of each program.
    """
    double = torch.from_numpy(np.asarray(log_probs, np.float64))

    def ours(seed: int) -> float:
        picked = acquisition.acquire(
            jax.random.key(seed), log_probs, method="batch_bald", batch_size=batch_size, num_samples=num_samples
        )
        return float(np.sum(np.asarray(picked.scores, np.float64)))

    def peers(seed: int) -> float:
        torch.manual_seed(seed)
        return float(redux_batch_bald(double, batch_size, num_samples).scores[-1])

    record = {"case": "standard error of batch_bald's total", "N": len(log_probs), "b": batch_size}
    for name, total in (("ours", ours), ("batchbald_redux", peers)):
        total(0)
        start = time.perf_counter()
        totals = [total(seed) for seed in range(num_keys)]
        record[f"seconds_{name}"] = round((time.perf_counter() - start) / num_keys, 4)
        record[f"mean_{name}"] = round(statistics.fmean(totals), 5)
        record[f"standard_error_{name}"] = float(f"{statistics.stdev(totals):.3g}")
    faster = record["seconds_batchbald_redux"] / record["seconds_ours"]
    noisier = record["standard_error_batchbald_redux"] / record["standard_error_ours"]
    # The error falls with the square root of the samples, and the time grows with their number.
    return record | {"times_faster": round(faster, 1), "times_faster_at_the_same_error": round(faster * noisier**2, 1)}


def redux_batch_bald(log_probs: torch.Tensor, batch_size: int, num_samples: int) -> Any:
    """BatchBALD as batchbald_redux has it."""
    return batchbald.get_batchbald_batch(log_probs, batch_size, num_samples=num_samples, dtype=torch.double)


def _median(function: Callable[[], Any], repetitions: int, *, warm_up: bool = True) -> Record:
    """Median time of several calls."""
    if warm_up:
        function()
    seconds = statistics.median(seconds_of(function) for _ in range(repetitions))
    return {"milliseconds": round(1e3 * seconds, 3)}
