"""The transformer encoders BERT (Devlin et al., 2019) and DistilBERT (Sanh et al., 2019) as one Flax module.

Shape legend: `B` texts, `L` tokens of each, padding included, `D` hidden units, `H` attention heads. Tokens are numbers
in the vocabulary; those below 0 are padding, which nothing attends to.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from lbb_jax.networks.dropout import OFF, Dropout, Mode
from lbb_jax.ranges import Count, NotNegativeCount, Positive, Rate

PADDING = -1

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "gelu": functools.partial(nn.gelu, approximate=False),
    "gelu_new": nn.gelu,
    "relu": nn.relu,
}


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The sizes of an encoder, and the differences between BERT and DistilBERT.

    Attributes:
      vocabulary_size: Number of tokens.
      num_positions: The longest text, in tokens.
      num_types: Number of segment types; every token here has the first one. 0 for an encoder without segments
        (DistilBERT).
      num_layers: Layers of attention.
      num_heads: ``H``, which divides ``D``.
      hidden_size: ``D``.
      intermediate_size: Width of the dense layer within each layer.
      activation: One of `ACTIVATIONS`.
      norm_epsilon: Added to the variance in layer normalisation.
      dropout_rate: After the embeddings and after the dense layers of each layer.
      attention_dropout_rate: The dropout rate of the attention weights.
      drops_attended: Whether there is dropout after the attention's output (BERT) or not (DistilBERT).
    """

    vocabulary_size: Count
    num_positions: Count
    num_types: NotNegativeCount
    num_layers: Count
    num_heads: Count
    hidden_size: Count
    intermediate_size: Count
    activation: str = "gelu"
    norm_epsilon: Positive = 1e-12
    dropout_rate: Rate = 0.1
    attention_dropout_rate: Rate = 0.1
    drops_attended: bool = True


class PretrainedEncoder(NamedTuple):
    """An encoder that has been trained.

    Attributes:
      architecture: Its sizes.
      params: Its parameters, in the shapes of `param_shapes`, float32.
    """

    architecture: Architecture
    params: PyTree


class Embeddings(nn.Module):
    """The normalised sum of the embeddings of a token, of its position and of its segment.

    Attributes:
      architecture: The encoder's architecture.
    """

    architecture: Architecture

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Maps tokens ``[B, L]`` to ``[B, L, D]``."""
        sizes = self.architecture
        embedded = nn.Embed(sizes.vocabulary_size, sizes.hidden_size, name="words")(jnp.maximum(tokens, 0))
        positions = nn.Embed(sizes.num_positions, sizes.hidden_size, name="positions").embedding
        embedded = embedded + positions[None, : tokens.shape[1]]
        if sizes.num_types:
            embedded = embedded + nn.Embed(sizes.num_types, sizes.hidden_size, name="types").embedding[None, :1]
        return _normalisation(sizes, "norm")(embedded)


class Attention(nn.Module):
    """Multi-head self-attention to the tokens that are no padding (Vaswani et al., 2017).

    Attributes:
      architecture: The encoder's architecture.
    """

    architecture: Architecture

    @nn.compact
    def __call__(self, hidden: jax.Array, is_token: jax.Array, mode: Mode) -> jax.Array:
        """Maps ``hidden[B, L, D]`` and ``is_token[B, L]`` (bool) to ``[B, L, D]``."""
        sizes = self.architecture
        head_size = sizes.hidden_size // sizes.num_heads

        def project(name: str) -> jax.Array:
            projected = nn.Dense(sizes.hidden_size, name=name)(hidden)
            return projected.reshape(*hidden.shape[:2], sizes.num_heads, head_size)

        query, key, value = map(project, ("query", "key", "value"))
        scores = jnp.einsum("blhd,bmhd->bhlm", query, key).astype(jnp.float32) / jnp.sqrt(jnp.float32(head_size))
        # Not -inf: a text without a single token fills up a batch, and must not become NaN.
        scores = jnp.where(is_token[:, None, None, :], scores, jnp.finfo(scores.dtype).min)
        weights = nn.softmax(scores, axis=-1).astype(hidden.dtype)
        weights = Dropout(sizes.attention_dropout_rate)(weights, mode)
        attended = jnp.einsum("bhlm,bmhd->blhd", weights, value).reshape(hidden.shape)
        return nn.Dense(sizes.hidden_size, name="output")(attended)


class Layer(nn.Module):
    """Attention and two dense layers, each beside a shortcut and normalised afterwards.

    Attributes:
      architecture: The encoder's architecture.
    """

    architecture: Architecture

    @nn.compact
    def __call__(self, hidden: jax.Array, is_token: jax.Array, mode: Mode) -> jax.Array:
        """Maps ``hidden[B, L, D]`` and ``is_token[B, L]`` (bool) to ``[B, L, D]``."""
        sizes = self.architecture
        attended = Attention(sizes, name="attention")(hidden, is_token, mode)
        if sizes.drops_attended:
            attended = Dropout(sizes.dropout_rate)(attended, mode)
        hidden = _normalisation(sizes, "attention_norm")(hidden + attended)
        intermediate = ACTIVATIONS[sizes.activation](nn.Dense(sizes.intermediate_size, name="intermediate")(hidden))
        output = Dropout(sizes.dropout_rate)(nn.Dense(sizes.hidden_size, name="output")(intermediate), mode)
        return _normalisation(sizes, "output_norm")(hidden + output)


class Encoder(nn.Module):
    """Embeddings and layers, with dropout where the originals have it.

    A mask shared by all inputs has a value for each position: inputs under one mask must have the same length ``L``.

    Attributes:
      architecture: Its sizes.
    """

    architecture: Architecture

    def setup(self) -> None:
        """Creates the layers."""
        self.embeddings = Embeddings(self.architecture)
        self.dropout = Dropout(self.architecture.dropout_rate)
        self.layers = [Layer(self.architecture) for _ in range(self.architecture.num_layers)]

    def before_dropout(self, tokens: jax.Array) -> jax.Array:
        """The embeddings: ``[B, L]`` to ``[B, L, D]``."""
        return self.embeddings(tokens)

    def after_dropout(self, hidden: jax.Array, is_token: jax.Array, mode: Mode) -> jax.Array:
        """Maps the embeddings ``[B, L, D]`` and ``is_token[B, L]`` (bool) to the hidden states ``[B, L, D]``."""
        hidden = self.dropout(hidden, mode)
        for layer in self.layers:
            hidden = layer(hidden, is_token, mode)
        return hidden

    def __call__(self, tokens: jax.Array, mode: Mode = OFF) -> jax.Array:
        """Maps tokens ``[B, L]`` int32 to the hidden states of the last layer ``[B, L, D]``; those of padding mean
        nothing.
        """
        return self.after_dropout(self.before_dropout(tokens), is_no_padding(tokens), mode)


def param_shapes(architecture: Architecture) -> PyTree:
    """The parameters of an encoder, as shapes: nested dictionaries, the outer ones named for its modules."""
    one_token = jax.ShapeDtypeStruct((1, 1), jnp.int32)
    return jax.eval_shape(Encoder(architecture).init, jax.random.key(0), one_token)["params"]


def hidden_states(architecture: Architecture, params: PyTree, tokens: jax.Array) -> jax.Array:
    """The hidden states of the last layer without dropout, from tokens ``[B, L]`` to ``[B, L, D]``."""
    states: Any = Encoder(architecture).apply({"params": params}, tokens)
    return states


def mean_hidden_states(architecture: Architecture, params: PyTree, tokens: jax.Array) -> jax.Array:
    """The mean of `hidden_states` over the tokens of each text: ``[B, L]`` to ``[B, D]``."""
    return mean_over_tokens(hidden_states(architecture, params, tokens), is_no_padding(tokens))


def is_no_padding(tokens: jax.Array) -> jax.Array:
    """Which of the tokens ``[B, L]`` are of a text: ``[B, L]`` bool."""
    return tokens >= 0


def mean_over_tokens(hidden: jax.Array, is_token: jax.Array) -> jax.Array:
    """The mean of ``hidden[B, L, D]`` over the tokens that are no padding: ``[B, D]``; 0 where there is none."""
    weights = is_token.astype(hidden.dtype)
    total = jnp.einsum("bld,bl->bd", hidden, weights)
    return total / jnp.maximum(jnp.sum(weights, axis=1, keepdims=True), 1)


def _normalisation(sizes: Architecture, name: str) -> nn.LayerNorm:
    # The fast variance is the difference of two means, and loses digits where the mean is large.
    return nn.LayerNorm(epsilon=sizes.norm_epsilon, use_fast_variance=False, name=name)
