"""That the installed jaxlib computes what it is told to: some releases do not (github.com/jax-ml/jax/issues/39103)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.mark.parametrize("shape", [(1000, 40, 10), (1000, 40, 8), (300, 200, 3)])
def test_products_and_sums_survive_their_compilation(shape):
    rng = np.random.default_rng(0)
    large, small, rest = rng.random(shape), rng.random(shape[1:]), rng.random(shape[:2])
    # Whatever the other tests are compiled with, this is about what users run.
    fully = {"xla_backend_optimization_level": 3, "xla_llvm_disable_expensive_passes": False}
    compute = jax.jit(lambda large, small, rest: rest - jnp.sum(small[None] * large, axis=-1), compiler_options=fully)
    result = compute(*(jnp.asarray(array, jnp.float32) for array in (large, small, rest)))
    np.testing.assert_allclose(result, rest - (small * large).sum(axis=-1), rtol=0, atol=1e-4)
