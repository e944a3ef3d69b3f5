"""The interface between networks and posteriors: pure functions, without a trace of the neural-network library.

A network is a part before its first dropout, the same for every draw of the masks, and a part after it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax

from lbb_jax.networks.dropout import EACH_INPUT, OFF, SHARED

Params = Any


class Network(NamedTuple):
    """A classifier. Keys come first and are consumed; inputs are ``[B, ...]`` float32.

    Attributes:
      init: ``(key, inputs) -> params``: freshly drawn parameters for inputs of this shape.
      logits: ``(params, inputs) -> [B, C]`` without dropout.
      training_logits: ``(key, params, inputs) -> [B, C]`` with a dropout mask for each input.
      before_dropout: ``(params, inputs) -> hidden``: what comes before the first dropout.
      masked_logits: ``(key, params, hidden) -> [B, C]`` with one dropout mask, drawn with the key, for all inputs.
    """

    init: Callable[[jax.Array, jax.Array], Params]
    logits: Callable[[Params, jax.Array], jax.Array]
    training_logits: Callable[[jax.Array, Params, jax.Array], jax.Array]
    before_dropout: Callable[[Params, jax.Array], jax.Array]
    masked_logits: Callable[[jax.Array, Params, jax.Array], jax.Array]


def functional(module: nn.Module) -> Network:
    """The pure functions of a Flax module.

    Args:
      module: Has the methods ``before_dropout(inputs)`` and ``after_dropout(hidden, mode)``, and their composition as
        ``__call__(inputs, mode)``.
    """
    return Network(
        init=lambda key, inputs: module.init(key, inputs, OFF),
        logits=lambda params, inputs: module.apply(params, inputs, OFF),
        training_logits=lambda key, params, inputs: module.apply(params, inputs, EACH_INPUT, rngs={"dropout": key}),
        before_dropout=lambda params, inputs: module.apply(params, inputs, method="before_dropout"),
        masked_logits=lambda key, params, hidden: module.apply(
            params, hidden, SHARED, rngs={"dropout": key}, method="after_dropout"
        ),
    )
