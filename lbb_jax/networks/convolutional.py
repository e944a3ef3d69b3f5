"""The convolutional networks of the paper's MNIST and EMNIST experiments.

Dropout acts on whole channels after each convolution and on the features after the hidden dense layer. It is applied
after pooling and relu, with which dropping and scaling whole channels commutes: the result is that of dropout before
the pool, and the first convolution does not depend on the mask.
"""

import flax.linen as nn
import jax

from lbb_jax.networks.convolution import Convolution
from lbb_jax.networks.dropout import Dropout, Mode
from lbb_jax.networks.two_parts import TwoParts
from lbb_jax.ranges import Count, FourRates, ThreeRates


class ConvolutionalClassifier(TwoParts):
    """Convolution 32 5×5, pool, relu, convolution 64 5×5, pool, relu, dense 128, relu, dense to the classes.

    Attributes:
      num_classes: ``C``.
      dropout_rates: The rates of the three dropouts.
    """

    num_classes: Count
    dropout_rates: ThreeRates = (0.5, 0.5, 0.5)

    def setup(self) -> None:
        """Creates the layers."""
        initializer = nn.initializers.glorot_uniform()
        first, second, last = self.dropout_rates
        self.convolution1 = Convolution(32, 5, pooled=True)
        self.dropout1 = Dropout(first, whole_channels=True)
        self.convolution2 = Convolution(64, 5, pooled=True)
        self.dropout2 = Dropout(second, whole_channels=True)
        self.hidden = nn.Dense(128, kernel_init=initializer)
        self.dropout3 = Dropout(last)
        self.output = nn.Dense(self.num_classes, kernel_init=initializer)

    def before_dropout(self, inputs: jax.Array) -> jax.Array:
        """Maps images ``[B, 28, 28, 1]`` to the first pooled features ``[B, 12, 12, 32]``."""
        return nn.relu(self.convolution1(inputs))

    def features(self, hidden: jax.Array, mode: Mode) -> jax.Array:
        """Maps the first pooled features to the inputs of the last layer, ``[B, 128]``."""
        hidden = nn.relu(self.convolution2(self.dropout1(hidden, mode)))
        hidden = self.dropout2(hidden, mode).reshape(len(hidden), -1)
        return self.dropout3(nn.relu(self.hidden(hidden)), mode)


class EMNISTConvolutionalClassifier(TwoParts):
    """Convolutions 32 3×3, pool, relu, 64 3×3, relu, 128 3×3, pool, relu, then dense 512, relu, dense to the classes.

    Attributes:
      num_classes: ``C``.
      dropout_rates: The rates of the four dropouts.
    """

    num_classes: Count
    dropout_rates: FourRates = (0.5, 0.5, 0.5, 0.5)

    def setup(self) -> None:
        """Creates the layers."""
        initializer = nn.initializers.glorot_uniform()
        first, second, third, last = self.dropout_rates
        self.convolution1 = Convolution(32, 3, pooled=True)
        self.dropout1 = Dropout(first, whole_channels=True)
        self.convolution2 = Convolution(64, 3)
        self.dropout2 = Dropout(second, whole_channels=True)
        self.convolution3 = Convolution(128, 3, pooled=True)
        self.dropout3 = Dropout(third, whole_channels=True)
        self.hidden = nn.Dense(512, kernel_init=initializer)
        self.dropout4 = Dropout(last)
        self.output = nn.Dense(self.num_classes, kernel_init=initializer)

    def before_dropout(self, inputs: jax.Array) -> jax.Array:
        """Maps images ``[B, 28, 28, 1]`` to the first pooled features ``[B, 13, 13, 32]``."""
        return nn.relu(self.convolution1(inputs))

    def features(self, hidden: jax.Array, mode: Mode) -> jax.Array:
        """Maps the first pooled features to the inputs of the last layer, ``[B, 512]``."""
        hidden = nn.relu(self.convolution2(self.dropout1(hidden, mode)))
        hidden = nn.relu(self.convolution3(self.dropout2(hidden, mode)))
        hidden = self.dropout3(hidden, mode).reshape(len(hidden), -1)
        return self.dropout4(nn.relu(self.hidden(hidden)), mode)
