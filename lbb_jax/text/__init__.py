"""Pretrained text encoders: found, read, and applied to texts. Needs the extra ``text``."""

from lbb_jax.text.checkpoint import load
from lbb_jax.text.embedding import Embedder, embed, load_embedder
from lbb_jax.text.errors import CheckpointError
from lbb_jax.text.location import KNOWN, locate

__all__ = ["KNOWN", "CheckpointError", "Embedder", "embed", "load", "load_embedder", "locate"]
