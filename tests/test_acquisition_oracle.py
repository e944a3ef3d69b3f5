"""The oracle of simulations: its last layers, and the batch that it takes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import small_problem

from lbb_jax import acquisition, loop
from lbb_jax.acquisition.oracle import train_last_layer

NUM_POINTS, NUM_CLASSES = 120, 3
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, NUM_CLASSES, NUM_POINTS)
EMBEDDINGS = (
    2 * np.eye(NUM_CLASSES)[LABELS] @ RNG.normal(size=(NUM_CLASSES, 5)) + RNG.normal(size=(NUM_POINTS, 5))
).astype(np.float32)
LOG_PROBS = reference.log32(reference.random_probs(0, NUM_POINTS, 4, NUM_CLASSES))


def test_the_last_layer_is_the_most_probable_one():
    classes = np.eye(NUM_CLASSES)[LABELS]
    weights = (np.arange(NUM_POINTS) < 60).astype(np.float32)
    layer = np.asarray(
        jax.jit(lambda *arrays: train_last_layer(*arrays, 0.5, num_steps=1000))(
            EMBEDDINGS, jnp.asarray(classes, jnp.float32), weights, jnp.zeros((5, NUM_CLASSES))
        ),
        np.float64,
    )
    logits = EMBEDDINGS.astype(np.float64) @ layer
    residuals = (classes - np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))) * weights[:, None]
    np.testing.assert_allclose(EMBEDDINGS.T @ residuals, 0.5 * layer, atol=1e-3)


@pytest.mark.slow
def test_the_oracle_takes_a_batch_after_which_more_points_are_right():
    available = np.arange(NUM_POINTS) >= 6

    def pick(seed):
        return acquisition.acquire(
            jax.random.key(seed),
            LOG_PROBS,
            method=acquisition.ORACLE,
            batch_size=4,
            available=available,
            embeddings=EMBEDDINGS,
            labels=LABELS,
            num_candidates=20,
        )

    def accuracy(batch):
        """The accuracy over all other points of a last layer trained on the labelled points and a batch."""
        weights = ~available | np.isin(np.arange(NUM_POINTS), batch)
        classes = jax.nn.one_hot(LABELS, NUM_CLASSES, dtype=jnp.float32)
        start = jnp.zeros((5, NUM_CLASSES))
        layer = train_quickly(EMBEDDINGS, classes, jnp.asarray(weights, jnp.float32), start)
        return np.mean((np.argmax(EMBEDDINGS @ np.asarray(layer), axis=1) == LABELS)[~weights])

    train_quickly = jax.jit(lambda *arrays: train_last_layer(*arrays, 1.0, num_steps=100))
    picks = [pick(seed) for seed in range(5)]
    for picked in picks:
        assert len(set(np.asarray(picked.indices).tolist())) == 4
        assert np.all(available[picked.indices])
        assert np.all(picked.scores == picked.scores[0])
        # Two batches are left of the 114 points, and the other 106 set aside.
        assert float(picked.scores[0]) * 106 == pytest.approx(round(float(picked.scores[0]) * 106), abs=1e-3)
    rng = np.random.default_rng(1)
    at_random = [accuracy(6 + rng.choice(NUM_POINTS - 6, 4, replace=False)) for _ in range(50)]
    assert np.mean([accuracy(np.asarray(picked.indices)) for picked in picks]) > np.mean(at_random)


def test_what_the_oracle_needs_is_told():
    key = jax.random.key(0)
    options = {"method": acquisition.ORACLE, "batch_size": 2, "embeddings": EMBEDDINGS}
    with pytest.raises(ValueError, match="labels: not given"):
        acquisition.acquire(key, LOG_PROBS, **options)
    with pytest.raises(ValueError, match="labels: must be from 0 to 2"):
        acquisition.acquire(key, LOG_PROBS, labels=LABELS + 1, **options)
    with pytest.raises(ValueError, match="labels has dtype float64"):
        acquisition.acquire(key, LOG_PROBS, labels=LABELS.astype(float), **options)
    with pytest.raises(ValueError, match="num_candidates=15: must be a multiple of the 10 methods"):
        acquisition.acquire(key, LOG_PROBS, labels=LABELS, num_candidates=15, **options)


@pytest.mark.slow
def test_a_simulation_gives_the_oracle_the_labels_of_the_pool():
    settings = small_problem.settings(method="lbb_jax.acquisition:ORACLE", num_candidates=10, final_size=14)
    data = small_problem.data()
    _, rounds = jax.jit(lambda key: loop.run(key, data, settings))(jax.random.key(0))
    np.testing.assert_array_equal(rounds.labels, [10, 14])
    assert len(set(np.asarray(rounds.batch.picked.indices[0]).tolist())) == 4
    np.testing.assert_array_equal(rounds.batch.num_faults, 0)
