"""Errors that the caller can put right; each message says how."""

import signal


class ExperimentError(ValueError):
    """Something that the caller of an experiment can put right; the message says how."""


class CheckpointError(ValueError):
    """An encoder cannot be found or read; the message names the file, field or tensor."""


class CacheError(ValueError):
    """Vectors cannot be kept; the message names the folder and how to name another."""


def exit_in_words(exit_code: int | None) -> str:
    """What a process ended with: a status, or, where ``exit_code`` is negative, a signal, which may have no name."""
    if exit_code is None or exit_code >= 0:
        return f"status {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
