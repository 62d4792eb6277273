"""The texts as they are read: every quoted span in its place, whatever overlaps, and the way to its claims and back."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kg_service import resources
from kg_service.api import discovery
from kg_service.ingest import bulk
from kg_service.settings import Settings
from kg_service.shacl import load_shapes
from kg_service.shacl.whole import validate_generation
from kg_service.store.embedded import EmbeddedStore
from kg_service.web import sources
from kg_service.web.rendering import LANGUAGES
from tests.conftest import ROOT
from tests.serving import running
from tests.web import html
from tests.web.conftest import PEOPLE, Writing
from tests.web.test_history_pages import change

DIALOGUE = "/sources/gsef-policy-dialogue-lac-2019"
HEAD = """
PREFIX sse: <https://w3id.org/sse-kg/ontology#> PREFIX oa: <http://www.w3.org/ns/oa#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#> PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
PREFIX document: <https://w3id.org/sse-kg/id/document/> PREFIX quotation: <https://w3id.org/sse-kg/id/quotation/>
PREFIX claim: <https://w3id.org/sse-kg/id/claim/>
"""


def text_of(page: html.Document) -> str:
    """The text as the page shows it, without what stands beside it."""
    return "".join(each.text for each in page.all("p") if each.attributes.get("class") == "words")


def test_the_list_tells_what_rests_on_each_document(service: httpx.Client) -> None:
    page = html.read(service.get("/sources?lang=en").text)
    rows = ["".join(each.text.split()) for each in page.all("tr")]
    whole = service.get("/api/queries/provenance/quotations-of.json?document=gsef-policy-dialogue-lac-2019").json()
    n = len(whole["results"]["bindings"])
    announcement = (
        "Announcement of the 1st Policy Dialogue on Social and Solidarity Economy in Latin America and the Caribbean"
    )
    told = f"{announcement} read the text 2019-12-09 English not stated 2,701 {n} 706"
    assert any(row.startswith("".join(told.split())) for row in rows)
    assert "Unesco,20222022–notstated" in rows
    assert any(row.startswith("inferred") for row in rows)


def test_the_list_tells_how_the_shapes_judge_each_graph(service: httpx.Client, project: Settings) -> None:
    until = time.monotonic() + 120
    while "was judged by the shapes" not in (text := service.get("/sources?lang=en").text):
        assert time.monotonic() < until
        time.sleep(0.2)
    page = html.read(text)
    assert not page.problems
    report = validate_generation(project.store, load_shapes(sorted(resources.folder("shapes").glob("*.ttl"))))
    counts = report.counts
    assert f"{counts['Violation']} violations, {counts['Warning']} warnings, {counts['Info']} hints" in text
    hints: Counter[str] = Counter()
    for focus in (result.focus for result in report.results):
        query = f"SELECT DISTINCT ?g {{ GRAPH ?g {{ {focus} ?p ?o }} }}"
        found = service.get("/sparql", params={"query": query, "format": "json"}).json()["results"]["bindings"]
        hints.update(row["g"]["value"].rpartition("/")[2] for row in found)
    assert hints, "the project's own data have hints"
    rows = [" ".join(each.text.split()) for each in page.all("tr")]
    for graph in ("inferred", *(each for each in hints if each != "inferred")):
        said = f" 0 + {hints[graph]} hint" if hints[graph] else " 0"
        there = f"/page/graph/{graph}?lang=en"
        name = next(each.text for each in page.all("a") if each.attributes["href"].endswith(there))
        assert any(row.startswith(name) and said in row for row in rows), (said, rows)


@pytest.mark.parametrize("slug", ["gsef-policy-dialogue-lac-2019", "mont-blanc-roadmap-2022"])
def test_the_parts_together_show_the_whole_text(service: httpx.Client, slug: str) -> None:
    listed = service.get("/api/documents", headers={"accept": "application/json"}).json()["data"]
    (file,) = (each["file"] for each in listed if each["iri"].endswith(f"/{slug}"))
    written = (ROOT / "data" / "sources" / file).read_bytes().decode()
    shown, number = "", 1
    while True:
        page = html.read(service.get(f"/sources/{slug}?part={number}&lang=en").text)
        assert not page.problems
        shown += text_of(page)
        if not any(each.attributes.get("rel") == "next" for each in page.all("a")):
            break
        number += 1
    assert shown.split() == written.split()
    assert (number > 1) == (len(written) > 9000)


def test_every_quotation_of_a_part_can_be_chosen(service: httpx.Client) -> None:
    page = html.read(service.get(f"{DIALOGUE}?lang=en").text)
    rows = service.get("/api/queries/provenance/quotations-of.json?document=gsef-policy-dialogue-lac-2019").json()
    wanted = {f"char={row['start']['value']},{row['end']['value']}" for row in rows["results"]["bindings"]}
    assert {each.attributes["id"] for each in page.all("span") if "id" in each.attributes} == wanted
    listed = {each.attributes["href"].partition("#")[2] for each in page.all("a") if "li" in each.parents}
    assert wanted <= listed


def test_a_chosen_span_is_marked_and_leads_to_its_claims(service: httpx.Client) -> None:
    page = html.read(service.get(f"{DIALOGUE}?char=841,865&lang=en").text)
    assert not page.problems
    chosen = "".join(each.text for each in page.elements if "is-chosen" in each.attributes.get("class", ""))
    assert chosen == "in Asia (Seoul, October)"
    links = {each.text: each.attributes["href"] for each in page.all("a")}
    assert links["GSEF policy dialogue in Asia (Seoul)"].endswith("/page/event/gsef-policy-dialogue-seoul-2019?lang=en")
    claim = html.read(service.get(links["derived"]).text)
    assert "GSEF policy dialogue in Asia (Seoul) · start · 2019-10" in claim.all("h1")[0].text


def test_claims_and_things_lead_back_to_the_span(service: httpx.Client) -> None:
    for path in (
        "/page/claim/gsef-policy-dialogue-lac-2019-91cb8c37af41",
        "/page/event/gsef-policy-dialogue-seoul-2019",
    ):
        page = html.read(service.get(f"{path}?lang=en").text)
        back = {each.attributes["href"] for each in page.all("a") if each.text == "in the text"}
        (there,) = (each for each in back if each.endswith(f"{DIALOGUE}?char=841,865&lang=en#char=841,865"))
        assert 'id="char=841,865"' in service.get(there).text


def test_quotations_and_documents_lead_to_their_place_in_the_text(service: httpx.Client) -> None:
    for path, place in (
        ("/page/quotation/gsef-policy-dialogue-lac-2019-841-865", f"{DIALOGUE}?char=841,865&lang=en#char=841,865"),
        ("/page/document/gsef-policy-dialogue-lac-2019", f"{DIALOGUE}?lang=en"),
    ):
        page = html.read(service.get(f"{path}?lang=en").text)
        (link,) = (each.attributes["href"] for each in page.all("a") if each.text == "The text")
        assert link.endswith(place)
        assert service.get(link).status_code == 200


def test_a_span_across_others_is_marked_whole(service: httpx.Client) -> None:
    page = html.read(service.get(f"{DIALOGUE}?char=771,865&lang=en").text)
    pieces = [each for each in page.elements if "is-chosen" in each.attributes.get("class", "")]
    assert len(pieces) > 2
    words = " ".join("".join(each.text for each in pieces).split())
    assert words.startswith("This year, GSEF organized policy dialogues")
    assert words.endswith("in Asia (Seoul, October)")


def test_characters_that_nobody_quotes_are_marked_and_that_is_told(service: httpx.Client) -> None:
    page = html.read(service.get(f"{DIALOGUE}?char=842,850&lang=en").text)
    assert "No quotation has exactly these characters." in {each.text for each in page.all("p")}
    assert "".join(e.text for e in page.elements if "is-chosen" in e.attributes.get("class", "")) == "n Asia ("


@pytest.mark.parametrize(
    "query",
    [
        *("char=5,5", "char=9,3", "char=-1,3", "char=1", "char=1,2,3", "char=a,b", "char=٣,٤", "char=0,999999"),
        *("part=0", "part=99", "part=x", "char=1,2&part=1", "char=1,2&char=3,4", "x=1", "char=1,99999999999", "char="),
    ],
)
def test_a_place_that_is_none_is_a_wrong_parameter(service: httpx.Client, query: str) -> None:
    answer = service.get(f"{DIALOGUE}?{query}&lang=fr")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert html.read(answer.text).all("h1")[0].text == "Paramètre incorrect"


@pytest.mark.parametrize("slug", ["nobody", "%3Cscript%3E", "a%20b", "x/../y", "é", "%FF", "a/b"])
def test_what_is_no_document_is_not_found(service: httpx.Client, slug: str) -> None:
    assert service.get(f"/sources/{slug}").status_code == 404


def test_a_page_is_kept_by_who_has_it_and_head_tells_as_much(service: httpx.Client) -> None:
    answer = service.get(DIALOGUE)
    assert service.get(DIALOGUE, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    head = service.head(DIALOGUE)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == answer.headers["etag"]


# ---- Texts of others ----

STORM = "Ça 😀 alors!\n<script>alert(1)</script> &amp; “fin”.\n"


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service over documents that somebody made to do harm, and one whose text has more than ASCII in it."""
    root = tmp_path_factory.mktemp("strange")
    (root / "sources").mkdir()
    (root / "sources" / "storm.txt").write_bytes(STORM.encode())
    (root / "sources" / "long.txt").write_bytes(b"word " * 40_000)
    (root / "secret.txt").write_text("do not show")
    (root / "sources" / "link.txt").symlink_to(root / "secret.txt")
    (root / "data.ttl").write_text(
        HEAD
        + f"""
document:storm a sse:Document ; skos:prefLabel "<b>Storm</b>"@en ; sse:sourceFile "storm.txt" ;
  sse:characters {len(STORM)} ; dcterms:language "fr" ; dcterms:license <javascript:alert(1)> .
quotation:s1 sse:quotedFrom document:storm ; oa:start 0 ; oa:end 4 ; oa:exact "Ça 😀" .
quotation:s2 sse:quotedFrom document:storm ; oa:start 3 ; oa:end 11 ; oa:exact "😀 alors!" .
quotation:s3 sse:quotedFrom document:storm ; oa:start 12 ; oa:end 37 ; oa:exact "<script>alert(1)</script>" .
quotation:s4 sse:quotedFrom document:storm ; oa:start 12 ; oa:end 37 ; oa:exact "<script>alert(1)</script>" .
quotation:bad sse:quotedFrom document:storm ; oa:start 9 ; oa:end 3 .
quotation:half sse:quotedFrom document:storm ; oa:end 3 .
quotation:huge sse:quotedFrom document:storm ; oa:start 0 ; oa:end {"9" * 5000} .
quotation:worse sse:quotedFrom document:storm ; oa:start "x" ; oa:end "y" .
claim:c sse:evidence quotation:s3 ; rdf:subject <javascript:alert(2)> ; rdf:predicate <javascript:alert(3)> ;
  rdf:object "<img src=x onerror=alert(4)>" .
document:other a sse:Document ; sse:sourceFile "storm.txt" ; sse:characters 5 .
document:away a sse:Document ; sse:sourceFile "../secret.txt" ; sse:characters 11 .
document:linked a sse:Document ; sse:sourceFile "link.txt" ; sse:characters 11 .
document:long a sse:Document ; sse:sourceFile "long.txt" ; sse:characters 200000 .
document:quoted a sse:Document ; sse:characters 100 .
quotation:q1 sse:quotedFrom document:quoted ; oa:start 10 ; oa:end 14 ;
  oa:exact "four" ; oa:prefix "a " ; oa:suffix " b" .
quotation:q2 sse:quotedFrom document:quoted ; oa:start 12 ; oa:end 20 ; oa:exact "ur b and" .
document:empty a sse:Document ; sse:characters {"9" * 5000} .
""",
        encoding="utf-8",
    )
    with EmbeddedStore(root / "store") as store:
        bulk.load(store, [root / "data.ttl"], load_shapes([]))
    with (
        running(Settings(store=root / "store", data=root)) as url,
        httpx.Client(base_url=url, headers=PEOPLE) as client,
    ):
        yield client


@pytest.mark.parametrize("language", LANGUAGES)
def test_offsets_count_characters_and_nothing_of_a_text_is_markup(strange: httpx.Client, language: str) -> None:
    page = html.read(strange.get(f"/sources/storm?char=12,37&lang={language}").text)
    assert not page.problems
    assert text_of(page) == STORM
    assert not page.all("script") + page.all("img") + page.all("b")
    chosen = [each for each in page.elements if "is-chosen" in each.attributes.get("class", "")]
    assert [each.text for each in chosen] == ["<script>alert(1)</script>"]
    marked = [each.text for each in page.elements if "mark" in each.attributes.get("class", "").split()]
    assert marked == ["Ça ", "😀", " alors!", "<script>alert(1)</script>"]
    assert not [each for each in page.all("a") if "javascript:" in each.attributes["href"].partition("?")[0]]
    assert any("javascript:alert(2)" in each.text for each in page.all("li"))
    assert not html.read(strange.get(f"/sources?lang={language}").text).all("b")


@pytest.mark.parametrize("slug", ["s1", "bad", "worse", "half", "huge"])
def test_a_quotation_is_shown_whatever_its_offsets_are(strange: httpx.Client, slug: str) -> None:
    answer = strange.get(f"/page/quotation/{slug}?lang=en")
    assert answer.status_code == 200
    assert ("?char=0,4" in answer.text) == (slug == "s1")


@pytest.mark.parametrize("slug", ["away", "linked", "other", "empty"])
def test_only_the_file_that_is_meant_is_shown(strange: httpx.Client, slug: str) -> None:
    answer = strange.get(f"/sources/{slug}?lang=en")
    assert answer.status_code == 200
    page = html.read(answer.text)
    assert not page.problems
    assert "do not show" not in answer.text
    assert text_of(page) == ""


def test_a_text_without_a_file_is_put_together_of_its_quotations(strange: httpx.Client) -> None:
    page = html.read(strange.get("/sources/quoted?lang=en").text)
    assert text_of(page) == "a four b and"
    missing = [each.text for each in page.all("p") if each.attributes.get("class") == "missing"]
    assert missing == ["[… 8 characters that nobody quotes]", "[… 80 characters that nobody quotes]"]
    assert any("put together of the quotations" in each.text for each in page.all("p"))


def test_a_long_text_comes_in_parts(strange: httpx.Client) -> None:
    answer = strange.get("/sources/long?lang=en")
    assert len(answer.content) < 60_000
    assert "Page 1 of 33" in answer.text
    assert strange.get("/sources/long?char=150000,150004").text.count("is-chosen") == 1


def test_without_a_graph_there_is_nothing_to_read(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "store"):
        pass
    with running(Settings(store=tmp_path / "store")) as url:
        page = html.read(httpx.get(f"{url}/sources?lang=en", headers=PEOPLE).text)
        assert "The graph knows no document with a text." in {each.text for each in page.all("p")}


# ---- Segments ----


@pytest.mark.parametrize("seed", range(20))
def test_segments_say_of_each_character_what_covers_it(seed: int) -> None:
    chance = random.Random(seed)
    words = "".join(chance.choice("ab \n😀") for _ in range(120))
    known = sources.spans(
        (start, start + chance.randrange(-1, 40), f"q{n}", 1)
        for n, start in enumerate(chance.choices(range(110), k=30))
    )
    known = [span for span in known if span.end <= len(words)]
    text, chosen = sources.Text(((0, words),), len(words)), (chance.randrange(60), 60 + chance.randrange(1, 50))
    at, begun = 0, set[str]()
    for passage in sources.passages(text, (0, len(words)), known, chosen):
        at = passage.start
        for piece in passage.segments:
            for place in range(at, at + len(piece.text)):
                covering = [span for span in known if span.start <= place < span.end]
                assert piece.depth == len(covering)
                shortest = min((span.end - span.start for span in covering), default=None)
                assert (piece.span.end - piece.span.start if piece.span else None) == shortest
                assert piece.span is None or piece.span in covering
                assert piece.is_chosen == (chosen[0] <= place < chosen[1])
            assert piece.text == words[at : at + len(piece.text)]
            begun |= set(piece.begins)
            at += len(piece.text)
    assert begun == {span.id for span in known}


def test_ten_thousand_spans_over_the_same_words_are_no_burden() -> None:
    words = "x" * 5000
    known = sources.spans((n % 2500, 2500 + n % 2499, f"q{n}", 1) for n in range(10_000))
    found = sources.passages(sources.Text(((0, words),), 5000), (0, 5000), known, None)
    assert sum(len(each.segments) for each in found) < 5100


def test_how_much_a_graph_holds_is_told_as_it_was_counted_last(
    writer: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> tuple[str, int, int]:
        """What is said of older figures, the generation of the page, and what the graph of contributions holds."""
        answer = writer.client.get("/sources?lang=en")
        page = html.read(answer.text)
        assert not page.problems
        said = "".join(each.text for each in page.all("p") if each.attributes.get("role") == "status")
        (row,) = (each for each in answer.text.split("<tr>") if "/graph/contributions" in each)
        return said, int(answer.headers["kg-generation"]), int(re.findall(r'class="number">(\d+)<', row)[0])

    def settled() -> tuple[str, int, int]:
        until = time.monotonic() + 60
        while (found := told())[0]:
            assert time.monotonic() < until, "not counted within 60 s"
        return found

    change(writer, "a first one")
    _, before, size = settled()
    monkeypatch.setattr(discovery, "SOON", 0.0)
    change(writer, "one more, which is not counted yet")
    said, generation, kept = told()
    assert f"as of generation {before};" in said
    assert (generation, kept) == (before + 1, size)
    assert settled() == ("", before + 1, size + 1)
