"""Data sets of the user's own: arrays, folders of images, texts in CSV files."""

import csv

import numpy as np
import platformdirs
import pytest
import text_checkpoints
from PIL import Image

from lbb_jax import datasets, text
from lbb_jax.datasets import arrays, classes, image_folder, statistics, text_csv

LABELS = np.array(["dog", "cat", "dog", "emu", "cat", "emu", "dog", "cat"])
VECTORS = np.arange(24, dtype=np.float32).reshape(8, 3)


def everything(split):
    return split.read(0, split.num_examples)


@pytest.fixture
def save(tmp_path):
    """Saves arrays as an archive or as a folder of files, and returns its path."""

    def save(kind="folder", **named):
        if kind == "npz":
            np.savez(tmp_path / "data.npz", **named)
            return str(tmp_path / "data.npz")
        for name, array in named.items():
            np.save(tmp_path / f"{name}.npy", array)
        return str(tmp_path)

    return save


@pytest.mark.parametrize("kind", ["npz", "folder"])
def test_arrays_are_read_as_they_stand(save, kind):
    test_labels = np.array(["emu", "cat"])
    path = save(kind, train_features=VECTORS, train_labels=LABELS, test_features=-VECTORS[:2], test_labels=test_labels)
    source = arrays.load(path=path)
    assert source.class_names == ("cat", "dog", "emu")
    assert source.num_classes == 3
    features, labels = everything(source.train)
    np.testing.assert_array_equal(features, VECTORS)
    assert [source.class_names[label] for label in labels] == LABELS.tolist()
    features, labels = everything(source.test)
    np.testing.assert_array_equal(features, -VECTORS[:2])
    np.testing.assert_array_equal(labels, [2, 0])
    np.testing.assert_allclose(source.mean, VECTORS.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(source.std, VECTORS.std(axis=0), rtol=1e-6)
    features, labels = source.train.read(3, 5)
    np.testing.assert_array_equal(features, VECTORS[3:5])
    np.testing.assert_array_equal(labels, [2, 0])


@pytest.mark.parametrize(
    ("dtype", "shape", "example", "stored"),
    [
        (np.float16, (8, 3), (3,), np.float16),
        (np.float64, (8, 3), (3,), np.float32),
        (np.uint8, (8, 4, 5), (4, 5, 1), np.uint8),
        (bool, (8, 4, 5, 2), (4, 5, 2), bool),
    ],
)
def test_features_of_any_kind(save, dtype, shape, example, stored):
    values = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    source = arrays.load(path=save(train_features=values, train_labels=np.repeat([-3, 7], 4)), standardise=False)
    features, labels = everything(source.train)
    assert features.shape[1:] == example
    assert features.dtype == stored
    assert (float(source.mean), float(source.std)) == (0, 1)
    assert source.class_names == ("-3", "7")
    assert set(labels) == {0, 1}


def test_a_part_of_every_class_is_held_out_always_the_same_and_said(save, caplog):
    caplog.set_level("INFO")
    labels = np.repeat([0.0, 1.0, 5.0], [50, 30, 20])
    path = save(train_features=np.arange(100)[:, None], train_labels=labels)
    source = arrays.load(path=path, test_share=0.1)
    assert "10 of 100 examples are held out to test on" in caplog.text
    (train, train_labels), (test, test_labels) = everything(source.train), everything(source.test)
    assert sorted(np.concatenate([train, test]).ravel()) == list(range(100))
    assert np.bincount(test_labels).tolist() == [5, 3, 2]
    assert np.all(np.diff(train.ravel()) > 0)
    np.testing.assert_array_equal(np.array([0, 1, 5])[train_labels], labels[train.ravel()])
    np.testing.assert_array_equal(everything(arrays.load(path=path, test_share=0.1).test)[0], test)


NAN = VECTORS.copy()
NAN[5, 1] = np.nan


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"train_features": VECTORS}, "has no array train_labels; .*there is train_features"),
        ({"train_features": VECTORS, "train_labels": LABELS, "test_labels": LABELS}, "has no array test_features"),
        ({"train_features": VECTORS, "train_labels": LABELS[:5]}, r"train_labels.*must be \(8,\), one for each"),
        ({"train_features": VECTORS[:, 0], "train_labels": LABELS}, r"train_features has the shape \(8,\)"),
        ({"train_features": VECTORS.astype(str), "train_labels": LABELS}, "must be numbers"),
        ({"train_features": VECTORS, "train_labels": np.array([*"aaabbbcc", "c"])[1:] == "z"}, "at least two classes"),
        ({"train_features": VECTORS, "train_labels": np.array([*"aaabbbbc"])}, r"\[7\].*the only example of .*'c'"),
        ({"train_features": VECTORS, "train_labels": np.array([*"aaabbb", "", "b"])}, r"\[6\].*has no label"),
        ({"train_features": VECTORS, "train_labels": np.array([0, 1, np.nan, 0, 1, 1, 0, 1])}, r"\[2\].*has no label"),
        ({"train_features": VECTORS, "train_labels": np.array([0, 1, 0.5, 0, 1, 1, 0, 1])}, r"\[2\].*no whole number"),
        (
            {
                "train_features": VECTORS,
                "train_labels": LABELS,
                "test_features": VECTORS[:2],
                "test_labels": np.array(["cat", "fox"]),
            },
            r"test_labels.*\[1\]: the class fox is none of the 3",
        ),
        (
            {
                "train_features": VECTORS,
                "train_labels": LABELS,
                "test_features": VECTORS[:2, :2],
                "test_labels": LABELS[:2],
            },
            r"have the shape \(2,\)",
        ),
        ({"train_features": NAN, "train_labels": np.tile([0, 1], 4)}, r"train_features.*\[5\]: holds NaN"),
        ({"train_features": VECTORS, "train_labels": LABELS.astype(object)}, "no array of numbers or texts"),
    ],
)
@pytest.mark.parametrize("kind", ["npz", "folder"])
def test_arrays_that_cannot_be_used_are_named(save, kind, named, message):
    def read(path):
        source = arrays.load(path=path, test_share=0.4, standardise=False)
        everything(source.train), everything(source.test)

    with pytest.raises(ValueError, match=message):
        read(save(kind, **named))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00"])
def test_files_that_are_damaged_are_named(tmp_path, content):
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"path=.*data\.npz: "):
        arrays.load(path=str(tmp_path / "data.npz"))


def test_statistics_are_those_of_all_blocks(monkeypatch):
    monkeypatch.setattr(statistics, "BLOCK_SIZE", 7)
    images = np.random.default_rng(0).normal(1000, [1, 2, 0], (20, 4, 5, 3))
    mean, scale = statistics.of_blocks(lambda start, stop: images[start:stop], 20)
    np.testing.assert_allclose(mean, images.mean(axis=(0, 1, 2))[None, None], rtol=1e-6)
    np.testing.assert_allclose(scale[0, 0], [*images.std(axis=(0, 1, 2))[:2], 1], rtol=1e-5)


def test_a_pool_that_lacks_classes_because_it_is_cut_is_told(save, caplog):
    features, labels = np.arange(40, dtype=np.float32).reshape(20, 2), np.repeat(np.arange(4), 5)
    path = save(train_features=features, train_labels=labels, test_features=features, test_labels=labels)
    for num_pool in (16, None):
        datasets.load("arrays", num_pool=num_pool, path=path)
    assert "num_pool" not in caplog.text
    datasets.load("arrays", num_pool=10, path=path)
    assert "num_pool=10: the first examples are of 2 of the 4 classes only" in caplog.text


def test_a_pool_is_described_by_its_rarest_and_its_most_frequent_class():
    assert classes.describe_labels(np.repeat([0, 1, 2], [1200, 5, 7]), ("a", "b", "c")) == (
        "1,212 examples of 3 classes, from 5 (b) to 1,200 (a)"
    )
    assert classes.describe_labels(np.repeat([0, 1], 6), ("a", "b")) == "12 examples of 2 classes, 6 each"


def write_image(path, color, size=(6, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


@pytest.fixture
def images(tmp_path):
    for number in range(5):
        write_image(tmp_path / "train" / "red" / f"{number}.png", (250, number, 0))
        write_image(tmp_path / "train" / "blue" / f"{number}.bmp", (0, number, 250))
    write_image(tmp_path / "test" / "red" / "9.png", (200, 0, 0))
    (tmp_path / "train" / "red" / ".DS_Store").write_bytes(b"")
    return tmp_path


def test_folders_of_images(images):
    source = image_folder.load(path=str(images), standardise=False)
    assert source.class_names == ("blue", "red")
    features, labels = everything(source.train)
    assert features.shape == (10, 4, 6, 3)
    assert features.dtype == np.uint8
    assert features[:, 0, 0].tolist() == [*([0, n, 250] for n in range(5)), *([250, n, 0] for n in range(5))]
    assert labels.tolist() == [0] * 5 + [1] * 5
    assert everything(source.test)[1].tolist() == [1]
    assert (float(source.mean), float(source.std)) == (0, 255)
    resized = image_folder.load(path=str(images), image_size=3, color=False)
    assert everything(resized.train)[0].shape == (10, 3, 3, 1)
    assert resized.mean.shape == (1, 1, 1)


def test_images_without_a_test_split(images):
    source = image_folder.load(path=str(images / "train"), test_share=0.2)
    assert (source.train.num_examples, source.test.num_examples) == (8, 2)
    assert sorted(everything(source.test)[1]) == [0, 1]


def test_images_that_cannot_be_used_are_named(images):
    write_image(images / "train" / "red" / "7.png", (1, 1, 1), size=(6, 5))
    with pytest.raises(ValueError, match=r"red/7\.png: is 6 × 5, not 6 × 4, the size of .*; set image_size"):
        image_folder.load(path=str(images))
    assert everything(image_folder.load(path=str(images), image_size=4).train)[0].shape == (11, 4, 4, 3)
    (images / "train" / "red" / "7.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"red/7\.png: cannot be read as an image"):
        image_folder.load(path=str(images))
    (images / "train" / "red" / "7.png").unlink()
    write_image(images / "test" / "green" / "1.png", (0, 200, 0))
    with pytest.raises(ValueError, match="the class green is none of the 2"):
        image_folder.load(path=str(images))
    (images / "test" / "green" / "1.png").unlink()
    with pytest.raises(ValueError, match="green: holds no images"):
        image_folder.load(path=str(images))
    with pytest.raises(ValueError, match="holds no folders of images"):
        image_folder.load(path=str(images / "train" / "red"))


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    text_checkpoints.write(tmp_path / "encoder")
    return {"encoder": str(tmp_path / "encoder"), "max_length": 12}


def write_csv(path, rows, header=("text", "label")):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


TEXTS = [('stocks rise, "again"', "money"), ("the team\nwins", "sport"), ("stocks fall", "money"), ("a game", "sport")]


def test_texts_are_vectors(tmp_path, encoder):
    write_csv(tmp_path / "train.csv", TEXTS)
    write_csv(tmp_path / "test.csv", TEXTS[1:2])
    source = text_csv.load(path=str(tmp_path), **encoder)
    features, labels = everything(source.train)
    text_encoder = text.load_text_encoder(encoder["encoder"], max_length=12)
    expected = text.embed(text_encoder, [row[0] for row in TEXTS], on_progress=lambda count: None)
    np.testing.assert_allclose(features, expected, atol=1e-5)
    assert [source.class_names[label] for label in labels] == [row[1] for row in TEXTS]
    np.testing.assert_allclose(everything(source.test)[0], expected[1:2], atol=1e-5)
    np.testing.assert_allclose(source.mean, expected.mean(axis=0), atol=1e-5)


def test_one_file_of_texts_with_other_columns(tmp_path, encoder):
    write_csv(tmp_path / "all.csv", [(number, *row) for number, row in enumerate(TEXTS * 3)], ("id", "says", "kind"))
    source = text_csv.load(
        path=str(tmp_path / "all.csv"), text_column="says", label_column="kind", test_share=0.3, **encoder
    )
    assert (source.train.num_examples, source.test.num_examples) == (8, 4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\n", "holds no rows"),
        ("text,class\na,b\n", "has no column 'label'; it has text, class; set"),
        ("", "holds no rows"),
        ("text,label\na,b\n,b\n", "row 3: the column 'text' is empty"),
        ("text,label\na,b\nc\n", "row 3: the column 'label' is empty"),
        ('text,label\n"a,b\n', "is no row of a CSV file"),
        (b"text,label\n\xff\xfe,b\n", "is not in UTF-8"),
        ("text,label\na,b\nc,b\n", "at least two classes"),
        ("text,label\na,b\nc,b\nd,e\n", "row 4: the only example of the class 'e'"),
        ("text;label\na, b;c;\nd;e;f\n", "row 3: has 3 fields where there are 2 columns"),
    ],
)
def test_texts_that_cannot_be_used_are_named(tmp_path, content, message):
    (tmp_path / "texts.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message) as raised:
        text_csv.load(path=str(tmp_path / "texts.csv"))
    assert "texts.csv" in str(raised.value)
