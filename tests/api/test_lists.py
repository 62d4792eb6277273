"""Lists under `/api`: filters, facets, sorting, pages, formats; the same on the embedded store and on another."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from pyoxigraph import NamedNode, Quad, RdfFormat, parse

from kg_service import queries, resources
from kg_service.errors import Malformed
from kg_service.ingest import bulk
from kg_service.lists import declared
from kg_service.queries import Question
from kg_service.settings import Settings
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.remote import Endpoint, RemoteStore
from tests.conftest import VILLAGE, remote_settings
from tests.serving import running
from tests.store import engines

ID = "https://w3id.org/sse-kg/id/"
TOKEN = {"authorization": "Bearer open sesame"}
PREFIXES = f"""
@prefix sse: <https://w3id.org/sse-kg/ontology#> . @prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix schema: <https://schema.org/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix org: <{ID}organisation/> . @prefix place: <{ID}place/> . @prefix theme: <{ID}theme/> .
@prefix wgs: <http://www.w3.org/2003/01/geo/wgs84_pos#> . @prefix kind: <{ID}org-kind/> .
@prefix event: <{ID}event/> . @prefix government: <{ID}government/> . @prefix level: <{ID}level/> .
"""
#: Two hundred organisations, every third about care, with an acronym but for every fifth; and events of all precisions.
WORLD = PREFIXES + "\n".join(
    [
        'place:peru a sse:Place ; skos:prefLabel "Peru"@en ; sse:countryCode "PE" ; wgs:lat -12.0 ; wgs:long -77.0 .',
        'place:lima a sse:Place ; skos:prefLabel "Lima"@en ; sse:within place:peru ; wgs:lat 95 ; wgs:long 0 .',
        'theme:care a sse:Theme ; skos:prefLabel "Care"@en , "Cuidados"@es .',
        *(
            f'org:o{n:03} a sse:Organisation , sse:Actor ; skos:prefLabel "Group {n:03}"@en ; '
            f"sse:organisationKind kind:{'cooperative' if n % 2 else 'network'} ; sse:level level:local ; "
            f"sse:locatedIn place:{'lima' if n % 2 else 'valley'} "
            + ("; sse:theme theme:care " if n % 3 == 0 else "")
            + (f'; sse:acronym "A{n % 7}"' if n % 5 else "")
            + " ."
            for n in range(200)
        ),
        'org:formula a sse:Organisation , sse:Actor ; skos:prefLabel "=HYPERLINK(\\"urn:x\\")"@en ; sse:acronym "-1" .',
        'org:nandu a sse:Organisation , sse:Actor ; skos:prefLabel "Ñandú, S. Coop."@es , "Oiseau"@fr ; '
        'skos:altLabel "Straußenverein"@de ; sse:acronym "A\\"B" .',
        'event:y a sse:Event ; skos:prefLabel "Year"@en ; schema:startDate "2019"^^xsd:gYear .',
        'event:m a sse:Event ; skos:prefLabel "Month"@en ; schema:startDate "2019-04"^^xsd:gYearMonth .',
        'event:d a sse:Event ; skos:prefLabel "Day"@en ; schema:startDate "2019-12-09"^^xsd:date ; '
        "sse:takesPlaceIn place:lima , place:peru .",
        'government:large a sse:Government , sse:Actor ; skos:prefLabel "Large"@en ; skos:altLabel '
        + " , ".join(f'"Name {n}"@en' for n in range(1500))
        + " .",
        'event:none a sse:Event ; skos:prefLabel "Undated"@en .',
    ]
)


def quads() -> frozenset[Quad]:
    graph = NamedNode("https://w3id.org/sse-kg/graph/world")
    files = bulk.files_in([resources.folder("ontology"), VILLAGE])
    world = (Quad(q.subject, q.predicate, q.object, graph) for q in parse(WORLD, format=RdfFormat.TURTLE))
    return frozenset([*(quad for path in files for quad in bulk.read(path)), *world])


@pytest.fixture(scope="module", params=["embedded", "oxigraph"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, servers: Callable[[str], Endpoint]
) -> Iterator[httpx.Client]:
    """A client of a service over the village and the world, which may be written."""
    folder = tmp_path_factory.mktemp("lists")
    if request.param == "embedded":
        with EmbeddedStore(folder / "store") as store:
            store.apply(Delta(added=quads()))
        settings = Settings(store=folder / "store", token=SecretStr("open sesame"), query_seconds=20)
    else:
        endpoint = servers("oxigraph")
        engines.empty(endpoint)
        RemoteStore(endpoint).apply(Delta(added=quads()))
        settings = remote_settings(endpoint, folder, token="open sesame", query_seconds=20)
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def listed(client: httpx.Client, path: str, **parameters: Any) -> dict[str, Any]:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def slugs(answer: dict[str, Any]) -> list[str]:
    return [thing["iri"].rsplit("/", 1)[1] for thing in answer["data"]]


def walk(client: httpx.Client, path: str, between: Callable[[int], None] = lambda _: None, **asked: Any) -> list[Any]:
    """All pages, each after the one before was read; no page is empty but the only one."""
    pages, answer = [], listed(client, path, **asked)
    while True:
        pages.append(answer)
        assert answer["data"] or len(pages) == 1, "the last page is empty"
        if "next" not in answer["links"]:
            return pages
        between(len(pages))
        answer = client.get(answer["links"]["next"]).json()


def write(client: httpx.Client, added: str = "", removed: str = "") -> None:
    body = {"added": PREFIXES + added, "removed": PREFIXES + removed, "format": "turtle"}
    done = client.post("/api/changes", json=body, params={"graph": "world"}, headers=TOKEN)
    assert done.status_code == 201, done.text[:2000]


@pytest.mark.parametrize("limit", [1000, 101, 100, 67, 7])
def test_pages_show_every_member_once_and_end_with_the_last(service: httpx.Client, limit: int) -> None:
    pages = walk(service, "/api/organisations", kind="network,cooperative", limit=limit)
    found = [slug for page in pages for slug in slugs(page)]
    total = pages[0]["meta"]["total"]
    assert len(found) == len(set(found)) == total
    assert all(page["meta"]["total"] == total for page in pages)
    assert len(pages) == -(-total // limit)


def test_walking_while_others_write_loses_and_repeats_nothing_that_stays(service: httpx.Client) -> None:
    """Between pages a thing before and one after the place are added, renamed, and deleted again."""
    before = {thing for page in walk(service, "/api/organisations", limit=50) for thing in slugs(page)}

    def disturb(turn: int) -> None:
        labels = f'org:early{turn} skos:prefLabel "AAA {turn}"@en . org:late{turn} skos:prefLabel "zzz {turn}"@en .'
        things = f"org:early{turn} a sse:Organisation , sse:Actor . org:late{turn} a sse:Organisation , sse:Actor ."
        write(service, added=things + labels)
        if turn > 1:
            gone = f'org:early{turn - 1} a sse:Organisation , sse:Actor ; skos:prefLabel "AAA {turn - 1}"@en .'
            write(service, removed=gone)

    pages = walk(service, "/api/organisations", disturb, limit=20)
    found = [slug for page in pages for slug in slugs(page)]
    assert len(found) == len(set(found))
    assert before <= set(found)
    assert {slug for slug in found if slug.startswith("late")} == {f"late{turn}" for turn in range(1, len(pages))}
    assert not [slug for slug in found if slug.startswith("early")], "what came before the place is not shown"
    ends = [("early", "AAA", len(pages) - 1), *(("late", "zzz", turn) for turn in range(1, len(pages)))]
    gone = (f'org:{s}{n} a sse:Organisation , sse:Actor ; skos:prefLabel "{name} {n}"@en .' for s, name, n in ends)
    write(service, removed="".join(gone))
    assert {slug for page in walk(service, "/api/organisations", limit=500) for slug in slugs(page)} == before


def test_a_list_shows_what_was_written_just_before(service: httpx.Client) -> None:
    def about(**asked: Any) -> tuple[list[str], dict[str, int]]:
        answer = listed(service, "/api/organisations", facets="theme,country", limit=1, **asked)
        counted = {
            each["value"].rsplit("/", 1)[-1]: each["count"] for f in answer["facets"].values() for each in f["values"]
        }
        return slugs(answer), counted

    _, first = about()
    write(service, added='org:aaa a sse:Organisation , sse:Actor ; skos:prefLabel "!"@en ; sse:theme theme:care ; '
          "sse:activeIn place:lima .")  # fmt: skip
    found, second = about()
    assert found == ["aaa"]
    assert (second["care"], second["PE"]) == (first["care"] + 1, first["PE"] + 1)
    write(service, removed='place:peru sse:countryCode "PE" .', added='place:peru sse:countryCode "XX" .')
    assert about()[1].get("PE") is None, "a longer path is read again when a statement on it changes"
    assert about(country="xx", q="group 001")[0] == ["o001"]
    write(service, removed='place:peru sse:countryCode "XX" .', added='place:peru sse:countryCode "PE" .')
    write(service, removed='org:aaa a sse:Organisation , sse:Actor ; skos:prefLabel "!"@en ; sse:theme theme:care ; '
          "sse:activeIn place:lima .")  # fmt: skip
    assert about()[1] == first


def test_each_facet_counts_with_all_other_filters_and_its_counts_sum_up(service: httpx.Client) -> None:
    everything = listed(service, "/api/organisations", facets="kind,theme", limit=1)
    kinds = everything["facets"]["kind"]
    assert sum(each["count"] for each in kinds["values"]) + kinds["missing"] == everything["meta"]["total"]
    filtered = listed(service, "/api/organisations", facets="kind,theme", kind="network", theme="care", limit=1)
    counted = {each["value"].rsplit("/", 1)[1]: each["count"] for each in filtered["facets"]["kind"]["values"]}
    assert counted == {"cooperative": 33, "network": 34}, "its own filter does not hold"
    assert filtered["facets"]["theme"]["values"][0] == {"value": f"{ID}theme/care", "label": "Care", "count": 34}
    assert filtered["meta"]["total"] == 34
    short = listed(service, "/api/organisations", facets="kind", facet_limit=1, limit=1)
    assert (len(short["facets"]["kind"]["values"]), short["facets"]["kind"]["more"]) == (1, 1)


def test_filters_take_slugs_iris_and_several_values(service: httpx.Client) -> None:
    def total(**asked: Any) -> int:
        return int(listed(service, "/api/organisations", limit=1, **asked)["meta"]["total"])

    assert total(theme="care") == total(theme=f"{ID}theme/care") == total(theme="theme/care") == 67
    assert total(kind="network,cooperative") == total(kind=["network", "cooperative"]) == 202
    assert total(kind=f"{ID}org-kind/network") == total(kind="network") == 101
    assert total(country="pe") == total(country="PE") == total(place="lima") == 100
    assert total(theme="care", kind="network", place="valley") == 34
    assert total(theme="nobody-knows-it") == 0


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"start": "2019"}, {"y", "m", "d"}),
        ({"start": "2019-04"}, {"m"}),
        ({"start": "2019-04-10"}, set()),
        ({"start_from": "2019-06", "start_to": "2020"}, {"y", "d"}),
        ({"start_to": "2019-04-30"}, {"y", "m"}),
        ({"start_from": "2019-12-10"}, {"y", "fair-2021"}),
        ({"start": "2021,2019-12"}, {"d", "fair-2021"}),
    ],
)
def test_a_year_or_month_stands_for_all_its_days(service: httpx.Client, asked: dict[str, str], found: set[str]) -> None:
    assert set(slugs(listed(service, "/api/events", **asked))) == found


def test_what_lacks_the_value_comes_last_in_both_directions(service: httpx.Client) -> None:
    assert slugs(listed(service, "/api/events")) == ["y", "m", "d", "fair-2021", "none"]
    assert slugs(listed(service, "/api/events", sort="-start")) == ["fair-2021", "d", "m", "y", "none"]
    pages = walk(service, "/api/organisations", sort="-acronym,label", limit=30, fields="acronym")
    acronyms = [thing["acronym"] for page in pages for thing in page["data"]]
    known = [each for each in acronyms if each]
    assert known == sorted(known, reverse=True)
    assert not any(acronyms[len(known) :])


def test_names_come_in_the_asked_language_else_in_english_else_in_any(service: httpx.Client) -> None:
    def names(lang: str) -> dict[str, tuple[str, str]]:
        found = listed(service, "/api/organisations", lang=lang, limit=1000)["data"]
        return {each["iri"].rsplit("/", 1)[1]: (each["label"], each["language"]) for each in found}

    assert names("es")["bakers"] == ("Cooperativa de panaderas", "es")
    assert names("es-MX")["bakers"] == ("Cooperativa de panaderas", "es")
    assert names("pt")["bakers"] == ("Bakers’ Cooperative", "en")
    assert names("en")["nandu"] == ("Ñandú, S. Coop.", "es")
    (event,) = listed(service, "/api/events", q="fair", lang="fr")["data"]
    assert event["places"] == ["Vallée"]


@pytest.mark.parametrize("words", ["nandu", "ÑANDÚ coop", "oiseau", "Strau", 'a"b'])
def test_words_are_found_in_all_names_accents_aside(service: httpx.Client, words: str) -> None:
    assert "nandu" in slugs(listed(service, "/api/organisations", q=words))


def test_fields_and_linked_things_come_as_asked(service: httpx.Client) -> None:
    answer = listed(service, "/api/alliances", fields="label,parties", include="parties,evidence")
    (oven,) = answer["data"]
    assert list(oven) == ["iri", "label", "language", "parties"]
    parties = {each["iri"]: each for each in answer["included"] if "types" in each}
    assert set(parties) == set(oven["parties"]) == {f"{ID}organisation/bakers", f"{ID}government/valley"}
    assert parties[f"{ID}organisation/bakers"]["properties"]["sse:locatedIn"] == [f"{ID}place/valley"]
    (claim,) = [each for each in answer["included"] if "evidence" in each]
    assert claim["certainty"] == f"{ID}certainty/stated"
    assert claim["evidence"][0]["exact"] == "The bakers and council"
    assert (claim["evidence"][0]["start"], claim["evidence"][0]["end"]) == (0, 22)


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/api/events?colour=red", "colour"),
        ("/api/events?kind=party", "kind"),
        ("/api/events?limit=0", "limit"),
        ("/api/events?limit=1001", "limit"),
        ("/api/events?limit=1&limit=2", "limit"),
        ("/api/events?sort=colour", "sort"),
        ("/api/events?fields=colour", "fields"),
        ("/api/events?include=colour", "include"),
        ("/api/events?facets=label", "facets"),
        ("/api/events?start=2019-02-31", "start"),
        ("/api/events?theme=%3Cx%3E", "theme"),
        ("/api/events?lang=e n", "lang"),
        ("/api/events?format=xml", "format"),
        ("/api/events?cursor=AAAA", "cursor"),
        ("/api/events?cursor=%C3%B1", "cursor"),
        ("/api/events/fair-2021?colour=red", "colour"),
        ("/api/events/fair-2021?fields=colour", "fields"),
        ("/api/events/fair-2021?limit=x", "limit"),
    ],
)
def test_a_wrong_parameter_names_itself_and_what_is_allowed(service: httpx.Client, path: str, parameter: str) -> None:
    refused = service.get(path)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert refused.json()["parameter"] == parameter
    assert refused.json()["allowed"]


def test_a_cursor_that_was_changed_or_belongs_elsewhere_is_refused(service: httpx.Client) -> None:
    following = listed(service, "/api/organisations", limit=5, theme="care")["links"]["next"]
    cursor = httpx.URL(following).params["cursor"]
    assert service.get(following).status_code == 200
    assert service.get("/api/organisations", params={"theme": "care", "cursor": cursor, "limit": 9}).status_code == 200
    for asked in (
        {"cursor": cursor},
        {"cursor": cursor, "theme": "care", "sort": "-label"},
        {"cursor": cursor, "theme": "care", "lang": "fr"},
        {"cursor": cursor[:-2], "theme": "care"},
        {"cursor": ("B" if cursor[0] == "A" else "A") + cursor[1:], "theme": "care"},
        {"cursor": cursor[:20] + ("B" if cursor[20] == "A" else "A") + cursor[21:], "theme": "care"},
    ):
        assert service.get("/api/organisations", params=asked).status_code == 422, asked


def test_csv_is_quoted_and_no_cell_is_a_formula(service: httpx.Client) -> None:
    answer = service.get("/api/organisations.csv", params={"limit": 1000, "fields": "label,acronym,places"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    heads, *rows = csv.reader(io.StringIO(answer.text, newline=""))
    assert heads == ["iri", "label", "language", "acronym", "places"]
    by_slug = {row[0].rsplit("/", 1)[1]: row for row in rows}
    assert by_slug["formula"][1:4] == ['\'=HYPERLINK("urn:x")', "en", "'-1"]
    assert by_slug["nandu"][1:4] == ["Ñandú, S. Coop.", "es", 'A"B']
    assert 'rel="next"' in service.get("/api/organisations.csv?limit=1").headers["link"]


def test_formats_are_chosen_by_accept_ending_or_parameter(service: httpx.Client) -> None:
    by_accept = service.get("/api/places", headers={"accept": "application/geo+json"})
    by_ending = service.get("/api/places.geojson")
    by_name = service.get("/api/places?format=geojson", headers={"accept": "text/html"})
    assert by_accept.json() == by_ending.json() == by_name.json()
    features = {each["id"].rsplit("/", 1)[1]: each for each in by_accept.json()["features"]}
    assert features["peru"]["geometry"] == {"type": "Point", "coordinates": [-77.0, -12.0]}
    assert features["lima"]["geometry"] is None, "95 degrees north is nowhere"
    (day,) = [each for each in service.get("/api/events.geojson").json()["features"] if each["id"].endswith("/d")]
    assert day["geometry"]["coordinates"] == [-77.0, -12.0]
    linked = service.get("/api/places", headers={"accept": "application/ld+json"})
    assert linked.headers["content-type"] == "application/ld+json"
    assert len(list(parse(linked.content, RdfFormat.JSON_LD))) > 5
    refused = service.get("/api/places", headers={"accept": "text/html"})
    assert refused.status_code == 406
    assert "application/geo+json" in refused.json()["detail"]


def test_a_list_that_did_not_change_need_not_be_sent_again(service: httpx.Client) -> None:
    first = service.get("/api/places")
    again = service.get("/api/places", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert service.get("/api/places.csv").headers["etag"] != first.headers["etag"]


def test_one_thing_comes_with_the_evidence_for_each_statement(service: httpx.Client) -> None:
    answer = service.get("/api/alliances/oven", params={"lang": "es"}).json()
    assert (answer["label"], answer["language"]) == ("El horno común", "es")
    assert set(answer["data"]["parties"]) == {f"{ID}organisation/bakers", f"{ID}government/valley"}
    claimed = [each for each in answer["statements"] if each["claims"]]
    assert [each["value"]["value"] for each in claimed] == [f"{ID}party/oven-1"]
    (claim,) = claimed[0]["claims"]
    assert (claim["certainty"], claim["document"]) == (f"{ID}certainty/stated", f"{ID}document/chronicle")
    quotation = claim["evidence"][0]
    assert (quotation["exact"], quotation["suffix"]) == ("The bakers and council", " share one oven.")
    assert quotation["file"] == "chronicle.txt"
    assert list(service.get("/api/alliances/oven?fields=status").json()["data"]) == ["iri", "status"]
    assert "statements" not in service.get("/api/alliances/oven?fields=status").json()
    assert service.get("/api/alliances/oven.ttl").headers["content-type"].startswith("text/turtle")
    assert service.get("/api/alliances/none.ttl").status_code == 404


def test_the_statements_of_a_large_thing_come_in_parts(service: httpx.Client) -> None:
    path, found = "/api/governments/large?fields=statements", []
    while path:
        answer = service.get(path).json()
        found += [each["value"]["value"] for each in answer["statements"]]
        path = answer["links"].get("next")
    assert len(found) == len(set(found)) == answer["meta"]["statements"] == 1503


# ---- Declarations ----


def collection(*lines: str) -> declared.Collection:
    heads = "\n".join(f"# {line}" for line in lines)
    text = f"{heads}\nPREFIX sse: <https://w3id.org/sse-kg/ontology#>\nSELECT ?iri {{ ?iri a sse:Project }}"
    question = Question("lists/projects", "Projects", text, f"{ID}project/")
    (found,) = declared.collections([question], resources.folder("ontology"))
    return found


def test_a_collection_is_what_its_first_lines_say() -> None:
    made = collection(
        "members: sse:Project", "field: places sse:activeIn|^sse:x/sse:y name:place many filter=place | Where"
    )
    assert (made.name, made.classes, made.order) == ("projects", ("https://w3id.org/sse-kg/ontology#Project",), "label")
    places = made.field("places")
    assert (places.filter, places.is_many, places.is_direct) == ("place", True, False)
    assert places.iris("lima") == [f"{ID}place/lima"]


@pytest.mark.parametrize(
    "line",
    [
        "field: a sse:a",
        "field: a sse:a colour | A",
        "field: a sse:a string fliter | A",
        "field: a sse:a iri | A",
        "order: x",
    ],
)
def test_a_declaration_that_is_wrong_is_refused(line: str) -> None:
    with pytest.raises(Malformed):
        collection(line) if line.startswith("order") else collection("members: sse:Project", line)


def test_the_description_follows_from_the_declarations(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for found in declared.collections(queries.every(resources.folder("queries")), resources.folder("ontology")):
        described = paths[f"/api/{found.name}"]["get"]
        names = {each["name"] for each in described["parameters"]}
        assert {field.filter for field in found.fields if field.filter} <= names
        example = described["responses"]["200"]["content"]["application/json"]["example"]
        assert set(example["data"][0]) >= {field.name for field in found.shown}
