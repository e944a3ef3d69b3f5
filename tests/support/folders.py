"""What folders hold."""

import os


def contents(folder):
    """What every file in ``folder`` is and holds, but for the lock."""
    return {
        path.relative_to(folder).as_posix(): os.readlink(path)
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
        if path.name != ".lock"
    }
