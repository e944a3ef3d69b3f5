"""A query strategy for scikit-activeml: `lbb_jax.acquisition.acquire` on the members of an ensemble."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from skactiveml.base import QueryStrategy

from lbb_jax import acquisition


class LargeBatchQuery(QueryStrategy):
    """Picks a batch by any method of acquisition.

    Args:
      method: As `lbb_jax.acquisition.acquire` takes it.
      options: Options of the method, such as ``{"redundancy": "tree"}``.
      random_state: Seed of the random numbers; every query of an object has numbers of its own.
    """

    def __init__(self, method: str = "power_lbb", options: dict[str, Any] | None = None, random_state: int = 0):
        super().__init__(random_state=random_state)
        self.method = method
        self.options = options

    def query(self, X_cand: Any, ensemble: Any, batch_size: int = 1) -> np.ndarray:
        """Picks candidates; query number ``n`` of an object, from 0 on, uses ``fold_in(key(random_state), n)``.

        Args:
          X_cand: Features of the candidates, ``[N, D]``.
          ensemble: A fitted ensemble with ``estimators_`` (also within scikit-activeml's ``SklearnClassifier``), a list
            of fitted classifiers, or one classifier, which is a single draw.
          batch_size: Candidates to pick.

        Returns:
          Row numbers of ``X_cand``, ``[b]``, in the order picked.

        Raises:
          ValueError, TypeError: As `lbb_jax.acquisition.acquire`.
        """
        self.num_queries_ = getattr(self, "num_queries_", 0) + 1
        key = jax.random.fold_in(jax.random.key(self.random_state), self.num_queries_ - 1)
        batch = acquisition.acquire(
            key, member_log_probs(X_cand, ensemble), method=self.method, batch_size=batch_size, **(self.options or {})
        )
        return np.asarray(batch.indices)


def member_log_probs(X: Any, ensemble: Any) -> np.ndarray:
    """Log-probabilities ``[N, K, C]`` of the members for the rows of ``X``, -inf for a class that a member lacks."""
    if isinstance(ensemble, Sequence):
        members, classes = ensemble, np.unique(np.concatenate([member.classes_ for member in ensemble]))
    else:
        ensemble = getattr(ensemble, "estimator_", ensemble)
        members, classes = getattr(ensemble, "estimators_", None), np.arange(len(ensemble.classes_))
        if members is None:
            members, classes = [ensemble], ensemble.classes_
    probs = np.zeros((len(X), len(members), len(classes)))
    for number, member in enumerate(members):
        # The members of an ensemble know its classes by their numbers.
        probs[:, number, np.searchsorted(classes, member.classes_)] = member.predict_proba(X)
    with np.errstate(divide="ignore"):
        return np.log(probs).astype(np.float32)
