"""Pretrained text encoders: found, read, and applied to texts. Needs the extra ``text``."""

from lbb_jax.errors import CacheError, CheckpointError
from lbb_jax.extras import needs

with needs("text"):
    from lbb_jax.text.checkpoint import load
    from lbb_jax.text.embedding import embed
    from lbb_jax.text.location import KNOWN, locate
    from lbb_jax.text.text_encoder import TextEncoder
    from lbb_jax.text.text_encoder import load as load_text_encoder

__all__ = ["KNOWN", "CacheError", "CheckpointError", "TextEncoder", "embed", "load", "load_text_encoder", "locate"]
