"""The kinds of encoders that checkpoints can hold, and how each is stored there."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lbb_jax.networks.encoder import Architecture

# The fields of ``config.json`` by name.
Fields = Mapping[str, Any]


class Family(NamedTuple):
    """How checkpoints store a kind of encoder.

    Attributes:
      prefix: The prefix of its tensors' names where the encoder is part of a larger model.
      layer: Prefix of the names of a layer, with ``{}`` for the layer's number.
      modules: From the names of our modules to those in checkpoints; modules of a layer are without the layer's prefix.
      architecture: From the fields of ``config.json`` to the architecture; KeyError for a field that is missing,
        ValueError for one out of range.
    """

    prefix: str
    layer: str
    modules: Mapping[str, str]
    architecture: Callable[[Fields], Architecture]


def _checked(fields: Fields, name: str, is_in_range: Callable[[Any], bool], allowed: str) -> Any:
    if not is_in_range(fields[name]):
        raise ValueError(f"{name}={fields[name]!r}: must be {allowed}")
    return fields[name]


def _size(fields: Fields, name: str) -> int:
    return _checked(fields, name, lambda value: type(value) is int and value >= 1, "an integer of at least 1")


def _rate(fields: Fields, name: str) -> float:
    return _checked(
        fields, name, lambda value: type(value) in (int, float) and 0 <= value < 1, "a number of at least 0 and below 1"
    )


def _epsilon(fields: Fields, name: str) -> float:
    return _checked(
        fields, name, lambda value: type(value) in (int, float) and 0 < value < math.inf, "a finite number above 0"
    )


def _bert_architecture(fields: Fields) -> Architecture:
    return Architecture(
        vocabulary_size=_size(fields, "vocab_size"),
        num_positions=_size(fields, "max_position_embeddings"),
        num_types=_size(fields, "type_vocab_size"),
        num_layers=_size(fields, "num_hidden_layers"),
        num_heads=_size(fields, "num_attention_heads"),
        hidden_size=_size(fields, "hidden_size"),
        intermediate_size=_size(fields, "intermediate_size"),
        activation=fields["hidden_act"],
        norm_epsilon=_epsilon(fields, "layer_norm_eps"),
        dropout_rate=_rate(fields, "hidden_dropout_prob"),
        attention_dropout_rate=_rate(fields, "attention_probs_dropout_prob"),
        drops_attended=True,
    )


def _distilbert_architecture(fields: Fields) -> Architecture:
    return Architecture(
        vocabulary_size=_size(fields, "vocab_size"),
        num_positions=_size(fields, "max_position_embeddings"),
        num_types=0,
        num_layers=_size(fields, "n_layers"),
        num_heads=_size(fields, "n_heads"),
        hidden_size=_size(fields, "dim"),
        intermediate_size=_size(fields, "hidden_dim"),
        activation=fields["activation"],
        dropout_rate=_rate(fields, "dropout"),
        attention_dropout_rate=_rate(fields, "attention_dropout"),
        drops_attended=False,
    )


_EMBEDDINGS = {
    "embeddings.words": "embeddings.word_embeddings",
    "embeddings.positions": "embeddings.position_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
}

FAMILIES = {
    "bert": Family(
        prefix="bert.",
        layer="encoder.layer.{}.",
        modules=_EMBEDDINGS
        | {
            "embeddings.types": "embeddings.token_type_embeddings",
            "attention.query": "attention.self.query",
            "attention.key": "attention.self.key",
            "attention.value": "attention.self.value",
            "attention.output": "attention.output.dense",
            "attention_norm": "attention.output.LayerNorm",
            "intermediate": "intermediate.dense",
            "output": "output.dense",
            "output_norm": "output.LayerNorm",
        },
        architecture=_bert_architecture,
    ),
    "distilbert": Family(
        prefix="distilbert.",
        layer="transformer.layer.{}.",
        modules=_EMBEDDINGS
        | {
            "attention.query": "attention.q_lin",
            "attention.key": "attention.k_lin",
            "attention.value": "attention.v_lin",
            "attention.output": "attention.out_lin",
            "attention_norm": "sa_layer_norm",
            "intermediate": "ffn.lin1",
            "output": "ffn.lin2",
            "output_norm": "output_layer_norm",
        },
        architecture=_distilbert_architecture,
    ),
}
