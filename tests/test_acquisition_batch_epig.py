"""Batch EPIG against enumeration, and what its bounds, samples and weights must keep to."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference

from lbb_jax import label_configurations
from lbb_jax.acquisition.batch_epig import _About, _bounds, _gains, batch_epig
from lbb_jax.acquisition.epig import Targets, epig
from lbb_jax.relative_entropy import centre

pytestmark = pytest.mark.usefixtures("quick_compilation")

SHAPE = (9, 4, 3)
_run = jax.jit(batch_epig, static_argnames=("batch_size", "num_targets", "num_samples"))
run = functools.partial(_run, num_targets=4, num_samples=100)


def pool_and_targets(seed, kind):
    return reference.random_probs(seed, *SHAPE, kind), reference.random_probs(seed + 100, 3, *SHAPE[1:], kind)


@pytest.mark.parametrize("kind", reference.KINDS)
def test_four_picks_are_those_of_enumeration(kind):
    for seed in range(3):
        pool, targets = pool_and_targets(seed, kind)
        of_classes = np.array([1.0, 0.2, 3.0], np.float32)
        weights = targets.mean(axis=1) @ of_classes
        picked = run(
            jax.random.key(seed),
            reference.log32(pool),
            np.ones(9, bool),
            batch_size=4,
            targets=reference.log32(targets),
            target_weights=of_classes,
        )
        batch = []
        for index, gain in zip(picked.indices.tolist(), picked.scores, strict=True):
            gains = reference.batch_epig_gains(pool, batch, targets, weights)
            np.testing.assert_allclose(gain, gains[index], rtol=2e-5, atol=2e-6)
            assert gain >= np.max(np.delete(gains, batch)) * (1 - 2e-5) - 2e-6
            batch.append(index)
        assert len(set(batch)) == 4


@functools.cache
def small_problem():
    pool, targets = pool_and_targets(5, "sharp")
    return pool, reference.log32(pool), reference.log32(targets)


@pytest.mark.slow
def test_the_first_pick_is_that_of_epig_whose_targets_are_drawn_from_the_pool():
    _, log_probs, _ = small_problem()
    available = np.arange(9) != 2
    for seed in range(4):
        # What is not available may hold anything.
        pool = np.where(available[:, None, None], log_probs, np.nan)
        picked = run(jax.random.key(seed), pool, available, batch_size=4)
        one = epig(jax.random.key(seed), pool, jnp.asarray(available), batch_size=1, num_targets=4)
        assert picked.indices[0] == one.indices[0]
        np.testing.assert_allclose(picked.scores[0], one.scores[0], rtol=1e-5)
        assert len(set(picked.indices.tolist())) == 4
        assert 2 not in picked.indices


@pytest.mark.slow
def test_sampled_gains_are_close_to_enumerated_ones():
    pool, log_probs, targets = small_problem()
    picked = [
        _run(jax.random.key(seed), log_probs, np.ones(9, bool), batch_size=5, targets=targets, num_samples=60)
        for seed in range(20)
    ]
    # The fifth pick alone is sampled: the points before the fourth have 27 configurations, those before it 81.
    exact = {
        tuple(one.indices[:4].tolist()): reference.batch_epig_gains(pool, one.indices[:4].tolist(), np.exp(targets))
        for one in picked
    }
    errors = [one.scores[4] - exact[tuple(one.indices[:4].tolist())][one.indices[4]] for one in picked]
    spread = np.std(errors, ddof=1) / np.sqrt(len(errors))
    # The best of several estimates is a little too high.
    assert abs(np.mean(errors)) < 4 * spread + 0.05 * np.mean([one.scores[4] for one in picked])


def test_no_gain_exceeds_its_bound():
    rng = np.random.default_rng(0)
    log_likelihoods = np.log(rng.dirichlet(np.full(4, 0.3), size=6)).astype(np.float32)

    @jax.jit
    def gains_and_bounds(log_probs, targets):
        points, about = centre(log_probs), _About(centre(targets.log_probs), targets)
        given = about, label_configurations.posterior(log_likelihoods), jnp.full(6, 1 / 6)
        return _gains(points, jnp.arange(9), *given), _bounds(points, *given)

    for kind in reference.KINDS:
        targets = Targets(
            reference.log32(reference.random_probs(8, *SHAPE, kind))[:4],
            np.array([1.0, 2.0, 0.0, 0.5], np.float32),
            np.array([0, 3, 4, 9], np.int32),
        )
        gains, bounds = gains_and_bounds(reference.log32(reference.random_probs(7, *SHAPE, kind)), targets)
        assert np.all(gains <= bounds + 1e-6)
        assert np.all(gains >= 0)


@pytest.mark.slow
def test_many_seeds_under_vmap_are_those_alone():
    pool = reference.random_probs(3, 40, 4, 3, "sharp")
    log_probs, available = reference.log32(pool), jnp.arange(40) % 7 != 0
    pick = functools.partial(batch_epig, batch_size=3, num_targets=5, num_samples=5)
    keys = jax.random.split(jax.random.key(0), 3)
    together = jax.jit(jax.vmap(pick, (0, None, None)))(keys, log_probs, available)
    for place, key in enumerate(keys):
        alone = jax.jit(pick)(key, log_probs, available)
        np.testing.assert_array_equal(together.indices[place], alone.indices)
