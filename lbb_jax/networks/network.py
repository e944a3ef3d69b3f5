"""The interface between networks and posteriors: pure functions, independent of the neural-network library.

A network has a part before its first dropout, which is the same for every draw of the masks, and a part after it.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree


class Variables(NamedTuple):
    """The variables of a network.

    Attributes:
      params: Pytree of what the optimizer changes.
      statistics: Pytree of the running means and variances of batch normalisation; an empty dictionary for networks
        without it.
    """

    params: PyTree
    statistics: PyTree


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
      embed: ``(variables, inputs) -> [B, D]``: the inputs of the last layer, without dropout; None if the network does
        not say what they are.
    """

    init: Callable[[jax.Array, jax.Array], Variables]
    logits: Callable[[Variables, jax.Array], Float[Array, "B C"]]
    training_logits: Callable[[jax.Array, Variables, jax.Array], tuple[Float[Array, "B C"], PyTree]]
    before_dropout: Callable[[Variables, jax.Array], PyTree]
    masked_logits: Callable[[jax.Array, Variables, PyTree], Float[Array, "B C"]]
    embed: Callable[[Variables, jax.Array], Float[Array, "B D"]] | None = None


def start_from(variables: Variables, pretrained: PyTree | None) -> Variables:
    """Variables with pretrained parameters in place of those drawn.

    Args:
      variables: The drawn variables, of one network or with a leading axis of members.
      pretrained: Parameters by the name of their part of the network, without an axis of members; every member starts
        from them. None to leave ``variables`` as they are.
    """
    if pretrained is None:
        return variables
    drawn = {name: variables.params[name] for name in pretrained}
    replaced = jax.tree.map(lambda leaf, start: jnp.broadcast_to(start, leaf.shape), drawn, pretrained)
    return variables._replace(params=variables.params | replaced)


def last_layer(variables: Variables, num_features: int) -> tuple[Float[Array, "D C"], Float[Array, " C"]]:
    """The last layer of a network: the part of its parameters that is called "output".

    Args:
      variables: The variables of one network.
      num_features: ``D``, the width of the network's embeddings.

    Returns:
      The kernel ``[D, C]`` and the bias ``[C]``, both float32.

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
    return part["kernel"].astype(jnp.float32), part["bias"].astype(jnp.float32)


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
