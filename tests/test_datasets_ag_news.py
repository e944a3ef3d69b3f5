"""AG News as vectors: generated articles and a tiny encoder, and the real ones where they are at hand."""

import sys
from pathlib import Path

import chex
import jax.numpy as jnp
import numpy as np
import platformdirs
import prepared_files
import pytest
import tensorflow_datasets as tfds
import text_checkpoints

from lbb_jax import datasets, examples, experiment, text
from lbb_jax.datasets import ag_news, encoded_texts, prepared, statistics
from lbb_jax.experiment import build
from lbb_jax.networks.encoder import PADDING

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUM_TRAIN, NUM_TEST = 45, 7


def article(number):
    """Title, description and label; no two are alike."""
    words = text_checkpoints.WORDS
    title = f"{words[number % 7]} {words[number // 7 % 11]}"
    return title, f"The {words[number % 13]} wins.", number % 4


def records(features, numbers):
    for number in numbers:
        yield dict(zip(("title", "description", "label"), article(number), strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ag_news")
    numbers = {"train": range(NUM_TRAIN), "test": range(100, 100 + NUM_TEST)}
    prepared_files.write(folder, "ag_news_subset", numbers, records)
    text_checkpoints.write(folder / "encoder")
    return folder


@pytest.fixture
def options(folder, tmp_path, monkeypatch):
    """What loads the generated articles, by blocks of 10, with a cache of its own."""
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(folder))
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    monkeypatch.setattr(encoded_texts, "BLOCK_SIZE", 10)
    return {"encoder": str(folder / "encoder"), "max_length": 12}


def test_articles_are_vectors_of_title_and_description(options):
    dataset = datasets.load("ag_news", **options)
    assert (dataset.pool.num_examples, dataset.test.num_examples, dataset.num_classes) == (NUM_TRAIN, NUM_TEST, 4)
    text_encoder = text.load_text_encoder(**{"name": options["encoder"], "max_length": 12})
    for part, numbers in ((dataset.pool, range(NUM_TRAIN)), (dataset.test, range(100, 100 + NUM_TEST))):
        texts = [f"{title} {description}" for title, description, _ in map(article, numbers)]
        expected = text.embed(text_encoder, texts, on_progress=lambda count: None)
        # The files hold the articles in another order.
        order = [np.argmin(np.abs(expected - vector).max(axis=1)) for vector in np.asarray(part.features)]
        assert sorted(order) == list(range(len(texts)))
        np.testing.assert_allclose(part.features, expected[order], atol=1e-5)
        np.testing.assert_array_equal(part.labels, [article(numbers[place])[2] for place in order])


def test_vectors_are_standardised_by_the_first_articles_to_label(options, monkeypatch):
    monkeypatch.setattr(encoded_texts, "NUM_FOR_STATISTICS", 30)
    inputs = np.asarray(examples.inputs(datasets.load("ag_news", **options).pool, jnp.arange(30)))
    np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(inputs.std(axis=0), 1, atol=1e-4)


def test_a_feature_that_never_changes_is_not_scaled_up():
    # MiniLM has one.
    np.testing.assert_array_equal(statistics.scale(np.array([0.1, 1e-9, 0.2, 0.0])), [0.1, 1, 0.2, 1])
    np.testing.assert_array_equal(statistics.scale(np.zeros(2)), 1)


def test_part_of_the_articles_are_the_same_vectors_and_read_from_the_cache(options, monkeypatch):
    everything = datasets.load("ag_news", **options).pool
    monkeypatch.setattr(text.embedding, "_compute", None)
    dataset = datasets.load("ag_news", num_pool=13, num_validation=4, num_test=3, **options)
    np.testing.assert_array_equal(dataset.pool.features, everything.features[:13])
    np.testing.assert_array_equal(dataset.pool.labels, everything.labels[:13])
    np.testing.assert_array_equal(dataset.validation.features, everything.features[-4:])
    np.testing.assert_array_equal(dataset.validation.labels, everything.labels[-4:])


def test_only_the_blocks_that_are_wanted_are_embedded(options, monkeypatch, tmp_path):
    monkeypatch.setattr(encoded_texts, "NUM_FOR_STATISTICS", 10)
    datasets.load("ag_news", num_pool=13, num_test=3, **options)
    assert len(list((tmp_path / "lbb_jax" / "embeddings").glob("*.npy"))) == 2 + 1


def test_articles_are_tokens_of_one_length_with_the_encoder_to_fine_tune(options):
    dataset = datasets.load("ag_news_tokens", num_pool=13, **options)
    inputs = np.asarray(examples.inputs(dataset.pool, jnp.arange(13)))
    assert inputs.shape == (13, 12)
    assert inputs.dtype == np.int32
    # The first and the last token of each article are special, and what follows is padding.
    assert (inputs[:, 0] == text_checkpoints.VOCABULARY.index("[CLS]")).all()
    lengths = (inputs >= 0).sum(axis=1)
    assert (inputs[np.arange(13), lengths - 1] == text_checkpoints.VOCABULARY.index("[SEP]")).all()
    assert (np.where(np.arange(12) < lengths[:, None], 0, inputs) == np.where(inputs < 0, PADDING, 0)).all()
    read = text.load(Path(options["encoder"]))
    assert dataset.encoder.architecture == read.architecture
    chex.assert_trees_all_equal(dataset.encoder.params, read.params)


@pytest.mark.parametrize("changed", [{"encoder": None}, {"max_length": None}, {"noise_type": "none"}])
def test_missing_and_unknown_options_are_errors(changed, options):
    options = {name: value for name, value in (options | changed).items() if value is not None}
    with pytest.raises(
        ValueError, match=r"^(encoder|max_length|noise_type).*name='ag_news' takes .*encoder.*max_length"
    ):
        datasets.load("ag_news", **options)


def test_options_of_texts_are_an_error_for_images(options):
    with pytest.raises(ValueError, match=r"^encoder=.*: there is no such field; name='digits' takes copies, "):
        datasets.load("digits", **options)


def test_a_missing_package_is_an_error_that_names_the_extra(options, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("lbb_jax.text", "lbb_jax.datasets"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ValueError, match=r"tokenizers is not installed: pip install 'lbb_jax\[text\]'"):
        datasets.load("ag_news", **options)


def test_an_encoder_that_cannot_be_read_is_an_error(options):
    with pytest.raises(text.CheckpointError, match="encoder='package:nosuch/folder'"):
        datasets.load("ag_news", **(options | {"encoder": "package:nosuch/folder"}))


def test_a_cache_folder_that_cannot_be_written_to_is_a_message_to_whoever_runs_a_configuration(
    options, tmp_path, monkeypatch
):
    (tmp_path / "lbb_jax").write_text("no folder")
    monkeypatch.setattr(text.embedding, "_compute", None)
    config = experiment.default_config()
    config.dataset.update({"name": "ag_news", **options})
    message = rf"config\.dataset: {tmp_path}/lbb_jax/embeddings: cannot be written to .*XDG_CACHE_HOME"
    with pytest.raises(experiment.ExperimentError, match=message):
        build.assemble(config)


def test_missing_files_are_an_error_that_says_how_to_prepare_them(options, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    with pytest.raises(datasets.MissingDatasetError, match=r"tfds\.builder\('ag_news_subset', file_format="):
        datasets.load("ag_news", **options)


def test_the_real_articles_are_read_in_their_four_classes(need_real):
    need_real("ag_news_subset")
    builder = tfds.builder("ag_news_subset", file_format="array_record")
    assert builder.info.features["label"].names == ["World", "Sports", "Business", "Sci/Tech"]
    texts, labels = ag_news._read(prepared.open_split(builder, "test"), 0, 40)
    assert set(labels) == {0, 1, 2, 3}
    assert all(40 < len(article) < 2000 for article in texts)
