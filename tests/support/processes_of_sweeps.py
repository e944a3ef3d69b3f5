"""Processes of a sweep that do not do what they should. They import little, so that they start quickly."""

import os
import signal
import time


def killed_if_bald(config, workdir, sender):
    """Is killed, as by a system that has run out of memory, if its method is BALD."""
    if config.acquisition.method == "bald":
        os.kill(os.getpid(), signal.SIGKILL)


def endless(config, workdir, sender):
    """Finishes one round and never ends."""
    sender.send([{"labels": 10, "accuracy": 0.5}])
    time.sleep(600)


def writes_its_device(config, workdir, sender):
    """Writes which GPU it sees."""
    workdir.with_suffix(".device").write_text(os.environ["CUDA_VISIBLE_DEVICES"])


def writes_its_name(config, workdir, path):
    """Writes the name of its folder, as a job."""
    workdir.with_suffix(".name").write_text(workdir.name)
