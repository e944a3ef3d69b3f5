"""How processes that each read a part of a stream exchange what they have found."""

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PyTree

from lbb_jax.acquisition.kept_points import Kept, lay_out


class Exchange:
    """The exchange between processes, which all make the same calls in the same order. One process alone sends nothing.

    Args:
      is_shared: Whether a stream is shared between all processes of the program.

    Attributes:
      num_processes: Processes that share the stream.
      num_bytes: Bytes that this process has received.
    """

    def __init__(self, *, is_shared: bool):
        self.num_processes = jax.process_count() if is_shared else 1
        self.num_bytes = 0

    def gather(self, tree: PyTree) -> PyTree[np.ndarray]:
        """The pytree of arrays ``[...]`` of every process, as arrays ``[processes, ...]``."""
        tree = jax.tree.map(np.asarray, tree)
        if self.num_processes == 1:
            return jax.tree.map(lambda leaf: leaf[None], tree)
        self.num_bytes += (self.num_processes - 1) * sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
        return jax.tree.map(np.asarray, multihost_utils.process_allgather(tree))

    def gather_points(self, kept: Kept, num_places: int) -> Kept:
        """The points of all processes; each process has at most ``num_places``."""
        places = self.gather(lay_out(kept, num_places))
        together = Kept(*(array.reshape(-1, *array.shape[2:]) for array in places))
        return together.at(together.worth > -np.inf)
