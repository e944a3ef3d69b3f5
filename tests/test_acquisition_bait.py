"""BAIT against explicit Fisher matrices in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference

from lbb_jax.acquisition.bait import bait

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUM_POINTS, NUM_CLASSES, NUM_FEATURES, BATCH_SIZE = 14, 3, 4, 3
# Scores are compared to this share; where no step is closer, the picks are certain.
LEAST_LEAD = 1e-3
_run = jax.jit(bait, static_argnames="batch_size")


def problem(seed):
    probs = reference.random_probs(seed, NUM_POINTS, 5, NUM_CLASSES, "sharp")
    embeddings = np.random.default_rng(seed).normal(size=(NUM_POINTS, NUM_FEATURES)) * 2
    return probs, embeddings.astype(np.float32).astype(np.float64)


def run(probs, embeddings, available, **options):
    picked = _run(
        jax.random.key(0),
        reference.log32(probs),
        available,
        batch_size=BATCH_SIZE,
        embeddings=embeddings.astype(np.float32),
        **options,
    )
    return picked.indices.tolist(), np.asarray(picked.scores)


@pytest.mark.parametrize("regularizer", [1.0, 0.05])
def test_picks_and_scores_are_those_of_explicit_fisher_matrices(regularizer):
    # With the fifth, two points are nearly equal.
    for seed in (0, 1, 2, 3, 5, 6):
        probs, embeddings = problem(seed)
        available = np.random.default_rng(seed).random(NUM_POINTS) < (0.7 if seed else 1.1)
        indices, scores = run(probs, embeddings, available, regularizer=regularizer)
        expected, lowered_by, lead = reference.bait(probs, embeddings, available, BATCH_SIZE, regularizer)
        assert lead > LEAST_LEAD
        assert indices == expected
        np.testing.assert_allclose(scores, lowered_by, rtol=1e-3, atol=1e-6)


def test_what_is_labelled_without_an_embedding_or_a_prediction_is_left_out():
    probs, embeddings = problem(3)
    available = np.arange(NUM_POINTS) % 4 != 0
    rubbish = np.where((np.arange(NUM_POINTS) == 4)[:, None], np.nan, embeddings)
    rubbish_probs = np.where((np.arange(NUM_POINTS) == 8)[:, None, None], np.nan, probs)
    kept = ~np.isin(np.arange(NUM_POINTS), [4, 8])
    indices, scores = run(rubbish_probs, rubbish, available, regularizer=1.0)
    expected, lowered_by, lead = reference.bait(probs[kept], embeddings[kept], available[kept], BATCH_SIZE, 1.0)
    assert lead > LEAST_LEAD
    assert indices == np.flatnonzero(kept)[expected].tolist()
    np.testing.assert_allclose(scores, lowered_by, rtol=1e-3, atol=1e-6)


def test_all_that_is_left_is_picked():
    probs, embeddings = problem(2)
    indices, scores = run(probs, embeddings, np.isin(np.arange(NUM_POINTS), [1, 5, 9]), regularizer=1.0)
    assert sorted(indices) == [1, 5, 9]
    assert np.all(scores > 0)


def test_a_last_layer_of_too_many_parameters_is_refused():
    with pytest.raises(ValueError, match=r"embeddings has shape \(4, 900\): with 10 classes .* 9,000 parameters"):
        bait(
            jax.random.key(0),
            jnp.zeros((4, 1, 10)),
            jnp.ones(4, bool),
            batch_size=1,
            embeddings=jnp.zeros((4, 900)),
        )
