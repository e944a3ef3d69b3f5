"""Bounds of pairs hold in float64, and leave little open; moments are those of the definition."""

import jax
import numpy as np
import pytest
import reference
from slow_parts import slow_but

from lbb_jax import chi_squared

NUM_POINTS, NUM_OTHERS = 24, 7
# Draws, classes: third moments, weighted classes, a single draw, more draws than are added class by class.
SHAPES = ((1, 4), (2, 2), (2, 7), (5, 4), (5, 10), (3, 200), (5, 1), (12, 7), (20, 12))


def pool(num_draws, num_classes):
    """Points of every kind, from next to nothing to tell up to draws that contradict each other."""
    kinds = [
        reference.random_probs(seed, NUM_POINTS // 4, num_draws, num_classes, kind)
        for seed, kind in enumerate(("smooth", "sharp", "zeros"))
    ]
    rng = np.random.default_rng(0)
    sizes = np.logspace(-4, 0, NUM_POINTS // 4)[:, None, None]
    nearly_agreeing = reference.normalised(np.exp(sizes * rng.normal(size=(NUM_POINTS // 4, num_draws, num_classes))))
    return reference.log32(np.concatenate([*kinds, nearly_agreeing]))


def pair_sums(log_probs):
    """The information, χ² and ``T`` of the first points and all points, in float64, ``[M, N]`` each."""
    probs = np.exp(log_probs.astype(np.float64))
    mean = probs.mean(axis=1)
    ratios = (probs - mean[:, None]) / np.where(mean > 0, mean, 1)[:, None]
    excess = np.einsum("mkc,nkd->mncd", ratios[:NUM_OTHERS], ratios) / probs.shape[1]
    weights = np.einsum("mc,nd->mncd", mean[:NUM_OTHERS], mean)
    # The series where the definition cancels.
    near = excess**2 * (1 / 2 - excess * (1 / 6 - excess * (1 / 12 - excess * (1 / 20 - excess / 30))))
    ratio = np.maximum(1 + excess, 0)
    far = np.where(ratio > 0, ratio * np.log(np.where(ratio > 0, ratio, 1)), 0) - excess
    information = weights * np.where(np.abs(excess) < 1e-3, near, far)
    return [terms.sum(axis=(2, 3)) for terms in (information, weights * excess**2, weights * excess**3)]


@pytest.mark.parametrize("shape", slow_but(SHAPES, (2, 7), (5, 4), (20, 12)), ids=str)
def test_bounds_hold_and_moments_are_those_of_the_definition(shape):
    log_probs = pool(*shape)

    @jax.jit
    def bounds(log_probs):
        moments, second = chi_squared.bound_moments(log_probs), chi_squared.second_moments(log_probs)
        others, some = jax.tree.map(lambda leaf: leaf[:, :NUM_OTHERS], (moments, second))
        least, most = chi_squared.lower_bounds(moments, others), chi_squared.upper_bounds(moments, others, shape[0])
        return least, most, chi_squared.inner_products(second, some), others.third.T @ moments.third

    least, most, chi2, third = map(np.asarray, bounds(log_probs))
    information, expected_chi2, expected_third = pair_sums(log_probs)
    # What exp leaves in float32, as for every information.
    rounding = 5e-6 * information + 4e-7 * np.sqrt(information) * 1e-2 + 1e-12
    assert np.all(least <= information + rounding)
    assert np.all(most >= information - rounding)
    np.testing.assert_allclose(chi2, expected_chi2, rtol=2e-4, atol=2e-6)
    if chi_squared.has_third_moments(*shape):
        np.testing.assert_allclose(third, expected_third, rtol=2e-4, atol=2e-6)
        # The bounds reach nearly all of the information.
        assert least.sum() >= 0.7 * information.sum()


@pytest.mark.parametrize("num_draws", slow_but([1, 2, 5, 20], 2, 5))
def test_coordinates_keep_inner_products(num_draws):
    values = np.random.default_rng(0).normal(size=(3, num_draws, 4))
    values -= values.mean(axis=1, keepdims=True)
    with jax.enable_x64(True):
        coordinates = np.asarray(jax.jit(chi_squared.coordinates)(values))
    assert coordinates.shape == (3, chi_squared.num_coordinates(num_draws), 4)
    products = [np.einsum("akb,ckd->abcd", leaf, leaf) for leaf in (values, coordinates)]
    np.testing.assert_allclose(*products, atol=1e-12)


def test_moments_of_few_draws_are_computed_for_more_points_at_a_time_on_an_accelerator(monkeypatch):
    sizes, map_chunks = [], chi_squared.map_chunks

    def note(function, num_points, chunk_size, **options):
        sizes.append(chunk_size)
        return map_chunks(function, num_points, chunk_size, **options)

    monkeypatch.setattr(chi_squared, "map_chunks", note)
    pool = jax.ShapeDtypeStruct((50_000, 5, 10), np.float32)
    jax.eval_shape(lambda log_probs: chi_squared.second_moments(log_probs), pool)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    jax.eval_shape(lambda log_probs: chi_squared.second_moments(log_probs), pool)
    assert sizes[0] < 1_000
    assert sizes[1] == 50_000
