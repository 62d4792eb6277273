"""What can be set, with its default and its meaning: by `KG_…` environment variables or a `.env` file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
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


class Settings(BaseSettings):
    """The settings of one process; made at the edge (CLI, application) and handed down."""

    model_config = SettingsConfigDict(env_prefix="KG_", env_file=".env", extra="ignore", frozen=True)

    store: Path = Field(default_factory=_default_store, description="directory of the embedded store")
    query_url: str | None = Field(
        None, description="SPARQL endpoint that holds the graph, in place of the embedded store; for reading"
    )
    dialect: Literal["standard", "fuseki", "oxigraph", "virtuoso"] = Field(
        "standard", description="what the engine at query_url does otherwise than the standard says"
    )
    data: Path = Field(
        default_factory=lambda: resources.folder("data"), description="directory whose files `kg serve` loads"
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=1, le=65535, description="port to listen on")
    base: str = Field("https://w3id.org/sse-kg/", description="base that relative IRIs in queries resolve against")
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
    max_answer_bytes: int = Field(512 * 2**20, gt=0, description="largest answer to one query, in bytes")
    max_rows: int = Field(1_000_000, gt=0, description="most rows or triples in the answer to one query")
    max_query_bytes: int = Field(1 * 2**20, gt=0, description="longest query text, in bytes")
    services: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (),
        description="SPARQL endpoints that SERVICE may ask, by their IRIs; commas between them, or a JSON list; "
        "private+http://… for one at an address that is not public",
    )
    service_bytes: int = Field(10 * 2**20, gt=0, description="most bytes that the services of one query may answer")
    token: SecretStr | None = Field(None, description="token that writing over HTTP needs; without one it is off")
    default_graph: Literal["union", "own"] = Field(
        "union", description="what the default graph holds: all named graphs' triples, or only its own"
    )
    max_body_bytes: int = Field(64 * 2**20, gt=0, description="largest update or upload, in bytes")
    max_document_bytes: int = Field(
        16 * 2**20, gt=0, description="largest document that anyone may have validated, in bytes"
    )
    judges: int = Field(2, ge=1, le=64, description="documents that are validated at the same time, one process each")
    cache_bytes: int = Field(64 * 2**20, ge=0, description="finished answers kept for repeated queries, in bytes")
    query_memory: int = Field(2 * 2**30, ge=64 * 2**20, description="memory that one query may take, in bytes")
