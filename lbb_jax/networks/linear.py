"""A linear classifier, for embeddings of a network that is not trained."""

import flax.linen as nn
import jax

from lbb_jax.networks.dropout import Mode
from lbb_jax.networks.two_parts import TwoParts
from lbb_jax.ranges import Count


class Linear(TwoParts):
    """A dense layer from the inputs to the classes, without dropout.

    Attributes:
      num_classes: ``C``.
    """

    num_classes: Count

    def setup(self) -> None:
        """Creates the layer."""
        self.output = nn.Dense(self.num_classes, kernel_init=nn.initializers.zeros)

    def before_dropout(self, inputs: jax.Array) -> jax.Array:
        """The inputs as rows: ``[B, ...]`` to ``[B, D]``."""
        return inputs.reshape(len(inputs), -1)

    def features(self, hidden: jax.Array, mode: Mode) -> jax.Array:
        """The rows themselves, ``[B, D]``."""
        del mode
        return hidden
