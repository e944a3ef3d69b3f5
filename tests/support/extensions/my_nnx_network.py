"""A network in Flax NNX, without dropout."""

from flax import nnx


class Plain(nnx.Module):
    """Two linear layers. NNX is told the number of inputs: here the pixels of a digit."""

    def __init__(self, num_classes: int, width: int = 16, num_inputs: int = 64, *, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(num_inputs, width, rngs=rngs)
        self.output = nnx.Linear(width, num_classes, rngs=rngs)

    def __call__(self, x):
        """Logits ``[B, C]``."""
        return self.output(nnx.relu(self.hidden(x.reshape(len(x), -1))))
