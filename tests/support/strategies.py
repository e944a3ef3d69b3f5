"""Hypothesis strategies shared by the tests. Shapes come from a short list, so that few programs are compiled."""

import numpy as np
import reference
from hypothesis import strategies as st

# [points, draws, classes]
SHAPES = ((1, 3, 4), (2, 5, 2), (4, 5, 3), (3, 1, 3), (3, 4, 1))


@st.composite
def batches(draw, shapes=SHAPES, kinds=reference.KINDS) -> np.ndarray:
    """``probs[b, K, C]`` of every kind that `reference.random_probs` makes."""
    shape = draw(st.sampled_from(shapes))
    return reference.random_probs(draw(st.integers(0, 2**20)), *shape, draw(st.sampled_from(kinds)))


@st.composite
def permuted_batches(draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A batch, the same with draws and classes (the same for all points) in another order, and an order of points."""
    probs = draw(batches())
    points, draws, classes = (draw(st.permutations(range(size))) for size in probs.shape)
    return probs, probs[:, draws][:, :, classes], np.array(points)
