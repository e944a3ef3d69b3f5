"""Acquisition from a long stream in one pass, compared with a pass of BALD over the same stream."""

import functools
import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from lbb_jax import acquisition
from paper.benchmarks import predictions
from paper.benchmarks.acquisition_cases import bald_pass
from paper.benchmarks.timing import seconds_of

_BLOCK, _GENERATED = 2**17, 8
_BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024


def run(
    num_points: int, num_draws: int, num_classes: int, *, batch_size: int, num_candidates: int | None
) -> dict[str, Any]:
    """Times the generation of a stream: alone, with BALD of every block, and with LBB by the tree bound.

    Args:
      num_points: Points in the stream.
      num_draws: ``K``.
      num_classes: ``C``.
      batch_size: Points to pick.
      num_candidates: Most points kept, None for the default.

    Returns:
      Seconds, ratios, whether the picks are certified, and the peak memory of this process.
    """
    stream = functools.partial(_blocks, num_draws=num_draws, num_classes=num_classes)
    acquire = functools.partial(
        acquisition.acquire_stream,
        jax.random.key(1),
        method="lbb",
        redundancy="tree",
        batch_size=batch_size,
        num_candidates=num_candidates,
    )
    result = {}

    def seconds(consume: Callable[[Iterable[jax.Array]], Any]) -> float:
        # A first time, so that everything is compiled.
        consume(stream(num_points))
        return seconds_of(lambda: result.update(last=consume(stream(num_points))))

    made = seconds(_wait_for_each)
    with_bald = seconds(functools.partial(_best_by_bald, batch_size=batch_size))
    with_acquisition = seconds(acquire)
    return {
        "case": "stream, lbb",
        "redundancy": "tree",
        "N": num_points,
        "K": num_draws,
        "C": num_classes,
        "b": batch_size,
        "num_candidates": num_candidates,
        "seconds_to_make": round(made, 2),
        "seconds_with_bald": round(with_bald, 2),
        "seconds_with_acquisition": round(with_acquisition, 2),
        "ratio_to_bald": round(with_acquisition / with_bald, 2),
        "ratio_without_making": round((with_acquisition - made) / (with_bald - made), 2),
        "certified": result["last"].certified,
        "candidates_needed": result["last"].num_candidates_needed,
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_PER_UNIT / 1e6),
    }


def _blocks(num_points: int, *, num_draws: int, num_classes: int) -> Iterator[jax.Array]:
    """A few blocks of generated predictions, and these again with their classes exchanged, up to ``num_points``.

    To generate all of them would take longer than to acquire from them.
    """
    make = jax.jit(predictions.stream_block, static_argnums=(2, 3, 4))
    num_generated = min(_GENERATED, -(-num_points // _BLOCK))
    generated = [make(jax.random.key(0), block, _BLOCK, num_draws, num_classes) for block in range(num_generated)]
    exchange = jax.jit(lambda block, places: jnp.roll(block, places, axis=-1))
    for block, start in enumerate(range(0, num_points, _BLOCK)):
        points = exchange(generated[block % _GENERATED], block // _GENERATED)
        yield points[: num_points - start]


def _wait_for_each(stream: Iterable[jax.Array]) -> None:
    for block in stream:
        block.block_until_ready()


def _best_by_bald(stream: Iterable[jax.Array], *, batch_size: int) -> jax.Array:
    """The highest BALD scores of a stream, ``[b]``."""
    best = jnp.full(batch_size, -jnp.inf)
    for block in stream:
        scores, _ = bald_pass(block, batch_size=batch_size)
        best = jax.lax.top_k(jnp.concatenate([best, scores]), batch_size)[0].block_until_ready()
    return best
