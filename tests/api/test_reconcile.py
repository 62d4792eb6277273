from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft7Validator
from pyoxigraph import Literal, NamedNode, Quad
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from kg_service import resources
from kg_service.ingest import bulk
from kg_service.linked_data.reconciliation import BATCH
from kg_service.rdf import ONTOLOGY, PREF_LABEL, RDF_TYPE, entity, graph, sse
from kg_service.search import door
from kg_service.settings import Settings
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.remote import RemoteStore
from tests.conftest import ROOT, VILLAGE, remote_settings
from tests.serving import running
from tests.store.engines import oxigraph

ID = "https://w3id.org/sse-kg/id/"
Validate = Callable[[str, str, Any], None]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "PATIENCE", 60.0)


@pytest.fixture(scope="session")
def suite(shared: Path) -> Path:
    folder = shared / "suites" / "reconciliation"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    return folder


@pytest.fixture(scope="session")
def validate(suite: Path) -> Validate:
    """Checks an answer by a schema of a version."""
    registries = {}
    for version in ("0.2", "1.0-draft"):
        schemas = [json.loads(path.read_text()) for path in (suite / version / "schemas").glob("*.json")]
        loaded = [(schema["$id"], Resource.from_contents(schema, DRAFT7)) for schema in schemas if "$id" in schema]
        openapi = json.loads((suite / version / "schemas" / "openapi.json").read_text())
        loaded.append(("http://swagger.io/v2/schema.json", Resource.from_contents(openapi, DRAFT7)))
        registries[version] = Registry().with_resources(loaded)

    def check(version: str, name: str, answer: Any) -> None:
        schema = json.loads((suite / version / "schemas" / f"{name}.json").read_text())
        schema.pop("$schema", None)
        errors = list(Draft7Validator(schema, registry=registries[version]).iter_errors(answer))
        assert not errors, errors[0]

    return check


def suite_folder() -> Path:
    return ROOT.parent / "shared" / "suites" / "reconciliation"


def examples(kind: str, *, is_valid: bool = True) -> list[Any]:
    """The suite's examples of a kind, as parameters; none where the suite is not here."""
    found = sorted(suite_folder().glob(f"*/examples/{kind}/{'valid' if is_valid else 'invalid'}/*.json"))
    return [pytest.param(path, id=f"{path.parts[-5]}-{path.stem}") for path in found]


def version_of(path: Path) -> str:
    return path.parts[-5]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a service over organisations with the same name in two countries, and some that are near."""
    root, where = tmp_path_factory.mktemp("twins") / "store", graph("twins")

    def said() -> Iterator[Quad]:
        def one(thing: NamedNode, property_: NamedNode, value: Any) -> Quad:
            return Quad(thing, property_, value, where)

        for code, name in (("es", "Spain"), ("fr", "France")):
            country, town = entity("place", code), entity("place", f"town-{code}")
            yield one(country, PREF_LABEL, Literal(name, language="en"))
            yield one(country, RDF_TYPE, sse("Place"))
            yield one(country, sse("countryCode"), Literal(code.upper()))
            yield one(town, sse("within"), country)
            yield one(town, PREF_LABEL, Literal(f"Town in {name}", language="en"))
            twin = entity("organisation", f"solidarity-{code}")
            yield one(twin, RDF_TYPE, sse("Organisation"))
            yield one(twin, PREF_LABEL, Literal("Solidaridad", language="es"))
            yield one(twin, sse("locatedIn"), town)
        lone = entity("organisation", "lone")
        yield one(lone, RDF_TYPE, sse("Network"))
        yield one(lone, PREF_LABEL, Literal("Unión de Panaderías S.L.", language="es"))
        yield one(lone, PREF_LABEL, Literal("Bakeries’ Union", language="en"))
        yield one(lone, sse("acronym"), Literal("UPSL"))
        yield one(lone, NamedNode("https://schema.org/url"), NamedNode("https://www.panaderias.example/"))
        yield one(lone, NamedNode("https://schema.org/startDate"), Literal("2019-04", datatype=_xsd("gYearMonth")))
        yield one(lone, NamedNode("https://schema.org/endDate"), Literal("2020-01-31", datatype=_xsd("date")))
        yield one(lone, sse("order"), Literal(7))

    with EmbeddedStore(root) as store:
        store.apply(Delta(frozenset(said())))
    with running(Settings(store=root)) as url, httpx.Client(base_url=url, timeout=90) as client:
        yield client


def _xsd(name: str) -> NamedNode:
    return NamedNode(f"http://www.w3.org/2001/XMLSchema#{name}")


def ask(client: httpx.Client, **queries: Any) -> dict[str, list[dict[str, Any]]]:
    answer = client.post("/reconcile", data={"queries": json.dumps(queries)})
    assert answer.status_code == 200, answer.text
    return {name: found["result"] for name, found in answer.json().items()}


def features(candidate: dict[str, Any]) -> dict[str, float]:
    return {each["id"]: each["value"] for each in candidate["features"]}


# the suite


@pytest.mark.parametrize("path", examples("reconciliation-query-batch"))
def test_every_batch_of_the_suite_is_answered_as_its_schema_says(
    client: httpx.Client, validate: Validate, path: Path
) -> None:
    sent = path.read_text()
    if version_of(path) == "1.0-draft":
        answer = client.post("/reconcile/1.0-draft/match", json=json.loads(sent))
        assert answer.status_code == 200, answer.text
        validate("1.0-draft", "reconciliation-result-batch", answer.json())
        assert len(answer.json()["results"]) == len(json.loads(sent)["queries"])
    else:
        for answer in (
            client.post("/reconcile", data={"queries": sent}),
            client.get("/reconcile", params={"queries": sent}),
        ):
            assert answer.status_code == 200, answer.text
            validate("0.2", "reconciliation-result-batch", answer.json())
            assert answer.json().keys() == json.loads(sent).keys()


@pytest.mark.parametrize("path", examples("reconciliation-query-batch", is_valid=False))
def test_every_invalid_batch_of_the_suite_is_refused(client: httpx.Client, path: Path) -> None:
    sent = path.read_text()
    if version_of(path) == "1.0-draft":
        answer = client.post("/reconcile/1.0-draft/match", content=sent, headers={"content-type": "application/json"})
    else:
        answer = client.post("/reconcile", data={"queries": sent})
    if (version_of(path), path.stem) in (("0.2", "empty-query"), ("1.0-draft", "empty-query")) and sent.strip() == "{}":
        assert answer.status_code == 200
        return
    assert answer.status_code == 422, answer.text
    assert answer.json()["parameter"]


@pytest.mark.parametrize("path", examples("data-extension-query"))
def test_every_extension_of_the_suite_is_answered_as_its_schema_says(
    client: httpx.Client, validate: Validate, path: Path
) -> None:
    sent = json.loads(path.read_text())
    if version_of(path) == "1.0-draft":
        answer = client.post("/reconcile/1.0-draft/extend", json=sent)
        assert answer.status_code == 200, answer.text
        validate("1.0-draft", "data-extension-response", answer.json())
        assert [row["id"] for row in answer.json()["rows"]] == sent["ids"]
    else:
        answer = client.post("/reconcile", data={"extend": json.dumps(sent)})
        assert answer.status_code == 200, answer.text
        validate("0.2", "data-extension-response", answer.json())
        assert list(answer.json()["rows"]) == sent["ids"]


def test_manifests_and_suggestions_are_as_their_schemas_say(client: httpx.Client, validate: Validate) -> None:
    for version, root in (("0.2", "/reconcile"), ("1.0-draft", "/reconcile/1.0-draft")):
        for language in ("en", "es", "fr", "xx"):
            manifest = client.get(root, headers={"Accept-Language": language}).json()
            validate(version, "manifest", manifest)
            assert manifest["versions"] == [version]
        for kind, schema, prefix in (
            ("entity", "suggest-entities-response", "bak"),
            ("type", "suggest-types-response", "org"),
            ("property", "suggest-properties-response", "loc"),
        ):
            found = client.get(f"{root}/suggest/{kind}", params={"prefix": prefix}).json()
            validate(version, schema, found)
            assert found["result"], kind
        proposal = client.get(f"{root}/extend/propose", params={"type": "Event", "limit": 5}).json()
        validate(version, "data-extension-property-proposal", proposal)
        assert len(proposal["properties"]) == 5


def test_answers_with_candidates_are_as_their_schemas_say(twins: httpx.Client, validate: Validate) -> None:
    wanted = {"query": "Panaderias", "type": "Network", "properties": [{"pid": "acronym", "v": "UPSL"}]}
    answer = twins.post("/reconcile", data={"queries": json.dumps({"q": wanted})}).json()
    assert answer["q"]["result"]
    validate("0.2", "reconciliation-result-batch", answer)
    conditions = [
        {"matchType": "name", "propertyValue": "Panaderias"},
        {"matchType": "property", "propertyId": "acronym", "propertyValue": "UPSL"},
    ]
    answer = twins.post("/reconcile/1.0-draft/match", json={"queries": [{"conditions": conditions}]}).json()
    (candidate,) = answer["results"][0]["candidates"]
    assert (candidate["lang"], candidate["id"]) == ("en", f"{ID}organisation/lone")
    validate("1.0-draft", "reconciliation-result-batch", answer)
    properties = [{"id": name} for name in ("schema:url", "schema:startDate", "schema:endDate", "order", "acronym")]
    sent = {"ids": ["organisation/lone"], "properties": properties}
    old = twins.post("/reconcile", data={"extend": json.dumps(sent)}).json()
    validate("0.2", "data-extension-response", old)
    assert old["rows"]["organisation/lone"] == {
        "schema:url": [{"id": "https://www.panaderias.example/", "name": "https://www.panaderias.example/"}],
        "schema:startDate": [{"str": "2019-04"}],
        "schema:endDate": [{"date": "2020-01-31T00:00:00"}],
        "order": [{"int": 7}],
        "acronym": [{"str": "UPSL"}],
    }
    new = twins.post("/reconcile/1.0-draft/extend", json=sent).json()
    validate("1.0-draft", "data-extension-response", new)


# what is found


def test_an_exact_name_with_the_same_country_comes_before_one_with_another(twins: httpx.Client) -> None:
    for value in ("Spain", "ES", {"id": "place/es"}, {"id": f"{ID}place/es", "name": "Spain"}):
        (found,) = ask(twins, q={"query": "solidaridad", "properties": [{"pid": "country", "v": value}]}).values()
        assert [each["id"].rpartition("/")[2] for each in found] == ["solidarity-es", "solidarity-fr"]
        assert (found[0]["score"], found[1]["score"]) == (95.0, 40.0)
        assert (found[0]["match"], found[1]["match"]) == (True, False)
        assert features(found[0]) == {"name": 1.0, "property:country": 1.0}
        assert features(found[1]) == {"name": 1.0, "property:country": 0.0}


def test_namesakes_are_no_match(twins: httpx.Client) -> None:
    (found,) = ask(twins, q={"query": "Solidaridad"}).values()
    assert [each["match"] for each in found] == [False, False]
    assert {each["score"] for each in found} == {85.0}


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("Unión de Panaderías S.L.", 85),
        ("UNION DE PANADERIAS SL", 85),
        ("Unión de Panaderías", 80),
        ("Union Panaderias Ltd.", 80),
        ("Bakeries' Union", 85),
        ("Panaderías (Unión)", 75),
        ("Unión de Panaderas", 60),
        ("Sociedad Unión de Panaderías del Norte", 50),
        ("UPSL", 75),
    ],
)
def test_forms_accents_and_slips_in_a_name_are_forgiven(twins: httpx.Client, name: str, least: int) -> None:
    (found,) = ask(twins, q={"query": name}).values()
    assert found
    assert found[0]["id"] == f"{ID}organisation/lone"
    assert found[0]["score"] >= least
    assert found[0]["match"] == (found[0]["score"] >= 80)


def test_a_class_counts_with_the_classes_below_it(twins: httpx.Client) -> None:
    found = ask(
        twins,
        above={"query": "Bakeries’ Union", "type": "Organisation"},
        itself={"query": "Bakeries’ Union", "type": [f"{ONTOLOGY}Network"]},
        other={"query": "Bakeries’ Union", "type": "Place"},
        unknown={"query": "Bakeries’ Union", "type": "Nonsense"},
        all={"query": "Bakeries’ Union", "type": ["Network", "Place"], "type_strict": "all"},
    )
    assert [found[name][0]["score"] for name in found] == [90.0, 90.0, 70.0, 70.0, 70.0]
    assert [found[name][0]["match"] for name in found] == [True, True, False, False, False]


def test_identifiers_are_found(twins: httpx.Client) -> None:
    found = ask(twins, iri={"query": f"{ID}organisation/lone"}, path={"query": "organisation/lone"})
    assert [(each[0]["score"], each[0]["match"]) for each in found.values()] == [(100.0, True)] * 2
    condition = {"matchType": "id", "propertyValue": f"{ID}organisation/lone"}
    answer = twins.post("/reconcile/1.0-draft/match", json={"queries": [{"conditions": [condition]}]}).json()
    assert answer["results"][0]["candidates"][0]["score"] == 100
    suggested = twins.get("/reconcile/suggest/entity", params={"prefix": f"{ID}organisation/lone"}).json()
    assert [each["id"] for each in suggested["result"]] == [f"{ID}organisation/lone"]


def test_conditions_alone_find_things(twins: httpx.Client) -> None:
    found = ask(
        twins,
        acronym={"properties": [{"pid": "acronym", "v": "upsl"}]},
        place={"properties": [{"pid": "locatedIn", "v": {"id": "place/town-fr"}}]},
        website={"query": "Bakeries’ Union", "properties": [{"pid": "website", "v": "http://panaderias.example"}]},
    )
    assert [each[0]["id"].rpartition("/")[2] for each in found.values()] == ["lone", "solidarity-fr", "lone"]
    assert found["website"][0]["score"] == 95


def test_what_is_required_is_required(twins: httpx.Client) -> None:
    def answer(**more: Any) -> list[str]:
        conditions = [
            {"matchType": "name", "propertyValue": "Solidaridad"},
            {"matchType": "property", "propertyId": "country", "propertyValue": ["Spain", "Italy"], **more},
        ]
        found = twins.post("/reconcile/1.0-draft/match", json={"queries": [{"conditions": conditions}]}).json()
        return [each["id"].rpartition("-")[2] for each in found["results"][0]["candidates"]]

    assert answer() == ["es", "fr"]
    assert answer(required=True) == ["es"]
    assert answer(required=True, matchQuantifier="all") == []
    assert answer(required=True, matchQuantifier="none") == ["fr"]
    assert answer(required=True, matchQualifier="ExactMatch") == ["es"]


def test_names_are_in_the_language_of_the_client(twins: httpx.Client) -> None:
    for language, name in (("es", "Unión de Panaderías S.L."), ("en", "Bakeries’ Union"), ("eu", "Bakeries’ Union")):
        answer = twins.post(
            "/reconcile",
            data={"queries": json.dumps({"q": {"query": "UPSL"}})},
            headers={"Accept-Language": language},
        )
        assert answer.json()["q"]["result"][0]["name"] == name
    types = twins.get("/reconcile/suggest/type", params={"prefix": "evento"}, headers={"Accept-Language": "es"}).json()
    assert types["result"][0]["id"] == f"{ONTOLOGY}Event"


# what surrounds it


def test_a_preview_may_be_framed_and_runs_nothing(client: httpx.Client) -> None:
    answer = client.get("/reconcile/preview", params={"id": f"{ID}organisation/bakers"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors *"
    )
    assert "x-frame-options" not in answer.headers
    assert "Bakers’ Cooperative" in answer.text
    assert "<script" not in answer.text
    flyout = client.get("/reconcile/flyout/entity", params={"id": f"{ID}organisation/bakers"}).json()
    assert flyout["id"] == f"{ID}organisation/bakers"
    assert "<b>Bakers’ Cooperative</b>" in flyout["html"]
    for kind, id_ in (("type", "Event"), ("property", "locatedIn")):
        assert client.get(f"/reconcile/flyout/{kind}", params={"id": id_}).json()["id"] == id_


def test_names_cannot_bring_markup(tmp_path: Path) -> None:
    thing = entity("theme", "evil")
    bad = Quad(thing, PREF_LABEL, Literal("<script>alert(1)</script>", language="en"), graph("bad"))
    with EmbeddedStore(tmp_path / "store") as store:
        store.apply(Delta(frozenset({bad})))
    with running(Settings(store=tmp_path / "store")) as url, httpx.Client(base_url=url, timeout=60) as client:
        for path in ("preview", "flyout/entity"):
            assert "<script>" not in client.get(f"/reconcile/{path}", params={"id": thing.value}).text


def test_a_view_leads_to_the_page_of_the_thing_and_nowhere_else(client: httpx.Client) -> None:
    answer = client.get("/reconcile/view", params={"id": f"{ID}organisation/bakers"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{client.base_url}/page/organisation/bakers"
    assert client.get("/reconcile/view", params={"id": "https://elsewhere.example/"}).status_code == 404


def test_features_are_documented(client: httpx.Client) -> None:
    page = client.get("/reconcile/features").text
    for feature in ("name", "type", "id", "property"):
        assert f'id="{feature}"' in page


def test_pages_of_other_origins_may_ask(client: httpx.Client) -> None:
    for path in ("/reconcile", "/reconcile/1.0-draft/match", "/reconcile/1.0-draft/extend"):
        preflight = client.options(path, headers={"Origin": "http://a", "Access-Control-Request-Method": "POST"})
        assert "POST" in preflight.headers["access-control-allow-methods"]
    answer = client.post("/reconcile", data={"queries": "{}"}, headers={"Origin": "http://a"})
    assert (answer.headers["access-control-allow-origin"], answer.json()) == ("*", {})


@pytest.mark.parametrize(
    ("queries", "status", "word"),
    [
        ("{", 400, "not JSON"),
        ("[" * 100_000, 400, "nested"),
        ("[]", 422, "object"),
        ('{"q": 1}', 422, "queries.q"),
        ('{"q": {"query": ""}}', 422, "queries.q.query"),
        ('{"q": {"query": 5}}', 422, "queries.q.query"),
        ('{"q": {"query": "%s"}}' % ("x" * 1001), 422, "1000"),
        ('{"q": {"query": "a", "limit": 0}}', 422, "limit"),
        ('{"q": {"query": "a", "limit": 1.5}}', 422, "limit"),
        ('{"q": {"query": "a", "limit": Infinity}}', 400, "Infinity"),
        ('{"q": {"query": "a", "limit": 1e999}}', 422, "limit"),
        ('{"q": {"query": "a", "type": 3}}', 422, "type"),
        ('{"q": {"query": "a", "type_strict": "x"}}', 422, "any, should, all"),
        ('{"q": {"query": "a", "properties": [{"pid": "x"}]}}', 422, "properties.0"),
        ('{"q": {"query": "a", "properties": [{"pid": "x", "v": null}]}}', 422, "properties.0"),
    ],
)
def test_what_is_wrong_with_a_batch_is_said(client: httpx.Client, queries: str, status: int, word: str) -> None:
    answer = client.post("/reconcile", data={"queries": queries})
    assert answer.status_code == status, answer.text
    assert word in answer.json()["detail"]


def test_a_batch_over_its_limit_says_the_limit(client: httpx.Client) -> None:
    assert client.get("/reconcile").json()["batchSize"] == BATCH
    few = {f"q{number}": {"query": "bread"} for number in range(BATCH)}
    assert len(ask(client, **few)) == BATCH
    answer = client.post("/reconcile", data={"queries": json.dumps(few | {"more": {"query": "bread"}})})
    assert (answer.status_code, answer.json()["limit"]) == (413, BATCH)
    conditions = [{"matchType": "name", "propertyValue": "bread"}]
    answer = client.post("/reconcile/1.0-draft/match", json={"queries": [{"conditions": conditions}] * (BATCH + 1)})
    assert (answer.status_code, answer.json()["limit"]) == (413, BATCH)


@pytest.mark.parametrize(
    "name",
    [
        '"',
        "a" * 1000,
        "the of and",
        "🍞",
        "\0\0x",
        "AC/DC",
        "<>{}|",
        "?x . ?y",
        "' } DELETE WHERE {",
        "連帯",
        "ﷺ",
        "*",
        "²",
    ],
)
def test_any_name_and_value_can_be_asked_for(client: httpx.Client, name: str) -> None:
    conditions = [
        {"pid": pid, "v": [name, {"id": name}, 7, 1.5, True]} for pid in ("country", "acronym", name, f"http://{name}")
    ]
    ask(client, a={"query": name, "type": name, "properties": conditions}, b={"properties": conditions})
    sent = {"ids": [name], "properties": [{"id": name, "settings": {"limit": name}}]}
    assert client.post("/reconcile", data={"extend": json.dumps(sent)}).status_code == 200
    for kind in ("entity", "property", "type"):
        answer = client.get(f"/reconcile/suggest/{kind}", params={"prefix": name, "callback": "f", "spell": "always"})
        assert answer.status_code in (200, 422)


def test_jsonp_is_not_served(client: httpx.Client) -> None:
    answer = client.get("/reconcile", params={"callback": "alert"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_the_village_of_another_engine_is_matched_too(tmp_path: Path) -> None:
    with oxigraph(tmp_path) as endpoint:
        quads = [quad for path in bulk.files_in([resources.folder("ontology"), VILLAGE]) for quad in bulk.read(path)]
        RemoteStore(endpoint).apply(Delta(added=frozenset(quads)))
        with running(remote_settings(endpoint, tmp_path / "own")) as url, httpx.Client(base_url=url, timeout=90) as c:
            query = {"query": "Cooperativa de panaderas", "properties": [{"pid": "place", "v": "Valley"}]}
            (found,) = ask(c, q=query).values()
            assert (found[0]["id"], found[0]["match"]) == (f"{ID}organisation/bakers", True)


def test_every_door_is_described(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()["paths"]
    ours = {path: item for path, item in described.items() if path.startswith("/reconcile")}
    assert {"/reconcile", "/reconcile/1.0-draft", "/reconcile/1.0-draft/match", "/reconcile/suggest/entity"} <= set(
        ours
    )
    for path, item in ours.items():
        for method, operation in item.items():
            answer = client.request(method, path.replace("{kind}", "type"), params={"id": f"{ID}theme/bread"})
            told = {int(status) for status in operation["responses"]}
            assert answer.status_code in told, (method, path, answer.status_code)
