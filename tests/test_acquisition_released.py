"""The score of the paper's published code: its chunks, its limits, and its values against the reference."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from slow_parts import slow_but

from lbb_jax import acquisition

pytestmark = pytest.mark.usefixtures("quick_compilation")

# Three chunks, of which the last is not full; its size is no multiple of that of a chunk either.
NUM_POINTS = 3_000
AVAILABLE = np.arange(NUM_POINTS) % 7 != 3


@functools.partial(jax.jit, static_argnames="batch_size")
def pick(log_probs, available, *, batch_size):
    return acquisition.large_batch_bald_released(jax.random.key(0), log_probs, available, batch_size=batch_size)


def scores_of(probs: np.ndarray, available: np.ndarray) -> np.ndarray:
    """The score of every available point, NaN for the others, whose rows hold NaN."""
    log_probs = reference.log32(np.where(available[:, None, None], probs, np.nan))
    picked = pick(log_probs, available, batch_size=len(probs))
    num_available = int(available.sum())
    scores = np.full(len(probs), np.nan)
    scores[np.asarray(picked.indices[:num_available])] = picked.scores[:num_available]
    return scores


@functools.cache
def pool(kind: str) -> np.ndarray:
    return reference.random_probs(5, NUM_POINTS, 3, 4, kind)


@pytest.mark.parametrize("kind", slow_but(["smooth", "sharp", "zeros", "certain"], "sharp"))
def test_chunks_hold_1024_available_points_in_order(kind):
    expected = reference.released_scores(pool(kind), AVAILABLE)
    np.testing.assert_allclose(scores_of(pool(kind), AVAILABLE), expected, rtol=1e-5, atol=2e-5)


def test_points_that_agree_in_all_draws_have_large_scores():
    # Nearly the same predictions throughout: the score grows with the chunk, and must not lose its small differences.
    agreeing = np.repeat(pool("sharp")[:1], NUM_POINTS, axis=0)
    probs = reference.normalised(agreeing * (1 + 0.01 * pool("smooth")))
    expected = reference.released_scores(probs, AVAILABLE)
    assert np.nanmin(expected) > 10
    np.testing.assert_allclose(scores_of(probs, AVAILABLE), expected, rtol=1e-5)


@pytest.mark.parametrize("num_available", [1024, 1025])
def test_a_point_alone_in_its_chunk_has_the_score_of_bald(num_available):
    available = np.cumsum(AVAILABLE) <= num_available
    available &= AVAILABLE
    last = np.flatnonzero(available)[-1]
    score, bald = scores_of(pool("sharp"), available)[last], reference.bald(pool("sharp")[[last]])[0]
    assert bald > 0.01
    assert (abs(score - bald) < 2e-6) == (num_available == 1025)


def test_points_that_are_not_available_are_as_if_they_were_not_there():
    scores = scores_of(pool("sharp"), AVAILABLE)
    without = scores_of(pool("sharp")[AVAILABLE], np.ones(AVAILABLE.sum(), bool))
    np.testing.assert_allclose(scores[AVAILABLE], without, rtol=1e-5, atol=2e-6)


# Properties, of pools of nine points.

pools = st.builds(
    lambda seed, kind: reference.random_probs(seed, 9, 5, 3, kind),
    st.integers(0, 2**20),
    st.sampled_from(reference.KINDS),
)


@given(pools, st.permutations(range(9)), st.permutations(range(5)), st.permutations(range(3)))
def test_orders_within_a_chunk_are_of_no_consequence(probs, points, draws, classes):
    everything = np.ones(9, bool)
    shuffled = probs[points][:, draws][:, :, classes]
    np.testing.assert_allclose(
        scores_of(shuffled, everything), scores_of(probs, everything)[np.array(points)], rtol=0, atol=1e-5
    )


@given(pools)
def test_beside_points_that_say_nothing_it_is_bald(probs):
    probs = np.concatenate([probs[:1], probs[1:].mean(axis=1, keepdims=True).repeat(5, axis=1)])
    scores = scores_of(probs, np.ones(9, bool))
    np.testing.assert_allclose(scores, reference.bald(probs), rtol=0, atol=5e-6)


def contrary_pool() -> np.ndarray:
    """``[9, 2, 2]``: seven points that move alike with the draw, and points 2 and 5, which move the other way."""
    probs = np.tile(np.array([[0.6, 0.4], [0.4, 0.6]]), (9, 1, 1))
    probs[[2, 5]] = 1 - probs[[2, 5]]
    return probs


def test_points_that_contradict_the_others_have_negative_scores():
    scores = scores_of(contrary_pool(), np.ones(9, bool))
    np.testing.assert_allclose(scores, reference.released_scores(contrary_pool()), rtol=0, atol=2e-6)
    np.testing.assert_array_equal(np.flatnonzero(scores < -0.01), [2, 5])


@pytest.mark.slow
def test_negative_scores_are_never_sampled_while_others_are_left():
    log_probs, available = jnp.asarray(reference.log32(contrary_pool())), jnp.ones(9, bool)
    keys = jax.random.split(jax.random.key(0), 500)
    sample = functools.partial(acquisition.large_batch_bald_released, batch_size=9, sampling="power", alpha=1.0)
    picked = jax.jit(jax.vmap(lambda key: sample(key, log_probs, available)))(keys)
    assert set(map(tuple, np.asarray(picked.indices[:, 7:]).tolist())) == {(2, 5), (5, 2)}
    assert np.all(np.asarray(picked.scores[:, 7:]) < -0.01)
