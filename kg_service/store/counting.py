"""How many rows there are in a table of results, counted in its bytes as they pass.

The engine serialises rows without handing them out; counting them in Python would take longer than writing them.
"""

from __future__ import annotations

from collections.abc import Callable

from kg_service.rdf import Format


def counter(how: Format) -> Callable[[bytes], int]:
    """Counts the rows of one table: fed with each part in turn, says how many have begun so far.

    For anything but a table of results it says 0.
    """
    kinds: dict[str, Callable[[], Callable[[bytes], int]]] = {"json": _json, "xml": _xml, "csv": _csv, "tsv": _tsv}
    return kinds[how.name]() if how.results and how.name in kinds else lambda _: 0


def _tsv() -> Callable[[bytes], int]:
    lines = 0

    def count(part: bytes) -> int:
        nonlocal lines
        lines += part.count(b"\n")  # in values it is escaped
        return max(0, lines - 1)

    return count


def _csv() -> Callable[[bytes], int]:
    lines, is_quoted = 0, False

    def count(part: bytes) -> int:
        nonlocal lines, is_quoted
        pieces = part.split(b'"')  # a quote within quotes is doubled, so that every second piece is quoted
        lines += sum(piece.count(b"\n") for piece in pieces[is_quoted::2])
        is_quoted ^= len(pieces) % 2 == 0
        return max(0, lines - 1)

    return count


def _xml() -> Callable[[bytes], int]:
    rows, tail = 0, b""
    mark = b"<result>"  # in values "<" is escaped

    def count(part: bytes) -> int:
        nonlocal rows, tail
        data = tail + part
        rows += data.count(mark)
        tail = data[-(len(mark) - 1) :]
        return rows

    return count


def _json() -> Callable[[bytes], int]:
    rows, tail, is_quoted = 0, b"", False

    def count(part: bytes) -> int:
        """A row is an object in an array; an object within a row follows a colon."""
        nonlocal rows, tail, is_quoted
        data = tail + part
        cut = len(data) - (len(data) - len(data.rstrip(b"\\"))) % 2  # an escape stays whole
        data, tail = data[:cut], data[cut:]
        if b"\\" in data:
            data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
        pieces = data.split(b'"')
        outside = pieces[is_quoted::2]
        is_quoted ^= len(pieces) % 2 == 0
        marks = b'"'.join(outside)
        rows += marks.count(b",{") + marks.count(b"[{")
        if outside and not is_quoted and outside[-1][-1:] in (b",", b"["):
            tail = outside[-1][-1:] + tail  # its brace may come in the next part
        return rows

    return count
