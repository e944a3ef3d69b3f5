"""What distinguishes a loaded data set from another one that the same configuration may load elsewhere."""

import hashlib
from typing import Any

import jax
import numpy as np

from lbb_jax.datasets.catalogue import Dataset
from lbb_jax.examples import Examples


def identify(dataset: Dataset) -> dict[str, Any]:
    """Numbers of examples and classes, names of classes, and hashes of labels, inputs and the encoder.

    Inputs are hashed as stored, together with their normalisation, copies and noise. Names and an encoder are left out
    where the data set has none.
    """
    named = {"pool": dataset.pool, "test": dataset.test, "validation": dataset.validation}
    parts = {name: part for name, part in named.items() if part is not None}
    labels = [np.asarray(part.labels, np.int32).tobytes() for part in parts.values()]
    identity = {
        **{name: part.num_examples for name, part in parts.items()},
        "classes": dataset.num_classes,
        "labels": hashlib.sha256(b"".join(labels)).hexdigest(),
        "inputs": _hash_inputs(list(parts.values())),
    }
    if dataset.encoder_digest:
        identity["encoder"] = dataset.encoder_digest
    if dataset.class_names:
        identity["class_names"] = list(dataset.class_names)
    return identity


def _hash_inputs(parts: list[Examples]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr((part.copies, part.noise)).encode())
        key = jax.random.key_data(part.noise_key) if part.noise else None
        for array in (part.features, part.mean, part.std, key):
            if array is not None:
                array = np.ascontiguousarray(array)
                digest.update(f"{array.dtype.str} {array.shape}".encode())
                # As bytes: not every dtype has a buffer.
                digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
