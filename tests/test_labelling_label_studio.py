"""Label Studio's files: what is written for it and read from it. The real server is in tests/labelling."""

import csv
import json
from xml.etree import ElementTree

import pytest
from labelling_projects import CLASSES, ids_of, predictions

from lbb_jax import labelling
from lbb_jax.labelling import label_studio, tables

IDS = ids_of(8)


def annotation(*choices, at="2026-01-01T00:00:00Z", name="label", **fields):
    parts = [{"from_name": name, "type": "choices", "value": {"choices": list(choices)}}] if choices else []
    return {"result": parts, "was_cancelled": False, "updated_at": at, **fields}


def task(id_, *annotations):
    return {"id": 7, "data": {"id": id_, "text": "A text"}, "annotations": list(annotations)}


def read(tmp_path, content):
    path = tmp_path / "export.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return label_studio.read_export(path, ids=set(IDS), classes=CLASSES)


def test_tasks_carry_ids_data_and_scores(tmp_path):
    project = labelling.create(tmp_path / "pool", ids=IDS, classes=CLASSES)
    data = {id_: {"text": f"About {id_}"} for id_ in IDS}
    arguments = {"method": "bald", "batch_size": 4, "audit": 0.25, "format": "label-studio"}
    batch = project.ask(predictions(8), data=data, **arguments)
    tasks = json.loads(project.batch_path(1).read_text())
    assert [task["data"] for task in tasks] == [{"text": f"About {id_}", "id": id_} for id_ in batch.ids]
    scores = [[each["score"] for each in task["predictions"]] for task in tasks]
    assert scores == [*([score] for score in batch.scores[:3].tolist()), []]
    # No suggestion that could sway a labeller.
    assert all(each["result"] == [] for task in tasks for each in task["predictions"])
    with pytest.raises(labelling.LabellingError, match="has nothing to show for 'img_"):
        project.ask(predictions(8), data={}, **arguments)
    assert project.status().asked == 1


def test_an_export_is_read(tmp_path):
    content = [
        task("img_0", annotation("cat")),
        # The latest counts, wherever it stands.
        task("img_1", annotation("dog", at="2026-01-02T00:00:00Z"), annotation("cat")),
        task("img_2", annotation(was_cancelled=True)),
        task("img_3", annotation(was_cancelled=True), annotation("cow", at="2026-01-02T00:00:00Z")),
        # Neither annotated nor decided.
        task("img_4"),
        task("img_5", annotation()),
        # Beside other choices, and under another name.
        task("img_6", {"result": [*annotation("cat")["result"], *annotation("hard", name="level")["result"]]}),
        task("img_7", annotation("dog", name="animal")),
    ]
    assert read(tmp_path, content) == {
        **{"img_0": "cat", "img_1": "dog", "img_2": None, "img_3": "cow", "img_6": "cat", "img_7": "dog"}
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([task("img_0", annotation("cat")), task("img_99")], "task 2, data.id: 'img_99' is no id"),
        ([task("img_0", annotation("ant"))], "task 1, id 'img_0': 'ant' is no class"),
        ([task("img_0", annotation("cat", "dog"))], "task 1: an annotation has the choices 'cat', 'dog'"),
        ([task("img_0"), task("img_1", annotation(None))], "task 2: an annotation has the choices None, where"),
        ([task("img_0", annotation("cat")), task("img_0", annotation("dog"))], "another label in an earlier task"),
        ([{"id": 1, "text": "x", "choice": "cat"}], "export as JSON, not as JSON-MIN"),
        ([{"data": {"text": "x"}, "annotations": []}], "import what ask wrote"),
        ({"data": 3}, "is no list of tasks"),
        ("nonsense", "is no JSON"),
        ([3], "task 1: is no task"),
    ],
)
def test_a_wrong_export_names_the_task(tmp_path, content, message):
    with pytest.raises(labelling.LabellingError, match=message):
        read(tmp_path, content)


def test_the_interface_has_all_choices_and_shows_all_columns():
    classes = ['a "b"', "<c> & 'd'", "é"]
    view = ElementTree.fromstring(label_studio.interface(classes, ["image", "caption"]))
    assert [(each.tag, each.get("value")) for each in view][:2] == [("Image", "$image"), ("Text", "$caption")]
    choices = view.find("Choices")
    assert (choices.get("name"), choices.get("toName")) == ("label", "image")
    assert [choice.get("value") for choice in choices] == classes


def test_what_tasks_show_comes_from_a_table(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text('text,id\n"One, two",img_0\nThree,img_1\n')
    assert tables.read_task_data(path) == {"img_0": {"text": "One, two"}, "img_1": {"text": "Three"}}
    # Longer than the fields that Python's csv module takes.
    page = "x" * (csv.field_size_limit() + 1)
    path.write_text(f"id,html\nimg_0,{page}\n")
    assert tables.read_task_data(path) == {"img_0": {"html": page}}
    path.write_text("id\nimg_0\n")
    with pytest.raises(labelling.LabellingError, match="has no column beside id"):
        tables.read_task_data(path)
    path.write_text("id,text\nimg_0,a\nimg_0,b\n")
    with pytest.raises(labelling.LabellingError, match="row 3, column id: 'img_0' stands further up"):
        tables.read_task_data(path)
