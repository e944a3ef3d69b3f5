"""Dropout with a mask for each input, or one mask for all inputs: a draw of the parameters."""

import enum

import flax.linen as nn
import jax

from lbb_jax.ranges import Rate


class Mode(enum.IntEnum):
    """Whether there is dropout, and which.

    It counts as False where there is none, and as True otherwise: a module may take it as a plain ``train: bool``.

    Attributes:
      OFF: No dropout.
      EACH_INPUT: A mask for each input, as in training.
      SHARED: One mask for all inputs.
    """

    OFF = 0
    EACH_INPUT = 1
    SHARED = 2


OFF, EACH_INPUT, SHARED = Mode


class Dropout(nn.Module):
    """Sets features to 0 with probability ``rate`` and scales the others by ``1 / (1 - rate)``.

    Attributes:
      rate: Between 0 and 1, 1 excluded.
      whole_channels: Whether all positions of a channel are dropped together, for inputs
        ``[B, height, width, channels]``.
    """

    rate: Rate
    whole_channels: bool = False

    @nn.compact
    def __call__(self, features: jax.Array, mode: Mode) -> jax.Array:
        """Applies dropout to ``features[B, ...]``: not at all, a mask for each input, or one for all."""
        if mode == OFF:
            return features
        inputs = (0,) if mode == SHARED else ()
        positions = tuple(range(1, features.ndim - 1)) if self.whole_channels else ()
        return nn.Dropout(self.rate, broadcast_dims=inputs + positions, deterministic=False)(features)
