"""The published states of the embedded store: numbered checkpoints, which one is current, who still reads which.

    <store>/format          the layout's version
    <store>/current         the number of the published generation, replaced by atomic rename
    <store>/generations/N/  a checkpoint: a complete database, never written again
    <store>/generations/N.lease   readers hold a shared lock on it; whoever gets it alone may delete N
    <store>/wanted          touched by those who wait to write: a writer that has nothing to do lets them in
    <store>/restoring       there while a backup is put in the store's place: what lies here then is no store

The locks are the kernel's (flock), so a killed reader leaves no lease behind.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import time
from pathlib import Path
from typing import IO

from kg_service.errors import StoreDamaged, StoreError, StoreNewer, StoreUnwritable

FORMAT = 1


class Gone(StoreError):
    """The generation was deleted before it could be opened; ask for the current one and try again."""


def check_format(root: Path) -> None:
    """Refuses a store whose layout this version does not know, and one that is half replaced."""
    if restoring(root).exists():
        raise StoreDamaged(f"a restore into {root} did not come to its end; run `kg restore` with --replace again")
    try:
        text = (root / "format").read_text(errors="replace").strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreUnwritable(f"{root} cannot be used as a store directory: {error.strerror}") from None
    if not text.isdecimal():
        raise StoreDamaged(
            f"{root / 'format'} should hold a number and holds {text[:40]!r}; "
            f"restore a backup with `kg restore`, or delete {root}"
        )
    if int(text) > FORMAT:
        raise StoreNewer(
            f"{root} was written by a newer version (format {text}, this one knows {FORMAT}); "
            f"update this program, or choose another directory with KG_STORE"
        )


def restoring(root: Path) -> Path:
    """The file that says that a backup is being put in the store's place."""
    return root / "restoring"


def current(root: Path) -> int:
    """The number of the published generation; 0 when nothing was published yet."""
    try:
        number = int((root / "current").read_text())
        if number > 0:
            return number
        raise ValueError(number)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except ValueError:
        raise StoreDamaged(
            f"{root / 'current'} does not hold a generation's number; restore a backup with `kg restore`, "
            f"or delete {root}"
        ) from None


class Published:
    """The number of the published generation, as `current` says it, for one who asks often: it is never out of date,
    and the file is read only when it was replaced.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._path = root, str(root / "current")
        self._seen, self._number = "", 0

    def number(self) -> int:
        return self.now()[1]

    def now(self) -> tuple[str, int]:
        """The state and the number of the published generation."""
        seen = self.state()
        if seen != self._seen:
            self._number, self._seen = current(self._root), seen
        return seen, self._number

    def state(self) -> str:
        """Differs for every publication, also in a store that was made anew; empty before the first."""
        try:
            found = os.stat(self._path)  # noqa: PTH116  (a Path would take longer than the question)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        return f"{found.st_mtime_ns:x}.{found.st_ino:x}.{found.st_size}"

    def held(self) -> tuple[str, int, IO[bytes] | None]:
        """The state and the number published now, with a lease on it; without when nothing was published yet."""
        gone = 0
        while (now := self.now())[1]:
            state, number = now
            try:
                return state, number, hold(self._root, number)
            except Gone:
                if gone == number:  # nobody published another meanwhile
                    raise StoreDamaged(
                        f"generation {number} of {self._root} is not there; restore a backup with `kg restore`"
                    ) from None
                gone = number
        return *now, None


def directory(root: Path, generation: int) -> Path:
    return root / "generations" / str(generation)


def _lease(root: Path, generation: int) -> Path:
    return root / "generations" / f"{generation}.lease"


def hold(root: Path, generation: int) -> IO[bytes]:
    """A lease on a generation, held until the file is closed; raises Gone when it was deleted."""
    try:
        lease = _lease(root, generation).open("rb")
    except FileNotFoundError:
        raise Gone(f"generation {generation} is gone") from None
    fcntl.flock(lease, fcntl.LOCK_SH)
    if not directory(root, generation).is_dir():
        lease.close()
        raise Gone(f"generation {generation} is gone")
    return lease


def hold_current(root: Path) -> tuple[int, IO[bytes]] | None:
    """The generation published now, with a lease on it; None when nothing was published yet."""
    _, number, lease = Published(root).held()
    return (number, lease) if lease else None


def publish(root: Path, generation: int) -> None:
    """Makes a finished checkpoint the current one; after a crash it is either the old or the new one."""
    _lease(root, generation).touch()
    sync(directory(root, generation).parent)
    beside = root / "current.new"
    with beside.open("w") as file:
        file.write(f"{generation}\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(root / "current")
    sync(root)


def retire(root: Path) -> None:
    """Deletes the generations that are not current and that nobody reads."""
    published = current(root)
    for path in (root / "generations").iterdir():
        if not path.is_dir() or not path.name.isdecimal() or int(path.name) == published:
            continue
        with _lease(root, int(path.name)).open("ab") as lease:
            try:
                fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(path, ignore_errors=True)
            _lease(root, int(path.name)).unlink(missing_ok=True)


#: Seconds after which a wish to write counts as given up.
_PATIENCE = 2.0


def want(root: Path) -> None:
    """Asks the process that holds the store for writing to let go of it when it is idle."""
    with contextlib.suppress(OSError):
        (root / "wanted").touch()


def is_wanted(root: Path) -> bool:
    """Whether another process waits to write."""
    try:
        return abs(time.time() - (root / "wanted").stat().st_mtime) < _PATIENCE  # the clock may have been put back
    except OSError:
        return False


def copy_database(source: Path, target: Path) -> None:
    """A second database with the same content: immutable table files are linked if they can be, all others copied."""

    def link_or_copy(origin: str, copy: str) -> str:
        if not origin.endswith(".sst") or not linked(Path(origin), Path(copy)):
            shutil.copy2(origin, copy)
        return copy

    shutil.copytree(source, target, copy_function=link_or_copy)


def linked(origin: Path, copy: Path) -> bool:
    """Gives a file a second name; False where that cannot be, on another file system say."""
    try:
        os.link(origin, copy)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            return False
        raise
    return True


def sync(folder: Path) -> None:
    """Makes sure that what a folder (or a file) holds is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
