import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_problem
from slow_parts import slow_but, slow_rows_but

from lbb_jax import examples, labelled_set, networks, training
from lbb_jax.networks import Network, Variables
from lbb_jax.training.epochs import count_correct

pytestmark = pytest.mark.usefixtures("training_settings")

NUM_POINTS, CAPACITY = 40, 16
LABELLED = np.random.default_rng(0).permutation(NUM_POINTS)[:CAPACITY]


def points(n=NUM_POINTS, label=0):
    """Points whose only feature is their number, all of one class."""
    return examples.create(np.arange(n, dtype=np.float32)[:, None], np.full(n, label), mean=0.0, std=1.0)


def data(validation=None):
    return examples.Data(points(), points(), validation)


def labelled_points(size):
    return labelled_set.create(jnp.asarray(LABELLED[:size]), capacity=CAPACITY)


def recorder():
    """A network of one number ``w`` with the logits ``(0, w)``; its statistics are what it has been trained on.

    They are the number of steps and the points of each, ``[100, batch size]``.
    """

    def training_logits(key, variables, inputs):
        count, visited = variables.statistics
        both = jnp.stack([jnp.float32(0), variables.params])
        return jnp.tile(both, (len(inputs), 1)), (count + 1, visited.at[count].set(inputs[:, 0]))

    return Network(None, None, training_logits, None, None, None)


def start(batch_size, w=0.5):
    return Variables(jnp.float32(w), (jnp.int32(0), jnp.full((100, batch_size), -1.0)))


def compiled(**options):
    """Training of the recorder, as a function of the key, the variables and the labelled set."""
    trainer = small_problem.training_by_epochs(**options)
    return jax.jit(lambda key, variables, labelled: trainer.fit(key, recorder(), variables, data(), labelled))


def fit(size, **options):
    return compiled(**options)(jax.random.key(0), start(options["smallest_batch_size"]), labelled_points(size))


@pytest.mark.parametrize(
    ("size", "batch_size"),
    slow_rows_but([(10, 4), (3, 8), (16, 16), (10, 5), (1, 1)], (10, 4)),
)
def test_every_epoch_visits_each_labelled_point_once_and_fills_up_with_its_first(size, batch_size):
    variables, losses = fit(size, num_epochs=4, smallest_batch_size=batch_size)
    count, visited = variables.statistics
    steps = -(-size // batch_size)
    assert losses.shape == (4,)
    assert count == 4 * steps
    visited = np.asarray(visited[: 4 * steps]).reshape(4, steps * batch_size).astype(int)
    for epoch in visited:
        assert sorted(epoch[:size]) == sorted(LABELLED[:size])
        np.testing.assert_array_equal(epoch, np.resize(epoch[:size], steps * batch_size))
    if size > 3:
        assert len({tuple(epoch) for epoch in visited}) == 4


def test_a_shuffle_is_equally_likely_to_begin_with_any_point():
    keys = jax.random.split(jax.random.key(0), 3000)
    first = jax.jit(jax.vmap(lambda key: labelled_set.shuffle(key, labelled_points(5))[0]))(keys)
    points, counts = np.unique(first, return_counts=True)
    assert sorted(points) == sorted(LABELLED[:5])
    # Four standard errors of a binomial count.
    np.testing.assert_allclose(counts, 600, atol=4 * np.sqrt(3000 * 0.2 * 0.8))


def test_steps_are_those_of_gradient_descent_with_momentum_decay_and_schedule():
    options = {"num_epochs": 6, "learning_rate": 0.8, "momentum": 0.5, "weight_decay": 0.2, "decay_epochs": (2, 4)}
    variables, losses = fit(7, **options, smallest_batch_size=4)
    w, velocity, expected = 0.5, 0.0, []
    for rate in (0.8, 0.8, 0.08, 0.08, 0.008, 0.008):
        of_steps = []
        for _ in range(2):
            # The cross-entropy of class 0, and its gradient.
            of_steps.append(np.log1p(np.exp(w)))
            velocity = 0.5 * velocity + 1 / (1 + np.exp(-w)) + 0.2 * w
            w -= rate * velocity
        expected.append(np.mean(of_steps))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    np.testing.assert_allclose(variables.params, w, rtol=1e-5)


def rising_and_falling():
    """A network whose params ``[epochs]`` are how many validation points it classifies correctly after each epoch."""

    def training_logits(key, variables, inputs):
        return jnp.zeros((len(inputs), 2)) + 0 * variables.params[0], variables.statistics + 1

    def logits(variables, inputs):
        correct = inputs[:, 0] < variables.params[variables.statistics - 1]
        return jnp.stack([jnp.zeros(len(inputs)), jnp.where(correct, 1.0, -1.0)], axis=1)

    return Network(None, logits, training_logits, None, None, None)


def test_the_first_of_the_best_epochs_is_kept_for_each_member():
    trainer = small_problem.training_by_epochs(num_epochs=4, smallest_batch_size=8, weight_decay=0.0)
    numbers = jnp.array([[2.0, 5.0, 5.0, 3.0], [1.0, 1.0, 2.0, 6.0], [0.0, 0.0, 0.0, 0.0]])
    variables = Variables(numbers, jnp.zeros(3, jnp.int32))

    def kept(validation):
        def fit(key, variables):
            return trainer.fit(key, rising_and_falling(), variables, data(validation), labelled_points(8))[0]

        return jax.jit(jax.vmap(fit))(jax.random.split(jax.random.key(0), 3), variables).statistics

    np.testing.assert_array_equal(kept(points(6, label=1)), [2, 4, 1])
    np.testing.assert_array_equal(kept(None), [4, 4, 4])


def test_members_are_validated_one_after_the_other():
    # Side by side, their kernels would be the groups of one slow convolution.
    network = networks.functional(networks.ConvolutionalClassifier(4))
    images = examples.create(np.zeros((3, 28, 28, 1)), np.zeros(3), mean=0.0, std=1.0)
    keys = jax.random.split(jax.random.key(0), 2)
    variables = jax.eval_shape(jax.vmap(network.init, in_axes=(0, None)), keys, examples.inputs(images, jnp.arange(1)))
    count = jax.vmap(lambda variables: count_correct(network, variables, images))
    program = str(jax.make_jaxpr(count)(variables))
    assert "feature_group_count=1" in program
    assert "feature_group_count=2" not in program


def fit_digits(**options):
    """Training of a network with batch normalisation, as a function of the key and the labelled set."""
    network, trainer = small_problem.normalised_network(), small_problem.training_by_epochs(**options)
    digits = small_problem.data(num_validation=50)

    def fit(key, labelled):
        variables = network.init(jax.random.key(1), examples.inputs(digits.pool, jnp.arange(1)))
        return trainer.fit(key, network, variables, digits, labelled)

    return fit


@pytest.mark.slow
def test_training_fits_the_labelled_points():
    labelled = labelled_set.create(jnp.arange(40), capacity=60)
    variables, losses = jax.jit(fit_digits(num_epochs=20, decay_epochs=(15,)))(jax.random.key(0), labelled)
    assert losses[-1] < 0.2 * losses[0]
    pool = small_problem.data().pool
    logits = small_problem.normalised_network().logits(variables, examples.inputs(pool, jnp.arange(40)))
    assert np.mean(np.argmax(logits, -1) == examples.labels(pool, jnp.arange(40))) > 0.9


def test_slots_past_the_size_never_enter_and_other_sizes_compile_nothing(compilations):
    train, key, variables = compiled(smallest_batch_size=4), jax.random.key(0), start(4)
    labelled, more = labelled_points(9), labelled_points(16)
    rubbish = labelled._replace(indices=labelled.indices.at[9:].set(7))
    assert 7 not in LABELLED[:9]
    clean = jax.block_until_ready(train(key, variables, labelled))
    before = len(compilations)
    assert before > 0
    chex.assert_trees_all_equal(train(key, variables, rubbish), clean)
    (_, (num_steps, _)), _ = jax.block_until_ready(train(key, variables, more))
    assert (clean[0].statistics[0], num_steps) == (3 * 3, 3 * 4)
    assert len(compilations) == before


def test_members_side_by_side_take_their_steps_together():
    # A number of steps that differed between members would have to be asked of each before every step.
    fit = jax.vmap(fit_digits(), in_axes=(0, None))
    program = str(jax.make_jaxpr(fit)(jax.random.split(jax.random.key(0), 2), labelled_points(9)))
    assert "while" in program
    assert "reduce_or" not in program


@pytest.mark.parametrize("augment", slow_but([False, True], True))
def test_inputs_are_augmented_in_training_only(augment):
    # One pixel is 1: it stays where it is in one of 162 crops and mirror images.
    pixels = np.zeros((40, 8, 8, 1))
    pixels[:, 0, 0] = 1
    images = examples.create(pixels, np.arange(40) >= 30, mean=0.0, std=1.0)

    def is_unchanged(inputs):
        return inputs[:, 0, 0, 0] == 1

    def training_logits(key, variables, inputs):
        logits = jnp.zeros((len(inputs), 3)) + 0 * variables.params
        epoch, num_unchanged = variables.statistics
        return logits, (epoch + 1, num_unchanged + jnp.sum(is_unchanged(inputs)))

    def logits(variables, inputs):
        # Right for 30 images after the first epoch if they are as they were, for 10 after the second in any case.
        after_first = jnp.where(is_unchanged(inputs), 0, 2)
        return jax.nn.one_hot(jnp.where(variables.statistics[0] == 1, after_first, 1), 3)

    trainer = small_problem.training_by_epochs(num_epochs=2, smallest_batch_size=40, augment=augment)
    network = Network(None, logits, training_logits, None, None, None)
    start = Variables(jnp.float32(0), (jnp.int32(0), jnp.int32(0)))
    labelled = labelled_set.create(np.arange(40), capacity=40)
    train = jax.jit(lambda data: trainer.fit(jax.random.key(0), network, start, data, labelled))
    kept, _ = train(examples.Data(images, images, images))
    epoch, num_unchanged = kept.statistics
    assert epoch == 1
    assert num_unchanged < 5 if augment else num_unchanged == 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_epochs": 0}, "num_epochs=0: must be at least 1"),
        ({"smallest_batch_size": 0}, "smallest_batch_size=0: must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: must be above 0"),
        ({"momentum": 1.0}, "momentum=1.0: must be at least 0 and below 1"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0: must be at least 0"),
        ({"decay_epochs": (40, 25)}, r"decay_epochs=\(40, 25\): must be at least 1 and rising"),
        ({"decay_epochs": (0,)}, r"decay_epochs=\(0,\): must be at least 1 and rising"),
    ],
)
def test_arguments_out_of_range_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        small_problem.training_by_epochs(**options)


def test_only_images_can_be_augmented():
    trainer = training.epochs(
        **{"num_epochs": 1, "learning_rate": 0.1, "momentum": 0.0, "weight_decay": 0.0},
        **{"decay_epochs": (), "smallest_batch_size": 4, "augment": True},
    )
    with pytest.raises(ValueError, match="must be images"):
        trainer.fit(jax.random.key(0), recorder(), start(4), data(), labelled_points(4))
