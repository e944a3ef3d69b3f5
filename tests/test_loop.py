import jax
import numpy as np
import pytest
import reference
import small_problem
from slow_parts import slow_but

from lbb_jax import acquisition, loop

pytestmark = pytest.mark.usefixtures("training_settings")


def run(seed=0, num_pool=120, **options):
    settings, whole_run = small_problem.whole_run(**options)
    return settings, *whole_run(jax.random.key(seed), small_problem.data(num_pool))


def acquisition_of(settings, num_pool=120):
    """The first state, and the compiled ``(state, inputs of the method) -> (state, batch)``."""
    state = jax.jit(lambda key, data: loop.init(key, data, settings))(jax.random.key(0), small_problem.data(num_pool))
    return state, jax.jit(lambda state, inputs: loop.acquire(state, inputs, settings))


def test_labels_grow_by_the_batch_and_end_at_the_final_size():
    settings, state, rounds = run(method="power_bald", posterior_name="deep_ensemble")
    assert (settings.initial_size, settings.batch_size, settings.final_size) == (10, 4, 20)
    np.testing.assert_array_equal(rounds.labels, [10, 14, 18, 20])
    np.testing.assert_array_equal(rounds.batch.num_labelled, [4, 4, 2, 0])
    assert state.labelled.size == 20
    assert settings.num_rounds == 4


@pytest.mark.parametrize("method", slow_but(acquisition.METHODS, "badge"))
def test_no_method_labels_a_point_twice(method):
    options = {"num_samples": 20} if method == "batch_bald" else {}
    settings = small_problem.settings(method, **options)
    log_probs = reference.log32(reference.random_probs(0, 120, 3, 10))
    embeddings = np.random.default_rng(1).normal(size=(120, 4)).astype(np.float32)
    state, acquire = acquisition_of(settings)
    for _ in range(3):
        state, _ = acquire(state, loop.MethodInputs(log_probs, embeddings if settings.uses_embeddings else None))
    assert len(set(np.asarray(state.labelled.indices).tolist())) == 20


def test_the_whole_pool_can_be_labelled_and_rounds_past_its_end_label_nothing():
    settings = small_problem.settings("power_bald", initial_size=10, batch_size=8, final_size=40)
    log_probs = reference.log32(reference.random_probs(0, 21, 2, 10))
    state, acquire = acquisition_of(settings, 21)
    labelled, acquired = [], []
    for _ in range(3):
        state, batch = acquire(state, loop.MethodInputs(log_probs))
        acquired.append(int(batch.num_labelled))
        labelled.append(int(state.labelled.size))
    assert (acquired, labelled) == ([8, 3, 0], [18, 21, 21])
    assert sorted(np.asarray(state.labelled.indices[:21]).tolist()) == list(range(21))


def test_what_is_labelled_at_first_can_be_all():
    assert [loop.num_rounds(5, 3, final_size) for final_size in (5, 6, 8, 9)] == [1, 2, 2, 3]
    with pytest.raises(ValueError, match="final_size"):
        loop.num_rounds(5, 3, 4)


@pytest.mark.parametrize("name", ["initial_size", "batch_size"])
def test_a_pool_may_have_as_many_points_as_a_setting_asks_for_and_no_fewer(name):
    settings = small_problem.settings("random", **{"initial_size": 10, "batch_size": 4, "final_size": 40, name: 21})
    assert loop.init(jax.random.key(0), small_problem.data(21), settings).labelled.size == settings.initial_size
    with pytest.raises(ValueError, match=f"settings.{name}=21: the pool has only 20 points"):
        loop.init(jax.random.key(0), small_problem.data(20), settings)


@pytest.mark.slow
@pytest.mark.parametrize("posterior_name", ["deep_ensemble", "mc_dropout"])
def test_step_by_step_equals_the_whole_run_and_the_second_step_compiles_nothing(posterior_name, compilations):
    settings, last, rounds = run(method="power_bald", posterior_name=posterior_name)
    data = small_problem.data()
    step = jax.jit(lambda state, data: loop.step(state, data, settings))
    state = loop.init(jax.random.key(0), data, settings)
    outcomes, counts = [], []
    for _ in range(settings.num_rounds):
        state, outcome = jax.block_until_ready(step(state, data))
        outcomes.append(outcome)
        counts.append(len(compilations))
    assert counts == [counts[0]] * settings.num_rounds
    for number, outcome in enumerate(outcomes):
        np.testing.assert_array_equal(outcome.batch.picked.indices, rounds.batch.picked.indices[number])
    np.testing.assert_array_equal(state.labelled.indices, last.labelled.indices)


@pytest.mark.slow
def test_the_second_round_of_training_by_epochs_compiles_nothing(compilations):
    settings = small_problem.settings("lbb", training_name="epochs")
    data = small_problem.data(num_validation=50)
    step = jax.jit(lambda state, data: loop.step(state, data, settings))
    state, _ = step(loop.init(jax.random.key(0), data, settings), data)
    before = len(compilations)
    assert before > 0
    for _ in range(3):
        state, _ = step(state, data)
    jax.block_until_ready(state)
    assert len(compilations) == before


def test_the_same_key_gives_the_same_bits_and_another_key_does_not():
    (_, first, _), (_, again, _), (_, other, _) = (
        run(seed, method="power_bald", posterior_name="deep_ensemble") for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.labelled.indices, again.labelled.indices)
    assert not np.array_equal(first.labelled.indices, other.labelled.indices)


def test_labelled_points_are_not_offered_again():
    state, acquire = acquisition_of(small_problem.settings("bald"))
    uninformative = np.full((120, 2, 10), -np.log(10), np.float32)
    next_state, batch = acquire(state, loop.MethodInputs(uninformative))
    # Nothing is known of any point: the first four that are not labelled, in order.
    expected = np.setdiff1d(np.arange(120), np.asarray(state.labelled.indices)[:10])[:4]
    np.testing.assert_array_equal(batch.picked.indices, expected)
    assert (next_state.round, batch.num_faults) == (1, 0)
    # NaN predictions are counted.
    uninformative[3, 1, 2] = np.nan
    assert acquire(state, loop.MethodInputs(uninformative))[1].num_faults == 1


def test_random_acquisition_does_not_predict_the_pool():
    settings = small_problem.settings("random")
    state, _ = acquisition_of(settings)
    predictions = jax.eval_shape(lambda data: loop.predict(state, None, data, settings), small_problem.data())
    assert predictions.log_probs.shape == (120, 1, 10)
    assert predictions.embeddings is None


@pytest.mark.parametrize(("method", "draws"), [("core_set", 1), ("badge", 4)])
def test_the_pool_is_embedded_for_the_methods_that_need_it(method, draws):
    settings, data = small_problem.settings(method, "mc_dropout"), small_problem.data()
    # Shapes need no compilation.
    state = jax.eval_shape(lambda: loop.init(jax.random.key(0), data, settings))
    params, _ = jax.eval_shape(lambda state: loop.train(state, data, settings), state)
    predictions = jax.eval_shape(lambda state, params: loop.predict(state, params, data, settings), state, params)
    assert predictions.log_probs.shape == (120, draws, 10)
    assert predictions.embeddings.shape == (120, 16)


def test_nan_embeddings_are_counted():
    state, acquire = acquisition_of(small_problem.settings("core_set"))
    embeddings = np.ones((120, 2), np.float32)
    embeddings[5] = np.nan
    _, batch = acquire(state, loop.MethodInputs(np.zeros((120, 1, 10), np.float32), embeddings))
    assert batch.num_faults == 2
