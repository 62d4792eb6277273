"""Who may do what, by which token: every door that changes something is listed here with the right that it needs."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from kg_service.access import CONTRIBUTE, OPERATE, VALIDATE
from kg_service.access.tokens import Tokens
from kg_service.app import create_app
from kg_service.settings import Settings
from kg_service.store.remote import Endpoint
from tests.conftest import remote_settings
from tests.serving import running
from tests.store import engines

SESSION, NOBODY = "session", None
COLLECTIONS = "alliances documents events governments organisations places policies recommendations sdgs themes".split()
#: Every method and path that is not for reading: the right that it needs, SESSION for forms of pages, and NOBODY's
#: right for what changes nothing, or only what the client itself began.
DOORS: dict[tuple[str, str], str | None] = {
    ("POST", "/update"): CONTRIBUTE,
    **{(method, path): CONTRIBUTE for method in ("PUT", "POST", "PATCH", "DELETE") for path in ("/store", "/store/x")},
    ("POST", "/api/changes"): CONTRIBUTE,
    ("POST", "/api/changes/1/revert"): CONTRIBUTE,
    ("POST", "/api/quarantine/1/submit"): CONTRIBUTE,
    ("DELETE", "/api/quarantine/1"): OPERATE,
    ("POST", "/api/guidelines/assessment"): CONTRIBUTE,
    ("POST", "/api/duplicates/decisions"): CONTRIBUTE,
    **{("POST", f"/api/{each}"): CONTRIBUTE for each in COLLECTIONS},
    **{(method, f"/api/{each}/x"): CONTRIBUTE for method in ("PUT", "PATCH", "DELETE") for each in COLLECTIONS},
    ("POST", "/shapes"): OPERATE,
    ("DELETE", "/shapes"): OPERATE,
    ("DELETE", "/api/running/x"): OPERATE,
    ("DELETE", "/api/reports/1"): OPERATE,
    ("POST", "/contribute/new"): SESSION,
    ("POST", "/contribute/edit"): SESSION,
    ("POST", "/tables"): SESSION,
    ("POST", "/history/1/revert"): SESSION,
    ("POST", "/guidelines/keep"): SESSION,
    ("POST", "/duplicates/decide"): SESSION,
    ("POST", "/sign-in"): NOBODY,
    ("POST", "/sign-out"): NOBODY,
    ("POST", "/sparql"): NOBODY,
    ("POST", "/api/validate"): NOBODY,
    ("POST", "/validate"): NOBODY,
    ("POST", "/reconcile"): NOBODY,
    ("POST", "/reconcile/1.0-draft/match"): NOBODY,
    ("POST", "/reconcile/1.0-draft/extend"): NOBODY,
    ("DELETE", "/api/jobs/x"): NOBODY,  # its id is the secret of who began it
    ("POST", "/jobs/x/cancel"): NOBODY,
    ("POST", "/appearance"): NOBODY,  # it is the browser that remembers it
    ("POST", "/report"): NOBODY,  # bounded in length and number
}
#: What only some may read.
READ_BY_FEW = {
    "/metrics": OPERATE,
    "/api/running": OPERATE,
    "/api/reports": OPERATE,
    "/api/changes/refused": CONTRIBUTE,
    "/api/quarantine": CONTRIBUTE,
    "/api/quarantine/1": CONTRIBUTE,
}
ADDS = 'INSERT DATA { GRAPH <https://w3id.org/sse-kg/graph/%s> { <urn:a> <urn:p> "%s" } }'
SPARQL = {"content-type": "application/sparql-update"}


@dataclass
class Service:
    """A running service, and the tokens that it knows."""

    client: httpx.Client
    tokens: Tokens
    made: int = 0

    def token(self, *scopes: str, graphs: list[str] | None = None, expires: float | None = None) -> dict[str, str]:
        """The header with a new token."""
        self.made += 1
        named = None if graphs is None else [f"https://w3id.org/sse-kg/graph/{each}" for each in graphs]
        _, secret = self.tokens.create(f"token {self.made}", scopes, named, expires)
        return {"authorization": f"Bearer {secret}"}

    def update(self, text: str, headers: dict[str, str], **parameters: str) -> httpx.Response:
        return self.client.post("/update", content=text, headers=headers | SPARQL, params=parameters)

    def count(self, graph: str) -> int:
        text = f"SELECT (COUNT(*) AS ?n) {{ GRAPH <https://w3id.org/sse-kg/graph/{graph}> {{ ?s ?p ?o }} }}"
        (row,) = self.client.get("/sparql", params={"query": text}).json()["results"]["bindings"]
        return int(row["n"]["value"])


@pytest.fixture(scope="module", params=["embedded", "oxigraph"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, servers: Callable[[str], Endpoint]
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "embedded":
        settings = Settings(store=folder / "store", query_seconds=10)
    else:
        endpoint = servers(request.param)
        engines.empty(endpoint)
        settings = remote_settings(endpoint, folder, query_seconds=10)
    tokens = Tokens(settings.own_folder)
    tokens.create("the first", [VALIDATE], None, None)
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield Service(client, tokens)


def routes(app: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every method and path, those of included routers too, with example values for what is in braces."""
    for route in app.routes:
        if inner := getattr(route, "original_router", None):
            yield from routes(inner)
        for method in getattr(route, "methods", None) or ():
            path = route.path
            for written, value in (("{number:int}", "1"), ("{number}", "1"), ("{path:path}", "x")):
                path = path.replace(written, value)
            yield method, "/".join("x" if part.startswith("{") else part for part in path.split("/"))


def test_every_door_that_changes_something_is_listed(tmp_path: Path) -> None:
    found = set(routes(create_app(Settings(store=tmp_path))))
    assert len(found) > 100
    changing = {(method, path) for method, path in found if method not in ("GET", "HEAD", "OPTIONS")}
    assert changing == set(DOORS)
    assert {path for method, path in found if method == "GET"} >= set(READ_BY_FEW)


def test_no_door_opens_without_its_right(service: Service) -> None:
    guarded = {door: scope for door, scope in DOORS.items() if scope in (CONTRIBUTE, OPERATE)}
    guarded |= {("GET", path): scope for path, scope in READ_BY_FEW.items()}
    lesser = {CONTRIBUTE: service.token(VALIDATE), OPERATE: service.token(CONTRIBUTE)}
    wrong = {"authorization": "Bearer kg_00000000_" + "A" * 43}
    for (method, path), scope in guarded.items():
        assert scope
        nobody = service.client.request(method, path)
        assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, 'Bearer realm="kg"'), path
        unknown = service.client.request(method, path, headers=wrong)
        assert unknown.status_code in (401, 429), path
        weak = service.client.request(method, path, headers=lesser[scope])
        assert weak.status_code == 403, (method, path, weak.text)
        assert weak.headers["www-authenticate"] == f'Bearer realm="kg", error="insufficient_scope", scope="{scope}"'
        assert weak.json()["scope"] == scope
    assert service.count("contributions") == 0


def test_no_form_is_taken_without_a_session(service: Service) -> None:
    origin = {"origin": str(service.client.base_url).rstrip("/")} | service.token(OPERATE)
    thing = "https://w3id.org/sse-kg/id/theme/here"
    about = f"<{thing}> a <https://w3id.org/sse-kg/ontology#Theme> ; <http://www.w3.org/2004/02/skos/core#prefLabel>"
    said = f'INSERT DATA {{ GRAPH <https://w3id.org/sse-kg/graph/here> {{ {about} "Here"@en }} }}'
    assert service.update(said, origin).status_code == 200
    needed = {"/contribute/new": {"class": "Theme"}, "/contribute/edit": {"iri": thing}}
    for (method, path), scope in DOORS.items():
        if scope == SESSION:
            parameters = needed.get(path, {})
            answer = service.client.request(method, path, data={"step": "make"}, headers=origin, params=parameters)
            assert answer.status_code == 401, (path, answer.text)


def test_a_token_says_why_it_does_not_count(service: Service) -> None:
    soon = service.token(CONTRIBUTE, expires=time.time() + 3600)
    assert service.update(ADDS % ("one", "1"), soon).status_code == 200
    gone = service.token(CONTRIBUTE, expires=time.time())
    answer = service.update(ADDS % ("one", "2"), gone)
    assert (answer.status_code, answer.json()["detail"].split(";")[0]) == (401, "the token is expired")
    assert answer.headers["www-authenticate"] == 'Bearer realm="kg", error="invalid_token"'
    service.tokens.revoke(f"token {service.made}")
    assert "revoked" in service.update(ADDS % ("one", "2"), gone).json()["detail"]
    assert service.client.get("/sparql", params={"query": "ASK {}"}, headers=gone).status_code == 200


def test_a_rotated_token_counts_with_its_new_secret_and_for_a_while_with_the_old_one(service: Service) -> None:
    old = service.token(CONTRIBUTE)
    _, second = service.tokens.rotate(f"token {service.made}", overlap=3600)
    _, third = service.tokens.rotate(f"token {service.made}", overlap=3600)
    tried = [old, {"authorization": f"Bearer {second}"}, {"authorization": f"bearer  {third}"}]
    assert [service.update(ADDS % ("two", "1"), each).status_code for each in tried] == [401, 200, 200]
    _, fourth = service.tokens.rotate(f"token {service.made}")
    assert service.update(ADDS % ("two", "1"), tried[2]).status_code == 401
    assert service.update(ADDS % ("two", "1"), {"authorization": f"Bearer {fourth}"}).status_code == 200


def test_who_may_have_changes_judged_makes_none(service: Service) -> None:
    weak = service.token(VALIDATE)
    assert service.update(ADDS % ("three", "1"), weak, dry_run="true").json()["added"] == 1
    for yes_or_no in ("false", "0"):
        assert service.update(ADDS % ("three", "1"), weak, dry_run=yes_or_no).status_code == 403
    assert service.update(ADDS % ("three", "1"), weak, dry_run="maybe").status_code == 422
    turtle = weak | {"content-type": "text/turtle"}
    store = service.client.put("/store?graph=urn:g&dry_run=true", content="<urn:a> <urn:p> 1 .", headers=turtle)
    assert store.status_code in (201, 204)
    assert service.count("three") == 0


def test_who_may_change_one_graph_changes_no_other_whatever_the_text_says(service: Service) -> None:
    everywhere, own = service.token(CONTRIBUTE), service.token(CONTRIBUTE, graphs=["own", "eigen ñ"[:5]])
    assert service.update(ADDS % ("other", "1"), everywhere).status_code == 200
    assert service.update(ADDS % ("own", "mine"), own).status_code == 200
    other, mine = (f"<https://w3id.org/sse-kg/graph/{each}>" for each in ("other", "own"))
    for text in (
        ADDS % ("other", "2"),
        ADDS % ("own", "2") + " ; " + ADDS % ("other", "2"),
        'INSERT DATA { <urn:a> <urn:p> "in the default graph" }',
        'DELETE DATA { <urn:a> <urn:p> "1" }',
        "DELETE WHERE { ?s ?p ?o }",
        f"MOVE {mine} TO {other}",
        f"CLEAR GRAPH {other}",
        "DROP ALL",
        "INSERT { GRAPH ?g { ?s <urn:q> ?o } } WHERE { GRAPH ?g { ?s ?p ?o } }",
        f"WITH {other} DELETE {{ ?s ?p ?o }} WHERE {{ ?s ?p ?o }}",
    ):
        answer = service.update(text, own)
        assert (answer.status_code, answer.json().get("scope")) == (403, "contribute"), text
        assert service.update(text, own, dry_run="true").status_code == 403, text
    patch = own | {"content-type": "application/rdf-patch"}
    sent = service.client.post("/api/changes", content=f'A <urn:a> <urn:p> "3" {other} .\n', headers=patch)
    assert sent.status_code == 403
    turtle = own | {"content-type": "text/turtle"}
    put = service.client.put(f"/store?graph={other[1:-1]}", content="<urn:a> <urn:p> 3 .", headers=turtle)
    assert put.status_code == 403
    number = service.client.get("/api/changes", params={"entity": other[1:-1]}).json()["data"][0]["number"]
    assert service.client.post(f"/api/changes/{number}/revert", headers=own).status_code == 403
    assert (service.count("other"), service.count("own")) == (1, 1)
    # What the text names does not count where nothing of it changes.
    assert service.update(f"COPY {other} TO DEFAULT", own).json()["added"] == 0
    assert service.update(f"COPY {other} TO {mine} ; " + ADDS % ("other", "1"), own).status_code == 200


def test_what_is_packed_is_not_unpacked(service: Service) -> None:
    headers = service.token(CONTRIBUTE) | {"content-encoding": "gzip"}
    bomb = gzip.compress(b"# " + bytes(2**24))
    for path in ("/update", "/store?graph=urn:g", "/api/changes", "/api/validate?with=nothing"):
        answer = service.client.post(path, content=bomb, headers=headers | {"content-type": "text/turtle"})
        assert (answer.status_code, "gzip" in answer.json()["detail"]) == (415, True), path


def test_the_log_names_the_token(service: Service) -> None:
    one = service.token(CONTRIBUTE)
    assert service.update(ADDS % ("log", "1"), one).status_code == 200
    assert service.update(ADDS % ("log", "2"), one, author="Somebody else").status_code == 422
    assert service.update(ADDS % ("log", "3"), one | {"KG-Author": "Somebody%20else"}).status_code == 422
    latest = service.client.get("/api/changes?limit=1").json()["data"][0]
    assert latest["author"] == f"token {service.made}"


def test_a_token_counts_in_its_header_alone(service: Service) -> None:
    good = service.token(CONTRIBUTE)
    secret = good["authorization"].removeprefix("Bearer ")
    bare = {"authorization": ""}
    assert service.update(ADDS % ("five", "1"), {}, access_token=secret).status_code in (401, 422)
    form = {"update": ADDS % ("five", "1"), "access_token": secret}
    assert service.client.post("/update", data=form).status_code == 401
    for sent in (bare, {"authorization": f"Basic {secret}"}, {"authorization": secret}, {"authorization": "Bearer"}):
        assert service.update(ADDS % ("five", "1"), sent).status_code == 401
    two = [("authorization", good["authorization"])] * 2
    answer = service.client.post("/update", content="DROP ALL", headers=[*two, *SPARQL.items()])
    assert (answer.status_code, answer.headers["www-authenticate"]) == (
        400,
        'Bearer realm="kg", error="invalid_request"',
    )
    for odd in (b"Bearer \xff\xfe", "Bearer ключ".encode(), b"Bearer " + b"a" * 30_000, b"Bearer a b c"):
        headers = {b"authorization": odd, b"content-type": b"application/sparql-update"}
        answer = service.client.post("/update", content="DROP ALL", headers=headers)
        assert answer.status_code in (401, 429), odd[:20]
    assert service.count("five") == 0


def test_a_session_ends_with_its_token(service: Service) -> None:
    origin = str(service.client.base_url).rstrip("/")
    token = service.token(CONTRIBUTE, graphs=["contributions"])["authorization"].removeprefix("Bearer ")
    with httpx.Client(base_url=origin, headers={"origin": origin, "accept": "text/html"}) as person:
        assert person.post("/sign-in", data={"token": token, "author": "Somebody else"}).status_code == 303
        page = person.get("/tables").text
        assert f"token {service.made}" in page
        assert "Somebody else" not in page
        mark = page.split('name="mark" value="')[1].split('"')[0]
        assert token not in page
        sent = {"mark": mark, "step": "try", "template": "events"}
        assert person.post("/tables", data=sent).status_code == 422  # there is no file
        service.tokens.rotate(f"token {service.made}")
        assert person.post("/tables", data=sent).status_code == 401
    assert person.cookies  # what is refused is the very same cookie


def test_tokens_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    program = "import sys; from kg_service.cli import main; sys.argv[0] = 'kg'; main()"
    command = [sys.executable, "-c", program, "token", "create", "--store", str(tmp_path)]
    started = [subprocess.Popen([*command, f"número {n}"], stdout=subprocess.PIPE, text=True) for n in range(4)]
    secrets = [each.communicate()[0].strip() for each in started]
    assert all(each.returncode == 0 for each in started)
    known = Tokens(tmp_path)
    holders = [known.holder(each) for each in secrets]
    assert {each.author for each in holders if each} == {f"número {n}" for n in range(4)}
    text = (tmp_path / "tokens.json").read_text()
    assert not any(each.rpartition("_")[2] in text for each in secrets)
    assert (tmp_path / "tokens.json").stat().st_mode & 0o077 == 0
