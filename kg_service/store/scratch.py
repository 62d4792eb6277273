"""Folders for a while, beside the store: who made one holds it, so that only what a killed process left is deleted.

The locks are the kernel's (flock), on the folders themselves: age alone does not tell, because some are in use for as
long as a service runs.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

_PREFIX = "scratch-"
#: Seconds in which a folder that was just made is locked, with much to spare.
_YOUNG = 3600


class Scratch:
    """A new folder in `root`, until it is closed."""

    def __init__(self, root: Path, kind: str = "") -> None:
        self.path = Path(mkdtemp(dir=root, prefix=_PREFIX + kind))
        self._held: int | None = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._held, fcntl.LOCK_SH)

    def close(self) -> None:
        """Deletes the folder and what is in it."""
        held, self._held = self._held, None
        if held is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(held)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()


def sweep(root: Path) -> None:
    """Deletes the folders in `root` that nobody holds any more."""
    for path in root.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # held by somebody, or deleted meanwhile
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - path.stat().st_mtime > _YOUNG:
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(folder)
