"""Counts the loop turns and kernels of the lazy and the dense greedy forms; prints one JSON line for each.

    python experiments/count_loops.py                        # the paper's pool: N = 49,980, K = 5, C = 10
    python experiments/count_loops.py --num_points=5000

The compiled program says how many loops it has whose length depends on the data, and how many operations and bytes a
turn of each takes; the lazy form counts the pairs that it evaluates. Beside them stands an estimate for an H200: the
bytes at 4.8 TB/s, the operations at 67 TFLOP/s, and 10 microseconds for each turn that the host must decide on.
"""

import functools
import json
import re
from collections.abc import Callable
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
from absl import flags

from lbb_jax import experiment
from lbb_jax.acquisition.large_batch_bald import pick_lbb
from lbb_jax.acquisition.log_det import pick_log_det
from paper.benchmarks import predictions
from paper.benchmarks.roofline import cost_of

_NUM_POINTS = flags.DEFINE_integer("num_points", 49_980, "Points of the pool.", lower_bound=100)
_BATCH_SIZES = flags.DEFINE_multi_integer("batch_size", [10, 100], "Points to pick.", lower_bound=1)
_NUM_DRAWS, _NUM_CLASSES = 5, 10
_BYTES_PER_SECOND, _OPERATIONS_PER_SECOND, _SECONDS_PER_TURN = 4.8e12, 67e12, 10e-6
# Instructions of a compiled program that do no work of their own.
_NO_KERNEL = "parameter|constant|tuple|get-tuple-element|bitcast|while|call|conditional|iota|broadcast"
_METHODS: dict[str, Callable[..., Any]] = {
    "lbb, pairwise": pick_lbb,
    "lbb, tree": functools.partial(pick_lbb, redundancy="tree"),
    "log_det": pick_log_det,
}


def main() -> None:
    """Counts for every method, form and batch size."""
    experiment.check_platform()
    log_probs = predictions.generate(jax.random.key(0), _NUM_POINTS.value, _NUM_DRAWS, _NUM_CLASSES)
    for size in _BATCH_SIZES.value:
        for name, pick in _METHODS.items():
            for form in ("lazy", "dense"):
                record = {"case": name, "form": form, "N": len(log_probs), "b": size}
                pure = functools.partial(pick, batch_size=size, form=form)
                print(json.dumps(record | _count(pure, log_probs, size if form == "dense" else 1)), flush=True)


def _count(pick: Callable[..., Any], log_probs: jax.Array, num_steps: int) -> dict[str, Any]:
    """What a program counts, and the estimate; ``num_steps`` is how often its costliest loop turns at least."""
    available = jnp.ones(len(log_probs), bool)
    compiled = jax.jit(pick).lower(log_probs, available).compile()
    cost = cost_of(compiled)
    turns = _turns(pick, log_probs, available)
    seconds = num_steps * (cost.bytes / _BYTES_PER_SECOND + cost.operations / _OPERATIONS_PER_SECOND)
    return {
        "host_turns": turns,
        "kernels_in_program": _num_kernels(compiled.as_text()),
        "megabytes_a_step": round(cost.bytes / 1e6, 2),
        "megaoperations_a_step": round(cost.operations / 1e6, 2),
        "estimated_milliseconds": round(1e3 * (seconds + turns * _SECONDS_PER_TURN), 2),
    }


def _turns(pick: Callable[..., Any], *arguments: jax.Array) -> int:
    """How often the loops turn that end when the data say so."""
    turns = []
    while_loop = jax.lax.while_loop

    def counting(condition: Callable, body: Callable, start: Any) -> Any:
        def counted(state: Any) -> Any:
            jax.debug.callback(lambda: turns.append(1))
            return body(state)

        return while_loop(condition, counted, start)

    with mock.patch.object(jax.lax, "while_loop", counting):
        jax.block_until_ready(jax.jit(lambda *arguments: pick(*arguments))(*arguments))
    jax.effects_barrier()
    return len(turns)


def _num_kernels(program: str) -> int:
    """Instructions of a compiled program that are kernels; those inside a fusion are one."""
    outside = re.sub(r"^%?(fused|wrapped)_\S* .*?^}", "", program, flags=re.MULTILINE | re.DOTALL)
    operations = re.findall(r"^ .* = [^ ]+ ([a-z-]+)\(", outside, flags=re.MULTILINE)
    return sum(re.fullmatch(_NO_KERNEL, operation) is None for operation in operations)


if __name__ == "__main__":
    experiment.run_script(main)
