"""Files that may be packed, read as if they were not: gzip (RFC 1952) and Zstandard (RFC 8878)."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from kg_service.errors import Malformed

#: How the names of packed files end, without the dot.
ENDINGS = ("gz", "zst")
#: Bytes of a Zstandard file that are unpacked together; a frame may unpack to thirty thousand times its size.
_FEW = 2**10


def is_packed(path: Path) -> bool:
    return path.suffix.lstrip(".").lower() in ENDINGS


@contextmanager
def opened(path: Path, say: Callable[[int], None] = lambda size: None) -> Iterator[BinaryIO]:
    """What is in the file, unpacked, to be read; `say` is told of the bytes on the disk, whenever some were read.

    Malformed when it is not whole or cannot be read, FileNotFoundError when it is not there. Errors of who reads come
    as they are.
    """
    try:
        raw = path.open("rb")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        with raw:
            counted = cast(BinaryIO, _Counted(raw, path, say))
            match path.suffix.lower():
                case ".gz":
                    yield cast(BinaryIO, gzip.GzipFile(fileobj=counted))
                case ".zst":
                    yield reading(_of_zstandard(counted))
                case _:
                    yield counted
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Malformed(f"{path}: not a whole gzip file ({error})", source=str(path)) from None
    except (zstandard.ZstdError, _CutShort) as error:
        raise Malformed(f"{path}: not a whole Zstandard file ({error})", source=str(path)) from None


def _unreadable(path: Path, error: OSError) -> Malformed:
    return Malformed(f"{path}: cannot be read ({error.strerror})", source=str(path))


class _CutShort(Exception):
    """A file ends in the middle."""


def _of_zstandard(file: BinaryIO) -> Iterator[bytes]:
    unpacking = None
    while waiting := file.read(_FEW):
        while waiting:
            unpacking = unpacking or zstandard.ZstdDecompressor().decompressobj()
            if text := unpacking.decompress(waiting):
                yield text
            waiting, unpacking = unpacking.unused_data, None if unpacking.eof else unpacking
    if unpacking:
        raise _CutShort("it ends in the middle")


class _Counted:
    """A file that tells how much of it is read."""

    def __init__(self, file: BinaryIO, path: Path, say: Callable[[int], None]) -> None:
        self._file, self._path, self._say = file, path, say

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as error:
            raise _unreadable(self._path, error) from None
        self._say(len(data))
        return data

    def seek(self, position: int, whence: int = 0) -> int:
        return self._file.seek(position, whence)

    def readable(self) -> bool:
        return True


def reading(pieces: Iterator[bytes]) -> BinaryIO:
    """What an iterator gives, as a file to be read."""
    return cast(BinaryIO, _Reading(pieces))


class _Reading(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held, self._at = pieces, b"", 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            held, self._held, self._at = self._held[self._at :], b"", 0
            return held + b"".join(self._pieces)
        while self._at == len(self._held):
            following = next(self._pieces, None)
            if following is None:
                return b""
            self._held, self._at = following, 0
        part = self._held[self._at : self._at + size]
        self._at += len(part)
        return part
