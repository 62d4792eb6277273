"""The real files beside the project, read without a store: rows in are things and rejected rows, and no contacts."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyoxigraph import DefaultGraph, Store

from kg_service import resources
from kg_service.datasets import described, files, loading
from kg_service.datasets.files import Material
from kg_service.rdf import RDF_TYPE, Literal, Quad, sse
from kg_service.settings import Settings
from kg_service.store.embedded import snapshot
from kg_service.tables.values import EMAIL, PHONE

#: Rows of each file, those that go in, and the things that they make.
ROWS = {
    "m49": ([], {"places": 278}),
    "essglobal": ([], {"concepts": 547}),
    "sdg": ([], {"concepts": 232}),
    "coops-uk": ([(7387, 7387), (8371, 8371)], {"organisations": 10218}),
    "ripess-family": ([(73, 73)], {"memberships": 68, "organisations": 73}),
    "ica-directory": ([(321, 321)], {"memberships": 321, "organisations": 321}),
    "nec-members": ([(143, 143)], {"memberships": 143, "organisations": 144}),
    "ituc-affiliates": ([(297, 297)], {"memberships": 297, "organisations": 298, "places": 1}),
    "susy": ([(1794, 1794)], {"organisations": 1794}),
    "ess-france": ([(3667, 3667)], {"organisations": 3667}),
}


#: A name in a public register that only looks like an address of e-mail.
NAMES = {"LE THE@TRE.COM"}


#: What the others come after.
VOCABULARIES = ("m49", "essglobal")


def read(name: str, graph: Store, shared: Path) -> Material:
    """A data set as its files say now; skipped where they are not here."""
    (dataset,) = described.named(resources.folder("data") / "datasets", [name])
    material = files.read(shared, dataset, graph)
    if material.absent:
        pytest.skip(f"not here: {', '.join(material.absent)}")
    loading.settle(material, lambda iri: loading.exists(graph, iri))
    return material


@pytest.fixture(scope="module")
def graph(project: Settings, shared: Path) -> Store:
    """The project's own data in memory, and the vocabularies that other data sets come after."""
    with snapshot(project.store) as store:
        copy = Store()
        copy.bulk_extend(store)
    for name in VOCABULARIES:
        quads = list(loading.statements(read(name, copy, shared)))
        copy.extend(quads)
        copy.extend(Quad(q.subject, q.predicate, q.object, DefaultGraph()) for q in quads)
    return copy


@pytest.mark.parametrize("name", ROWS)
def test_the_rows_of_a_file_are_things_or_rejected(name: str, graph: Store, shared: Path) -> None:
    material = read(name, graph, shared)
    quads = set(loading.statements(material))
    rows, things = ROWS[name]
    assert [(len(each.table.rows), len(each.rows)) for each in material.tables] == rows
    assert loading._counts(quads) == things
    for each in material.tables:
        organisations = {
            quad.subject
            for said in each.rows.values()
            for quad in said
            if quad.predicate == RDF_TYPE and quad.object == sse("Organisation")
        }
        assert len(organisations) in (len(each.rows), len(each.rows) + 1)  # and the one that they are members of
        assert len(each.rows) + each.rejected == len(each.table.rows)
    for quad in quads:
        if isinstance(quad.object, Literal) and quad.object.datatype.value.endswith(("langString", "#string")):
            assert quad.object.value in NAMES or not EMAIL.search(quad.object.value), quad
            assert not PHONE.search(quad.object.value), quad
