"""The same graph on any SPARQL 1.1 engine: reads and writes over its query, update and graph-store URLs.

What the standard leaves open, and what an engine does otherwise, is in one table: `Dialect`. Everything else is alike:

- Whatever the engine sends is parsed to its end and written again in the asked format. Tables are fetched as JSON and
  graphs as N-Triples, so that each format can be had from each engine, and a cut answer is an error. XML is not
  fetched: the parser takes a cut table for a whole one.
- The query form comes from the grammar's prologue, never from a guess over the text, and is told to SPARQLWrapper.
- The store's revision is a triple in a graph of our own. An update changes the data and advances the revision in one
  operation whose WHERE checks the expected one, so that of two writers at once one changes nothing and is told so.
- Terms are written as the embedded store would keep them (`"007"^^xsd:integer` as `7`).
"""

from __future__ import annotations

from kg_service.store.remote.endpoint import (
    DIALECTS,
    FUSEKI,
    OXIGRAPH,
    STANDARD,
    VIRTUOSO,
    Credentials,
    Dialect,
    Endpoint,
)
from kg_service.store.remote.graph import RemoteGraph
from kg_service.store.remote.graphs import REVISION, STAND_IN
from kg_service.store.remote.opening import endpoint_of, remote_data, remote_log, remote_store
from kg_service.store.remote.reads import RemoteReads
from kg_service.store.remote.revision import Conflict
from kg_service.store.remote.writer import Effective, Moment, RemoteStore

__all__ = [
    "DIALECTS",
    "FUSEKI",
    "OXIGRAPH",
    "REVISION",
    "STANDARD",
    "STAND_IN",
    "VIRTUOSO",
    "Conflict",
    "Credentials",
    "Dialect",
    "Effective",
    "Endpoint",
    "Moment",
    "RemoteGraph",
    "RemoteReads",
    "RemoteStore",
    "endpoint_of",
    "remote_data",
    "remote_log",
    "remote_store",
]
