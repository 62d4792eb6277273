"""A table is read whatever its encoding and delimiter; what is none, or too much, is one clear sentence."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections import Counter
from datetime import date, datetime

import pytest
from openpyxl import Workbook

from kg_service import ontology, resources
from kg_service.errors import KgError
from kg_service.tables import blank, mapping, reading, values
from kg_service.tables.values import Known
from kg_service.tables.words import LANGUAGES, Unusable

KNOWN = ("name", "kind")


def workbook(*rows: list[object], title: str = "Sheet") -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(row)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_delimiter_are_found_out(encoding: str, delimiter: str) -> None:
    text = f'Name{delimiter}Kind{delimiter}Note\r\n"Café ñ{delimiter} «x»"{delimiter}network{delimiter}\r\n\r\n'
    table = reading.read("a.csv", text.encode(encoding), KNOWN)
    assert table.columns == ("name", "kind", "note")
    assert [(row.number, row.cells) for row in table.rows] == [(2, (f"Café ñ{delimiter} «x»", "network", ""))]


@pytest.mark.parametrize(
    "words", ["L’été à Škofja Loka", "col·lectiu", "adhérent·e·s", "cœur – nord–sud", "de\xa0la n° 3"]
)
def test_words_of_windows_1252_are_not_taken_for_another_encoding(words: str) -> None:
    assert reading.read("a.csv", f"name\n{words}\n".encode("cp1252"), KNOWN).rows[0].cells == (
        " ".join(words.split(" ")),
    )


def test_the_delimiter_that_excel_is_told_is_not_a_row() -> None:
    table = reading.read("a.csv", b"sep=;\r\nname;kind\r\nA, b;c\r\n", KNOWN)
    assert (table.columns, [(row.number, row.cells) for row in table.rows]) == (("name", "kind"), [(2, ("A, b", "c"))])


def test_sheets_that_would_fit_too_are_told() -> None:
    book = Workbook()
    for title in ("2023", "2024", "Notes"):
        sheet = book.create_sheet(title)
        sheet.append(["remarks"] if title == "Notes" else ["name", "kind"])
        sheet.append(["x", "y"])
    made = io.BytesIO()
    book.save(made)
    notes = "; ".join(reading.read("a.xlsx", made.getvalue(), KNOWN).notes)
    assert "sheet “2023”; passed over, send them by themselves: sheet “2024”" in notes
    assert "Notes" not in notes


def test_a_packed_table_is_read() -> None:
    assert reading.read("a.csv", gzip.compress(b"name\nx\n")).rows[0].cells == ("x",)
    assert reading.read("a.csv.gz", gzip.compress(b"name\nx\n")).rows[0].cells == ("x",)


def test_a_workbook_is_read_by_the_sheet_that_fits() -> None:
    content = workbook(["Name", "Kind", "When"], ["Café", 12.0, datetime(2019, 12, 9)], [None, True, date(2020, 1, 1)])
    table = reading.read("a.xlsx", content, KNOWN)
    assert [row.cells for row in table.rows] == [("Café", "12", "2019-12-09"), ("", "true", "2020-01-01")]


def bomb() -> bytes:
    """A workbook of a few kilobytes whose sheet would be 300 MB."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("xl/worksheets/sheet1.xml", "w") as part,
    ):
        for _ in range(300):
            part.write(b"0" * 2**20)
    return made.getvalue()


def with_doctype() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr("xl/workbook.xml", '<!DOCTYPE x [<!ENTITY a "b">]><workbook>&a;</workbook>')
    return made.getvalue()


def with_a_row_beyond_the_last() -> bytes:
    """A workbook whose second row is said to be the millionth million."""
    whole, made = zipfile.ZipFile(io.BytesIO(workbook(["name"], ["x"]))), io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        for part in whole.namelist():
            packed.writestr(part, whole.read(part).replace(b'<row r="2"', b'<row r="999999999999"'))
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"\n\n", "empty"),
        ("a.csv", b"name\n\x81\xff\n", "line 2: the encoding is broken"),
        ("a.csv", "name\nCoopérative été\nDépôt É".encode()[:-1], "line 3: the encoding is broken"),
        ("a.csv", "name\nCoopérative été\n".encode() + b"D\xe9p\n", "line 3: the encoding is broken"),
        ("a.csv", "name\nSociété\n".encode("mac_roman"), "line 2: the encoding is neither UTF-8 nor Windows-1252"),
        ("a.csv", "name\nAsociación única\n".encode("cp850"), "line 2: the encoding is neither UTF-8 nor Windows"),
        ("a.csv", b"name\x00\n", "zero bytes"),
        ("a.csv", b"\xff\xfex", "UTF-16"),
        ("a.csv", b'name,kind\n"x,y\n', "row 2: a quotation mark"),
        ("a.csv", b"name,kind\nx,y,z\n", "row 2 has 3 cells"),
        ("a.csv", b"Register,,\nof 2024,,\nname,kind\nx,y\n", "they seem to be in row 3; delete the rows above it"),
        ("a.csv", b"Register, as of\n\nname;kind\nx;y\n", "they seem to be in row 3; delete the rows above it"),
        ("a.csv", b"name,Name\nx,y\n", "names a column twice: name"),
        ("a.csv", b"name\n" + b"x" * 200_000 + b"\n", "a cell holds more than"),
        ("a.csv", b"name\n" + b"x" * 30_000 + b"\n", "a cell holds more than"),
        ("a.csv", b",".join(b"c%d" % n for n in range(300)) + b"\n", "more than 200 cells"),
        ("a.csv.gz", gzip.compress(b"name\nx\n" * 1000, mtime=0)[:-9], "no whole gzip"),
        ("a.csv.gz", b"name\nx\n", "no whole gzip"),
        ("a.xlsx", b"name\nx\n", "no whole workbook, whatever its name says; save it as XLSX, or name it .csv"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 99, "an older Excel, or has a password; save it as XLSX"),
        ("a.csv", b"\x28\xb5\x2f\xfd\x00", "packed as Zstandard"),
        ("a.xlsx", with_a_row_beyond_the_last(), "beyond the 1048576th"),
        ("a.xlsx", workbook(["Register"], [], ["name", "kind"], ["x", "y"]), "they seem to be in row 3"),
        ("a.xlsx", workbook(["name"], ["x"])[:-200], "no whole workbook"),
        ("a.xlsx", workbook(["name", "kind"], ["x", "=1+1"]), "cell B2 of sheet “Sheet” holds a formula"),
        ("a.xlsx", bomb(), "unpacks to"),
        ("a.xlsx", with_doctype(), "document type"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it as XLSX"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_what_is_no_table_is_one_sentence(name: str, content: bytes, words: str) -> None:
    with pytest.raises(KgError) as error:
        reading.read(name, content, KNOWN)
    assert words in error.value.detail


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2019", "2019"),
        ("2019-12", "2019-12"),
        ("12/2019", "2019-12"),
        ("2019-12-09", "2019-12-09"),
        ("2019-12-09 00:00:00", "2019-12-09"),
        ("9.12.2019", "2019-12-09"),
        ("31/12/2019", "2019-12-31"),
        ("9 de diciembre de 2019", "2019-12-09"),
        ("1er février 2020", "2020-02-01"),
        ("December 9th, 2019", "2019-12-09"),
        ("9th December 2019", "2019-12-09"),
        ("août 2021", "2021-08"),
        ("Sept. 2021", "2021-09"),
        ("3 ene 2019", "2019-01-03"),
        ("3 janv. 2019", "2019-01-03"),
        ("12/31/2019", None),
        ("31/02/2019", None),
        ("2019-13", None),
        ("² mayo 2020", None),
        ("soon", None),
    ],
)
def test_dates_are_read_as_people_write_them(text: str, means: str | None) -> None:
    if means is None:
        with pytest.raises(Unusable):
            values.date(text)
    else:
        assert values.date(text).value == means


def test_countries_languages_and_entries_are_normalised() -> None:
    known = Known(ontology.read(resources.folder("ontology")), places={"FR": "urn:x:france"})
    assert {known.country(text)[0].value.rpartition("/")[2] for text in ("MX", "mex", "México", "Mexique")} == {
        "mexico"
    }
    others = {
        "france": ("FRA",),
        "cote-d-ivoire": ("Cote d'Ivoire", "Ivory Coast", "Costa de Marfil"),
        "united-kingdom": ("UK", "Great Britain"),
        "congo-kinshasa": ("COD", "RDC"),
        "timor-leste": ("TLS",),
    }
    for place, names in others.items():
        known.places.clear()
        for name in names:
            assert known.country(name)[0].value.rpartition("/")[2] == place, name
    known.places["FR"] = "urn:x:france"
    assert known.country("france") == (known.country("FR")[0], frozenset())
    assert known.country("FR")[0].value == "urn:x:france"
    assert {values.language(text).value for text in ("es", "Español", "spanish", "es-MX")} == {"es"}
    entries = {known.entry("OrganisationKind", text).value for text in ("cooperative", "Cooperativa", "coopérative")}
    assert entries == {"https://w3id.org/sse-kg/id/org-kind/cooperative"}
    for wrong in (lambda: known.country("Atlantis"), lambda: values.language("?"), lambda: known.entry("Level", "x")):
        with pytest.raises(Unusable):
            wrong()


@pytest.mark.parametrize("template", mapping.every(), ids=lambda each: each.name)
def test_a_blank_table_has_the_columns_of_its_template(template: mapping.Template) -> None:
    content = blank.workbook(template, ontology.read(resources.folder("ontology")))
    table = reading.read("a.xlsx", content, {each.name for each in template.columns})
    assert table.columns == tuple(each.name for each in template.columns)
    assert not table.rows


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CONSTRUCT { } WHERE { }", "names no column"),
        ("# column: name number\nCONSTRUCT { } WHERE { }", "is no column"),
        ("# column: name entry\nCONSTRUCT { } WHERE { }", "of a class"),
        ("# column: name text\nSELECT * WHERE { ?s ?p ?o }", "CONSTRUCT"),
        ("# column: name text\nCONSTRUCT { ?s ?p } WHERE { }", "no SPARQL query"),
        ("# column: name text\nCONSTRUCT { } WHERE { SERVICE <http://x/> { ?s ?p ?o } }", "SERVICE"),
    ],
)
def test_a_mapping_that_is_none_is_refused_before_a_row_is_read(text: str, words: str) -> None:
    with pytest.raises(KgError) as error:
        mapping.parsed("own", text)
    assert words in error.value.detail


def test_what_would_be_right_is_told_in_every_language() -> None:
    known = Known(ontology.read(resources.folder("ontology")))
    for wrong, words in (
        (lambda: known.thing(("organisation",), "Nobody"), ("a known organisation", "conocido", "connue")),
        (lambda: values.date("soon"), ("a year", "un año", "une année")),
        (lambda: known.entry("Level", "x"), ("one of: ", "uno de: ", "l’un de : ")),
    ):
        with pytest.raises(Unusable) as told:
            wrong()
        assert [part in told.value.right(each) for each, part in zip(LANGUAGES, words, strict=True)] == [True] * 3


@pytest.mark.filterwarnings("ignore:File contains an invalid specification")
def test_a_workbook_that_is_spoilt_within_is_malformed() -> None:
    good = workbook(["name", "kind"], ["x", "shop"])
    with zipfile.ZipFile(io.BytesIO(good)) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    spoilt = [good.replace(b"PK\x03\x04", b"PK\x03\x05"), good[:40] + b"\xff" * 40 + good[80:]]
    for name, text in parts.items():
        for other in (b"", b"\x00", text[: len(text) // 2], text.replace(b'"', b"'\x01"), re.sub(rb"\d+", b"-1", text)):
            made = io.BytesIO()
            with zipfile.ZipFile(made, "w") as changed:
                for each, whole in parts.items():
                    changed.writestr(each, other if each == name else whole)
            spoilt.append(made.getvalue())
    outcomes = Counter(outcome(content) for content in spoilt)
    assert outcomes[400] > len(parts)
    assert set(outcomes) <= {200, 400}


def outcome(content: bytes) -> int:
    try:
        reading.read("t.xlsx", content, KNOWN)
    except KgError as error:
        return error.status
    return 200
