"""What all methods promise, whatever they maximise: masking, exhaustion, chunks, prefixes, jit, vmap and keys."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import variants

from lbb_jax import chunks, information

pytestmark = pytest.mark.usefixtures("quick_compilation")
# The methods that prefer points of which all draws are equally uncertain to points of which nothing is left to learn.
OF_UNCERTAINTY = ("least_confident", "margin", "entropy")
all_methods = pytest.mark.parametrize("name", variants.ALL)

# No two best points are close in this pool, for any of the methods.
POOL = reference.random_probs(2, 12, 6, 3, "sharp")


def assert_same(one, other, atol=0.0):
    np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=atol)


# Keys and masking.


@all_methods
def test_a_batch_depends_on_the_key_if_and_only_if_the_method_samples(name):
    batches = [variants.pick(name, POOL, 4, seed=seed) for seed in range(5)]
    for picked in batches:
        assert picked.indices.shape == picked.scores.shape == (4,)
        assert picked.indices.dtype == np.int32
        assert picked.scores.dtype == np.float32
    different = {(*picked.indices.tolist(), *picked.scores.tolist()) for picked in batches}
    assert (len(different) > 1) == (name in variants.SAMPLING)


@all_methods
def test_rows_of_unavailable_points_are_never_looked_at(name):
    available = ~np.isin(np.arange(12), [0, 4, 5, 11])
    clean = jnp.asarray(reference.log32(POOL))
    run, key = variants.compiled(name), jax.random.key(3)
    picked = run(key, clean, available, batch_size=4)
    assert np.all(available[picked.indices])
    for rubbish in (np.nan, np.inf, 1e30, -np.inf, 0.0):
        dirty = jnp.where(jnp.asarray(available)[:, None, None], clean, rubbish)
        assert_same(run(key, dirty, available, batch_size=4), picked)


@pytest.mark.parametrize(
    "name",
    [name for name in variants.ALL if name not in (*OF_UNCERTAINTY, "random", "badge", *variants.BESIDE_OTHERS)],
)
def test_an_unavailable_point_is_as_good_as_one_that_tells_nothing(name):
    # Neither is picked while others tell something, and neither shifts the random numbers of the others.
    available = np.arange(12) % 3 != 1
    probs = POOL.copy()
    probs[~available] = 1 / 3
    for seed in range(5):
        masked, same = (
            jax.tree.map(lambda leaf: leaf[:3], variants.pick(name, pool, 4, seed=seed, available=mask))
            for pool, mask in ((POOL, available), (probs, None))
        )
        assert np.all(masked.scores > 0)
        assert_same(same, masked)


@pytest.mark.parametrize("name", ["random", *OF_UNCERTAINTY, "bald", "power_bald"])
def test_masking_leaves_the_order_of_the_others_as_it_was(name):
    # Methods whose scores do not depend on the batch.
    available = np.arange(12) % 3 != 1
    for seed in range(5):
        order = variants.pick(name, POOL, 12, seed=seed).indices
        masked = variants.pick(name, POOL, 12, seed=seed, available=available)
        np.testing.assert_array_equal(masked.indices[:8], [index for index in order if available[index]])


# Exhaustion.


@all_methods
def test_places_without_a_point_hold_minus_one(name):
    for num_available in (0, 1, 3):
        available = np.isin(np.arange(12), np.array([7, 2, 9])[:num_available])
        probs = np.where(available[:, None, None], POOL, np.nan)
        picked = variants.pick(name, probs, 4, available=available)
        assert sorted(picked.indices[:num_available]) == list(np.flatnonzero(available))
        np.testing.assert_array_equal(picked.indices[num_available:], -1)
        np.testing.assert_array_equal(picked.scores[num_available:], -np.inf)
        assert np.all(np.isfinite(picked.scores[:num_available]))


@all_methods
def test_a_batch_of_the_whole_pool_holds_every_point_once(name):
    for kind in reference.KINDS:
        picked = variants.pick(name, reference.random_probs(4, 4, 3, 3, kind), 4)
        assert sorted(picked.indices) == list(range(4)), kind
        assert np.all(np.isfinite(picked.scores)), kind


# Extreme shapes and values.


@all_methods
def test_single_points_draws_and_classes(name):
    for shape in ((1, 1, 1), (5, 1, 3), (5, 4, 1)):
        picked = variants.pick(name, reference.random_probs(5, *shape), min(3, shape[0]))
        assert len(set(picked.indices.tolist())) == len(picked.indices), shape
        assert np.all((picked.indices >= 0) & (picked.indices < shape[0])), shape
        assert np.all(np.isfinite(picked.scores)), shape
        if 1 in shape[1:] and name not in (*OF_UNCERTAINTY, *variants.WITH_EMBEDDINGS):
            np.testing.assert_array_equal(picked.scores, 0, err_msg=str(shape))


# Chunks, prefixes, jit, vmap.


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["batch_bald", "batch_bald sampled", "lbb", "lbb tree", "power_lbb", "power_lbb tree", "log_det", "epig"]
)
def test_picks_do_not_depend_on_the_chunk_size(name, monkeypatch):
    whole = variants.pick(name, POOL, 4)
    monkeypatch.setattr(chunks.rows_per_chunk, "__defaults__", (1,))
    assert chunks.rows_per_chunk(27 * 3, 12) < 12
    run = jax.jit(lambda *arrays: variants.function_of(name)(*arrays, batch_size=4))
    in_chunks = run(jax.random.key(0), reference.log32(POOL), jnp.ones(12, bool))
    assert_same(jax.tree.map(np.asarray, in_chunks), whole, atol=5e-6)


# It holds for sampled BatchBALD too: which steps are enumerated depends on num_samples alone, and the keys of the steps
# are the same for every batch size.
@all_methods
def test_the_first_picks_of_a_batch_are_the_smaller_batch(name):
    batch, first = (variants.pick(name, POOL, size, seed=1) for size in (4, 3))
    np.testing.assert_array_equal(first.indices, batch.indices[:3])
    np.testing.assert_allclose(first.scores, batch.scores[:3], rtol=0, atol=5e-6)


@pytest.mark.parametrize(
    "name",
    [
        *("bald", "power_bald", "batch_bald sampled", "lbb tree", "power_lbb", "log_det"),
        *("lbb_released power", "epig power", "core_set", "badge"),
    ],
)
def test_vmap_over_keys_pools_and_masks(name):
    run = variants.compiled(name)
    pools = np.stack([reference.log32(POOL[order]) for order in (slice(None), slice(None, None, -1))])
    masks = np.stack([np.arange(12) != 2, np.arange(12) > 3])
    keys = jax.random.split(jax.random.key(0), 2)
    together = jax.jit(jax.vmap(lambda *arrays: variants.function_of(name)(*arrays, batch_size=4)))(keys, pools, masks)
    for place in range(2):
        alone = run(keys[place], pools[place], masks[place], batch_size=4)
        assert_same(jax.tree.map(lambda leaf, place=place: leaf[place], together), alone, atol=5e-6)


@pytest.mark.parametrize("name", ["random", "power_bald", "lbb"])
def test_without_jit_the_same(name):
    arrays = jax.random.key(2), jnp.asarray(reference.log32(POOL)), jnp.ones(12, bool)
    eager = variants.function_of(name)(*arrays, batch_size=4)
    assert_same(eager, variants.compiled(name)(*arrays, batch_size=4), atol=5e-6)


def test_the_first_score_is_the_highest_bald():
    scores = information.mutual_information(reference.log32(POOL))
    for name in ("bald", "lbb", "batch_bald"):
        picked = variants.pick(name, POOL, 4)
        assert picked.indices[0] == np.argmax(scores)
        np.testing.assert_allclose(picked.scores[0], np.max(scores), rtol=0, atol=2e-6)
