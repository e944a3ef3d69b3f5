"""A network in Flax linen: one hidden layer, dropout of Flax's own, and embeddings."""

import flax.linen as nn


class Hidden(nn.Module):
    """Plain but for two conventions: ``train`` switches dropout on, and ``embed`` returns the last layer's inputs."""

    num_classes: int
    width: int = 16
    dropout_rate: float = 0.2

    def setup(self):
        """Creates the layers."""
        self.hidden = nn.Dense(self.width)
        self.dropout = nn.Dropout(self.dropout_rate)
        self.output = nn.Dense(self.num_classes)

    def embed(self, x):
        """The inputs of the last layer, without dropout: ``[B, width]``."""
        return nn.relu(self.hidden(x.reshape(len(x), -1)))

    def __call__(self, x, train: bool):
        """Logits ``[B, C]``."""
        return self.output(self.dropout(self.embed(x), deterministic=not train))
