import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_problem

from lbb_jax import loop, seeds, sharding

pytestmark = pytest.mark.usefixtures("training_settings")
NUM_SEEDS = 4


@functools.cache
def parts(posterior_name="deep_ensemble"):
    settings = small_problem.settings("power_bald", posterior_name)
    init = jax.jit(lambda numbers, data: seeds.init(numbers, data, settings))
    return settings, init(np.arange(NUM_SEEDS), small_problem.data()), small_problem.data()


def compiled(posterior_name="deep_ensemble", **options):
    settings, _, _ = parts(posterior_name)
    return jax.jit(functools.partial(seeds.run_rounds, settings=settings, **options))


@functools.cache
def in_blocks():
    """The ensemble's four rounds, and two of nothing after them: three and three rounds, one seed after another."""
    _, states, data = parts()
    block = compiled(num_rounds=3, at_once=1)
    states, first = block(states, data)
    states, second = block(states, data)
    return states, jax.tree.map(lambda *blocks: jnp.concatenate(blocks, axis=1), first, second)


@functools.cache
def side_by_side():
    _, states, data = parts()
    return compiled(num_rounds=4, at_once=NUM_SEEDS)(states, data)


@functools.cache
def alone(posterior_name="deep_ensemble"):
    """Each seed's whole run by itself, stacked."""
    _, run = small_problem.whole_run(method="power_bald", posterior_name=posterior_name)
    runs = [run(jax.random.key(seed), small_problem.data()) for seed in range(NUM_SEEDS)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *runs)


def labels(rounds):
    return np.asarray(rounds.batch.picked.indices)


def assert_same_rounds(rounds, expected):
    np.testing.assert_array_equal(labels(rounds), labels(expected))
    np.testing.assert_array_equal(rounds.metrics.nll, expected.metrics.nll)


@pytest.mark.slow
def test_one_seed_after_another_equals_each_alone():
    _, states, data = parts("mc_dropout")
    _, rounds = compiled("mc_dropout", num_rounds=4, at_once=1)(states, data)
    assert_same_rounds(rounds, alone("mc_dropout")[1])


@pytest.mark.slow
def test_rounds_in_blocks_equal_each_seed_alone():
    settings, _, _ = parts()
    states, rounds = in_blocks()
    assert_same_rounds(jax.tree.map(lambda leaf: leaf[:, : settings.num_rounds], rounds), alone()[1])
    # Past the end of the run nothing moves.
    np.testing.assert_array_equal(states.round, np.full(NUM_SEEDS, settings.num_rounds))
    np.testing.assert_array_equal(rounds.labels[:, settings.num_rounds :], 0)


@pytest.mark.slow
def test_seeds_side_by_side_agree_with_one_after_another():
    _, rounds = side_by_side()
    _, expected = in_blocks()
    # Rounding differs, and training amplifies it from round to round: the first one tells.
    np.testing.assert_array_equal(labels(rounds)[:, 0], labels(expected)[:, 0])
    np.testing.assert_allclose(rounds.metrics.nll[:, 0], expected.metrics.nll[:, 0], rtol=1e-4)


@pytest.mark.slow
def test_vmap_over_whole_runs_agrees_too():
    settings, _, data = parts()
    run = jax.jit(jax.vmap(lambda key, data: loop.run(key, data, settings), in_axes=(0, None)))
    _, rounds = run(jax.vmap(jax.random.key)(jnp.arange(NUM_SEEDS)), data)
    _, expected = side_by_side()
    np.testing.assert_array_equal(labels(rounds)[:, 0], labels(expected)[:, 0])
    np.testing.assert_array_equal(rounds.labels, expected.labels)


@pytest.mark.parametrize("method", ["core_set", "badge"])
def test_embeddings_reach_the_methods_that_need_them_stage_by_stage_and_as_one_program(method):
    # Shapes show that the parts fit together, and need no compilation.
    settings, (_, states, data) = small_problem.settings(method, "mc_dropout"), parts("mc_dropout")

    def by_stages(states, data):
        def of_seeds(stage, of_seeds=None):
            return seeds.for_each(stage, at_once=1)(states, of_seeds, data)

        params, _ = of_seeds(lambda state, _, data: loop.train(state, data, settings))
        predictions = of_seeds(lambda state, params, data: loop.predict(state, params, data, settings), params)
        assert predictions.embeddings.shape == (NUM_SEEDS, 120, 16)
        return of_seeds(lambda state, predictions, _: loop.acquire(state, predictions, settings), predictions)

    next_states, batch = jax.eval_shape(by_stages, states, data)
    as_one = functools.partial(seeds.run_rounds, settings=settings, num_rounds=1, at_once=1)
    expected_states, rounds = jax.eval_shape(as_one, states, data)
    assert next_states == expected_states
    assert batch.picked.indices.shape == (NUM_SEEDS, 4)
    assert rounds.batch.picked.indices.shape == (NUM_SEEDS, 1, 4)


@pytest.mark.parametrize(("num_seeds", "size"), [(1, 1), (2, 2), (3, 1), (4, 2)])
def test_a_mesh_of_seeds_has_as_many_devices_as_share_them_evenly(num_seeds, size):
    assert sharding.seed_mesh(num_seeds).size == size
