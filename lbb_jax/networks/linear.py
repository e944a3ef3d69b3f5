"""A linear classifier, for embeddings of a network that is not trained."""

import flax.linen as nn
import jax

from lbb_jax.networks.dropout import OFF, Mode
from lbb_jax.ranges import Count


class Linear(nn.Module):
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

    def after_dropout(self, hidden: jax.Array, mode: Mode) -> jax.Array:
        """From the rows to the logits ``[B, C]``."""
        return self.output(self.features(hidden, mode))

    def __call__(self, inputs: jax.Array, mode: Mode = OFF) -> jax.Array:
        """From the inputs ``[B, ...]`` to the logits ``[B, C]``."""
        return self.after_dropout(self.before_dropout(inputs), mode)
