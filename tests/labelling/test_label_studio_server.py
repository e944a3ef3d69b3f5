"""A batch through the real server of Label Studio: imported, annotated, exported, told. ``make labelling`` runs it.

The server has an environment of its own. It is started here, on loopback, with a database in a temporary folder.
"""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from labelling_projects import CLASSES, ids_of, predictions

from lbb_jax import labelling
from lbb_jax.labelling import command, label_studio

ROOT = Path(__file__).parents[2]
PROGRAM = Path(os.environ.get("LABEL_STUDIO", ROOT / ".venv-labelling" / "bin" / "label-studio"))
TOKEN = "0123456789abcdef0123456789abcdef01234567"
# It takes a minute where nothing else runs: the database is made anew.
START_SECONDS = 900

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAM.exists(), reason="there is no server of Label Studio; make labelling installs one"),
]


class Server:
    """A running server, as its API shows it."""

    def __init__(self, address):
        self.address = address

    def call(self, path, content=None, method=None):
        """What the server answers, read from JSON; ``content`` is sent as JSON."""
        request = urllib.request.Request(
            f"{self.address}/{path}",
            data=None if content is None else json.dumps(content).encode(),
            headers={"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def is_up(self):
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            return self.call("health") == {"status": "UP"}
        return False

    def export(self, project):
        return self.call(f"api/projects/{project}/export?exportType=JSON&download_all_tasks=true")

    def choose(self, task, label, tag):
        """Annotates a task."""
        result = {"from_name": "label", "to_name": tag, "type": "choices", "value": {"choices": [label]}}
        return self.call(f"api/tasks/{task}/annotations/", {"result": [result]})

    def skip(self, task):
        return self.call(f"api/tasks/{task}/annotations/?was_cancelled=1", {"result": [], "was_cancelled": True})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "HOME": str(folder),
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder),
        # It asks nobody anything.
        **dict.fromkeys(("COLLECT_ANALYTICS", "COLLECT_STATISTICS", "LATEST_VERSION_CHECK"), "False"),
        **dict.fromkeys(("SENTRY_DSN", "FRONTEND_SENTRY_DSN"), ""),
    }
    words = [
        *(str(PROGRAM), "start", "--no-browser", "--data-dir", str(folder), "--internal-host", "127.0.0.1"),
        *("--port", str(port), "--username", "labeller@example.com", "--password", "not-a-secret"),
        *("--user-token", TOKEN, "--enable-legacy-api-token"),
    ]
    with open(folder / "server.log", "wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env=environment, cwd=folder)
    try:
        running, deadline = Server(f"http://127.0.0.1:{port}"), time.monotonic() + START_SECONDS
        while not running.is_up():
            output = (folder / "server.log").read_text(errors="replace")
            assert process.poll() is None, f"the server ended: {output[-3000:]}"
            assert time.monotonic() < deadline, f"the server does not answer: {output[-3000:]}"
            time.sleep(1)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_a_batch_is_imported_annotated_exported_and_told(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ids = ids_of(12)
    project = labelling.create("pool", ids=ids, classes=CLASSES)
    np.save("log_probs.npy", predictions(12))
    lines = ["id,text", *(f'{id_},"A text, about {id_}"' for id_ in ids)]
    Path("texts.csv").write_text("\n".join(lines) + "\n")
    ask = ["ask", "pool", "log_probs.npy", "--method=bald", "--batch-size=6", "--audit=0.2"]
    assert command.main([*ask, "--format=label-studio", "--data=texts.csv"]) == 0

    interface = Path("pool/label-studio.xml").read_text()
    number = server.call("api/projects/", {"title": "A pool", "label_config": interface})["id"]
    tasks = json.loads(Path("pool/batches/0001.json").read_text())
    imported = server.call(f"api/projects/{number}/import", tasks)
    assert (imported["task_count"], imported["prediction_count"]) == (6, 5)

    # The Data Manager sorts by the scores: the picks in their order, then the point that no method has picked.
    view = {"project": number, "data": {"ordering": ["-tasks:predictions_score"]}}
    view = server.call("api/dm/views/", view)["id"]
    shown = server.call(f"api/tasks?view={view}&fields=all")["tasks"]
    in_batch_order = [task["data"]["id"] for task in tasks]
    assert [task["data"]["id"] for task in shown] == in_batch_order
    assert shown[0]["data"]["text"] == f"A text, about {in_batch_order[0]}"
    scores = [task["predictions_score"] for task in shown]
    assert scores[:5] == sorted(scores[:5], reverse=True)
    assert scores[5] is None

    by_id = {task["data"]["id"]: task["id"] for task in shown}
    server.choose(by_id[in_batch_order[0]], "cat", "text")
    wrong = server.choose(by_id[in_batch_order[1]], "cat", "text")
    server.skip(by_id[in_batch_order[2]])
    server.choose(by_id[in_batch_order[5]], "cow", "text")
    Path("export.json").write_text(json.dumps(server.export(number)))
    assert command.main(["tell", "pool", "export.json", "--format=label-studio"]) == 0
    assert project.labels() == {in_batch_order[0]: "cat", in_batch_order[1]: "cat", in_batch_order[5]: "cow"}
    assert project.status().skipped == 1
    assert set(project.pending) == set(in_batch_order[3:5])
    assert project.status().audit_when_asked.count == 1

    # An annotation that is changed, and a second one by which a skipped task is answered after all, are corrections.
    server.call(f"api/annotations/{wrong['id']}/", {"result": result_of("dog")}, method="PATCH")
    server.choose(by_id[in_batch_order[2]], "dog", "text")
    Path("export.json").write_text(json.dumps(server.export(number)))
    assert command.main(["tell", "pool", "export.json", "--format=label-studio"]) == 0
    labels = project.labels()
    assert (labels[in_batch_order[1]], labels[in_batch_order[2]]) == ("dog", "dog")
    assert project.status().corrections == 2
    assert len(project.pending) == 2


def result_of(label):
    return [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [label]}}]


@pytest.mark.parametrize("columns", [["id"], ["image"], ["audio", "transcript"]])
def test_the_server_takes_the_interface(server, columns):
    interface = label_studio.interface(["<1", "a & b", '"quoted"'], columns)
    made = server.call("api/projects/", {"title": "An interface", "label_config": interface})
    assert made["label_config"] == interface
