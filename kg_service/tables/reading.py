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
from itertools import islice
from typing import Any

from kg_service.errors import KgError, Malformed, TooLarge, UnsupportedFormat
from kg_service.tables import geojson
from kg_service.tables.rows import MOST_BYTES, MOST_CHARACTERS, MOST_COLUMNS, MOST_ROWS, Row, Table, normal

#: Parts of a workbook, and how many times smaller than its contents one may be.
_PARTS, _PACKED = 2_000, 200
_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
_UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
#: Letters of UTF-8 that are not ASCII; and what no word has within, unless it is in an encoding of Mac OS or DOS.
_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_SPOILT = re.compile("[a-z][‚ƒ„†‡ˆ‰Š‹ŒŽ˜™›Ÿ¡¢£¤¥¦§¨©¬±¹²³¶¸¿][a-z]")
_AROUND = 25
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#: Rows that a sheet may have (ECMA-376), and rows among which the header is looked for when it is not the first.
_LAST, _ABOVE = 2**20, 20
_SEPARATOR = re.compile(r"\ufeff?\"?sep=([^\r\n])\"?(\r\n|\r|\n)", re.IGNORECASE)


def read(name: str, content: bytes, known: Collection[str] = ()) -> Table:
    """The table in a file. `known` are the columns looked for: they tell the delimiter, and which sheet it is.

    Malformed for what is no table, TooLarge for what is more than one may hold; nothing is evaluated, ever.
    """
    name = name.lower()
    if len(content) > MOST_BYTES:
        raise TooLarge(f"the file holds more than {MOST_BYTES // 2**20} MB; send it in parts")
    if name.endswith(".gz") or content[:2] == b"\x1f\x8b":
        name, content = name.removesuffix(".gz"), _unpacked(content)
    if content[:4] == b"\x28\xb5\x2f\xfd":
        raise UnsupportedFormat(
            "the file is packed as Zstandard, which is not read here; unpack it, or pack it as gzip"
        )
    if content[:8] == _OLE:
        raise UnsupportedFormat(
            "this kind of spreadsheet is not read: it is one of an older Excel, or has a password; save it as XLSX "
            "without a password, or as CSV"
        )
    if content[:4] == b"PK\x03\x04" or name.endswith((".xlsx", ".xlsm")):
        return _workbook(content, known)
    if name.endswith((".xls", ".ods", ".numbers")):
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
    said = _SEPARATOR.match(text)  # by which Excel is told; it does not count this line
    text = text[said.end() :] if said else text
    first = list(islice((line for line in io.StringIO(text, newline=None) if line.strip()), _ABOVE))
    if not first:
        raise Malformed("the file is empty; its first row must hold the names of the columns")
    if said and said[1] in _DELIMITERS:
        delimiter = said[1]
    else:
        delimiter = "\t" if is_tsv and "\t" in first[0] else _delimiter(first, known)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    notes = (f"encoding {encoding}", f"columns parted by {_DELIMITERS[delimiter]}")
    return _table(_parsed(lines), notes, known)


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
        if _UNDEFINED.search(content) or content.startswith(b"\xef\xbb\xbf") or _is_mostly_utf8(content):
            line = content.count(b"\n", 0, error.start) + 1
            raise Malformed(
                f"line {line}: the encoding is broken (byte {error.start}); save the file as UTF-8", line=line
            ) from None
    text = content.decode("cp1252")
    if spoilt := _SPOILT.search(text):
        line = text.count("\n", 0, spoilt.start()) + 1
        raise Malformed(
            f"line {line}: the encoding is neither UTF-8 nor Windows-1252, in which there would be "
            f"“{_word_around(text, spoilt)}”; save the file as UTF-8",
            line=line,
        )
    return text, "Windows-1252"


def _word_around(text: str, found: re.Match[str]) -> str:
    """The word in which something was found, or the part of a long one."""
    before = re.search(r"\w*$", text[max(0, found.start() - _AROUND) : found.start()])
    after = re.match(r"\w*", text[found.end() : found.end() + _AROUND])
    return f"{before[0] if before else ''}{found[0]}{after[0] if after else ''}"


def _is_mostly_utf8(content: bytes) -> bool:
    """Whether most of what is not ASCII is letters of UTF-8, so that the rest is broken and not of another encoding."""
    letters = sum(len(each[0]) for each in _LETTER.finditer(content))
    return 2 * letters > len(content.translate(None, bytes(range(128))))


def _delimiter(first: list[str], known: Collection[str]) -> str:
    """What parts most of the columns that are known, in the first line or else below, or what there is most of."""

    def fit(line: str, delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([line], delimiter=delimiter))
        except (csv.Error, StopIteration):
            return 0, 0
        return len({normal(cell) for cell in cells} & set(known)), len(cells)

    found = max(_DELIMITERS, key=lambda each: fit(first[0], each))
    if known and not fit(first[0], found)[0]:
        return max(_DELIMITERS, key=lambda each: max(fit(line, each) for line in first))
    return found


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
        sheet = max(sheets, key=lambda each: _fits(each, known))
        others = [each.title for each in book.worksheets if each is not sheet and _fits(each, known)]
        notes = ["XLSX", f"sheet “{sheet.title}”"]
        if others:
            notes.append(f"passed over, send them by themselves: {', '.join(f'sheet “{each}”' for each in others)}")
        return _table(_cells(sheet), tuple(notes), known)
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
        if content[:4] != b"PK\x03\x04":
            raise Malformed(
                "the file is no whole workbook, whatever its name says; save it as XLSX, or name it .csv if it is text"
            ) from None
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


def _fits(sheet: Any, known: Collection[str]) -> int:
    """How many of the columns looked for the first row names."""
    return len({normal(cell) for cell in _first(sheet)} & set(known))


def _first(sheet: Any) -> list[str]:
    for row in sheet.iter_rows(min_row=1, max_row=1, max_col=MOST_COLUMNS, values_only=True):
        return [str(cell) for cell in row if cell is not None]
    return []


def _cells(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    sheet.reset_dimensions()  # what the sheet says of its size may be wrong, or a bomb
    blank = None
    for number, row in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS + 1), 1):
        if number > _LAST:
            raise TooLarge(
                f"sheet “{sheet.title}” has rows beyond the {_LAST}th; delete what is empty, and save it again"
            )
        if row is blank:  # rows that are left out of the file are one and the same; there may be a million
            continue
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
        blank = blank if any(cells) else row
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


def _table(lines: Iterable[tuple[int, list[str]]], notes: tuple[str, ...], known: Collection[str]) -> Table:
    columns: tuple[str, ...] = ()
    rows: list[Row] = []
    is_strange, wanted = False, set(known)
    for number, cells in lines:
        while cells and not cells[-1].strip():
            cells.pop()
        if not cells:
            continue
        if len(cells) > MOST_COLUMNS:
            raise TooLarge(f"row {number} has more than {MOST_COLUMNS} cells")
        if not columns:
            columns = _header(cells)
            is_strange = wanted.isdisjoint(columns)
            continue
        if is_strange and len(rows) < _ABOVE and len(wanted & set(map(normal, cells))) > min(1, len(cells) - 1):
            raise Malformed(
                f"the names of the columns must be in the first row, and they seem to be in row {number}; delete the "
                "rows above it",
                row=number,
            )
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
