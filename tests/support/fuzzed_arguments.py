"""Arguments made up from a random generator: right ones in every form that is taken, and wrong ones of every kind."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pandas as pd
import reference
from tensors import OnlyArray, Unreadable

NUM_POINTS, NUM_DRAWS, NUM_CLASSES, NUM_FEATURES = 12, 6, 3, 5


def log_probs(rng, num_points=NUM_POINTS):
    kind = reference.KINDS[rng.integers(len(reference.KINDS))]
    return reference.log64(reference.random_probs(int(rng.integers(2**20)), num_points, NUM_DRAWS, NUM_CLASSES, kind))


def embeddings(rng):
    return rng.normal(size=(NUM_POINTS, NUM_FEATURES))


def mask(rng):
    return rng.permutation(np.arange(NUM_POINTS) % 3 != 0)


def key(rng):
    return jax.random.key(int(rng.integers(2**20)))


def _with(array, value, rng):
    changed = np.array(array, copy=True)
    changed[tuple(int(rng.integers(size)) for size in array.shape)] = value
    return changed


def deleted(array):
    on_device = jnp.array(array)
    on_device.delete()
    return on_device


def plain(array):
    """A NumPy array of what `RIGHT` made of one."""
    return np.asarray(array.array if isinstance(array, OnlyArray) else array)


# Each kind of argument in the forms that are taken.
FLOATING = [
    lambda array: array,
    lambda array: array.astype(np.float32),
    lambda array: array.astype(">f4"),
    lambda array: np.asfortranarray(array),
    lambda array: np.repeat(array, 2, axis=0)[::2],
    lambda array: np.ma.masked_array(array),
    lambda array: jnp.asarray(array, jnp.float32),
    lambda array: OnlyArray(array),
    lambda array: array.astype(np.float16),
    lambda array: array.astype(ml_dtypes.bfloat16),
    lambda array: jnp.asarray(array, jnp.bfloat16),
]
MASKS = [
    lambda array: array,
    lambda array: jnp.asarray(array),
    lambda array: OnlyArray(array),
    lambda array: pd.Series(array, index=np.arange(len(array))[::-1]),
]
INTEGERS = [
    lambda array: array,
    lambda array: jnp.asarray(array, jnp.int32),
    lambda array: array.astype(np.uint8),
    lambda array: OnlyArray(array),
]
WHOLE = [lambda value: value, lambda value: np.int64(value), lambda value: np.uint16(value)]
RIGHT = {
    "predictions": FLOATING,
    "predictions, unread": FLOATING,
    # What computes with them as they are.
    "predictions, whole": FLOATING[:8],
    "features": FLOATING,
    "embeddings": FLOATING,
    "optional embeddings": FLOATING,
    "confidence": FLOATING,
    "mask": MASKS,
    "mask, unread": MASKS,
    "targets": FLOATING,
    "labels": INTEGERS,
    "stored labels": [*INTEGERS, lambda array: array.astype(float), lambda array: array.astype(">i8")],
    "indices": INTEGERS,
    "distinct indices": INTEGERS,
    "added indices": INTEGERS,
    "whole number": WHOLE,
    "whole number or None": WHOLE,
    "count": WHOLE,
    "number": [
        lambda value: value,
        lambda value: np.float64(value),
        lambda value: np.float32(value),
        lambda value: jnp.float32(value),
        lambda value: np.asarray(value, np.float16),
    ],
    "key": [
        lambda key: key,
        lambda key: jax.random.key_data(key),
        lambda key: np.asarray(jax.random.key_data(key)),
    ],
}

# Each kind of argument in forms that are wrong. They take the right value and a random generator.
NO_ARRAYS = [
    lambda array, rng: None,
    lambda array, rng: array.tolist(),
    lambda array, rng: "log_probs.npy",
    lambda array, rng: 3,
    lambda array, rng: {"array": array},
    lambda array, rng: object(),
    lambda array, rng: Unreadable(),
    lambda array, rng: (row for row in array),
]
NO_NUMBERS = [
    *NO_ARRAYS,
    lambda array, rng: array.astype(complex),
    lambda array, rng: array.astype(object),
    lambda array, rng: array.astype(str),
    lambda array, rng: np.full(array.shape, np.datetime64("2020-01-01")),
    lambda array, rng: np.ma.masked_array(array, mask=np.ones(array.shape, bool)),
    lambda array, rng: pd.DataFrame({"a": ["b"]}),
    lambda array, rng: deleted(array),
    lambda array, rng: np.float32(0),
    lambda array, rng: array[None],
    lambda array, rng: array[:0],
]
PREDICTIONS_OF_OTHER_SHAPES = [
    *NO_NUMBERS,
    lambda array, rng: array[0],
    lambda array, rng: array[:, 0],
    lambda array, rng: array[:, :0],
    lambda array, rng: array[..., :0],
    lambda array, rng: np.zeros(array.shape, int),
    lambda array, rng: np.zeros(array.shape, bool),
    lambda array, rng: array.astype(ml_dtypes.float8_e4m3fn),
]
NO_MASKS = [
    *NO_ARRAYS[1:],
    lambda array, rng: array.astype(int),
    lambda array, rng: array.astype(float),
    lambda array, rng: array.astype(object),
    lambda array, rng: array.astype(str),
    lambda array, rng: np.flatnonzero(array),
    lambda array, rng: np.where(array, -1, 2),
    lambda array, rng: array[:-1],
    lambda array, rng: np.append(array, True),
    lambda array, rng: array[None],
    lambda array, rng: np.ones(NUM_DRAWS, bool),
    lambda array, rng: np.ma.masked_array(array, mask=np.ones(len(array), bool)),
    lambda array, rng: pd.Series([True, None] * (len(array) // 2)),
]
NO_INDICES = [
    *NO_NUMBERS[:-1],
    lambda array, rng: array + 0.5,
    lambda array, rng: np.full(len(array), np.nan),
    lambda array, rng: np.full(len(array), 2**40),
    lambda array, rng: np.eye(50)[array],
]
NO_CLASSES = [
    *NO_INDICES,
    lambda array, rng: _with(array, -1, rng),
    lambda array, rng: _with(array, -(2**40), rng),
    lambda array, rng: _with(array, NUM_POINTS, rng),
]
NO_WHOLE_NUMBERS = [
    lambda value, rng: -1,
    lambda value, rng: float(value),
    lambda value, rng: str(value),
    lambda value, rng: True,
    lambda value, rng: np.nan,
    lambda value, rng: [value],
    lambda value, rng: np.array([value]),
    lambda value, rng: np.float32(value),
    lambda value, rng: complex(value),
]
NO_STATISTICS = [
    lambda value, rng: None,
    lambda value, rng: "1",
    lambda value, rng: np.nan,
    lambda value, rng: np.ones(3),
    lambda value, rng: np.ones((2, 4)),
    lambda value, rng: [1.0, [2.0]],
    lambda value, rng: 1j,
    lambda value, rng: object(),
]
WRONG = {
    "predictions, unread": PREDICTIONS_OF_OTHER_SHAPES,
    "predictions": [
        *PREDICTIONS_OF_OTHER_SHAPES,
        lambda array, rng: np.exp(array),
        lambda array, rng: array + 1,
        lambda array, rng: array.astype(np.float16) - np.float16(0.1),
        lambda array, rng: np.full(array.shape, np.nan),
        lambda array, rng: _with(array, np.nan, rng),
        lambda array, rng: _with(array, np.inf, rng),
        lambda array, rng: _with(array, 1e300, rng),
        lambda array, rng: np.full(array.shape, -np.inf),
        # The axes in another order.
        lambda array, rng: np.log(np.swapaxes(reference.random_probs(1, *array.shape), 1, 2)),
        lambda array, rng: np.log(np.moveaxis(reference.random_probs(1, *array.shape), 2, 0)),
    ],
    "embeddings": [
        *NO_NUMBERS,
        lambda array, rng: array[:-1],
        lambda array, rng: array[:, :0],
        lambda array, rng: array.astype(int),
        lambda array, rng: np.full(array.shape, np.nan),
        lambda array, rng: np.full(array.shape, 1e300),
        lambda array, rng: np.full(array.shape, -2e15),
    ],
    "features": [
        *NO_NUMBERS,
        lambda array, rng: array[:-1],
        lambda array, rng: array[:, :0],
        lambda array, rng: _with(array, np.nan, rng),
        lambda array, rng: _with(array, 1e300, rng),
        lambda array, rng: np.full(array.shape, 2**40),
    ],
    "confidence": [
        *NO_NUMBERS,
        lambda array, rng: array[:-1],
        lambda array, rng: _with(array, 2, rng),
        lambda array, rng: _with(array, -0.1, rng),
        lambda array, rng: _with(array, np.nan, rng),
        lambda array, rng: np.ones(len(array), int),
    ],
    "mask": [*NO_MASKS, lambda array, rng: np.zeros_like(array)],
    "mask, unread": NO_MASKS,
    "labels": [*NO_CLASSES, lambda array, rng: array[:-1], lambda array, rng: np.append(array, 0)],
    "indices": NO_CLASSES,
    "distinct indices": [*NO_INDICES, lambda array, rng: array * 0, lambda array, rng: _with(array, -1, rng)],
    "added indices": [*NO_INDICES, lambda array, rng: array * 0, lambda array, rng: array - 50],
    "key": [
        lambda key, rng: None,
        lambda key, rng: 0,
        lambda key, rng: "key",
        lambda key, rng: [0, 0],
        lambda key, rng: rng,
        lambda key, rng: jax.random.split(key, 2),
        lambda key, rng: jax.random.split(key, 1),
        lambda key, rng: np.zeros(3, np.uint32),
        lambda key, rng: np.zeros((2, 2), np.uint32),
        lambda key, rng: np.zeros((), np.uint32),
        lambda key, rng: np.zeros(2, np.int32),
        lambda key, rng: jnp.zeros(2),
        lambda key, rng: jax.random.key,
    ],
    "whole number": [*NO_WHOLE_NUMBERS, lambda value, rng: 0, lambda value, rng: None],
    "whole number or None": [*NO_WHOLE_NUMBERS, lambda value, rng: 0],
    "count": [*NO_WHOLE_NUMBERS, lambda value, rng: None, lambda value, rng: value + 1, lambda value, rng: 10**9],
    "number": [
        lambda value, rng: -1.0,
        lambda value, rng: np.nan,
        lambda value, rng: -np.inf,
        lambda value, rng: 1e300,
        lambda value, rng: 10**400,
        lambda value, rng: "1",
        lambda value, rng: None,
        lambda value, rng: True,
        lambda value, rng: 1j,
        lambda value, rng: np.ones(2),
        lambda value, rng: np.array("1"),
        lambda value, rng: np.array(1j),
        lambda value, rng: jnp.asarray(True),
    ],
    "choice": [
        lambda value, rng: "full",
        lambda value, rng: None,
        lambda value, rng: 1,
        lambda value, rng: b"tree",
        lambda value, rng: np.array(["tree"]),
        lambda value, rng: ["tree"],
    ],
    "method": [
        lambda value, rng: "no_method",
        lambda value, rng: value.upper(),
        lambda value, rng: None,
        lambda value, rng: [value],
        lambda value, rng: 1,
        lambda value, rng: np.array([value, value]),
        lambda value, rng: "",
    ],
    "mean": NO_STATISTICS,
    "std": [*NO_STATISTICS[1:], lambda value, rng: 0.0, lambda value, rng: -1.0],
    # An object of the project's own.
    "own": [
        lambda value, rng: None,
        lambda value, rng: [1, 2],
        lambda value, rng: np.arange(3),
        lambda value, rng: "x",
    ],
    "batches": [
        lambda blocks, rng: None,
        lambda blocks, rng: plain(blocks[0]),
        lambda blocks, rng: [],
        lambda blocks, rng: 3,
        lambda blocks, rng: [None],
        lambda blocks, rng: {"log_probs": blocks[0]},
        lambda blocks, rng: [(blocks[0], None, None)],
        lambda blocks, rng: [()],
        lambda blocks, rng: [(blocks[0], np.ones(50, bool))],
        lambda blocks, rng: [(blocks[0], [True])],
        lambda blocks, rng: [[block, None] for block in blocks],
        lambda blocks, rng: "/no/such/file.npy",
        lambda blocks, rng: __file__,
        lambda blocks, rng: "~",
        lambda blocks, rng: b"log_probs.npy",
        lambda blocks, rng: [*blocks, plain(blocks[0])[:, :2]],
        lambda blocks, rng: [*blocks, np.full_like(plain(blocks[0]), np.nan)],
        lambda blocks, rng: [*blocks, np.full((1, NUM_DRAWS, NUM_CLASSES), "0")],
    ],
}
WRONG["predictions, whole"] = PREDICTIONS_OF_OTHER_SHAPES
WRONG["targets"] = WRONG["predictions"][1:]
WRONG["stored labels"] = WRONG["labels"]
WRONG["optional embeddings"] = WRONG["embeddings"][1:]
