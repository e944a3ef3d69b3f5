"""A heuristic for baal's active learning loop: `lbb_jax.acquisition.acquire` on its stochastic predictions."""

import types
from typing import Any

import jax
import numpy as np
from baal.active.heuristics import AbstractHeuristic
from baal.utils.array_utils import to_prob

from lbb_jax import acquisition


class LargeBatch(AbstractHeuristic):
    """Ranks a pool so that a batch stands first.

    Every iteration of baal's predictions is taken as one draw of the parameters. Its MC dropout draws another mask for
    each batch of inputs, which is not the same mask for all points: prefer an ensemble, or predict the pool at once.

    Args:
      batch_size: Points to pick: the loop's ``query_size``. A smaller pool is picked whole.
      method: As `lbb_jax.acquisition.acquire` takes it.
      seed: Seed of the random numbers; every ranking by an object has numbers of its own.
      **options: Options of the method, such as ``redundancy="tree"``.
    """

    def __init__(self, batch_size: int, method: str = "power_lbb", seed: int = 0, **options: Any):
        super().__init__(reverse=True)
        self.batch_size, self.method, self.seed, self.options = batch_size, method, seed, options
        self.num_rankings = 0

    def get_ranks(self, predictions: Any, target_predictions: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Ranks points; ranking number ``n`` of an object, from 0 on, uses ``fold_in(key(seed), n)``.

        Args:
          predictions: Probabilities or logits ``[N, C, K]``, an array or a generator of blocks of it.
          target_predictions: Not used.

        Returns:
          All row numbers ``[N]``, the picks first in their order and then the others in that of the pool; and the score
          of each row ``[N]``, 0 for rows that are not picked.

        Raises:
          ValueError, TypeError: As `lbb_jax.acquisition.acquire`; ValueError for another number of axes.
        """
        if isinstance(predictions, types.GeneratorType):
            predictions = np.concatenate([np.asarray(block) for block in predictions])
        probs = np.asarray(predictions)
        if probs.ndim != 3:
            raise ValueError(f"predictions have shape {probs.shape}: must be [points, classes, iterations]")
        with np.errstate(divide="ignore"):
            log_probs = np.log(np.swapaxes(to_prob(probs), 1, 2)).astype(np.float32)
        key = jax.random.fold_in(jax.random.key(self.seed), self.num_rankings)
        self.num_rankings += 1
        size = min(self.batch_size, len(log_probs))
        batch = acquisition.acquire(key, log_probs, method=self.method, batch_size=size, **self.options)
        picks, scores = np.asarray(batch.indices), np.zeros(len(log_probs), np.float32)
        scores[picks] = batch.scores
        return np.concatenate([picks, np.setdiff1d(np.arange(len(log_probs)), picks)]), scores
