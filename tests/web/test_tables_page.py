"""A table is sent to the page: previewed, each bad row told, tried out, put in, and undone."""

from __future__ import annotations

import io

import httpx
import pytest
from openpyxl import load_workbook

from kg_service.tables import mapping
from kg_service.web.rendering import LANGUAGES
from tests.web import html
from tests.web.conftest import Writing
from tests.web.test_contribute_pages import ID, inputs, values

ROWS = """name;kind;country;website;extra
Guild of the page ñ;association;México;www.example.org;x
<script>alert(1)</script>;shop;MX;;
;network;FR;;
"""
LABEL = "http://www.w3.org/2004/02/skos/core#prefLabel"


def sent(person: Writing, content: bytes, template: str = "organisations", **more: str) -> httpx.Response:
    data = {"mark": person.mark(), "step": "try", "template": template} | more
    return person.client.post("/tables", data=data, files={"file": ("règle <b>.csv", content)})


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_templates_are_explained_and_had_as_workbooks(somebody: Writing, language: str) -> None:
    page = somebody.page(f"/tables?lang={language}")
    assert not page.problems
    for template in mapping.every():
        assert f"{somebody.url}/tables/{template.name}.xlsx" in {each.attributes.get("href") for each in page.all("a")}
    answer = somebody.client.get("/tables/events.xlsx")
    assert answer.headers["content-type"].endswith("sheet")
    sheet = load_workbook(io.BytesIO(answer.content)).worksheets[0]
    assert [cell.value for cell in sheet[1]][:2] == ["name", "name_es"]
    assert somebody.client.get("/tables/people.xlsx").status_code == 404
    assert somebody.client.post("/tables", data={"step": "try"}).status_code == 401


def test_a_table_with_two_bad_rows_is_put_in_and_undone(writer: Writing) -> None:
    answer = sent(writer, ROWS.encode("cp1252", "replace"))
    assert answer.status_code == 200
    page = html.read(answer.text)
    assert not page.problems
    assert not page.all("script")
    assert "Of 3 rows, 1 would go in and 2 would be left out." in answer.text
    told = [" ".join(each.text.split()) for each in page.all("tr")]
    assert any(each.startswith("3kindshopone of: academic") for each in told)
    assert any(each.startswith("4nameit is needed") for each in told)
    assert "Guild of the page ñ" in answer.text
    assert not values(writer, "organisation/guild-of-the-page-n", LABEL)
    form = {name: each[0] for name, each in inputs(page).items() if each}
    done = writer.client.post("/tables", data=form | {"step": "make", "mark": writer.mark()})
    assert done.status_code == 303
    number = int(done.headers["location"].rpartition("/")[2].partition("?")[0])
    assert values(writer, "organisation/guild-of-the-page-n", LABEL) == {"Guild of the page ñ"}
    assert "règle <b>.csv" in writer.page(f"/history/{number}").all("dl")[0].text
    assert writer.send(f"/history/{number}/revert", {"step": "make"}).status_code == 303
    assert not values(writer, "organisation/guild-of-the-page-n", LABEL)


@pytest.mark.parametrize(
    ("language", "kind", "name"),
    [
        ("en", "one of: academic", "it is needed"),
        ("es", "uno de: academic", "falta, y es obligatorio"),
        ("fr", "l’un de : academic", "il manque, et il est obligatoire"),
    ],
)
def test_a_bad_row_is_told_beside_it_in_the_readers_language(
    writer: Writing, language: str, kind: str, name: str
) -> None:
    well = "".join(f"Guild {n} of many;association;;;\n" for n in range(30))
    head, *bad = ROWS.splitlines(keepends=True)
    rows = (head + well + "".join(bad)).encode()
    data = {"mark": writer.mark(), "step": "try", "template": "organisations"}
    answer = writer.client.post(f"/tables?lang={language}", data=data, files={"file": ("a.csv", rows)})
    page = html.read(answer.text)
    assert not page.problems
    marked = {each.text for each in page.all("mark")}
    assert marked == {"shop", "–"}
    told = [each for each in page.all("td") if each.attributes.get("class") == "told"]
    assert len(told) == 12  # ten that are well, and the two, which come after many others
    assert [words in each.text for each, words in zip(told[-2:], (kind, name), strict=True)] == [True, True]
    spans = [each for each in page.all("span") if each.attributes.get("lang") == language]
    assert any(kind in each.text for each in spans)


def test_with_strict_no_row_goes_in_while_one_is_bad(writer: Writing) -> None:
    answer = sent(writer, ROWS.encode(), strict="yes")
    assert "nothing goes in while rows are rejected" in answer.text
    checksum = "checksum"
    form = {"step": "make", "template": "organisations", "strict": "yes", "mark": writer.mark()}
    assert checksum not in {each.attributes.get("name") for each in html.read(answer.text).all("input")}
    answer = writer.client.post("/tables", data=form, files={"file": ("a.csv", ROWS.encode())})
    assert answer.status_code == 200
    assert not values(writer, "organisation/guild-of-the-page-n", LABEL)


@pytest.mark.parametrize(
    ("content", "template", "words"),
    [
        (b"", "events", "Choose a file"),
        (b"title\nx\n", "events", "The header lacks: name"),
        (b"PK\x03\x04broken", "events", "no whole workbook"),
        (b"name\x00", "events", "zero bytes"),
        (b"name\nx\n", "people", "one of: organisations"),
    ],
)
def test_what_is_no_table_is_said_and_nothing_is_written(
    writer: Writing, content: bytes, template: str, words: str
) -> None:
    answer = sent(writer, content, template)
    assert answer.status_code in (400, 422)
    assert words in html.read(answer.text).all("main")[0].text


def test_a_file_that_is_kept_no_more_is_asked_for_again(writer: Writing) -> None:
    form = {"mark": writer.mark(), "step": "make", "template": "events", "checksum": "0" * 64}
    answer = writer.client.post("/tables", data=form)
    assert answer.status_code == 422
    assert "not kept any more" in answer.text


def test_a_membership_that_breaks_the_shapes_is_told_with_its_row(writer: Writing) -> None:
    rows = "member,organisation\nBakers’ Cooperative,organisation/weavers\nWeavers’ Network,organisation/weavers\n"
    answer = sent(writer, rows.encode(), "memberships")
    assert answer.status_code == 200
    assert "Of 2 rows, 1 would go in and 1 would be left out." in answer.text
    assert f"{ID}membership/" not in answer.text or "Bakers" in answer.text
