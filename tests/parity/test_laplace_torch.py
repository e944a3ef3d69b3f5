"""Comparison with laplace-torch, the reference implementation of Laplace approximations in PyTorch.

``make parity`` runs it, in an environment of its own.
"""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from lbb_jax.posteriors import gauss_newton

with warnings.catch_warnings():
    # One of its dependencies uses what PyTorch has deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from laplace import Laplace

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:By default .link_approx. is:UserWarning"),
]

NUM_POINTS, NUM_INPUTS, NUM_FEATURES, NUM_CLASSES, PRIOR_PRECISION = 60, 5, 6, 4, 0.7


def problem(structure, *, bias):
    """A small network, its labels, and what laplace-torch fits to it."""
    torch.manual_seed(0)
    body = torch.nn.Sequential(torch.nn.Linear(NUM_INPUTS, NUM_FEATURES), torch.nn.Tanh())
    head = torch.nn.Linear(NUM_FEATURES, NUM_CLASSES, bias=bias)
    inputs = torch.randn(NUM_POINTS, NUM_INPUTS)
    labels = torch.randint(NUM_CLASSES, (NUM_POINTS,))
    # One batch, since laplace-torch adds the Kronecker factors of batches to one another.
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(inputs, labels), batch_size=NUM_POINTS)
    peer = Laplace(
        torch.nn.Sequential(body, head),
        "classification",
        subset_of_weights="last_layer",
        hessian_structure=structure,
        prior_precision=PRIOR_PRECISION,
    )
    peer.fit(loader)
    with torch.no_grad():
        features = body(inputs).numpy()
        layer = head.weight.numpy()
        if bias:
            features = np.concatenate([features, np.ones((NUM_POINTS, 1), np.float32)], axis=1)
            layer = np.concatenate([layer, head.bias.numpy()[:, None]], axis=1)
    return peer, inputs, labels.numpy(), features, jnp.asarray(layer)


def ours(structure, features, layer):
    hessians = gauss_newton.softmax_hessians(features @ layer.T)
    if structure == "full":
        return gauss_newton.full(features, hessians)
    return gauss_newton.kronecker(features, hessians, jnp.float32(NUM_POINTS))


def covariance(curvature):
    size = curvature.eigenvalues.size
    unit = jnp.eye(size).reshape(size, *curvature.eigenvalues.shape)
    vectors = np.asarray(gauss_newton.rotate(curvature, unit), np.float64)
    return vectors.T @ (vectors / (np.asarray(curvature.eigenvalues).ravel()[:, None] + PRIOR_PRECISION))


@pytest.mark.parametrize(("structure", "bias"), [("full", True), ("full", False), ("kron", False)])
def test_the_same_evidence_variances_and_predictions(structure, bias):
    peer, inputs, labels, features, layer = problem(structure, bias=bias)
    curvature = ours(structure, features, layer)

    logits = features @ layer.T
    log_likelihood = jnp.sum(jax.nn.log_softmax(logits)[jnp.arange(NUM_POINTS), labels])
    for prior_precision in (PRIOR_PRECISION, 3.0, 0.05):
        evidence = gauss_newton.log_evidence(log_likelihood, layer, curvature, prior_precision)
        expected = peer.log_marginal_likelihood(prior_precision=torch.tensor(prior_precision)).item()
        np.testing.assert_allclose(evidence, expected, rtol=1e-4)
    peer.prior_precision = PRIOR_PRECISION

    # The covariance of the logits of every point.
    whole = covariance(curvature).reshape(NUM_CLASSES, features.shape[1], NUM_CLASSES, features.shape[1])
    variances = np.einsum("nd,cdkf,nf->nck", features, whole, features)
    mean, expected = peer._glm_predictive_distribution(inputs)
    np.testing.assert_allclose(mean.detach(), logits, atol=1e-5)
    np.testing.assert_allclose(variances, expected.detach(), rtol=1e-3, atol=1e-5)

    draws = gauss_newton.draw(jax.random.key(0), layer, curvature, PRIOR_PRECISION, num_draws=40_000)
    probs = jnp.mean(jax.nn.softmax(jnp.einsum("nd,kcd->nkc", features, draws)), axis=1)
    peer_probs = peer(inputs, pred_type="glm", link_approx="mc", n_samples=40_000).detach()
    # Standard errors of both are below 0.0025.
    np.testing.assert_allclose(probs, peer_probs, atol=0.01)


def test_the_same_prior_precision():
    peer, _, _, features, layer = problem("full", bias=True)
    peer.optimize_prior_precision(method="marglik", n_steps=2_000, lr=0.02)
    found = gauss_newton.best_prior_precision(layer, ours("full", features, layer))
    np.testing.assert_allclose(found, peer.prior_precision.item(), rtol=0.03)


def test_the_same_covariance():
    peer, _, _, features, layer = problem("full", bias=True)
    found = covariance(ours("full", features, layer))
    places = np.arange(found.shape[0]).reshape(NUM_CLASSES, -1)
    # There, the weights of all classes come before the biases.
    order = np.concatenate([places[:, :-1].ravel(), places[:, -1]])
    np.testing.assert_allclose(found[order][:, order], peer.posterior_covariance.detach(), rtol=1e-3, atol=1e-5)
