"""Dropout with a mask for each input, or one mask for all inputs: a draw of the parameters."""

import flax.linen as nn
import jax

OFF = "off"
EACH_INPUT = "each_input"
SHARED = "shared"


class Dropout(nn.Module):
    """Sets features to 0 with probability ``rate`` and scales the others by ``1 / (1 - rate)``.

    Attributes:
      rate: Between 0 and 1, 1 excluded.
      whole_channels: Whether all positions of a channel share their fate, for inputs ``[B, height, width, channels]``.
    """

    rate: float
    whole_channels: bool = False

    @nn.compact
    def __call__(self, features: jax.Array, mode: str) -> jax.Array:
        """Applies dropout to ``features[B, ...]``: not at all ("off"), by input ("each_input") or alike ("shared")."""
        if mode == OFF:
            return features
        inputs = (0,) if mode == SHARED else ()
        positions = tuple(range(1, features.ndim - 1)) if self.whole_channels else ()
        return nn.Dropout(self.rate, broadcast_dims=inputs + positions, deterministic=False)(features)
