"""What can be wrong with a pretrained encoder, and with the place of what it makes."""


class CheckpointError(ValueError):
    """An encoder cannot be found or read; the message names the file, field or tensor."""


class CacheError(ValueError):
    """Vectors cannot be kept; the message names the folder and how to name another."""
