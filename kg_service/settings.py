"""What can be set, with its default and its meaning: by `KG_…` environment variables or a `.env` file."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kg_service import resources


def _default_store() -> Path:
    """Beside the data in a checkout; in the user's own data folder when installed as a wheel."""
    if (resources.PACKAGE / "resources").is_dir():
        return Path.home() / ".local" / "share" / "sse-kg" / "store"
    return resources.folder("data") / "store"


def _listed(written: object) -> object:
    """A list as JSON, or with commas between its entries."""
    if not isinstance(written, str):
        return written
    if written.lstrip().startswith("["):
        return json.loads(written)
    return [entry.strip() for entry in written.split(",") if entry.strip()]


#: How tokens of an OpenID provider may be signed: by keys of which only the provider has the secret half.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

#: The value of `store` that means: the engine at query_url, for reading and writing.
_SPARQL = Path("sparql")


#: Settings that may be read from a file, which the setting with _file after the name names.
_SECRETS = ("token", "store_password")


def _secret_in(path: Path, setting: str) -> str:
    """The one line of a file."""
    try:
        text = path.read_bytes()[: 2**16].decode()
    except OSError as error:
        raise ValueError(f"{setting}: {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        text = ""
    secret = text.strip("\r\n")
    if not secret.strip() or "\n" in secret:
        raise ValueError(f"{setting}: {path} must hold the secret as its only line, in UTF-8")
    return secret


class Settings(BaseSettings):
    """The settings of one process; made at the edge (CLI, application) and handed down."""

    model_config = SettingsConfigDict(env_prefix="KG_", env_file=".env", extra="ignore", frozen=True)

    store: Path = Field(
        default_factory=_default_store,
        description="directory of the embedded store; or the word sparql: the engine at query_url and update_url",
    )
    query_url: str | None = Field(
        None,
        description="SPARQL endpoint of another engine that holds the graph; alone, for reading only",
    )
    update_url: str | None = Field(None, description="where that engine takes SPARQL updates; with KG_STORE=sparql")
    graph_store_url: str | None = Field(
        None, description="its Graph Store Protocol, if it has one: faster for large changes; with KG_STORE=sparql"
    )
    store_user: str = Field("", description="user at that engine")
    store_password: SecretStr | None = Field(None, description="password, or bearer token, at that engine")
    store_password_file: Path | None = Field(None, description="file that holds KG_STORE_PASSWORD, in its place")
    store_auth: Literal["basic", "digest", "bearer"] = Field(
        "basic", description="how user and password, or the bearer token, are sent to that engine"
    )
    engine_folder: Path = Field(
        default_factory=lambda: _default_store().with_name("remote"),
        description="directory for what is kept beside the graph of another engine: changes that were refused",
    )
    copy_triples: int = Field(
        500_000, gt=0, description="most triples of that engine's graph that one change may need at hand"
    )
    dialect: Literal["standard", "fuseki", "oxigraph", "virtuoso"] = Field(
        "standard", description="what the engine at query_url does otherwise than the standard says"
    )
    data: Path = Field(
        default_factory=lambda: resources.folder("data"), description="directory whose files `kg serve` loads"
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=1, le=65535, description="port to listen on")
    processes: int = Field(
        1,
        ge=1,
        le=16,
        description="processes that answer requests, one of which writes; the limits below are for all together",
    )
    base: str = Field("https://w3id.org/sse-kg/", description="base that relative IRIs in queries resolve against")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#]+(/[^?#]*)?$",
        description="address that clients reach this service at, without a slash at the end, for the links in its "
        "answers; by default what each request was sent to",
    )
    readers: int = Field(
        2,
        ge=1,
        le=64,
        description="long queries that run at the same time, one process each; as many short ones besides",
    )
    quick_seconds: float = Field(0.1, gt=0, description="seconds after which a query counts as a long one")
    query_seconds: float = Field(30.0, gt=0, description="longest time one query may take")
    query_seconds_with_token: float = Field(
        300.0, gt=0, description="longest time that a query sent with the token may ask for"
    )
    queue_seconds: float = Field(10.0, ge=0, description="longest wait for a free reader")
    queue: int = Field(1024, ge=2, description="queries that may wait for a reader; one client may have half of them")
    paused: int = Field(
        32, ge=2, description="long queries that may wait for their turn, stopped; one client may have half of them"
    )
    client_seconds: float | None = Field(
        None,
        gt=0,
        description="seconds of engine time that one client (token, else address) may use per minute; "
        "by default 60 for each reader, which a client that asks alone cannot pass",
    )
    client_requests: float | None = Field(
        None, gt=0, description="requests that one client may send per minute; answers from the cache are not counted"
    )
    client_bytes: float | None = Field(
        None, gt=0, description="bytes that one client may send and get per minute; the same holds"
    )
    client_streams: int = Field(1024, ge=1, description="answers to one client at the same time")
    connections: int = Field(4096, ge=1, description="connections at the same time")
    client_connections: int = Field(
        1024, ge=1, description="connections at the same time from one address; behind proxies these have all of them"
    )
    patience_seconds: float = Field(
        20.0,
        gt=0,
        description="seconds in which the head of a request must have come, and after which a body must come and an "
        "answer be taken at 1 KiB a second at least",
    )
    trusted_hops: int = Field(
        0,
        ge=0,
        le=10,
        description="proxies of your own in front of this service; so many entries of the forwarding header count, "
        "from the right",
    )
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for", description="the header in which these proxies say whom they forward"
    )
    metrics: Literal["token", "open"] = Field(
        "token", description="who may read /metrics: who has a token with the scope operate, or everybody"
    )
    log: Literal["text", "json"] = Field(
        "text", description="how the log is written to standard error: lines for people, or one JSON object a line"
    )
    log_requests: Literal["none", "computed", "all"] = Field(
        "none",
        description="requests that are logged: none, those that were not answered from memory at once, or all, which "
        "makes repeated questions cost more",
    )
    hsts_seconds: int = Field(
        0, ge=0, description="seconds for which browsers shall use HTTPS only (HSTS); 0 says nothing"
    )
    max_answer_bytes: int = Field(512 * 2**20, gt=0, description="largest answer to one query, in bytes")
    max_rows: int = Field(1_000_000, gt=0, description="most rows or triples in the answer to one query")
    max_url_bytes: int = Field(
        32 * 2**10, ge=1024, description="longest address of a request, path and parameters, in bytes"
    )
    max_query_bytes: int = Field(1 * 2**20, gt=0, description="longest query text, in bytes")
    services: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (),
        description="SPARQL endpoints that SERVICE may ask, by their IRIs; commas between them, or a JSON list; "
        "private+http://… for one at an address that is not public, also for a file that kg refresh fetches from one",
    )
    service_bytes: int = Field(10 * 2**20, gt=0, description="most bytes that the services of one query may answer")
    source_bytes: int = Field(
        256 * 2**20, gt=0, description="most bytes that one source may send when it is fetched by kg refresh"
    )
    token: SecretStr | None = Field(
        None,
        description="token that may do everything over HTTP, for a small install; `kg token create` makes others, "
        "with fewer rights. Without any token or provider, writing is off",
    )
    token_file: Path | None = Field(
        None, description="file that holds KG_TOKEN, in its place: a credential of systemd, or a secret of a container"
    )
    oidc_issuer: str | None = Field(
        None, description="OpenID provider whose tokens count as well: what their claim `iss` must be"
    )
    oidc_audience: str | None = Field(None, description="what the claim `aud` of these tokens must name")
    oidc_jwks: str | None = Field(
        None,
        description="the provider's keys (a JWK set): a file, or a URL; private+https://… for one at an address that "
        "is not public",
    )
    oidc_algorithms: Annotated[tuple[Algorithm, ...], NoDecode, BeforeValidator(_listed)] = Field(
        ("RS256", "ES256"), min_length=1, description="algorithms by which these tokens may be signed"
    )
    oidc_claim: str = Field(
        "scope",
        min_length=1,
        description="claim that grants rights: kg:validate, kg:contribute, kg:contribute:<graph>, kg:operate, as a "
        "list or with spaces between them; realm_access.roles is a claim within a claim",
    )
    oidc_author: str = Field(
        "sub", min_length=1, description="claim that names the author in the log of changes; not one that users choose"
    )
    oidc_leeway: float = Field(30.0, ge=0, le=600, description="seconds by which the provider's clock may be off")
    default_graph: Literal["union", "own"] = Field(
        "union", description="what the default graph holds: all named graphs' triples, or only its own"
    )
    max_body_bytes: int = Field(64 * 2**20, gt=0, description="largest update or upload, in bytes")
    max_document_bytes: int = Field(
        16 * 2**20, gt=0, description="largest document that anyone may have validated, in bytes"
    )
    reports: int = Field(
        1_000,
        ge=0,
        description="reports of errors by readers that may wait for an operator; 0: none are taken",
    )
    judges: int = Field(2, ge=1, le=64, description="documents that are validated at the same time, one process each")
    network_rows: int = Field(20_000_000, gt=0, description="most rows of ties that the store may give for one network")
    network_workers: int = Field(1, ge=1, le=16, description="networks that are measured at the same time")
    network_memory: int = Field(4 * 2**30, ge=2**30, description="memory that measuring one network may take, in bytes")
    network_seconds: float = Field(600.0, gt=0, description="longest time that measuring one network may take")
    spark_master: str = Field(
        "local[*]", description="Spark for `kg network --engine spark`: local[2], spark://host:7077, k8s://…"
    )
    spark_jars: str = Field("", description="GraphFrames’ jar and what it needs, by path, commas between them")
    spark_partitions: int = Field(8, ge=1, description="parts into which Spark divides what it joins")
    cache_bytes: int = Field(
        64 * 2**20,
        ge=0,
        description="finished answers kept for repeated queries, in bytes; documents and pages get half as much again",
    )
    list_values: int = Field(
        10_000_000, gt=0, description="values that lists are filtered and sorted by and that are kept in memory"
    )
    query_memory: int = Field(2 * 2**30, ge=64 * 2**20, description="memory that one query may take, in bytes")

    @property
    def is_remote(self) -> bool:
        """Whether another engine holds the graph."""
        return self.query_url is not None

    @property
    def is_writable(self) -> bool:
        """Whether this program writes the graph, be it embedded or on another engine."""
        return self.query_url is None or self.store == _SPARQL

    @property
    def own_folder(self) -> Path:
        """Where this program keeps what is not the graph."""
        return self.engine_folder if self.is_remote else self.store

    @property
    def open_secrets(self) -> list[Path]:
        """The files with secrets that everybody on this machine may read."""
        files = [path for name in _SECRETS if (path := getattr(self, f"{name}_file"))]
        return [path for path in files if path.stat().st_mode & stat.S_IROTH]

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Takes secrets out of their files; no secret is in the sentence where that fails."""
        found = dict(given)
        for name in _SECRETS:
            path = given.get(f"{name}_file")
            if path is None:
                continue
            if given.get(name) is not None:
                raise ValueError(f"KG_{name.upper()} and KG_{name.upper()}_FILE are both set; leave one out")
            found[name] = _secret_in(Path(path), f"KG_{name.upper()}_FILE")
        return found

    def shared_out(self) -> Self:
        """The settings of one process of several: together they keep to these.

        What counts by the minute stays: the processes tell each other what clients have used.
        """
        ones = ("readers", "client_streams", "connections", "client_connections", "judges", "cache_bytes")
        least = dict.fromkeys(ones, 1) | {"queue": 2, "paused": 2, "cache_bytes": 0}
        shares = {name: max(few, getattr(self, name) // self.processes) for name, few in least.items()}
        seconds = self.client_seconds or 60.0 * self.readers
        return self.model_copy(update=shares | {"client_seconds": seconds})

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """Says what is missing or too much of the settings of an engine; no secret is in the sentence."""
        is_sparql = self.store == _SPARQL
        problems = (
            (
                is_sparql and not (self.query_url and self.update_url),
                "KG_STORE=sparql needs KG_QUERY_URL and KG_UPDATE_URL; to read only, set KG_QUERY_URL alone",
            ),
            (
                not is_sparql and (self.update_url or self.graph_store_url),
                "KG_UPDATE_URL and KG_GRAPH_STORE_URL are for KG_STORE=sparql; set that, or leave them out",
            ),
            (
                not self.query_url and (self.store_user or self.store_password),
                "KG_STORE_USER and KG_STORE_PASSWORD are for the engine at KG_QUERY_URL, which is not set",
            ),
            (
                self.store_user and not self.store_password,
                "KG_STORE_USER is set without KG_STORE_PASSWORD",
            ),
            (
                self.store_password and self.store_auth != "bearer" and not self.store_user,
                "KG_STORE_PASSWORD is set without KG_STORE_USER; a token needs KG_STORE_AUTH=bearer",
            ),
            (
                self.store_auth == "bearer" and (self.store_user or not self.store_password),
                "KG_STORE_AUTH=bearer takes the token in KG_STORE_PASSWORD, and no KG_STORE_USER",
            ),
            (
                self.oidc_issuer and not (self.oidc_audience and self.oidc_jwks),
                "KG_OIDC_ISSUER needs KG_OIDC_AUDIENCE and KG_OIDC_JWKS",
            ),
            (
                not self.oidc_issuer and (self.oidc_audience or self.oidc_jwks),
                "KG_OIDC_AUDIENCE and KG_OIDC_JWKS are set without KG_OIDC_ISSUER",
            ),
            (
                is_sparql and self.default_graph == "own",
                "KG_DEFAULT_GRAPH=own is for the embedded store; an engine's default graph holds every triple",
            ),
        )
        for is_wrong, what in problems:
            if is_wrong:
                raise ValueError(what)
        return self
