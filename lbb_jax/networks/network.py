"""The interface between networks and posteriors: pure functions, without a trace of the neural-network library.

A network is a part before its first dropout, the same for every draw of the masks, and a part after it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from lbb_jax import ranges
from lbb_jax.networks.dropout import EACH_INPUT, OFF, SHARED

PARAMS = "params"
STATISTICS = "batch_stats"


class Variables(NamedTuple):
    """What a network has learnt.

    Attributes:
      params: Pytree of what the optimizer changes.
      statistics: Pytree of the running means and variances of batch normalisation; an empty dictionary for networks
        without it.
    """

    params: Any
    statistics: Any


class Network(NamedTuple):
    """A classifier. Keys come first and are consumed; inputs are ``[B, ...]``: float32, or int32 where they are tokens.

    Batch normalisation uses the running statistics in all but ``training_logits``, so that the logits of an input do
    not depend on the others.

    Attributes:
      init: ``(key, inputs) -> variables``: freshly drawn for inputs of this shape.
      logits: ``(variables, inputs) -> [B, C]`` without dropout.
      training_logits: ``(key, variables, inputs) -> ([B, C], statistics)`` with a dropout mask for each input and
        normalisation by this batch, and the running statistics after it.
      before_dropout: ``(variables, inputs) -> hidden``: what comes before the first dropout, an array or a pytree.
      masked_logits: ``(key, variables, hidden) -> [B, C]`` with one dropout mask, drawn with the key, for all inputs.
      embed: ``(variables, inputs) -> [B, D]``: the inputs of the last layer, without dropout.
    """

    init: Callable[[jax.Array, jax.Array], Variables]
    logits: Callable[[Variables, jax.Array], jax.Array]
    training_logits: Callable[[jax.Array, Variables, jax.Array], tuple[jax.Array, Any]]
    before_dropout: Callable[[Variables, jax.Array], jax.Array]
    masked_logits: Callable[[jax.Array, Variables, jax.Array], jax.Array]
    embed: Callable[[Variables, jax.Array], jax.Array]


def start_from(variables: Variables, pretrained: Any | None) -> Variables:
    """Variables with pretrained parameters in place of those drawn.

    Args:
      variables: As drawn, of one network or with a leading axis of members.
      pretrained: Parameters by the name of the part of the network that they are of, without an axis of members; every
        member starts from them. None to leave ``variables`` as they are.
    """
    if pretrained is None:
        return variables
    drawn = {name: variables.params[name] for name in pretrained}
    replaced = jax.tree.map(lambda leaf, start: jnp.broadcast_to(start, leaf.shape), drawn, pretrained)
    return variables._replace(params=variables.params | replaced)


class LastLayer(NamedTuple):
    """The parameters of a linear last layer.

    Attributes:
      kernel: ``[D, C]``.
      bias: ``[C]``.
    """

    kernel: jax.Array
    bias: jax.Array


def last_layer(variables: Variables, num_features: int) -> LastLayer:
    """The last layer of a network: the part of its parameters that is called "output".

    Args:
      variables: Of one network.
      num_features: ``D``, the width of the network's embeddings.

    Raises:
      ValueError: If there is no such part, or it is not a kernel ``[D, C]`` and a bias ``[C]``.
    """
    params = variables.params
    part = params.get("output") if isinstance(params, Mapping) else None
    if not isinstance(part, Mapping) or set(part) != {"kernel", "bias"} or part["kernel"].ndim != 2:
        raise ValueError(
            'the network has no linear last layer: its parameters need a part "output" with a kernel [D, C] and a bias '
            "[C]; in a Flax module, self.output = nn.Dense(num_classes)"
        )
    if len(part["kernel"]) != num_features:
        raise ValueError(
            f'the kernel of "output" has shape {part["kernel"].shape}, but the embeddings have {num_features} '
            "features: the network's embed must return the inputs of its last layer"
        )
    return LastLayer(part["kernel"].astype(jnp.float32), part["bias"].astype(jnp.float32))


def has_dropout(network: Network, inputs: jax.ShapeDtypeStruct) -> bool:
    """Whether the logits of a network depend on its dropout masks. Nothing is computed.

    Args:
      network: Any network.
      inputs: Shape and dtype of inputs ``[B, ...]`` that it takes.
    """
    key = jax.random.key(0)
    variables = jax.eval_shape(network.init, key, inputs)
    hidden = jax.eval_shape(network.before_dropout, variables, inputs)
    program = jax.make_jaxpr(network.masked_logits)(key, variables, hidden).jaxpr
    return any(variable is program.invars[0] for equation in program.eqns for variable in equation.invars)


def functional(module: nn.Module, *, compute_dtype: jax.typing.DTypeLike = jnp.float32) -> Network:
    """The pure functions of a Flax module.

    Args:
      module: Has the methods ``before_dropout(inputs)`` and ``after_dropout(hidden, mode)``, and their composition as
        ``__call__(inputs, mode)``, which normalises by the batch if the mode is that of training, `EACH_INPUT`; also
        ``features(hidden, mode)``, which is ``after_dropout`` short of the last layer.
      compute_dtype: What layers compute in; ``bfloat16`` is faster on GPUs and TPUs. Parameters, running statistics,
        logits and embeddings are float32 all the same.

    Raises:
      TypeError: If a field of the module is of another kind than its annotation (`lbb_jax.ranges`) says.
      ValueError: If a field is out of its range.
    """
    declared = ranges.of(type(module))
    ranges.check(declared, {name: getattr(module, name) for name in declared}, prefix=f"{type(module).__name__}.")

    def cast(leaf: jax.Array) -> jax.Array:
        return leaf.astype(compute_dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    def apply(variables: Variables, inputs: Any, *arguments: Any, **options: Any) -> Any:
        collections = {PARAMS: jax.tree.map(cast, variables.params), STATISTICS: variables.statistics}
        return module.apply(collections, jax.tree.map(cast, inputs), *arguments, **options)

    def init(key: jax.Array, inputs: jax.Array) -> Variables:
        collections = module.init(key, inputs, OFF)
        return Variables(collections[PARAMS], collections.get(STATISTICS, {}))

    def training_logits(key: jax.Array, variables: Variables, inputs: jax.Array) -> tuple[jax.Array, Any]:
        logits, updated = apply(variables, inputs, EACH_INPUT, rngs={"dropout": key}, mutable=[STATISTICS])
        return logits.astype(jnp.float32), updated.get(STATISTICS, {})

    def embed(variables: Variables, inputs: jax.Array) -> jax.Array:
        hidden = apply(variables, inputs, method="before_dropout")
        return apply(variables, hidden, OFF, method="features").astype(jnp.float32)

    return Network(
        init=init,
        logits=lambda variables, inputs: apply(variables, inputs, OFF).astype(jnp.float32),
        training_logits=training_logits,
        before_dropout=lambda variables, inputs: apply(variables, inputs, method="before_dropout"),
        masked_logits=lambda key, variables, hidden: apply(
            variables, hidden, SHARED, rngs={"dropout": key}, method="after_dropout"
        ).astype(jnp.float32),
        embed=embed,
    )
