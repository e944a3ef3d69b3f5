"""Pretrained encoders, read from ``config.json`` and ``model.safetensors``. Nothing is unpickled."""

import json
import os
import re
import reprlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from jaxtyping import PyTree

from lbb_jax import paths
from lbb_jax.errors import CheckpointError
from lbb_jax.networks import encoder
from lbb_jax.networks.encoder import ACTIVATIONS, Architecture, PretrainedEncoder
from lbb_jax.text.families import FAMILIES, Family, read_architecture
from lbb_jax.text.location import CONFIG, WEIGHTS

# From our names of parameters to those of checkpoints, in the order tried; the second are of early BERT checkpoints.
_TENSORS = {"kernel": ("weight",), "embedding": ("weight",), "scale": ("weight", "gamma"), "bias": ("bias", "beta")}


def load(folder: str | os.PathLike) -> PretrainedEncoder:
    """Reads the checkpoint of a BERT or DistilBERT encoder, its parameters as NumPy arrays.

    Args:
      folder: As `locate` returns it.

    Raises:
      PathError: If ``folder`` is no local folder.
      CheckpointError: For an unknown architecture, or a file, field or tensor that is missing or not what it should be.
    """
    folder = paths.folder(folder, name="folder")
    family, architecture = _read_architecture(folder / CONFIG)
    return PretrainedEncoder(architecture, _read_params(folder / WEIGHTS, family, architecture))


def _read_architecture(path: Path) -> tuple[Family, Architecture]:
    """The family and the architecture that ``config.json`` describes."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(fields, dict):
        raise CheckpointError(f"{path}: holds {reprlib.repr(fields)}: must be an object with the fields of an encoder")
    kind = fields.get("model_type")
    # Any value from JSON can be looked up in a tuple, but only hashable ones in a dictionary.
    if kind not in tuple(FAMILIES):
        raise CheckpointError(f"{path}: model_type={kind!r}: must be one of {', '.join(map(repr, FAMILIES))}")
    try:
        architecture = read_architecture(FAMILIES[kind], fields)
    except KeyError as error:
        raise CheckpointError(f"{path}: has no field {error}, which model_type={kind!r} needs") from error
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    _check(path, fields, architecture)
    return FAMILIES[kind], architecture


def _check(path: Path, fields: Mapping[str, Any], architecture: Architecture) -> None:
    """Raises CheckpointError for what `Encoder` does not compute."""
    positions = fields.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise CheckpointError(f"{path}: position_embedding_type={positions!r}: must be 'absolute'")
    if fields.get("is_decoder"):
        raise CheckpointError(f"{path}: is_decoder={fields['is_decoder']!r}: must be false; only encoders are read")
    if architecture.activation not in tuple(ACTIVATIONS):
        raise CheckpointError(
            f"{path}: activation {architecture.activation!r}: must be one of {', '.join(map(repr, ACTIVATIONS))}"
        )
    if architecture.hidden_size % architecture.num_heads:
        raise CheckpointError(
            f"{path}: {architecture.hidden_size} hidden units cannot be divided among {architecture.num_heads} heads"
        )


def _read_params(path: Path, family: Family, architecture: Architecture) -> PyTree[np.ndarray]:
    """The parameters of the encoder, each from its tensor."""
    tensors = _read_tensors(path)
    _check_layers(path, tensors, family, architecture.num_layers)

    def param(place: tuple[jax.tree_util.DictKey, ...], expected: jax.ShapeDtypeStruct) -> np.ndarray:
        module, name = ".".join(entry.key for entry in place[:-1]), place[-1].key
        tensor_name = _find(path, tensors, _tensor_names(module, name, family), family)
        # Dense layers are stored with the outputs first.
        turned = name == "kernel"
        tensor, shape = tensors[tensor_name], expected.shape[::-1] if turned else expected.shape
        if not jnp.issubdtype(tensor.dtype, jnp.floating):
            raise CheckpointError(f"{path}: tensor {tensor_name!r} is of {tensor.dtype}: must be floating point")
        if tensor.shape != shape:
            raise CheckpointError(f"{path}: tensor {tensor_name!r} has shape {tensor.shape}; {CONFIG} asks for {shape}")
        return np.asarray(tensor.T if turned else tensor, np.float32)

    return jax.tree_util.tree_map_with_path(param, encoder.param_shapes(architecture))


def _read_tensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a file by their names."""
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file, and weights in other formats are not read")
    try:
        return safetensors.numpy.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error


def _check_layers(path: Path, names: Collection[str], family: Family, num_layers: int) -> None:
    """Raises CheckpointError for a tensor of a layer past the last: its layers are not those of ``config.json``."""
    before, after = map(re.escape, family.layer.split("{}"))
    layer = re.compile(f"(?:{re.escape(family.prefix)})?{before}([0-9]+){after}")
    numbered = ((int(match[1]), name) for name in names if (match := layer.match(name)))
    beyond = min((pair for pair in numbered if pair[0] >= num_layers), default=None)
    if beyond is not None:
        raise CheckpointError(f"{path}: tensor {beyond[1]!r} is of a layer beyond the {num_layers} of {CONFIG}")


def _tensor_names(module: str, param: str, family: Family) -> list[str]:
    """The names that the parameter of one of our modules may have in a checkpoint."""
    layer, _, within = module.partition(".")
    prefix = ""
    if layer.startswith("layers_"):
        prefix, module = family.layer.format(layer.removeprefix("layers_")), within
    return [f"{prefix}{family.modules[module]}.{name}" for name in _TENSORS[param]]


def _find(path: Path, tensors: Collection[str], names: Sequence[str], family: Family) -> str:
    """The first of ``names``, alone or after the family's prefix, that is among the tensors."""
    for name in names:
        for candidate in (name, family.prefix + name):
            if candidate in tensors:
                return candidate
    raise CheckpointError(f"{path}: has no tensor {names[0]!r}, with or without {family.prefix!r} before it")
