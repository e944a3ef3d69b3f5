"""Stand-ins for the tensors of other libraries."""

import jax.numpy as jnp
import numpy as np


class OnlyArray:
    """Offers ``__array__`` and nothing else."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


class OnlyDlpack:
    """Offers ``__dlpack__`` and nothing else."""

    def __init__(self, array):
        self.array = jnp.asarray(array)

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class OfAnotherDtype(OnlyDlpack):
    """A tensor that NumPy has no dtype for."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("unsupported dtype")


class Unreadable:
    """A tensor that says why it cannot be read."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
