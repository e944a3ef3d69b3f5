"""The last-layer Laplace posterior: exact where that is known, and one function a draw."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_problem
from scipy import optimize, special, stats

from lbb_jax import examples, information, labelled_set, networks, posteriors
from lbb_jax.posteriors import gauss_newton

pytestmark = pytest.mark.usefixtures("training_settings")

NUM_POINTS, NUM_FEATURES, NUM_OUTPUTS = 30, 4, 3


full = jax.jit(gauss_newton.full)
kronecker = jax.jit(gauss_newton.kronecker)
softmax_hessians = jax.jit(gauss_newton.softmax_hessians)
log_evidence = jax.jit(gauss_newton.log_evidence)
rotate = jax.jit(gauss_newton.rotate)


def curvatures(features, hessians):
    return full(features, hessians), kronecker(features, hessians, np.float32(len(features)))


def covariance(curvature, prior_precision):
    """The rows of the posterior's covariance, from the eigenvectors."""
    size = curvature.eigenvalues.size
    unit = np.eye(size, dtype=np.float32).reshape(size, *curvature.eigenvalues.shape)
    vectors = np.asarray(rotate(curvature, unit), np.float64)
    return vectors.T @ (vectors / (np.asarray(curvature.eigenvalues).ravel()[:, None] + prior_precision))


def linear_gaussian(seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(NUM_POINTS, NUM_FEATURES)).astype(np.float32)
    outputs = features @ rng.normal(size=(NUM_FEATURES, NUM_OUTPUTS)) + rng.normal(size=(NUM_POINTS, NUM_OUTPUTS))
    return features, outputs


@pytest.mark.parametrize("prior_precision", [0.3, 5.0])
def test_a_linear_gaussian_problem_has_its_exact_posterior_and_evidence(prior_precision):
    features, outputs = linear_gaussian()
    variance = 0.7
    precision = features.T.astype(np.float64) @ features / variance + prior_precision * np.eye(NUM_FEATURES)
    mean = np.linalg.solve(precision, features.T @ outputs / variance).T
    expected = np.kron(np.eye(NUM_OUTPUTS), np.linalg.inv(precision))
    log_likelihood = stats.norm.logpdf(outputs, features @ mean.T, np.sqrt(variance)).sum()
    marginal = variance * np.eye(NUM_POINTS) + features @ features.T / prior_precision
    evidence = sum(stats.multivariate_normal.logpdf(column, cov=marginal) for column in outputs.T)
    # The loss is the same in all points, so that the Kronecker approximation is exact, too.
    hessians = np.tile(np.eye(NUM_OUTPUTS, dtype=np.float32) / np.float32(variance), (NUM_POINTS, 1, 1))
    for curvature in curvatures(features, hessians):
        np.testing.assert_allclose(covariance(curvature, prior_precision), expected, rtol=1e-4, atol=1e-5)
        found = log_evidence(log_likelihood, mean.astype(np.float32), curvature, prior_precision)
        np.testing.assert_allclose(found, evidence, rtol=1e-4)


def test_draws_have_the_mean_and_covariance_of_the_posterior():
    features, _ = linear_gaussian()
    logits = np.random.default_rng(1).normal(size=(NUM_POINTS, NUM_OUTPUTS)).astype(np.float32)
    mean = np.random.default_rng(2).normal(size=(NUM_OUTPUTS, NUM_FEATURES)).astype(np.float32)
    draw = jax.jit(gauss_newton.draw, static_argnames="num_draws")
    for curvature in curvatures(features, softmax_hessians(logits)):
        draws = draw(jax.random.key(0), mean, curvature, 0.5, num_draws=40_000)
        rows = np.asarray(draws).reshape(len(draws), -1)
        np.testing.assert_allclose(rows.mean(axis=0), mean.ravel(), atol=0.03)
        expected = covariance(curvature, 0.5)
        np.testing.assert_allclose(np.cov(rows.T), expected, atol=0.04 * np.max(expected))


def test_draws_do_not_depend_on_which_eigenvectors_a_device_finds():
    features, _ = linear_gaussian()
    # All classes are equally likely, so that eigenvalues are equal.
    hessians = gauss_newton.softmax_hessians(jnp.zeros((NUM_POINTS, NUM_OUTPUTS)))
    mean = jnp.zeros((NUM_OUTPUTS, NUM_FEATURES))
    for curvature in curvatures(features, hessians):
        signs = [np.where(np.arange(len(vectors)) % 2, -1, 1) for vectors in curvature.vectors]
        others = [np.asarray(vectors) * flipped for vectors, flipped in zip(curvature.vectors, signs, strict=True)]
        # The largest two eigenvalues are equal: their eigenvectors can be any two of a plane.
        turned = np.array([[0.6, -0.8], [0.8, 0.6]], np.float32)
        others[0] = np.concatenate([others[0][:, :-2], others[0][:, -2:] @ turned], axis=1)
        draws, expected = (
            gauss_newton.draw(jax.random.key(0), mean, each, 0.5, num_draws=7)
            for each in (curvature._replace(vectors=tuple(map(jnp.asarray, others))), curvature)
        )
        np.testing.assert_allclose(draws, expected, atol=1e-5)


def test_the_curvature_is_the_hessian_of_the_cross_entropy():
    features, _ = linear_gaussian()
    layer = np.random.default_rng(2).normal(size=(NUM_OUTPUTS, NUM_FEATURES)).astype(np.float32)
    labels = np.arange(NUM_POINTS) % NUM_OUTPUTS

    def loss(parameters):
        logits = features @ parameters.reshape(layer.shape).T
        return -jnp.sum(jax.nn.log_softmax(logits)[np.arange(NUM_POINTS), labels])

    hessian = np.asarray(jax.jit(jax.hessian(loss))(layer.ravel()))
    curvature = full(features, softmax_hessians(features @ layer.T))
    np.testing.assert_allclose(covariance(curvature, 1.0), np.linalg.inv(hessian + np.eye(12)), rtol=1e-3, atol=1e-5)


def test_the_prior_precision_is_that_of_the_highest_evidence():
    features, outputs = linear_gaussian()
    mean = np.linalg.lstsq(features, outputs, rcond=None)[0].T.astype(np.float32)
    for curvature in curvatures(features, softmax_hessians(features @ mean.T)):

        def worth(log, curvature=curvature):
            return -float(log_evidence(0.0, mean, curvature, np.exp(log)))

        best = optimize.minimize_scalar(worth, bounds=(-8, 8), method="bounded").x
        found = np.log(jax.jit(gauss_newton.best_prior_precision)(mean, curvature))
        assert abs(found - best) < 0.03


# The posterior.


def posterior(**options):
    defaults = {"num_draws": 40, "num_members": 2, "prior_precision": 1.0}
    network, training = small_problem.parts("fixed_steps")
    return posteriors.laplace(network, training, **(defaults | options))


@functools.cache
def fitted(**options):
    data = small_problem.data()
    made = posterior(**options)
    params = jax.jit(made.init)(jax.random.key(1), examples.inputs(data.pool, jnp.arange(1)))
    # Slots past the size hold anything that is an index.
    labelled = labelled_set.create(jnp.arange(10), capacity=20)
    labelled = labelled._replace(indices=labelled.indices.at[10:].set(77))
    params, losses = jax.jit(made.fit)(jax.random.key(2), params, data, labelled)
    return made, params, losses


@functools.cache
def compiled_sample(made):
    return jax.jit(made.sample)


@functools.cache
def sampled(**options):
    made, params, _ = fitted(**options)
    return np.asarray(compiled_sample(made)(jax.random.key(0), params, small_problem.data().pool))


@pytest.mark.parametrize("structure", ["full", pytest.param("kronecker", marks=pytest.mark.slow)])
def test_samples_are_normalised_and_more_informative_than_members_can_be(structure):
    log_probs = sampled(structure=structure)
    assert log_probs.shape == (120, 40, 10)
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, atol=1e-5)
    # Two members end at log 2.
    assert jax.jit(information.joint_mutual_information)(log_probs[[0, 20, 40, 60]]) > np.log(2)
    _, params, losses = fitted(structure=structure)
    assert losses.shape == (2, 10)
    assert params.mean.shape == (2, 10, 17)


def test_the_draws_of_a_member_lie_around_what_it_learnt():
    made, params, _ = fitted(structure="full")
    network, _ = small_problem.parts("fixed_steps")
    pool = small_problem.data().pool
    close = params._replace(prior_precision=jnp.full(2, 1e12, jnp.float32))
    log_probs = np.asarray(compiled_sample(made)(jax.random.key(0), close, pool))
    predict = jax.jit(lambda *known: examples.map_inputs(functools.partial(network.logits, known[0]), known[1]))
    for member in range(2):
        variables = jax.tree.map(lambda leaf, member=member: leaf[member], params.variables)
        logits = predict(variables, pool)
        expected = np.broadcast_to(special.log_softmax(logits, axis=-1)[:, None], (120, 20, 10))
        np.testing.assert_allclose(log_probs[:, member * 20 : (member + 1) * 20], expected, atol=1e-3)


def test_labels_past_the_size_of_the_labelled_set_do_not_count():
    _, params, _ = fitted(structure="full")
    network, _ = small_problem.parts("fixed_steps")
    variables = jax.tree.map(lambda leaf: leaf[0], params.variables)
    inputs = examples.inputs(small_problem.data().pool, jnp.arange(10))
    features, logits = jax.jit(lambda *known: (network.embed(*known), network.logits(*known)))(variables, inputs)
    features = np.concatenate([features, np.ones((10, 1), np.float32)], axis=1)
    expected = full(features, softmax_hessians(logits))
    np.testing.assert_allclose(params.curvature.eigenvalues[0], expected.eigenvalues, rtol=1e-3, atol=1e-4)


def test_a_draw_is_one_function_of_the_input():
    made, params, _ = fitted(structure="full")
    image = np.asarray(small_problem.data().pool.features[:1])
    copies = examples.create(np.repeat(image, 700, axis=0), np.zeros(700), mean=5.0, std=6.0)
    log_probs = np.asarray(jax.jit(made.sample)(jax.random.key(0), params, copies))
    np.testing.assert_allclose(log_probs, np.broadcast_to(log_probs[:1], log_probs.shape), atol=1e-4)
    assert np.abs(log_probs[0, 0] - log_probs[0, 1]).max() > 1e-2


@pytest.mark.slow
def test_the_prior_precision_of_each_member_is_found():
    _, params, _ = fitted(structure="kronecker", prior_precision=None)
    for member in range(2):
        mean, curvature = jax.tree.map(lambda leaf, member=member: leaf[member], (params.mean, params.curvature))
        expected = gauss_newton.best_prior_precision(mean, curvature)
        np.testing.assert_allclose(params.prior_precision[member], expected, rtol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_draws": 5}, r"num_draws=5: must be a multiple of num_members=2"),
        ({"structure": "diagonal"}, r"structure='diagonal': must be"),
        ({"prior_precision": 0.0}, r"prior_precision=0.0: must be above 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        posterior(**options)


def test_a_network_without_a_linear_last_layer_is_refused():
    network = small_problem.network()
    variables = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 64)))
    with pytest.raises(ValueError, match="embeddings have 9 features"):
        networks.last_layer(variables, 9)
    unnamed = variables._replace(params={"head": variables.params["output"]})
    with pytest.raises(ValueError, match='a part "output" with a kernel'):
        networks.last_layer(unnamed, 16)
