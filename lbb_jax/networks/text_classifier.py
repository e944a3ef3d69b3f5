"""A text encoder with a dense layer to the classes."""

import flax.linen as nn
import jax

from lbb_jax.networks.dropout import Dropout, Mode
from lbb_jax.networks.encoder import Architecture, Encoder, is_no_padding, mean_over_tokens
from lbb_jax.networks.two_parts import TwoParts
from lbb_jax.ranges import Count, Rate


class TextClassifier(TwoParts):
    """An encoder, the mean of its hidden states over the tokens of a text, dropout, and a dense layer to the classes.

    The encoder's dropouts are its architecture's. Texts under one mask must be padded to the same length.

    Attributes:
      num_classes: ``C``.
      architecture: The encoder's architecture.
      dropout_rate: The rate of the dropout before the last layer.
    """

    num_classes: Count
    architecture: Architecture
    dropout_rate: Rate = 0.1

    def setup(self) -> None:
        """Creates the layers."""
        self.encoder = Encoder(self.architecture)
        self.dropout = Dropout(self.dropout_rate)
        self.output = nn.Dense(self.num_classes, kernel_init=nn.initializers.glorot_uniform())

    def before_dropout(self, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Maps tokens ``[B, L]`` to their embeddings ``[B, L, D]``, and which are no padding ``[B, L]``."""
        return self.encoder.before_dropout(inputs), is_no_padding(inputs)

    def features(self, hidden: tuple[jax.Array, jax.Array], mode: Mode) -> jax.Array:
        """Maps what `before_dropout` returns to the inputs of the last layer, ``[B, D]``."""
        embedded, is_token = hidden
        states = self.encoder.after_dropout(embedded, is_token, mode)
        return self.dropout(mean_over_tokens(states, is_token), mode)
