"""Log-det picks as the dense form in float64 does, evaluates little, and is right down to the smallest gains."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from slow_parts import slow_but

from lbb_jax.acquisition import lazy_greedy
from lbb_jax.acquisition.log_det import _Pool, _whitening, gains_by_themselves, pick_log_det
from paper.benchmarks import predictions

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUM_POINTS, BATCH_SIZE = 60, 12
# Draws, classes: both forms of the determinant, of K and of C rows.
SHAPES = ((1, 4), (2, 2), (5, 4), (5, 1), (12, 3), (100, 2), (3, 1_000))


@functools.cache
def _program(batch_size: int, front_size: int):
    return jax.jit(functools.partial(pick_log_det, batch_size=batch_size, front_size=front_size))


def pick(log_probs, batch_size=BATCH_SIZE, *, available=None, front_size=8):
    available = np.ones(len(log_probs), bool) if available is None else available
    return jax.tree.map(np.asarray, _program(batch_size, front_size)(log_probs, available))


def pools(shape) -> dict[str, np.ndarray]:
    def of_kind(kind, seed=0, num_points=NUM_POINTS):
        return reference.random_probs(seed, num_points, *shape, kind)

    nothing_to_tell = of_kind("identical draws")
    one_informative = nothing_to_tell.copy()
    one_informative[41] = of_kind("sharp")[0]
    return {
        **{kind: of_kind(kind, seed) for seed, kind in enumerate(reference.KINDS)},
        "all equal": of_kind("sharp", num_points=1).repeat(NUM_POINTS, axis=0),
        "copies": np.tile(of_kind("sharp", num_points=NUM_POINTS // 4), (4, 1, 1)),
        "one informative": one_informative,
    }


def assert_picks_of_reference(log_probs, picked):
    """The reference's gain of every pick is the highest, exact copies and ties apart, and is the score."""
    probs = np.exp(log_probs.astype(np.float64))
    for place, (index, score) in enumerate(zip(*picked.acquisition, strict=True)):
        batch = list(picked.acquisition.indices[:place])
        gains = reference.log_det_gains(probs, batch)
        gains[batch] = -np.inf
        # Differences of log-determinants in float64 lose what is below this.
        assert gains[index] >= gains.max() * (1 - 1e-5) - 1e-10, place
        np.testing.assert_allclose(score, gains[index], rtol=5e-5, atol=1e-10)
        copies = [i for i in range(len(log_probs)) if np.array_equal(log_probs[i], log_probs[index])]
        assert index == min(set(copies) - set(batch)), place


@pytest.mark.parametrize("shape", slow_but(SHAPES, (5, 4)))
def test_picks_are_those_of_the_dense_form(shape):
    for name, probs in pools(shape).items():
        log_probs = reference.log32(probs)
        picked = pick(log_probs)
        assert_picks_of_reference(log_probs, picked)
        assert np.all(picked.acquisition.scores >= 0)
        # Gains that differ by less than 1e-5 count as equal.
        assert np.all(np.diff(picked.acquisition.scores) <= 1e-5 * picked.acquisition.scores[:-1]), name
        if name == "identical draws":
            np.testing.assert_array_equal(picked.acquisition.scores, 0)
            np.testing.assert_array_equal(picked.acquisition.indices, np.arange(BATCH_SIZE))


@pytest.mark.parametrize("shape", slow_but([(5, 4), (12, 3)], (12, 3)))
def test_the_sum_of_the_gains_is_half_the_log_determinant_in_any_order(shape):
    log_probs = reference.log32(reference.random_probs(3, 2, *shape, "sharp"))
    expected = reference.log_det(np.exp(log_probs.astype(np.float64)))
    orders = (log_probs, log_probs[::-1], log_probs[:, ::-1], log_probs[:, :, ::-1])
    for permuted in orders:
        np.testing.assert_allclose(pick(permuted, 2).acquisition.scores.sum(), expected, rtol=5e-5)


@pytest.mark.parametrize("shape", slow_but([(5, 4), (12, 3), (3, 1_000)], (12, 3)))
def test_small_gains_are_right_in_proportion(shape):
    rng = np.random.default_rng(0)
    sizes = np.logspace(0, -5, 20)[:, None, None]
    log_probs = reference.log32(reference.normalised(np.exp(sizes * rng.normal(size=(20, *shape)))))
    probs = np.exp(log_probs.astype(np.float64))
    deviations = probs - probs.mean(axis=1, keepdims=True)
    traces = np.sum(deviations**2 / probs.mean(axis=1, keepdims=True), axis=(1, 2)) / shape[0]
    expected = np.array([reference.log_det(point[None]) for point in probs])
    # Below this the determinant in float64 is 1 and little more; half the trace is the gain.
    expected = np.where(traces < 1e-6, traces / 2, expected)
    gains = np.asarray(jax.jit(gains_by_themselves)(log_probs))
    assert gains.min() < 1e-9
    # The second term is what exp leaves, as for every information.
    assert np.all(np.abs(gains - expected) <= 5e-5 * expected + 4e-7 * np.sqrt(expected))


@pytest.mark.slow
def test_what_a_point_adds_only_falls_as_the_batch_grows():
    log_probs = reference.log32(reference.random_probs(5, 12, 5, 4, "sharp"))
    pool = _Pool(jnp.asarray(log_probs))
    points, batch, last = np.arange(12), pool.empty_batch(), np.full(12, np.inf)
    for added in range(6):
        gains = np.asarray(pool.gains(_whitening(batch), points, pool.moments_of(points)))
        bounds = pool.lower(_whitening(batch), jnp.full(12, jnp.inf), pool.moments, pool.traces)
        assert np.all((gains >= 0) & (gains <= last * (1 + 1e-5)) & (gains <= bounds))
        last, batch = gains, batch + pool.products(added, pool.moments[:, added])


@pytest.mark.slow
def test_a_long_batch_stays_exact():
    # Every point many times over: M grows to hundreds of times the identity.
    log_probs = np.tile(reference.log32(reference.random_probs(6, 12, 5, 4, "sharp")), (50, 1, 1))
    picked = pick(log_probs, 500, front_size=64)
    assert len(set(picked.acquisition.indices.tolist())) == 500
    probs = np.exp(log_probs[picked.acquisition.indices].astype(np.float64))
    np.testing.assert_allclose(picked.acquisition.scores.sum(), reference.log_det(probs), rtol=5e-5)
    known = reference.log_det(probs[:-1])
    np.testing.assert_allclose(picked.acquisition.scores[-1], reference.log_det(probs) - known, rtol=1e-3)


# The bounds begin with the traces: with moments, and without them.
@pytest.mark.parametrize(("shape", "has_moments"), [((5, 4), True), ((100, 2), False)])
def test_traces_are_those_of_the_definition(shape, has_moments):
    probs = reference.random_probs(7, NUM_POINTS, *shape, "sharp")
    pool = _Pool(jnp.asarray(reference.log32(probs)))
    assert pool.has_moments == has_moments
    mean = probs.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(pool.traces, (np.square(probs - mean) / mean).mean(axis=1).sum(axis=1), rtol=1e-4)


@pytest.mark.slow
def test_few_determinants_are_evaluated():
    log_probs = predictions.generate(jax.random.key(0), 20_000, 5, 10)
    picked = pick(log_probs, 20, front_size=lazy_greedy.FRONT_SIZE)
    assert 20 <= picked.num_evaluations < 20 * 20_000 / 50
