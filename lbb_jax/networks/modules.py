"""Networks from modules of Flax: linen modules in two parts, plain linen modules, and NNX modules.

The plain convention, for linen and NNX alike: ``module(x)`` or ``module(x, train: bool)`` returns logits ``[B, C]``.
Optionally ``module.embed(x)`` returns the inputs of the last layer, ``[B, D]``, without dropout.

A draw of MC dropout is one mask for all inputs. A plain module is therefore applied to one input at a time with the
same key, so that it can use Flax's own dropout.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from lbb_jax import ranges
from lbb_jax.networks.dropout import EACH_INPUT, OFF, SHARED
from lbb_jax.networks.network import Network, Variables

PARAMS = "params"
STATISTICS = "batch_stats"


def create(make: Callable[..., Any], *, compute_dtype: DTypeLike = jnp.float32, **fields: Any) -> Network:
    """The network that a class or function makes.

    Args:
      make: Returns a linen module or a `Network`; or returns an NNX module and takes ``rngs``.
      compute_dtype: As `functional` takes it.
      **fields: Arguments of ``make``.

    Raises:
      TypeError: If ``make`` returns anything else.
      ValueError: As `functional`.
    """
    if "rngs" in ranges.parameters(make):
        return _from_nnx(lambda rngs: make(**fields, rngs=rngs), compute_dtype)
    made = make(**fields)
    if isinstance(made, Network):
        return made
    if not isinstance(made, nn.Module):
        remedy = "return a flax.linen.Module or a Network, or take rngs and return a flax.nnx.Module"
        raise TypeError(f"{getattr(make, '__name__', make)} returns {type(made).__name__}; {remedy}")
    return functional(made, compute_dtype=compute_dtype)


def functional(module: nn.Module, *, compute_dtype: DTypeLike = jnp.float32) -> Network:
    """The pure functions of a linen module.

    Args:
      module: A plain module. Or one in two parts, so that what comes before the first dropout is computed once for all
        masks: ``before_dropout(inputs)`` and ``after_dropout(hidden, mode)``, and their composition as
        ``__call__(inputs, mode)``, which normalises by the batch if the mode is that of training, `EACH_INPUT`; also
        ``features(hidden, mode)``, which is ``after_dropout`` without the last layer.
      compute_dtype: What layers compute in; ``bfloat16`` is faster on GPUs and TPUs. Parameters, running statistics,
        logits and embeddings are float32 all the same.

    Raises:
      TypeError: If a field of the module is of another kind than its annotation (`lbb_jax.ranges`) says.
      ValueError: If a field is out of its range.
    """
    declared = ranges.of(type(module))
    ranges.check(declared, {name: getattr(module, name) for name in declared}, prefix=f"{type(module).__name__}.")
    cast = _caster(compute_dtype)

    def apply(variables: Variables, inputs: Any, *arguments: Any, **options: Any) -> Any:
        collections = {PARAMS: cast(variables.params), STATISTICS: variables.statistics}
        return module.apply(collections, cast(inputs), *arguments, **options)

    if hasattr(module, "after_dropout"):
        return _in_two_parts(module, apply)

    def run(variables: Variables, inputs: jax.Array, train: bool, **options: Any) -> Any:
        return apply(variables, inputs, **_train_argument(type(module), train), **options)

    def init(key: jax.Array, inputs: jax.Array) -> Variables:
        return _variables(module.init(key, inputs, **_train_argument(type(module), False)))

    def training_logits(key: jax.Array, variables: Variables, inputs: jax.Array) -> tuple[jax.Array, Any]:
        logits, updated = run(variables, inputs, True, rngs={"dropout": key}, mutable=[STATISTICS])
        return logits.astype(jnp.float32), updated.get(STATISTICS, {})

    def masked_logits(key: jax.Array, variables: Variables, inputs: jax.Array) -> jax.Array:
        _refuse_statistics(variables.statistics)
        return _one_at_a_time(lambda one: run(variables, one, True, rngs={"dropout": key}), inputs)

    return Network(
        init=init,
        logits=lambda variables, inputs: run(variables, inputs, False).astype(jnp.float32),
        training_logits=training_logits,
        before_dropout=lambda variables, inputs: inputs,
        masked_logits=masked_logits,
        embed=(lambda variables, inputs: apply(variables, inputs, method="embed").astype(jnp.float32))
        if hasattr(module, "embed")
        else None,
    )


def _in_two_parts(module: nn.Module, apply: Callable[..., Any]) -> Network:
    """The network of a linen module that has a part before its first dropout and a part after it."""

    def training_logits(key: jax.Array, variables: Variables, inputs: jax.Array) -> tuple[jax.Array, Any]:
        logits, updated = apply(variables, inputs, EACH_INPUT, rngs={"dropout": key}, mutable=[STATISTICS])
        return logits.astype(jnp.float32), updated.get(STATISTICS, {})

    def embed(variables: Variables, inputs: jax.Array) -> jax.Array:
        hidden = apply(variables, inputs, method="before_dropout")
        return apply(variables, hidden, OFF, method="features").astype(jnp.float32)

    return Network(
        init=lambda key, inputs: _variables(module.init(key, inputs, OFF)),
        logits=lambda variables, inputs: apply(variables, inputs, OFF).astype(jnp.float32),
        training_logits=training_logits,
        before_dropout=lambda variables, inputs: apply(variables, inputs, method="before_dropout"),
        masked_logits=lambda key, variables, hidden: apply(
            variables, hidden, SHARED, rngs={"dropout": key}, method="after_dropout"
        ).astype(jnp.float32),
        embed=embed,
    )


def _from_nnx(make: Callable[[nnx.Rngs], nnx.Module], compute_dtype: DTypeLike) -> Network:
    """The network of an NNX module: split into arrays here, merged where it is applied."""
    shapes = nnx.eval_shape(lambda: make(nnx.Rngs(0)))
    graph, _, randomness, _ = nnx.split(shapes, nnx.Param, nnx.RngState, ...)
    # A method of the class: a module may have a layer of this name.
    embed_inputs: Any = getattr(type(shapes), "embed", None)
    cast = _caster(compute_dtype)

    def init(key: jax.Array, inputs: jax.Array) -> Variables:
        del inputs
        _, params, _, statistics = nnx.split(make(nnx.Rngs(key)), nnx.Param, nnx.RngState, ...)
        return Variables(params, statistics)

    def merge(variables: Variables, key: jax.Array | None = None) -> nnx.Module:
        """The module: in training where there is a key, in evaluation otherwise."""
        # Every stream of random numbers begins anew, each with a key of its own.
        first = jax.random.key(0) if key is None else key
        numbers = iter(range(len(jax.tree.leaves(randomness))))

        def begin(leaf: jax.ShapeDtypeStruct) -> jax.Array:
            number = next(numbers)
            is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            return jax.random.fold_in(first, number) if is_key else jnp.zeros(leaf.shape, leaf.dtype)

        begun = jax.tree.map(begin, randomness)
        module = nnx.merge(graph, cast(variables.params), begun, variables.statistics)
        (module.eval if key is None else module.train)()
        return module

    def run(module: nnx.Module, inputs: jax.Array, train: bool) -> jax.Array:
        return module(cast(inputs), **_train_argument(type(module), train)).astype(jnp.float32)

    def training_logits(key: jax.Array, variables: Variables, inputs: jax.Array) -> tuple[jax.Array, Any]:
        module = merge(variables, key)
        return run(module, inputs, True), nnx.split(module, nnx.Param, nnx.RngState, ...)[3]

    def masked_logits(key: jax.Array, variables: Variables, inputs: jax.Array) -> jax.Array:
        _refuse_statistics(variables.statistics)
        return _one_at_a_time(lambda one: run(merge(variables, key), one, True), inputs)

    def embed(variables: Variables, inputs: jax.Array) -> jax.Array:
        return embed_inputs(merge(variables), cast(inputs)).astype(jnp.float32)

    return Network(
        init=init,
        logits=lambda variables, inputs: run(merge(variables), inputs, False),
        training_logits=training_logits,
        before_dropout=lambda variables, inputs: inputs,
        masked_logits=masked_logits,
        embed=embed if embed_inputs else None,
    )


def _variables(collections: Any) -> Variables:
    return Variables(collections[PARAMS], collections.get(STATISTICS, {}))


def _caster(dtype: DTypeLike) -> Callable[[Any], Any]:
    """A function that casts every floating-point leaf of a pytree."""

    def cast(leaf: jax.Array) -> jax.Array:
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return lambda tree: jax.tree.map(cast, tree)


def _train_argument(kind: type, train: bool) -> dict[str, Any]:
    """The argument ``train`` of a plain module that takes it."""
    return {"train": train} if "train" in ranges.parameters(kind.__call__) else {}


def _one_at_a_time(apply: Callable[[jax.Array], jax.Array], inputs: jax.Array) -> jax.Array:
    """Logits ``[B, C]`` float32 of inputs that a module sees one by one, so that all share its random numbers."""
    return jax.vmap(lambda one: apply(one[None])[0])(inputs).astype(jnp.float32)


def _refuse_statistics(statistics: Any) -> None:
    if jax.tree.leaves(statistics):
        raise ValueError(
            "a module with running statistics, such as batch normalisation, cannot draw dropout masks by its argument "
            "train; give it the methods before_dropout and after_dropout, as lbb_jax.networks.ResNet18 has"
        )
