"""What a table is once it is read: a header and rows of texts, in bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass

from pyoxigraph import Quad, RdfFormat, parse, serialize

#: Rows and columns of a table, characters of a cell, and bytes of a file when it is unpacked.
MOST_ROWS, MOST_COLUMNS, MOST_CHARACTERS, MOST_BYTES = 200_000, 200, 20_000, 200 * 2**20


@dataclass(frozen=True, slots=True)
class Row:
    """A row by its number in the file, from 1 for the header; one text for each column of the header."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """What a file holds, and how it was read, in words: encoding, delimiter, sheet."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def normal(column: str) -> str:
    """A column's name as mappings write it: small letters, words parted by underscores."""
    return re.sub(r"[^\w]+", "_", column.strip().casefold()).strip("_")


class Said(MutableMapping[int, frozenset[Quad]]):
    """What rows say, by their number: triples, kept as text, which takes a tenth of the memory."""

    def __init__(self, texts: Mapping[int, bytes] | None = None) -> None:
        """`texts` are N-Triples."""
        self._texts = dict(texts or {})

    def __getitem__(self, number: int) -> frozenset[Quad]:
        return frozenset(parse(self._texts[number], RdfFormat.N_TRIPLES, lenient=True))

    def __setitem__(self, number: int, quads: frozenset[Quad]) -> None:
        self._texts[number] = serialize((each.triple for each in quads), None, RdfFormat.N_TRIPLES) or b""

    def __delitem__(self, number: int) -> None:
        del self._texts[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def texts(self) -> Mapping[int, bytes]:
        """The same as N-Triples."""
        return self._texts

    def subjects(self, number: int) -> set[str]:
        """What a row says something of, as IRIs."""
        return {line.partition(b" ")[0][1:-1].decode() for line in self._texts[number].split(b"\n")[:-1]}
