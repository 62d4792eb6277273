"""The graphs that are the store's own, and those that an engine brings along: nobody sees either."""

from __future__ import annotations

from pyoxigraph import NamedNode

from kg_service.rdf import GRAPH

#: The graph that holds the revision; graphs whose IRI continues this one (stages, the stand-in) are ours as well.
REVISION = NamedNode(GRAPH + "revision")
#: Where the default graph is kept on an engine whose own cannot be written.
STAND_IN = NamedNode(REVISION.value + "/default")
#: The log of changes.
LOG = NamedNode(REVISION.value + "/log")
#: Holds nothing.
NOTHING = REVISION.value + "/none"
#: Graphs that Virtuoso brings along.
_ENGINE_GRAPHS = ("http://www.openlinksw.com/", "http://www.w3.org/ns/ldp#", "http://localuriqaserver/")


def is_ours(graph: str) -> bool:
    return graph == REVISION.value or graph.startswith(REVISION.value + "/")


def is_visible(graph: NamedNode) -> bool:
    return not is_ours(graph.value) and not graph.value.startswith(_ENGINE_GRAPHS)
