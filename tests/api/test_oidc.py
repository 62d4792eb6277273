"""Tokens of an OpenID provider: signed by its keys, for us, in time, and with the rights that a claim names."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import ValidationError

from kg_service.access.oidc import rights
from kg_service.settings import Settings
from tests.serving import running

ISSUER, AUDIENCE = "https://login.example/", "https://graph.example/"
UPDATE = 'INSERT DATA { GRAPH <https://w3id.org/sse-kg/graph/%s> { <urn:a> <urn:p> "%s" } }'


@dataclass
class Provider:
    """Somebody who signs tokens, and shows the public halves of the keys over HTTP."""

    url: str = ""
    keys: dict[str, Any] = field(default_factory=dict)
    asked: int = 0

    def key(self, kid: str, kind: str = "RSA") -> None:
        """Makes a key that is shown from now on."""
        made: Any = rsa.generate_private_key(65537, 2048) if kind == "RSA" else ec.generate_private_key(ec.SECP256R1())
        self.keys[kid] = made

    def public(self) -> dict[str, Any]:
        algorithms = {kid: jwt.get_algorithm_by_name("RS256" if "rsa" in kid else "ES256") for kid in self.keys}
        shown = [
            json.loads(algorithms[kid].to_jwk(key.public_key())) | {"kid": kid, "use": "sig"}
            for kid, key in self.keys.items()
        ]
        return {"keys": shown}

    def token(self, kid: str = "rsa1", *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        about = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-ñ", "exp": int(time.time()) + 60} | claims
        known = {name: value for name, value in about.items() if value is not None}
        algorithm = "RS256" if "rsa" in kid else "ES256"
        return jwt.encode(known, self.keys[kid], algorithm, headers={"kid": kid} | (headers or {}))


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    made = Provider()
    made.key("rsa1")
    made.key("ec1", "EC")

    class Shown(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked += 1
            body = json.dumps(made.public()).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Shown) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        made.url = f"private+http://127.0.0.1:{server.server_address[1]}/keys"
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def jwks(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "jwks.json"
    path.write_text(json.dumps(provider.public()))
    return path


def settings(folder: Path, jwks: str, **more: Any) -> Settings:
    about = {"store": folder / "store", "oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "oidc_jwks": jwks}
    return Settings.model_validate(about | more)


@pytest.fixture(scope="module")
def service(jwks: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with running(settings(tmp_path_factory.mktemp("oidc"), str(jwks))) as url, httpx.Client(base_url=url) as client:
        yield client


def update(client: httpx.Client, token: str, text: str = UPDATE % ("g", "1"), **parameters: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/sparql-update"}
    return client.post("/update", content=text, headers=headers, params=parameters)


def test_a_claim_grants_rights_and_the_log_names_the_subject(service: httpx.Client, provider: Provider) -> None:
    assert update(service, provider.token(scope="openid kg:contribute")).status_code == 200
    assert update(service, provider.token("ec1", scope=["kg:operate"])).status_code == 200
    assert service.get("/api/changes?limit=1").json()["data"][0]["author"] == "user-ñ"
    assert update(service, provider.token(scope="kg:validate"), dry_run="true").status_code == 200
    for scope in ("kg:validate", "openid", None, 7, {"kg:operate": True}, "kg:everything", "KG:OPERATE"):
        answer = update(service, provider.token(scope=scope))
        assert (answer.status_code, answer.json()["scope"]) == (403, "contribute"), scope
    one = provider.token(scope="kg:contribute:own")
    assert update(service, one, UPDATE % ("own", "1")).status_code == 200
    assert update(service, one, UPDATE % ("other", "1")).status_code == 403
    running_queries = service.get("/api/running", headers={"authorization": f"Bearer {one}"})
    assert running_queries.status_code == 403


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_what_is_forged_or_for_others_does_not_count(service: httpx.Client, provider: Provider) -> None:
    good: dict[str, Any] = {"scope": "kg:operate"}
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "exp": int(time.time()) + 60} | good
    other = Provider()
    other.key("rsa1")
    public = provider.keys["rsa1"].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    forged = f"{part({'alg': 'HS256', 'kid': 'rsa1'})}.{part(claims)}"
    mac = base64.urlsafe_b64encode(hmac.digest(pem, forged.encode(), hashlib.sha256)).decode().rstrip("=")
    head, body, signature = provider.token(**good).split(".")
    own_key = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(other.keys["rsa1"].public_key()))
    now = int(time.time())
    for what, token in {
        "alg none": f"{part({'alg': 'none', 'kid': 'rsa1'})}.{part(claims)}.",
        "alg None": f"{part({'alg': 'None'})}.{part(claims)}.{signature}",
        "the public key as a shared secret": f"{forged}.{mac}",
        "another key of that id": other.token(**good),
        "a key that it brings itself": other.token(headers={"jwk": own_key, "jku": "http://127.0.0.1/"}, **good),
        "a changed body": f"{head}.{part(claims)}.{signature}",
        "a key for another algorithm": f"{part({'alg': 'ES256', 'kid': 'rsa1'})}.{body}.{signature}",
        "an algorithm that is not taken": jwt.encode(claims, provider.keys["rsa1"], "RS512", {"kid": "rsa1"}),
        "an unknown key": provider.token(headers={"kid": "rsa2"}, **good),
        "a key id that is no text": f"{part({'alg': 'RS256', 'kid': ['rsa1']})}.{body}.{signature}",
        "no key id": f"{part({'alg': 'RS256'})}.{body}.{signature}",
        "something critical": provider.token(headers={"crit": ["b64"], "b64": False}, **good),
        "another issuer": provider.token(iss="https://evil.example/", **good),
        "another audience": provider.token(aud=["https://other.example/"], **good),
        "no audience": provider.token(aud=None, **good),
        "no end": provider.token(exp=None, **good),
        "no subject": provider.token(sub=None, **good),
        "expired": provider.token(exp=now - 31, **good),
        "not yet": provider.token(nbf=now + 90, **good),
        "an end that is no number": f"{head}.{part(claims | {'exp': '9'})}.{signature}",
        "no JSON": f"eyJ{'A' * 9}.{body}.{signature}",
        "nested deeply": f"eyJ{base64.urlsafe_b64encode(b'[' * 6000).decode()}.{body}.{signature}",
    }.items():
        answer = update(service, token)
        assert answer.status_code == 401, what
        assert answer.headers["www-authenticate"] == 'Bearer realm="kg", error="invalid_token"', what
        assert token not in answer.text
    assert update(service, provider.token(exp=now - 5, **good)).status_code == 200  # the clocks may differ
    assert update(service, provider.token(aud=["x", AUDIENCE], **good)).status_code == 200


def test_nobody_signs_in_to_pages_with_such_a_token(service: httpx.Client, provider: Provider) -> None:
    origin = str(service.base_url).rstrip("/")
    data = {"token": provider.token(scope="kg:operate")}
    answer = service.post("/sign-in", data=data, headers={"origin": origin, "accept": "text/html"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_keys_in_a_file_are_read_again_when_it_changes(service: httpx.Client, provider: Provider, jwks: Path) -> None:
    provider.key("rsa-new")
    token = provider.token("rsa-new", scope="kg:contribute")
    assert update(service, token).status_code == 401
    jwks.write_text(json.dumps(provider.public()))
    assert update(service, token).status_code == 200
    jwks.write_text("{")
    assert update(service, token).status_code == 401
    jwks.write_text(json.dumps(provider.public()))
    assert update(service, token).status_code == 200
    aside = jwks.rename(jwks.with_suffix(".aside"))
    assert update(service, token).status_code == 401
    aside.rename(jwks)
    assert update(service, token).status_code == 200, "the file is back, as it was"


def test_keys_at_a_url_are_fetched_when_needed_and_not_for_everybody(provider: Provider, tmp_path: Path) -> None:
    chosen = settings(tmp_path, provider.url, oidc_author="email", oidc_claim="realm_access.roles")
    with running(chosen) as url, httpx.Client(base_url=url, timeout=30) as client:
        assert provider.asked == 0
        about: dict[str, Any] = {"email": "ana@example.org", "realm_access": {"roles": ["kg:contribute"]}}
        assert update(client, provider.token(**about)).status_code == 200
        assert client.get("/api/changes?limit=1").json()["data"][0]["author"] == "ana@example.org"
        assert update(client, provider.token(realm_access=about["realm_access"])).status_code == 401  # no author
        for number in range(20):
            assert update(client, provider.token(headers={"kid": f"k{number}"}, **about)).status_code == 401
        assert provider.asked == 1  # who sends unknown keys makes nobody ask again and again


def test_a_provider_that_is_away_lets_nobody_in_and_nothing_hang(tmp_path: Path, provider: Provider) -> None:
    with running(settings(tmp_path, "private+http://127.0.0.1:9/keys")) as url, httpx.Client(base_url=url) as client:
        assert update(client, provider.token(scope="kg:operate")).status_code == 401
        assert client.get("/sparql", params={"query": "ASK {}"}).status_code == 200


@pytest.mark.parametrize(
    ("said", "scopes", "graphs"),
    [
        ("kg:contribute:a kg:contribute:urn:b", {"contribute"}, {"https://w3id.org/sse-kg/graph/a", "urn:b"}),
        ("kg:contribute:a kg:contribute", {"contribute"}, None),
        ("kg:contribute:a kg:operate", {"contribute", "operate"}, None),
        ("kg:contribute:a kg:validate", {"contribute", "validate"}, {"https://w3id.org/sse-kg/graph/a"}),
        ("kg:operate:a kg: kg", set(), None),
        (["kg:validate", 3, None], {"validate"}, None),
        (None, set(), None),
    ],
)
def test_words_of_the_claim(said: object, scopes: set[str], graphs: set[str] | None) -> None:
    held, where = rights(said)
    assert (set(held), where and set(where)) == (scopes, graphs)


def test_settings_of_a_provider_belong_together(tmp_path: Path) -> None:
    for wrong in ({"oidc_audience": None}, {"oidc_jwks": None}, {"oidc_issuer": None}, {"oidc_algorithms": "HS256"}):
        with pytest.raises(ValidationError):
            settings(tmp_path, "keys.json", **wrong)
