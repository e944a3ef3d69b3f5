import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbb_jax import labelled_set


def test_adding_keeps_order_shape_and_what_was_there():
    labelled = labelled_set.create(jnp.array([7, 3]), capacity=5)
    labelled = labelled_set.add(labelled, jnp.array([1, 9]), jnp.int32(2))
    assert labelled.indices.shape == (5,)
    assert labelled.size == 4
    np.testing.assert_array_equal(labelled.indices[:4], [7, 3, 1, 9])


def test_only_the_first_of_a_batch_are_added():
    labelled = labelled_set.add(labelled_set.create(jnp.array([7]), capacity=3), jnp.array([4, 5, 6]), jnp.int32(2))
    np.testing.assert_array_equal(labelled_set.contains(labelled, 8), np.isin(np.arange(8), [7, 4, 5]))


def test_meaningless_slots_are_neither_contained_nor_sampled():
    labelled = labelled_set.create(jnp.array([5, 6]), capacity=10)
    assert not labelled_set.contains(labelled, 8)[0]
    drawn = labelled_set.sample(jax.random.key(0), labelled, 200)
    assert set(np.unique(drawn)) == {5, 6}


def test_too_small_a_capacity_is_an_error():
    with pytest.raises(ValueError, match="capacity=1"):
        labelled_set.create(jnp.array([5, 6]), capacity=1)


def test_a_set_without_room_is_taken():
    labelled = labelled_set.create(jnp.array([5, 2]), capacity=2)
    np.testing.assert_array_equal(labelled_set.contains(labelled, 6), np.isin(np.arange(6), [2, 5]))


def test_a_shuffled_set_begins_with_its_points():
    labelled = labelled_set.create(jnp.array([5, 6]), capacity=3)
    shuffled = jax.vmap(labelled_set.shuffle, in_axes=(0, None))(jax.random.split(jax.random.key(0), 50), labelled)
    assert set(map(tuple, np.asarray(shuffled)[:, :2].tolist())) == {(5, 6), (6, 5)}


@given(
    seed=st.integers(0, 2**31 - 1),
    counts=st.sampled_from([(10, 10, 10), (3, 20, 7), (1, 0, 29), (30, 0, 0)]),
    size=st.sampled_from([3, 7, 12, 30]),
)
def test_the_initial_set_is_as_balanced_as_the_labels_allow(seed, counts, size):
    labels = np.repeat(np.arange(3), counts)
    drawn = labelled_set.draw_balanced(jax.random.key(seed), jnp.asarray(labels, jnp.int32), num_classes=3, size=size)
    assert len(set(np.asarray(drawn).tolist())) == size
    drawn_counts = np.bincount(labels[drawn], minlength=3)
    # A class has one less than another only by the last turn, or because it has no more points.
    for count, of_class in zip(drawn_counts, counts, strict=True):
        assert count >= min(of_class, drawn_counts.max() - 1)


def test_different_keys_draw_different_points_of_each_class():
    labels = jnp.asarray(np.repeat(np.arange(5), 100), jnp.int32)
    first, second = (
        labelled_set.draw_balanced(jax.random.key(seed), labels, num_classes=5, size=10) for seed in (0, 1)
    )
    assert not np.array_equal(first, second)


def test_every_point_of_a_class_is_equally_likely():
    labels = jnp.asarray(np.repeat(np.arange(2), 4), jnp.int32)
    draw = jax.jit(
        jax.vmap(lambda key: labelled_set.draw_balanced(key, labels, num_classes=2, size=3)),
    )
    drawn = draw(jax.random.split(jax.random.key(0), 4000))
    frequency = np.bincount(np.asarray(drawn).ravel(), minlength=8) / 4000
    # Each point is drawn with probability 3/8; 4.5 standard errors: a false alarm in 18,000 over the 8, fixed key.
    np.testing.assert_allclose(frequency, 3 / 8, atol=4.5 * np.sqrt(3 / 8 * 5 / 8 / 4000))
