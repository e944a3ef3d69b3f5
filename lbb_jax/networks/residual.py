"""The residual network of the paper's CIFAR and SVHN experiments."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from lbb_jax.networks.convolution import Convolution
from lbb_jax.networks.dropout import EACH_INPUT, OFF, Dropout, Mode
from lbb_jax.networks.two_parts import TwoParts
from lbb_jax.ranges import Count, Rate


class NormalisedConvolution(nn.Module):
    """A padded convolution without a bias, and batch normalisation (Ioffe and Szegedy, 2015).

    Attributes:
      channels: Output channels.
      size: Height and width of the kernel.
      stride: Rows, and columns, between neighbouring outputs.
    """

    channels: int
    size: int
    stride: int = 1

    @nn.compact
    def __call__(self, images: jax.Array, training: bool) -> jax.Array:
        """Maps ``[B, H, W, c]`` to ``[B, ⌈H/stride⌉, ⌈W/stride⌉, channels]``.

        Args:
          images: ``[B, H, W, c]``.
          training: Whether to normalise by the statistics of this batch, which then enter the running ones with weight
            0.1; otherwise by the running ones.
        """
        convolved = Convolution(self.channels, self.size, self.stride, "SAME", use_bias=False)(images)
        return nn.BatchNorm(use_running_average=not training, momentum=0.9)(convolved)


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut (He et al., 2016): the basic block.

    The shortcut is the identity, or a 1×1 convolution where the shape changes.

    Attributes:
      channels: Output channels.
      stride: The stride of the first convolution and of the shortcut.
    """

    channels: int
    stride: int

    @nn.compact
    def __call__(self, images: jax.Array, training: bool) -> jax.Array:
        """Maps ``[B, H, W, c]`` to ``[B, ⌈H/stride⌉, ⌈W/stride⌉, channels]``."""
        hidden = nn.relu(NormalisedConvolution(self.channels, 3, self.stride)(images, training))
        hidden = NormalisedConvolution(self.channels, 3)(hidden, training)
        shortcut = images
        if shortcut.shape != hidden.shape:
            shortcut = NormalisedConvolution(self.channels, 1, self.stride)(images, training)
        return nn.relu(hidden + shortcut)


class ResNet18(TwoParts):
    """ResNet-18 (He et al., 2016) for small images: a 3×3 stem and no pool before the blocks.

    Four stages of two blocks, the channels doubled and the positions halved from stage to stage, the mean over
    positions, dropout, and a dense layer to the classes.

    Attributes:
      num_classes: ``C``.
      dropout_rate: The rate of the dropout before the last layer.
      width: Channels of the stem and of the first stage.
    """

    num_classes: Count
    dropout_rate: Rate = 0.0
    width: Count = 64

    def setup(self) -> None:
        """Creates the layers."""
        self.stem = NormalisedConvolution(self.width, 3)
        self.blocks = [
            Block(self.width * 2**stage, stride=2 if stage > 0 and block == 0 else 1)
            for stage in range(4)
            for block in range(2)
        ]
        self.dropout = Dropout(self.dropout_rate)
        self.output = nn.Dense(self.num_classes, kernel_init=nn.initializers.glorot_uniform())

    def before_dropout(self, inputs: jax.Array, training: bool = False) -> jax.Array:
        """Maps images ``[B, H, W, c]`` to the features averaged over positions, ``[B, 8 width]``."""
        hidden = nn.relu(self.stem(inputs, training))
        for block in self.blocks:
            hidden = block(hidden, training)
        return jnp.mean(hidden, axis=(1, 2))

    def features(self, hidden: jax.Array, mode: Mode) -> jax.Array:
        """Maps the averaged features to the inputs of the last layer, ``[B, 8 width]``."""
        return self.dropout(hidden, mode)

    def __call__(self, inputs: jax.Array, mode: Mode = OFF) -> jax.Array:
        """Maps the inputs ``[B, H, W, c]`` to the logits ``[B, C]``."""
        return self.after_dropout(self.before_dropout(inputs, training=mode == EACH_INPUT), mode)
