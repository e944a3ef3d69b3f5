"""Work for a child process that one of its tasks kills."""

import os


def work_that_aborts(groups):
    """A row for each task; the task named "aborts" kills the process."""
    for names in groups:
        for name in names:
            if name == "aborts":
                os.abort()
            yield name, {"case": name}
            yield name, None
