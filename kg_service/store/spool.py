"""A large change, written to files piece by piece, so that no more than some pages of it are in memory.

    <name>.added     what is new, as N-Quads in the way in which the store keeps literals; zlib streams in a row
    <name>.kept      of it, what the default graph had for its own sake (see `patches.Patch`); zlib streams
    <name>.there     what the sources have and the store has too, where graphs are replaced; zlib streams
    <name>.touched   the IRIs of its subjects and graphs, a line each

What graphs lose that are replaced is in files of its own (see `Removed`).
`ingest.spooling` makes spools; the store, the log and validation read them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyoxigraph import Quad, RdfFormat, parse

from kg_service.errors import StoreDamaged, TooLarge
from kg_service.unpacking import reading

#: Bytes that are unpacked at once.
_PIECE = 2**16
#: Bytes of a packed change; the log's database keeps no longer ones.
MOST_PACKED = 900_000_000
_RESTORE = "restore a backup with `kg restore`"


def packed(text: bytes) -> bytes:
    """A text as it is stored: one zlib stream. What is stored may be several, one after another."""
    return zlib.compress(text, level=1)


def texts(stored: Iterable[bytes]) -> Iterator[bytes]:
    """A packed text that comes in pieces, unpacked: some whole lines at a time."""
    unpacking, held = None, b""
    for waiting in stored:
        while waiting:
            unpacking = unpacking or zlib.decompressobj()
            try:
                held += unpacking.decompress(waiting, _PIECE)
            except zlib.error as error:
                raise StoreDamaged(f"a change in the log is damaged ({error}); {_RESTORE}") from None
            waiting = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
            unpacking = None if unpacking.eof else unpacking
            if end := held.rfind(b"\n") + 1:
                yield held[:end]
                held = held[end:]
    if held or unpacking:
        raise StoreDamaged(f"a change in the log has no end; {_RESTORE}")


#: A line of N-Quads, as the engine writes them, with its graph: a word of its own after subject, predicate and object.
#: An IRI has no space in it, and of a literal that ends like one, the last word has the quotation mark.
_IN_GRAPH = re.compile(rb'^(\S+ \S+ .+) <[^>" ]*> \.$', re.MULTILINE)
_LAST_GRAPH = re.compile(rb' <[^>" ]*> \.\n\Z')


def triples(lines: bytes) -> bytes:
    """Lines of N-Quads without their graphs."""
    ending = _LAST_GRAPH.search(lines)
    if ending and lines.count(ending[0]) == lines.count(b"\n"):  # a line end is nowhere but at the end of a statement
        without = lines.replace(ending[0], b" .\n")
        if all(line.count(b" ") > 2 for line in without.split(b"\n")[:-1]):  # it was the graph, and never the object
            return without
    return _IN_GRAPH.sub(rb"\1 .", lines)


@dataclass(frozen=True, slots=True)
class Part:
    """The files of one part: `path` with `.added`, `.kept`, `.there` and `.touched`."""

    path: Path
    #: Lines in it; a statement that the sources have twice may be in it twice.
    lines: int

    @property
    def added(self) -> Path:
        return self.path.with_suffix(".added")

    @property
    def kept(self) -> Path:
        return self.path.with_suffix(".kept")

    @property
    def there(self) -> Path:
        return self.path.with_suffix(".there")

    @property
    def touched(self) -> Path:
        return self.path.with_suffix(".touched")


@dataclass(frozen=True, slots=True)
class Removed:
    """What named graphs lose, each statement once: `path` with `.removed`, `.unheld` and `.touched`."""

    path: Path
    lines: int = 0

    @property
    def removed(self) -> Path:
        """N-Quads, packed."""
        return self.path.with_suffix(".removed")

    @property
    def unheld(self) -> Path:
        """N-Triples, packed: those of its triples that no named graph holds after the change."""
        return self.path.with_suffix(".unheld")

    @property
    def touched(self) -> Path:
        return self.path.with_suffix(".touched")


@dataclass(frozen=True, slots=True)
class Spool:
    """All parts of a large change, in order, and what goes."""

    parts: tuple[Part, ...]
    gone: Removed | None = None

    @property
    def lines(self) -> int:
        """Lines of what is added."""
        return sum(part.lines for part in self.parts)

    @property
    def removed(self) -> int:
        """How many statements go."""
        return self.gone.lines if self.gone else 0

    @property
    def graphs(self) -> frozenset[str]:
        """The IRIs of the graphs that change."""
        return frozenset(iri for iri, is_graph in self._touched() if is_graph)

    @property
    def touched(self) -> Iterator[str]:
        """The IRIs of subjects and graphs, "" for the default graph; one may come several times."""
        yield ""
        for iri, _ in self._touched():
            yield iri

    def _touched(self) -> Iterator[tuple[str, bool]]:
        for part in (*self.parts, *([self.gone] if self.gone else ())):
            with part.touched.open(encoding="utf-8") as lines:
                for line in lines:
                    yield line[1:-1], line[0] == "G"

    def texts(self) -> Iterator[bytes]:
        """What is added as N-Quads, some whole lines at a time."""
        for part in self.parts:
            yield from texts(_pieces(part.added))

    def there(self) -> Iterator[bytes]:
        """What the sources have and the store has too, in the same way; to be asked where graphs are replaced."""
        for part in self.parts:
            yield from texts(_pieces(part.there))

    def triples(self) -> Iterator[bytes]:
        """What is added without the graphs: what it means for the merged graph."""
        return map(triples, self.texts())

    def removed_quads(self) -> Iterator[Quad]:
        """What goes from named graphs, one after the other."""
        return _parsed(self.gone.removed if self.gone else None, RdfFormat.N_QUADS)

    def unheld(self) -> Iterator[Quad]:
        """Of that the triples that no named graph holds after the change, in the default graph."""
        return _parsed(self.gone.unheld if self.gone else None, RdfFormat.N_TRIPLES)

    def stored(self) -> tuple[int, int, int]:
        """Bytes of the packed texts as the log keeps them: what came, what went, what was kept."""
        came, went, kept = (sum(path.stat().st_size for path in paths) for paths in self._stored)
        if came + went + kept > MOST_PACKED:
            raise TooLarge("this is more than one change can hold; load the files in several changes")
        nothing = len(packed(b""))
        return came or nothing, went or nothing, kept or nothing

    def pieces(self) -> Iterator[bytes]:
        """The packed texts in that order, piece by piece."""
        for paths in self._stored:
            if any(path.stat().st_size for path in paths):
                for path in paths:
                    yield from _pieces(path)
            else:
                yield packed(b"")

    @property
    def _stored(self) -> tuple[Sequence[Path], Sequence[Path], Sequence[Path]]:
        went = [self.gone.removed] if self.gone else []
        return [part.added for part in self.parts], went, [part.kept for part in self.parts]


def touched_by(lines: Iterable[bytes]) -> set[bytes]:
    """The subjects and graphs of lines of N-Quads, each after an S or a G: what is in `.touched`."""
    found = set[bytes]()
    for line in lines:
        found.add(b"S" + line.partition(b" ")[0][1:-1])
        found.add(b"G" + line.rsplit(b" ", 2)[1][1:-1])
    return found


def _parsed(path: Path | None, how: RdfFormat) -> Iterator[Quad]:
    return parse(reading(texts(_pieces(path))), how, lenient=True) if path else iter(())


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
