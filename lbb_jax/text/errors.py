"""What can be wrong with a pretrained encoder."""


class CheckpointError(ValueError):
    """An encoder cannot be found or read; the message names the file, field or tensor."""
