"""Comparison with batchbald_redux, the reference implementation of BatchBALD in PyTorch.

``make parity`` runs it, in an environment of its own. Without the peer it fails: a comparison that was not made must
not look like one that succeeded.
"""

import jax
import numpy as np
import pytest
import reference
import torch
from batchbald_redux import batchbald, joint_entropy

from lbb_jax import acquisition, entropy, information

SHAPES = [(12, 6, 3), (30, 20, 4), (25, 5, 10)]
# What both say in float32 and float64 differs by rounding alone.
TOLERANCE = 2e-5


def inputs(shape, kind="sharp", seed=0):
    """Log-probabilities for the library and, in float64, for the peer, which takes no probabilities of 0."""
    probs = reference.random_probs(seed, *shape, kind)
    return reference.log32(probs), torch.from_numpy(reference.log64(probs))


def pick_with_both(log_probs, peer_log_probs, batch_size):
    """Picks of BatchBALD by the library, and by the peer, whose scores are the information of the batch so far."""
    picked = acquisition.acquire(jax.random.key(0), log_probs, method="batch_bald", batch_size=batch_size)
    peer = batchbald.get_batchbald_batch(peer_log_probs, batch_size, num_samples=10_000, dtype=torch.double)
    return picked, peer


@pytest.mark.parametrize("kind", ["smooth", "sharp"])
@pytest.mark.parametrize("shape", SHAPES)
def test_entropies_and_bald(shape, kind):
    log_probs, peer_log_probs = inputs(shape, kind)
    conditional = batchbald.compute_conditional_entropy(peer_log_probs).numpy()
    marginal = batchbald.compute_entropy(peer_log_probs).numpy()
    np.testing.assert_allclose(entropy.conditional_entropy(log_probs), conditional, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(entropy.marginal_entropy(log_probs), marginal, rtol=0, atol=TOLERANCE)
    bald = information.mutual_information(log_probs)
    np.testing.assert_allclose(bald, marginal - conditional, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("shape", SHAPES)
def test_picks_of_bald(shape):
    log_probs, peer_log_probs = inputs(shape)
    peer = batchbald.get_bald_batch(peer_log_probs, 6)
    assert np.min(-np.diff(peer.scores)) > 1e-4
    picked = acquisition.acquire(jax.random.key(0), log_probs, method="bald", batch_size=5)
    np.testing.assert_array_equal(picked.indices, peer.indices[:5])
    np.testing.assert_allclose(picked.scores, peer.scores[:5], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_exact_joint_entropy(shape, batch_size):
    log_probs, peer_log_probs = inputs(shape)
    peer = joint_entropy.ExactJointEntropy.empty(shape[1], dtype=torch.double)
    expected = peer.add_variables(peer_log_probs[:batch_size]).compute().item()
    np.testing.assert_allclose(entropy.joint_entropy(log_probs[:batch_size]), expected, rtol=0, atol=TOLERANCE)


# The mean over the keys is exact, and what is compared with it is one estimate of the peer's from as many samples as
# all of these together: three standard errors, a false alarm for 0.27 % of all seeds. Both seeds are fixed.
def test_sampled_joint_entropy():
    log_probs, peer_log_probs = inputs((8, 6, 3))
    torch.manual_seed(0)
    num_samples, num_keys = 6_000, 50
    run = jax.jit(jax.vmap(lambda key: entropy.sampled_joint_entropy(key, log_probs, num_samples=num_samples)))
    estimates = np.asarray(run(jax.random.split(jax.random.key(0), num_keys)), np.float64)
    peer = joint_entropy.SampledJointEntropy.sample(peer_log_probs.exp(), num_samples * num_keys).compute().item()
    standard_error = estimates.std(ddof=1) / np.sqrt(num_keys)
    assert abs(estimates.mean() - peer) < 3 * np.sqrt(2) * standard_error


@pytest.mark.parametrize("shape", SHAPES)
def test_first_four_picks_of_batch_bald(shape):
    log_probs, peer_log_probs = inputs(shape, seed=1)
    picked, peer = pick_with_both(log_probs, peer_log_probs, 4)
    probs = np.exp(peer_log_probs.numpy())
    for size in range(4):
        gains = reference.batch_bald_gains(probs, peer.indices[:size])
        best, second = np.sort(np.delete(gains, peer.indices[:size]))[[-1, -2]]
        assert best - second > 1e-4
    np.testing.assert_array_equal(picked.indices, peer.indices)
    np.testing.assert_allclose(np.cumsum(picked.scores), peer.scores, rtol=0, atol=TOLERANCE)


def test_known_values_of_its_documentation():
    probs = reference.known_case()
    picked, peer = pick_with_both(reference.log32(probs), torch.from_numpy(np.log(probs)), 4)
    np.testing.assert_allclose(peer.scores, reference.KNOWN_BATCH_BALD, rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.cumsum(picked.scores), reference.KNOWN_BATCH_BALD, rtol=0, atol=2e-6)
    # All four points are alike up to the order of the classes, so that only the first pick is not a matter of rounding.
    assert sorted(picked.indices.tolist()) == sorted(peer.indices) == [0, 1, 2, 3]
