"""Processes that work on a labelling project and can be killed. They start quickly: imports are made once.

Functions that run in other processes stand in this module, which imports little.
"""

import json
import multiprocessing
import os
import random
import signal
from multiprocessing import reduction

from labelling_projects import CLASSES, predictions

from lbb_jax import labelling
from lbb_jax.labelling import tables

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["lbb_jax.acquisition", "lbb_jax.labelling.picking", "labelling_processes"])


def work_until_killed(path, seed, acknowledged):
    """Asks, tells and corrects without end; notes on a pipe what came back, as a user would know it."""
    project, random_numbers = labelling.open(path), random.Random(seed)
    while True:
        num_ids = len(project.ids)
        batch = project.ask(predictions(num_ids), method="random", batch_size=2, audit=1.0)
        os.write(acknowledged.descriptor, (json.dumps({"asked": batch.ids}) + "\n").encode())
        labels = {id_: random_numbers.choice([*CLASSES, None]) for id_ in batch.ids}
        project.tell(labels)
        os.write(acknowledged.descriptor, (json.dumps({"told": labels}) + "\n").encode())
        project.add([f"{seed}_{num_ids}_{number}" for number in range(3)])


class Handle:
    """A file descriptor that goes along to a process that is started."""

    def __init__(self, descriptor):
        self.descriptor = descriptor

    def __getstate__(self):
        return reduction.DupFd(self.descriptor)

    def __setstate__(self, duplicate):
        self.descriptor = duplicate.detach()


def killed_at(step, function, *arguments):
    """Calls a function in this process, which is killed when it comes to flush its ``step``-th write, from 0 on."""
    flush, done = os.fsync, []

    def fsync(descriptor):
        if len(done) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        flush(descriptor)
        done.append(descriptor)

    os.fsync = fsync
    function(*arguments)


def ask_in_process(path, log_probs, arguments):
    project = labelling.open(path)
    project.ask(log_probs, **arguments)


def tell_in_process(path, file):
    project = labelling.open(path)
    project.tell(tables.read_labels(file, ids=set(project.ids), classes=project.classes))
