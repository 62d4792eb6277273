"""A file of a table as its header and rows of texts, whatever its encoding and delimiter; all of it in bounds."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

from kg_service.errors import KgError, Malformed, TooLarge, UnsupportedFormat
from kg_service.tables import geojson
from kg_service.tables.rows import MOST_BYTES, MOST_CHARACTERS, MOST_COLUMNS, MOST_ROWS, Row, Table, normal

#: Parts of a workbook, and how many times smaller than its contents one may be.
_PARTS, _PACKED = 2_000, 200
_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
_UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


def read(name: str, content: bytes, known: Collection[str] = ()) -> Table:
    """The table in a file. `known` are the columns looked for: they tell the delimiter, and which sheet it is.

    Malformed for what is no table, TooLarge for what is more than one may hold; nothing is evaluated, ever.
    """
    name = name.lower()
    if len(content) > MOST_BYTES:
        raise TooLarge(f"the file holds more than {MOST_BYTES // 2**20} MB; send it in parts")
    if name.endswith(".gz"):
        name, content = name.removesuffix(".gz"), _unpacked(content)
    if content[:4] == b"PK\x03\x04" or name.endswith((".xlsx", ".xlsm")):
        return _workbook(content, known)
    if content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" or name.endswith((".xls", ".ods", ".numbers")):
        raise UnsupportedFormat("this kind of spreadsheet is not read; save it as XLSX or CSV")
    if name.endswith((".geojson", ".json")):
        return geojson.table(_decoded(content)[0], known)
    return _text(content, known, is_tsv=name.endswith((".tsv", ".tab")))


def _unpacked(content: bytes) -> bytes:
    made = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while part := file.read(2**20):
                made += part
                if len(made) > MOST_BYTES:
                    raise TooLarge(f"the file holds more than {MOST_BYTES // 2**20} MB when it is unpacked")
    except (OSError, EOFError, zlib.error) as error:
        raise Malformed(f"the file is no whole gzip file ({error}); send it again") from None
    return bytes(made)


def _text(content: bytes, known: Collection[str], *, is_tsv: bool) -> Table:
    text, encoding = _decoded(content)
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise Malformed("the file is empty; its first row must hold the names of the columns")
    delimiter = "\t" if is_tsv and "\t" in first else _delimiter(first, known)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    notes = (f"encoding {encoding}", f"columns parted by {_DELIMITERS[delimiter]}")
    return _table(_parsed(lines), notes)


def _parsed(lines: Any) -> Iterator[tuple[int, list[str]]]:
    """The lines of a CSV text with their numbers."""
    before = 0
    while True:
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            if "field larger" in str(error):
                raise TooLarge(
                    f"row {before + 1}: a cell holds more than {csv.field_size_limit()} characters"
                ) from None
            raise Malformed(
                f"row {before + 1}: a quotation mark is not closed or stands within a cell ({error}); write it twice "
                "within a cell in quotation marks",
                line=lines.line_num,
            ) from None
        before += 1
        yield before, cells


def _decoded(content: bytes) -> tuple[str, str]:
    """The text and its encoding: UTF-8, UTF-16 by its mark, else Windows-1252."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16"), "UTF-16"
        except UnicodeDecodeError as error:
            raise Malformed(f"the file begins as UTF-16 and is not (byte {error.start}); save it as UTF-8") from None
    if b"\x00" in content:
        raise Malformed("the file is no text: it holds zero bytes; save it as CSV in UTF-8, or as XLSX")
    try:
        return content.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError as error:
        if _UNDEFINED.search(content) or content.startswith(b"\xef\xbb\xbf"):
            line = content.count(b"\n", 0, error.start) + 1
            raise Malformed(
                f"line {line}: the encoding is broken (byte {error.start}); save the file as UTF-8", line=line
            ) from None
    return content.decode("cp1252"), "Windows-1252"


def _delimiter(first: str, known: Collection[str]) -> str:
    """What parts most of the columns that are known, else what there is most of."""

    def fit(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([first], delimiter=delimiter))
        except (csv.Error, StopIteration):
            return 0, 0
        return len({normal(cell) for cell in cells} & set(known)), len(cells)

    return max(_DELIMITERS, key=fit)


def _workbook(content: bytes, known: Collection[str]) -> Table:
    from openpyxl import load_workbook  # which loads numpy where that is installed

    try:
        _check_zip(content)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
    except (KgError, MemoryError):
        raise
    except Exception as error:  # the library assumes that workbooks are as they should be, and fails as it happens
        raise _unreadable(error) from None
    try:
        sheets = [each for each in book.worksheets if each.sheet_state == "visible"] or book.worksheets
        if not sheets:
            raise Malformed("the workbook has no sheet with rows")
        sheet = max(sheets, key=lambda each: len({normal(cell) for cell in _first(each)} & set(known)))
        return _table(_cells(sheet), ("XLSX", f"sheet “{sheet.title}”"))
    except (KgError, MemoryError):
        raise
    except Exception as error:  # the same, because sheets are read as they are looked at
        raise _unreadable(error) from None
    finally:
        book.close()


def _unreadable(error: Exception) -> Malformed:
    why = " ".join(str(error).split())[:200] or type(error).__name__
    return Malformed(f"the workbook cannot be read ({why}); save it again as XLSX")


def _check_zip(content: bytes) -> None:
    """Refuses what unpacks to far more than it is, before anything of it is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            parts = packed.infolist()
    except (zipfile.BadZipFile, ValueError) as error:
        raise Malformed(f"the file is no whole workbook ({error}); send it again") from None
    whole = sum(part.file_size for part in parts)
    if len(parts) > _PARTS or whole > MOST_BYTES or whole > _PACKED * max(len(content), 2**16):
        raise TooLarge(
            f"the workbook unpacks to {whole // 2**20} MB in {len(parts)} parts; at most {MOST_BYTES // 2**20} MB, and "
            f"{_PACKED} times its size, are read"
        )
    for part in parts:
        if part.flag_bits & 1:
            raise Malformed("the workbook is encrypted; save it without a password")
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        for part in parts:
            if part.filename.endswith((".xml", ".rels")):
                with packed.open(part) as file:
                    if b"<!DOCTYPE" in file.read(4096):
                        raise Malformed("the workbook declares a document type, as none does; it is not read")


def _first(sheet: Any) -> list[str]:
    for row in sheet.iter_rows(min_row=1, max_row=1, max_col=MOST_COLUMNS, values_only=True):
        return [str(cell) for cell in row if cell is not None]
    return []


def _cells(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    sheet.reset_dimensions()  # what the sheet says of its size may be wrong, or a bomb
    for number, row in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS + 1), 1):
        cells = []
        for cell in row:
            if cell.data_type == "f":
                raise Malformed(
                    f"cell {cell.coordinate} of sheet “{sheet.title}” holds a formula; nothing is computed here: paste "
                    "the cells as values",
                    row=number,
                )
            if cell.data_type == "e":
                raise Malformed(
                    f"cell {cell.coordinate} of sheet “{sheet.title}” holds the error {cell.value}; put it right",
                    row=number,
                )
            cells.append(_written(cell.value))
        yield number, cells


def _written(value: object) -> str:
    """A cell as people would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _table(lines: Iterable[tuple[int, list[str]]], notes: tuple[str, ...]) -> Table:
    columns: tuple[str, ...] = ()
    rows: list[Row] = []
    for number, cells in lines:
        while cells and not cells[-1].strip():
            cells.pop()
        if not cells:
            continue
        if len(cells) > MOST_COLUMNS:
            raise TooLarge(f"row {number} has more than {MOST_COLUMNS} cells")
        if not columns:
            columns = _header(cells)
            continue
        if len(rows) == MOST_ROWS:
            raise TooLarge(f"the table has more than {MOST_ROWS} rows; send it in parts")
        texts = [*(cell.strip() for cell in cells), *[""] * (len(columns) - len(cells))]
        if any(len(text) > MOST_CHARACTERS for text in texts):
            raise TooLarge(f"row {number}: a cell holds more than {MOST_CHARACTERS} characters")
        if len(texts) > len(columns):
            raise Malformed(
                f"row {number} has {len(texts)} cells, and the header {len(columns)}; a cell that holds the delimiter "
                "needs quotation marks around it",
                row=number,
            )
        rows.append(Row(number, tuple(texts)))
    if not columns:
        raise Malformed("the table is empty; its first row must hold the names of the columns")
    return Table(columns, tuple(rows), notes)


def _header(cells: list[str]) -> tuple[str, ...]:
    columns = tuple(normal(cell) for cell in cells)
    twice = [name for name, n in Counter(columns).items() if n > 1 and name]
    if twice:
        raise Malformed(f"the header names a column twice: {', '.join(twice)}")
    return columns
