"""A run that is killed at any moment, and started again, ends with the numbers of one that was not."""

import random
import signal
import time

import killed_runs
import pytest
from killed_runs import DRIVERS, NUM_ROUNDS, NUM_SEEDS


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The lines of runs that nothing stopped, by driver and posterior, each made once."""
    made = {}

    def lines(driver, posterior="ensemble"):
        if (driver, posterior) not in made:
            workdir = tmp_path_factory.mktemp("uninterrupted")
            killed_runs.finish(killed_runs.start(workdir, *DRIVERS[driver], posterior=posterior))
            made[driver, posterior] = killed_runs.lines_of(workdir)
            assert len(made[driver, posterior]) == NUM_SEEDS * NUM_ROUNDS
        return made[driver, posterior]

    return lines


def check(workdir, uninterrupted, driver, moments, posterior="ensemble"):
    """Kills a run at each of ``moments``, (lines to wait for, seconds after that), and lets it finish."""
    for num_lines, seconds in moments:
        process = killed_runs.start(workdir, *DRIVERS[driver], posterior=posterior)
        killed_runs.wait_for_lines(process, workdir, num_lines)
        time.sleep(seconds)
        killed_runs.kill(process, workdir)
    killed_runs.finish(killed_runs.start(workdir, *DRIVERS[driver], posterior=posterior))
    assert killed_runs.lines_of(workdir) == uninterrupted(driver, posterior)


def random_moments(seed, count):
    """Moments that move on through a run, so that every kill meets some progress."""
    generator = random.Random(seed)
    lines = sorted(generator.randrange(NUM_SEEDS * NUM_ROUNDS) for _ in range(count))
    return [(num_lines, generator.uniform(0, 0.3)) for num_lines in lines]


def signalled(workdir, number, num_lines, **options):
    """Runs until so many lines are stored and the process has sent itself a signal; its status and its errors."""
    prepare = killed_runs.signals_itself(number, num_lines, **options)
    process = killed_runs.start(workdir, *DRIVERS["host"], prepare=prepare)
    _, errors = process.communicate()
    assert len(killed_runs.lines_of(workdir)) == num_lines, errors
    return process.returncode, errors


def interrupt(workdir, number, num_lines):
    """Sends a run a signal that it can act on: it must end, unfinished, and say how to go on."""
    status, errors = signalled(workdir, number, num_lines)
    assert status not in (0, -number)
    assert "the same command goes on" in errors


@pytest.mark.slow
def test_a_run_survives_three_kills_and_a_signal(tmp_path, uninterrupted):
    interrupt(tmp_path, signal.SIGTERM, NUM_SEEDS)
    # Without a checkpoint of the last round and with one; the second starts where the first was killed.
    for num_rounds, after in ((3, "append_records"), (3, "save"), (7, "append_records")):
        status, errors = signalled(tmp_path, signal.SIGKILL, NUM_SEEDS * num_rounds, after=after)
        assert status == -signal.SIGKILL, errors
    check(tmp_path, uninterrupted, "host", [])


@pytest.mark.soak
def test_ctrl_c_does_what_sigterm_does(tmp_path, uninterrupted):
    interrupt(tmp_path, signal.SIGINT, 2 * NUM_SEEDS)
    check(tmp_path, uninterrupted, "host", [])


@pytest.mark.soak
@pytest.mark.parametrize("posterior", ["ensemble", "mc_dropout"])
def test_a_run_survives_twenty_kills(posterior, tmp_path, uninterrupted):
    check(tmp_path, uninterrupted, "host", random_moments(seed=1, count=20), posterior)


@pytest.mark.soak
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("seconds", [0, 0.02, 0.05])
def test_a_run_survives_kills_at_every_boundary(driver, seconds, tmp_path, uninterrupted):
    rounds = range(1, NUM_ROUNDS) if driver == "host" else range(3, NUM_ROUNDS, 3)
    check(tmp_path, uninterrupted, driver, [(NUM_SEEDS * number, seconds) for number in rounds])
