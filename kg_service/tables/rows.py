"""What a table is once it is read: a header and rows of texts, in bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
