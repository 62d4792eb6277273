"""Stores that change, and what an index of them holds, told without its numbers."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyoxigraph import Literal, NamedNode, Quad

from kg_service.rdf import PREF_LABEL, RDF_TYPE, entity, graph, sse
from kg_service.search import Question, index, ranking
from kg_service.search.building import bring_up, path_of
from kg_service.search.sources import EmbeddedSource
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.log import Entry

GRAPH = graph("test")
_time = itertools.count()


def quad(subject: NamedNode, property_: NamedNode, value: NamedNode | Literal, where: NamedNode = GRAPH) -> Quad:
    return Quad(subject, property_, value, where)


def named(kind: str, slug: str, text: str, language: str = "en", class_: str = "Theme") -> list[Quad]:
    """A thing with a class and a name."""
    thing = entity(kind, slug)
    return [quad(thing, RDF_TYPE, sse(class_)), quad(thing, PREF_LABEL, Literal(text, language=language))]


def change(store: EmbeddedStore, added: Iterable[Quad] = (), removed: Iterable[Quad] = ()) -> int:
    """A change that is logged and published without being judged."""
    effective, patch = store.planned(Delta(frozenset(added), frozenset(removed)))
    if not effective and store.generation:
        return store.generation
    store.stage(effective)
    entry = Entry(store.next_number(), store.generation + 1, f"t{next(_time)}", "test", "", len(effective.added), 0, {})
    store.note(entry, patch)
    number = store.publish()
    store.retire()
    return number


def brought_up(root: Path, source: EmbeddedSource | None = None) -> int:
    return bring_up(root, source or source_of(root))


def source_of(root: Path) -> EmbeddedSource:
    return EmbeddedSource(root, union=True, memory=None)


def found(root: Path, text: str, **more: Any) -> list[str]:
    """The ends of the IRIs of what the index in use finds."""
    path = path_of(root)
    assert path
    with contextlib.closing(index.connect(path)) as rows:
        answer = ranking.find(rows, Question(text, **more))
    return [hit["iri"].rpartition("/id/")[2] for hit in answer["data"]]


def contents(path: Path) -> dict[str, Any]:
    """Everything that an index holds, with IRIs for numbers; its words by the texts that have them."""
    with contextlib.closing(index.connect(path)) as rows:
        rows.execute("PRAGMA query_only=OFF")
        rows.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab('main', 'words', 'instance')")
        iris = dict(rows.execute("SELECT id, iri FROM node").fetchall())
        texts = {
            number: (index.bucket_of(number), iris[node], iris[property_], language, value)
            for number, node, property_, language, value in rows.execute("SELECT * FROM text")
        }
        pairs = {
            table: sorted((iris[one], iris[other]) for one, other in rows.execute(f"SELECT * FROM {table}"))
            for table in ("kind", "about", "evidence")
        }
        instances = rows.execute("SELECT term, doc FROM temp.vocabulary").fetchall()
        rows.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        state = index.state_of(rows)
        return {
            "state": (state.generation, state.published, state.anchor),
            "texts": sorted(texts.values()),
            "tokens": sorted((f"¶{iris[int(t[1:])]}" if t[0] == "¶" else t, *texts[doc]) for t, doc in instances),
            "meant": sorted(word for (word,) in rows.execute("SELECT word FROM word")),
            "grams": sorted(rows.execute("SELECT gram, length, word.word FROM gram JOIN word ON id = gram.word")),
            **pairs,
        }
