"""The dense form picks what the lazy form picks, in steps that no loop inside them waits for."""

import functools

import dense
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from slow_parts import slow_but

from lbb_jax import acquisition
from lbb_jax.acquisition import dense_greedy, exponential_race
from lbb_jax.acquisition.large_batch_bald import pick_lbb, pick_power_lbb
from lbb_jax.acquisition.log_det import pick_log_det

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUM_POINTS, BATCH_SIZE = 60, 12
# Some more picks than there are points: what follows the last point is no pick.
AVAILABLE = np.arange(NUM_POINTS) % 6 == 3


def power_lbb(log_probs, available, **options):
    variates = exponential_race.variates(jax.random.key(0), jnp.arange(len(log_probs)), log_probs.dtype)
    return pick_power_lbb(variates, log_probs, available, alpha=2.0, **options)


METHODS = {
    "lbb": (pick_lbb, {}),
    "lbb printed": (pick_lbb, {"pair_weight": 2.0}),
    "lbb tree": (pick_lbb, {"redundancy": "tree"}),
    "lbb tree chi2": (pick_lbb, {"pairs": "chi2", "redundancy": "tree"}),
    "power_lbb": (power_lbb, {}),
    "power_lbb tree": (power_lbb, {"redundancy": "tree"}),
    "power_lbb chi2": (power_lbb, {"pairs": "chi2"}),
    "log_det": (pick_log_det, {}),
}


def pools(shape) -> dict[str, np.ndarray]:
    def of_kind(kind, seed=0, num_points=NUM_POINTS):
        return reference.log32(reference.random_probs(seed, num_points, *shape, kind))

    return {
        **{kind: of_kind(kind, seed) for seed, kind in enumerate(reference.KINDS)},
        "all equal": of_kind("sharp", num_points=1).repeat(NUM_POINTS, axis=0),
        "copies": np.tile(of_kind("sharp", num_points=NUM_POINTS // 4), (4, 1, 1)),
    }


def first(num_picks, picked):
    return acquisition.Acquisition(picked.indices[:num_picks], picked.scores[:num_picks])


def program(name, form):
    function, options = METHODS[name]
    return functools.partial(function, batch_size=BATCH_SIZE, form=form, **options)


# More draws than are added up one by one; more draws than classes make features worth.
@pytest.mark.parametrize("shape", slow_but([(5, 4), (20, 3)], (5, 4)), ids=str)
@pytest.mark.parametrize("name", slow_but(METHODS, "lbb tree"))
def test_both_forms_pick_the_same(name, shape):
    forms = [jax.jit(program(name, form)) for form in ("lazy", "dense")]
    for available, num_picks in ((np.ones(NUM_POINTS, bool), BATCH_SIZE), (AVAILABLE, 10)):
        for log_probs in pools(shape).values():
            picks = [jax.tree.map(np.asarray, run(log_probs, available).acquisition) for run in forms]
            dense.assert_same_picks(*(first(num_picks, picked) for picked in picks), log_probs)
            np.testing.assert_array_equal(picks[1].indices[num_picks:], -1)
            np.testing.assert_array_equal(picks[1].scores[num_picks:], -np.inf)


@pytest.mark.parametrize("name", ["lbb tree", "power_lbb", "log_det"])
def test_no_loop_of_unknown_length_is_in_the_dense_form(name):
    arguments = jnp.zeros((NUM_POINTS, 5, 4)), jnp.ones(NUM_POINTS, bool)
    lazy, full = (str(jax.make_jaxpr(program(name, form))(*arguments)) for form in ("lazy", "dense"))
    assert "while[" in lazy
    assert "while[" not in full


def test_chunks_of_a_pool_change_nothing(monkeypatch):
    log_probs = pools((5, 4))["sharp"]

    def squares_with(log_probs):
        return dense_greedy.weighted_pairs_with(log_probs, jnp.int32(7), jnp.square)

    whole = jax.jit(squares_with)(log_probs)
    monkeypatch.setattr(dense_greedy, "_LARGEST_CHUNK", 7 * 16)
    parts = jax.jit(lambda pool: squares_with(pool))(log_probs)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)


def test_accelerators_take_the_dense_form_unless_a_step_is_long(monkeypatch):
    assert not dense_greedy.is_chosen("auto", 10)
    assert dense_greedy.is_chosen("dense", 2**40)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    # The paper's pool; and fifty thousand points with a thousand classes.
    assert dense_greedy.is_chosen("auto", 49_980 * 10**2)
    assert not dense_greedy.is_chosen("auto", 50_000 * 1_000**2)
    assert not dense_greedy.is_chosen("lazy", 10)
    with jax.default_device(jax.devices("cpu")[0]):
        assert not dense_greedy.is_chosen("auto", 10)
    with pytest.raises(ValueError, match="form='quick': must be one of 'auto', 'lazy', 'dense'"):
        dense_greedy.is_chosen("quick", 10)


def test_sums_of_pairs_without_bounds_take_the_dense_form_on_small_pools_of_a_cpu():
    assert dense_greedy.is_chosen("auto", 20_000 * 10**2, saves_little=True)
    assert not dense_greedy.is_chosen("auto", 50_000 * 10**2, saves_little=True)

    def num_pairs(num_draws, **options):
        log_probs = jnp.asarray(reference.log32(reference.random_probs(0, NUM_POINTS, num_draws, 3, "sharp")))
        return pick_lbb(log_probs, jnp.ones(NUM_POINTS, bool), batch_size=BATCH_SIZE, **options).num_evaluations

    # Six draws of three classes have more second moments than probabilities, five do not.
    assert num_pairs(6) == (BATCH_SIZE - 1) * NUM_POINTS
    assert num_pairs(6, redundancy="tree") < num_pairs(6)
    assert num_pairs(5) < num_pairs(6)
