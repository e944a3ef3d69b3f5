import io
import json
import tempfile
import threading

import numpy as np
import pytest
import text_checkpoints
from text_checkpoints import TEXTS

from lbb_jax import text
from lbb_jax.errors import CacheError
from lbb_jax.text import embedding, tokenization

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return text.load_text_encoder(str(text_checkpoints.write(tmp_path_factory.mktemp("encoder"))), max_length=16)


def embed(encoder, cache, texts=TEXTS):
    done = []
    vectors = text.embed(encoder, texts, on_progress=done.append, cache=cache)
    assert sum(done) == len(texts)
    return vectors


@pytest.fixture
def computed(monkeypatch):
    """A list that grows by the texts whose vectors are computed."""
    texts_computed = []
    compute = embedding._compute

    def note(encoder, texts, on_progress):
        texts_computed.extend(texts)
        return compute(encoder, texts, on_progress)

    monkeypatch.setattr(embedding, "_compute", note)
    return texts_computed


def test_vectors_are_means_of_hidden_states_over_the_tokens_of_each_text(encoder, tmp_path):
    vectors = embed(encoder, tmp_path)
    assert vectors.dtype == np.float32
    tensors = text_checkpoints.random_tensors("bert")
    for vector, tokens in zip(vectors, tokenization.tokenize(encoder.tokenizer, TEXTS, max_length=16), strict=True):
        expected = text_checkpoints.reference_hidden_states("bert", tensors, tokens).mean(axis=0)
        np.testing.assert_allclose(vector, expected, atol=1e-5)


def test_the_same_texts_are_embedded_once(encoder, tmp_path, computed):
    first = embed(encoder, tmp_path)
    np.testing.assert_array_equal(embed(encoder, tmp_path), first)
    assert computed == TEXTS


def test_other_texts_are_embedded_again(encoder, tmp_path, computed):
    embed(encoder, tmp_path)
    again = embed(encoder, tmp_path, TEXTS[::-1])
    np.testing.assert_allclose(again[::-1], embed(encoder, tmp_path), atol=1e-5)
    assert computed == TEXTS + TEXTS[::-1]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content, vectors: content[:100],
        lambda content, vectors: content.replace(b"(4, 8)", b"(4, 8("),
        lambda content, vectors: b"",
        lambda content, vectors: npy(vectors[:3]),
        lambda content, vectors: npy(vectors.astype(np.float64)),
        lambda content, vectors: npy(np.where(vectors == vectors.max(), np.nan, vectors)),
    ],
    ids=["cut", "header", "empty", "shape", "type", "not finite"],
)
def test_a_file_that_holds_anything_else_is_replaced_with_a_warning(damage, encoder, tmp_path, computed, caplog):
    first = embed(encoder, tmp_path)
    assert not caplog.messages
    (path,) = tmp_path.glob("*.npy")
    path.write_bytes(damage(path.read_bytes(), first))
    for _ in range(2):
        np.testing.assert_array_equal(embed(encoder, tmp_path), first)
    assert computed == TEXTS * 2
    assert caplog.messages == [f"{path} does not hold the vectors that it should, and is replaced"]


def test_vectors_that_cannot_be_read_are_not_computed_anew(encoder, tmp_path, computed, monkeypatch):
    embed(encoder, tmp_path)
    before = list(computed)

    def fail(*arguments, **options):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(np.lib.format, "read_array", fail)
        with pytest.raises(CacheError, match=r"\.npy: cannot be read .*Input/output error"):
            embed(encoder, tmp_path)
    assert computed == before


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_vectors_that_are_not_finite_are_an_error_and_not_kept(tmp_path):
    tensors = text_checkpoints.random_tensors("bert")
    # A word of the second text and of the fourth.
    tensors["embeddings.word_embeddings.weight"][text_checkpoints.VOCABULARY.index("game")] = np.nan
    folder = str(text_checkpoints.write(tmp_path / "broken", tensors=tensors))
    broken = text.load_text_encoder(folder, max_length=16)
    with pytest.raises(text.CheckpointError, match=f"encoder='{folder}': 2 of 4 vectors are not finite"):
        embed(broken, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.npy"))


def test_two_at_once_compute_the_same_texts_once(encoder, tmp_path, computed, monkeypatch):
    has_looked, found = threading.Event(), []
    read, compute = embedding._read, embedding._compute

    def note_look(*arguments):
        kept = read(*arguments)
        if threading.current_thread() is second:
            has_looked.set()
        return kept

    def compute_when_the_second_has_looked(*arguments):
        if threading.current_thread() is not second:
            second.start()
            assert has_looked.wait(timeout=300)
        return compute(*arguments)

    second = threading.Thread(target=lambda: found.append(embed(encoder, tmp_path)))
    monkeypatch.setattr(embedding, "_read", note_look)
    monkeypatch.setattr(embedding, "_compute", compute_when_the_second_has_looked)
    first = embed(encoder, tmp_path)
    second.join(timeout=300)
    assert not second.is_alive()
    np.testing.assert_array_equal(found[0], first)
    assert computed == TEXTS


def test_a_folder_that_cannot_be_made_is_an_error_before_anything_is_computed(encoder, tmp_path, computed):
    (tmp_path / "file").write_text("")
    with pytest.raises(text.CacheError, match=f"{tmp_path}/file/cache: cannot be written to .*XDG_CACHE_HOME"):
        embed(encoder, tmp_path / "file" / "cache")
    assert not computed


def test_a_folder_that_cannot_be_written_to_any_more_is_only_read_from(encoder, tmp_path, computed, monkeypatch):
    first = embed(encoder, tmp_path)
    computed.clear()

    # To the superuser, as whom tests may run, every folder can be written to.
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    np.testing.assert_array_equal(embed(encoder, tmp_path), first)
    with pytest.raises(text.CacheError, match=f"{tmp_path}: cannot be written to .*Permission denied.*XDG_CACHE_HOME"):
        embed(encoder, tmp_path, TEXTS[:2])
    assert not computed


def test_vectors_that_cannot_be_written_are_an_error_that_names_the_folder(encoder, tmp_path, monkeypatch):
    def full_disk(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedding, "atomic_write", full_disk)
    with pytest.raises(text.CacheError, match=f"{tmp_path}: cannot be written to .*No space left.*XDG_CACHE_HOME"):
        embed(encoder, tmp_path)


def test_whatever_the_vectors_depend_on_tells_encoders_apart(encoder, tmp_path):
    tensors = text_checkpoints.random_tensors("bert")
    tensors["embeddings.LayerNorm.bias"][0] += 1e-6
    other_words = text_checkpoints.write(tmp_path / "words")
    (other_words / "vocab.txt").write_text("\n".join(text_checkpoints.VOCABULARY[::-1]))
    copies = {
        "same": text_checkpoints.write(tmp_path / "same"),
        "tensor": text_checkpoints.write(tmp_path / "tensor", tensors=tensors),
        "activation": text_checkpoints.write(tmp_path / "activation", hidden_act="relu"),
        "vocabulary": other_words,
    }
    digests = {name: text.load_text_encoder(str(folder), max_length=16).digest for name, folder in copies.items()}
    digests["length"] = text.load_text_encoder(str(copies["same"]), max_length=15).digest
    assert digests.pop("same") == encoder.digest
    assert len({*digests.values(), encoder.digest}) == 1 + len(digests)


@pytest.mark.parametrize("max_length", [2, 21])
def test_a_length_that_the_encoder_cannot_read_is_an_error(max_length, tmp_path):
    folder = text_checkpoints.write(tmp_path)
    with pytest.raises(ValueError, match=f"max_length={max_length}: must be at least 3.*at most the encoder's 20"):
        text.load_text_encoder(str(folder), max_length=max_length)


def test_a_vocabulary_larger_than_the_encoders_is_an_error(tmp_path):
    folder = text_checkpoints.write(tmp_path)
    with (folder / "vocab.txt").open("a") as file:
        file.write("\nmore\nthan\nthere\nare")
    with pytest.raises(text.CheckpointError, match="tokenizer numbers tokens up to 24, its encoder only up to 20"):
        text.load_text_encoder(str(folder), max_length=16)


@pytest.mark.parametrize("number", [21, 40])
def test_a_token_with_a_number_beyond_the_encoders_is_an_error_however_many_there_are(number, tmp_path):
    folder = text_checkpoints.write(tmp_path)
    whole = json.loads(tokenization.load_tokenizer(folder).to_str())
    del whole["model"]["vocab"]["a"]
    whole["model"]["vocab"]["the"] = number
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    with pytest.raises(
        text.CheckpointError, match=f"tokenizer numbers tokens up to {number}, its encoder only up to 20"
    ):
        text.load_text_encoder(str(folder), max_length=16)
