"""Tensors of PyTorch as predictions and masks: the picks of the same numbers in NumPy, or an error with a remedy."""

import jax
import ml_dtypes
import numpy as np
import pytest

from lbb_jax import acquisition

torch = pytest.importorskip("torch")
LOG_PROBS = np.log(np.random.default_rng(0).dirichlet(np.ones(4), size=(60, 6))).astype(np.float32)
AVAILABLE = np.arange(60) % 3 > 0


def picks(log_probs, available):
    batch = acquisition.acquire(
        jax.random.key(0), log_probs, method="power_lbb", redundancy="tree", available=available, batch_size=8
    )
    return np.asarray(batch.indices)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_tensors_are_read_as_the_arrays_that_they_hold(dtype):
    array = LOG_PROBS.astype({"bfloat16": ml_dtypes.bfloat16}.get(dtype, dtype))
    tensor = torch.from_numpy(LOG_PROBS).to(getattr(torch, dtype))
    np.testing.assert_array_equal(picks(tensor, torch.from_numpy(AVAILABLE)), picks(array, AVAILABLE))


def test_a_tensor_that_requires_a_gradient_says_what_to_do():
    with pytest.raises(TypeError, match=r"log_probs: this Tensor .* tensor\.detach\(\)"):
        picks(torch.from_numpy(LOG_PROBS).requires_grad_(), AVAILABLE)
