"""LBB of third order: triples against brute force, and the points that need none."""

import jax
import numpy as np
import pytest
import reference
from slow_parts import slow_but

from lbb_jax import acquisition, interaction
from lbb_jax.acquisition.third_order import pick_third_order


@pytest.mark.parametrize("shape", slow_but([(3, 5, 3), (5, 4, 2)], (5, 4, 2)))
def test_the_total_correlation_of_third_order_is_that_of_brute_force(shape):
    compute = jax.jit(interaction.third_order_total_correlation)
    for seed, kind in enumerate(reference.KINDS):
        probs = reference.random_probs(seed, *shape, kind)
        value = compute(reference.log32(probs))
        np.testing.assert_allclose(value, reference.third_order_total_correlation(probs), rtol=1e-4, atol=3e-6)
        if len(probs) == 3:
            np.testing.assert_allclose(value, reference.total_correlation(probs), rtol=1e-4, atol=3e-6)


pick = jax.jit(pick_third_order, static_argnames="batch_size")


@pytest.mark.parametrize("seed", [0, 1])
def test_picks_and_gains_are_those_of_brute_force(seed):
    probs = reference.random_probs(seed, 12, 4, 3)
    available = np.arange(12) != 5
    picked = pick(reference.log32(probs), available, batch_size=6)
    batch = []
    for index, score in zip(*map(np.asarray, picked.acquisition), strict=True):
        gains = np.where(
            available & ~np.isin(np.arange(12), batch), reference.lbb_gains(probs, batch, order=3), -np.inf
        )
        np.testing.assert_allclose(score, gains[index], atol=2e-6)
        assert gains[index] > gains.max() - 1e-5
        batch.append(int(index))
    # For three points it is BatchBALD.
    np.testing.assert_allclose(picked.acquisition.scores[:3].sum(), reference.batch_bald(probs[batch[:3]]), atol=2e-6)


@pytest.mark.slow
def test_points_that_cannot_win_have_no_triple_evaluated():
    rng = np.random.default_rng(3)
    probs = rng.dirichlet(np.ones(3), size=(400, 6))
    # All but a tenth of the points are nearly certain.
    probs[40:] = 0.02 * probs[40:] + 0.98 * np.eye(3)[rng.integers(0, 3, 360)][:, None]
    picked = pick(reference.log32(probs), np.ones(400, bool), batch_size=5)
    assert np.all(np.asarray(picked.acquisition.indices) < 40)
    assert 0 < int(picked.num_evaluations) < 0.2 * 400 * 6


def test_order_three_is_refused_where_it_has_no_meaning():
    log_probs = reference.log32(reference.random_probs(0, 6, 3, 3))
    key = jax.random.key(0)
    with pytest.raises(ValueError, match=r"order=3: bounds triples by exact pairs; leave out pairs=.chi2"):
        acquisition.acquire(key, log_probs, method="lbb", batch_size=2, order=3, pairs="chi2")
    with pytest.raises(ValueError, match=r"order=4: must be 2 \(pairs\) or 3"):
        acquisition.acquire(key, log_probs, method="lbb", batch_size=2, order=4)
    with pytest.raises(ValueError, match="order=3: is not streamed"):
        acquisition.acquire_stream(key, [log_probs], method="lbb", batch_size=2, order=3)


@pytest.mark.slow
def test_the_tree_has_no_triples():
    log_probs, key = reference.log32(reference.random_probs(0, 6, 3, 3)), jax.random.key(0)
    tree, same = (
        acquisition.acquire(key, log_probs, method="lbb", batch_size=4, redundancy="tree", order=order)
        for order in (2, 3)
    )
    np.testing.assert_array_equal(tree.indices, same.indices)
