"""What all methods promise, whatever they maximise: masking, exhaustion, chunks, prefixes, jit, vmap and keys."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import variants
from slow_parts import slow_but

from lbb_jax import acquisition, batching

pytestmark = pytest.mark.usefixtures("quick_compilation")
# The methods that prefer points of which all draws are equally uncertain to points of which nothing is left to learn.
OF_UNCERTAINTY = ("least_confident", "margin", "margin softmax", "entropy")
# No two best points are close in this pool, for any of the methods.
POOL = reference.random_probs(2, 12, 6, 3, "sharp")
LOG_PROBS = jnp.asarray(reference.log32(POOL))
AVAILABLE = ~np.isin(np.arange(12), [0, 4, 5, 11])


def assert_same(one, other, atol=0.0):
    np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=atol)


# One program for each method makes all picks of the next two tests but the smaller batches.


@pytest.mark.parametrize(
    "name",
    slow_but(variants.ALL, "random", "bald", "batch_bald sampled", "lbb", "power_lbb tree", "badge"),
)
def test_keys_masks_and_exhaustion(name, compilations):
    batches = [variants.pick(name, POOL, 4, seed=seed) for seed in range(5)]
    assert all(leaf.shape == (4,) for leaf in batches[0])
    assert (batches[0].indices.dtype, batches[0].scores.dtype) == (np.int32, np.float32)
    different = {(*picked.indices.tolist(), *picked.scores.tolist()) for picked in batches}
    assert (len(different) > 1) == (name in variants.SAMPLING)

    # The front door runs the same program, and its second call compiles nothing.
    def acquire(seed, log_probs, available=None):
        method, options = variants.VARIANTS[name][0], variants.options_of(name, 12)
        key = jax.random.key(seed)
        return acquisition.acquire(key, log_probs, method=method, batch_size=4, available=available, **options)

    assert_same(acquire(1, LOG_PROBS), batches[1])
    compilations.clear()
    picked = acquire(3, np.array(LOG_PROBS), AVAILABLE)
    assert compilations == []
    assert np.all(AVAILABLE[picked.indices])
    # Rows of points that are not available are never looked at, or left out if they are no predictions.
    if name in variants.OF_LABELLED:
        picked = acquire(3, np.where(AVAILABLE[:, None, None], LOG_PROBS, np.float32(np.nan)), AVAILABLE)
    for rubbish in (np.nan, np.inf, 1e30, -np.inf, 0.0):
        dirty = np.where(AVAILABLE[:, None, None], LOG_PROBS, np.float32(rubbish))
        assert_same(acquire(3, dirty, AVAILABLE), picked)
    # Places without a point hold -1.
    for num_available in (0, 1, 3):
        few = np.isin(np.arange(12), np.array([7, 2, 9])[:num_available])
        picked = variants.pick(name, np.where(few[:, None, None], POOL, np.nan), 4, available=few)
        assert sorted(picked.indices[:num_available]) == list(np.flatnonzero(few))
        np.testing.assert_array_equal(picked.indices[num_available:], -1)
        np.testing.assert_array_equal(picked.scores[num_available:], -np.inf)
        assert np.all(np.isfinite(picked.scores[:num_available]))


# It holds for sampled BatchBALD too: which steps are enumerated depends on num_samples alone, and the keys of the steps
# are the same for every batch size.
@pytest.mark.parametrize("name", slow_but(variants.ALL, "bald"))
def test_the_first_picks_of_a_batch_are_the_smaller_batch_and_extreme_shapes_are_taken(name):
    batch, first = (variants.pick(name, POOL, size, seed=1) for size in (4, 3))
    if name not in variants.OF_WHOLE_BATCHES:
        np.testing.assert_array_equal(first.indices, batch.indices[:3])
        np.testing.assert_allclose(first.scores, batch.scores[:3], rtol=0, atol=5e-6)
    for kind in reference.KINDS:
        # A batch of the whole pool holds every point once.
        picked = variants.pick(name, reference.random_probs(4, 4, 3, 3, kind), 4)
        assert sorted(picked.indices) == list(range(4)), kind
        assert np.all(np.isfinite(picked.scores)), kind
    for shape in ((1, 1, 1), (5, 1, 3), (5, 4, 1)):
        picked = variants.pick(name, reference.random_probs(5, *shape), min(3, shape[0]))
        assert len(set(picked.indices.tolist())) == len(picked.indices), shape
        assert np.all((picked.indices >= 0) & (picked.indices < shape[0])), shape
        assert np.all(np.isfinite(picked.scores)), shape
        if 1 in shape[1:] and name not in (*OF_UNCERTAINTY, *variants.WITH_EMBEDDINGS):
            np.testing.assert_array_equal(picked.scores, 0, err_msg=str(shape))


@pytest.mark.parametrize(
    "name",
    slow_but(
        [
            *("bald", "power_bald", "batch_bald", "batch_bald sampled", "lbb", "lbb tree", "power_lbb"),
            *("power_lbb tree", "log_det"),
        ],
        *("bald", "batch_bald sampled", "lbb", "power_lbb tree"),
    ),
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


@pytest.mark.parametrize("name", slow_but(["random", *OF_UNCERTAINTY, "bald", "power_bald"], "random", "power_bald"))
def test_masking_leaves_the_order_of_the_others_as_it_was(name):
    # Methods whose scores do not depend on the batch.
    available = np.arange(12) % 3 != 1
    for seed in range(5):
        order = variants.pick(name, POOL, 12, seed=seed).indices
        masked = variants.pick(name, POOL, 12, seed=seed, available=available)
        np.testing.assert_array_equal(masked.indices[:8], [index for index in order if available[index]])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["batch_bald", "batch_bald sampled", "lbb", "lbb tree", "power_lbb", "power_lbb tree", "log_det", "epig"]
)
def test_picks_do_not_depend_on_the_chunk_size(name, monkeypatch):
    whole = variants.pick(name, POOL, 4)
    monkeypatch.setattr(inspect.unwrap(batching.rows_per_chunk), "__defaults__", (1,))
    assert batching.rows_per_chunk(27 * 3, 12) < 12
    run = jax.jit(lambda *arrays: variants.function_of(name)(*arrays, batch_size=4))
    in_chunks = run(jax.random.key(0), LOG_PROBS, jnp.ones(12, bool))
    assert_same(jax.tree.map(np.asarray, in_chunks), whole, atol=5e-6)


@pytest.mark.parametrize(
    "name",
    slow_but(
        ["bald softrank", "batch_bald sampled", "lbb tree", "power_lbb", "log_det", "epig power", "core_set", "badge"],
        "lbb tree",
    ),
)
def test_vmap_over_keys_pools_and_masks(name):
    run = variants.compiled(name)
    pools = np.stack([LOG_PROBS, LOG_PROBS[::-1]])
    masks = np.stack([np.arange(12) != 2, np.arange(12) > 3])
    keys = jax.random.split(jax.random.key(0), 2)
    together = jax.jit(jax.vmap(lambda *arrays: variants.function_of(name)(*arrays, batch_size=4)))(keys, pools, masks)
    for place in range(2):
        alone = run(keys[place], pools[place], masks[place], batch_size=4)
        assert_same(jax.tree.map(lambda leaf, place=place: leaf[place], together), alone, atol=5e-6)


@pytest.mark.parametrize("name", slow_but(["margin softmax", "power_bald", "lbb"], "power_bald"))
def test_without_jit_the_same(name):
    arrays = jax.random.key(2), LOG_PROBS, jnp.ones(12, bool)
    eager = variants.function_of(name)(*arrays, batch_size=4)
    assert_same(eager, variants.compiled(name)(*arrays, batch_size=4), atol=5e-6)
