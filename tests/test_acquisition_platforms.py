"""Every method can be lowered for the accelerators, whether one is at hand or not."""

import jax
import jax.numpy as jnp
import pytest
import variants


@pytest.mark.slow
@pytest.mark.parametrize("name", variants.ALL)
def test_every_method_is_lowered_for_accelerators(name):
    arguments = (
        jax.eval_shape(lambda: jax.random.key(0)),
        jax.ShapeDtypeStruct((3_000, 5, 10), jnp.float32),
        jax.ShapeDtypeStruct((3_000,), bool),
    )
    traced = jax.jit(variants.function_of(name), static_argnames="batch_size").trace(*arguments, batch_size=4)
    for platform in ("tpu", "cuda"):
        assert "module @jit" in traced.lower(lowering_platforms=(platform,)).as_text()
