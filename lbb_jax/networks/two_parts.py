"""What classifiers in two parts share: what comes before the first dropout is computed once for all masks."""

from typing import Any

import flax.linen as nn
import jax

from lbb_jax.networks.dropout import OFF, Mode


class TwoParts(nn.Module):
    """A classifier that defines ``before_dropout(inputs)``, ``features(hidden, mode)`` and its last layer, ``output``.

    ``features`` returns the inputs of the last layer.
    """

    def after_dropout(self, hidden: Any, mode: Mode) -> jax.Array:
        """Maps what ``before_dropout`` returns to the logits ``[B, C]``."""
        return self.output(self.features(hidden, mode))

    def __call__(self, inputs: jax.Array, mode: Mode = OFF) -> jax.Array:
        """Maps the inputs ``[B, ...]`` to the logits ``[B, C]``."""
        return self.after_dropout(self.before_dropout(inputs), mode)
