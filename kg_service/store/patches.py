"""A change as the log stores it: what came, what went and what was kept, each as packed N-Quads."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from pyoxigraph import NamedNode, Quad, RdfFormat, parse, serialize

from kg_service.errors import StoreDamaged
from kg_service.store import Delta
from kg_service.store.spool import packed, texts

_LENGTHS = struct.Struct(">3Q")
#: Bytes of a stored patch that are looked at together.
_PIECE = 2**16


@dataclass(frozen=True, slots=True)
class Patch:
    """What a change did, without what merely follows from it in the default graph.

    Of the default graph it names what no named graph holds: a triple that it had with one and now has without is
    added. `kept` are triples that the default graph had for their own sake and would lose if the change were merely
    turned round.
    """

    delta: Delta
    kept: frozenset[Quad] = frozenset()

    @property
    def inverse(self) -> Delta:
        """The change that undoes this one."""
        return Delta(added=self.delta.removed | self.kept, removed=self.delta.added)

    @property
    def touched(self) -> set[str]:
        """The IRIs of the subjects and of the graphs that the change is about; "" is the default graph."""
        terms = {
            term for part in (self.delta.added, self.delta.removed) for q in part for term in (q.subject, q.graph_name)
        }
        return {"", *(term.value for term in terms if isinstance(term, NamedNode))}

    def packed(self) -> bytes:
        """The patch as it is stored: what came, what went and what was kept as N-Quads, each packed."""
        return _joined([packed(serialize(quads, None, RdfFormat.N_QUADS) or b"") for quads in self._parts])

    @property
    def _parts(self) -> tuple[frozenset[Quad], frozenset[Quad], frozenset[Quad]]:
        return self.delta.added, self.delta.removed, self.kept

    @classmethod
    def unpacked(cls, stored: bytes) -> Patch:
        """What was stored; raises StoreDamaged when it is not whole."""
        parts = [frozenset(parse(b"".join(_texts(part)), RdfFormat.N_QUADS)) for part in _stored_parts(stored)]
        added, removed, kept = parts
        return cls(Delta(added, removed), kept)


def beginning(lengths: Iterable[int]) -> bytes:
    """How a stored patch begins, from the lengths of its three packed texts in bytes."""
    return _LENGTHS.pack(*lengths)


def _joined(parts: Sequence[bytes]) -> bytes:
    return beginning(map(len, parts)) + b"".join(parts)


def turned(stored: bytes) -> bytes:
    """The stored patch that undoes one: what went and what was kept came back, what came is gone."""
    added, removed, kept = _stored_parts(stored)
    return _joined([b"".join((removed, kept)), bytes(added), packed(b"")])


def rows(stored: bytes) -> Iterator[tuple[str, bytes]]:
    """What a stored patch does, statement by statement: D or A, and the line of N-Quads; what goes comes first.

    Applied in order to the dataset whose default graph holds only what no named graph does, they lead to the next
    such dataset. Of a patch of any size only some pages are in memory, beside its packed form.
    """
    added, removed, kept = _stored_parts(stored)
    for code, part in (("D", removed), ("D", kept), ("A", added)):
        for text in _texts(part):
            for line in text.split(b"\n")[:-1]:
                yield code, line


def undoing(stored: bytes, size: int) -> Iterator[Delta]:
    """What undoes a stored patch, in changes of so many statements, one after the other.

    What came goes first: a triple that only moved between graphs is in one of them in the end.
    """
    came = (line for text in added_text(stored) for line in text.split(b"\n")[:-1])
    went = (line for _, line in takewhile(lambda row: row[0] == "D", rows(stored)))
    yield from (Delta(removed=_parsed(lines)) for lines in _together(came, size))
    yield from (Delta(added=_parsed(lines)) for lines in _together(went, size))


def _together(lines: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    while some := list(islice(lines, size)):
        yield some


def _parsed(lines: list[bytes]) -> frozenset[Quad]:
    return frozenset(parse(b"\n".join(lines), RdfFormat.N_QUADS, lenient=True))


def added_text(stored: bytes) -> Iterator[bytes]:
    """What a stored patch adds, as N-Quads: some whole lines at a time."""
    return _texts(_stored_parts(stored)[0])


def _stored_parts(stored: bytes) -> list[memoryview]:
    """The three packed texts of a stored patch."""
    parts, start = [], _LENGTHS.size
    lengths = _LENGTHS.unpack_from(stored) if len(stored) >= start else ()
    if start + sum(lengths) != len(stored) or not lengths:
        raise StoreDamaged("a change in the log is not whole; restore a backup with `kg restore`")
    for length in lengths:
        parts.append(memoryview(stored)[start : start + length])
        start += length
    return parts


def _texts(part: memoryview) -> Iterator[bytes]:
    return texts(bytes(part[start : start + _PIECE]) for start in range(0, len(part), _PIECE))


def excerpt(stored: bytes, size: int) -> Patch:
    """Of a stored patch the first so many statements that went, and that came."""
    lines: dict[str, list[bytes]] = {"D": [], "A": []}
    for code, line in rows(stored):
        if len(lines[code]) < size:
            lines[code].append(line)
        elif code == "A":
            break
    came, went = (frozenset(parse(b"\n".join(lines[code]), RdfFormat.N_QUADS)) for code in "AD")
    return Patch(Delta(came, went))
