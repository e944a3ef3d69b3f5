"""A multilayer perceptron."""

import flax.linen as nn
import jax

from lbb_jax.networks.dropout import Dropout, Mode
from lbb_jax.networks.two_parts import TwoParts
from lbb_jax.ranges import Count, Counts, Rate


class MLP(TwoParts):
    """Dense layers with relu and dropout after each, and a dense layer to the classes.

    Attributes:
      num_classes: ``C``.
      hidden_sizes: Width of each hidden layer, at least one.
      dropout_rate: The rate of every dropout.
    """

    num_classes: Count
    hidden_sizes: Counts = (128,)
    dropout_rate: Rate = 0.5

    def setup(self) -> None:
        """Creates the layers."""
        initializer = nn.initializers.glorot_uniform()
        self.hidden = [nn.Dense(size, kernel_init=initializer) for size in self.hidden_sizes]
        self.dropouts = [Dropout(self.dropout_rate) for _ in self.hidden_sizes]
        self.output = nn.Dense(self.num_classes, kernel_init=initializer)

    def before_dropout(self, inputs: jax.Array) -> jax.Array:
        """The first hidden layer: maps ``[B, ...]`` to ``[B, hidden_sizes[0]]``."""
        return nn.relu(self.hidden[0](inputs.reshape(len(inputs), -1)))

    def features(self, hidden: jax.Array, mode: Mode) -> jax.Array:
        """Maps the first hidden layer to the inputs of the last layer, ``[B, hidden_sizes[-1]]``."""
        hidden = self.dropouts[0](hidden, mode)
        for layer, dropout in zip(self.hidden[1:], self.dropouts[1:], strict=True):
            hidden = dropout(nn.relu(layer(hidden)), mode)
        return hidden
