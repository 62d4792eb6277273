"""Where an IRI is shown on the web, and which IRIs a path may mean."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode

from kg_service.rdf import ENTITY, GRAPH, ONTOLOGY, RDF_TYPE, SHAPE, NamedNode

#: What a path may hold as it is; "%" stays, because an IRI may hold it.
_PLAIN = "/%:@!$&'()*+,;=~-._"
#: Segments of paths under which graphs are shown beside the types of entities.
_GRAPHS = "graph"


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of a service whose own, without a slash at the end, is `root`."""

    root: str

    def page(self, iri: str) -> str:
        """The page for people about a thing."""
        for begin, door in ((ONTOLOGY, "ontology"), (SHAPE, "shapes")):
            if iri.startswith(begin) or iri == begin[:-1]:
                anchor = quote(iri[len(begin) :])
                return f"{self.root}/{door}{'#' if anchor else ''}{anchor}"
        return self._about("page", iri)

    def page_of(self, iri: str, property: str, direction: str, page: int) -> str:
        """The page for people with one page of the values of a property."""
        return _with(self._about("page", iri), {"property": property, "direction": direction, "page": str(page)})

    def instances(self, iri: str) -> str:
        """The page with the instances of a class."""
        about = f"{self.root}/describe?{urlencode({'iri': iri})}"
        return _with(about, {"property": RDF_TYPE.value, "direction": "in"})

    def data(self, iri: str, ending: str = "", **parameters: str) -> str:
        """The document about a thing; an ending, such as ttl, chooses the format."""
        path = self._about("data", iri)
        if ending and not _is_own(iri):
            parameters = {"_mediatype": ending} | parameters
        elif ending:
            path += f".{ending}"
        return _with(path, parameters)

    def thing(self, iri: str) -> str:
        """Where the service answers for the IRI itself."""
        if iri.startswith(GRAPH):
            return f"{self.root}/graph/{quote(iri.removeprefix(GRAPH), safe=_PLAIN)}"
        return self._about("id", iri)

    def history(self, iri: str) -> str:
        """The changes of a thing."""
        return f"{self.root}/history?{urlencode({'of': iri})}"

    def source(self, document: str, start: int | None = None, end: int | None = None) -> str | None:
        """The text of a document, at a span of it (RFC 5147 names it); None for documents that are not ours."""
        if not document.startswith(f"{ENTITY}document/") or not _is_own(document):
            return None
        path = f"{self.root}/sources/{quote(document.removeprefix(f'{ENTITY}document/'), safe=_PLAIN)}"
        return path if start is None or end is None else f"{path}?char={start},{end}#char={start},{end}"

    def graph(self, iri: str) -> str:
        """A whole named graph."""
        return f"{self.root}/store?{urlencode({'graph': iri})}"

    def sparql(self, query: str) -> str:
        return f"{self.root}/sparql?{urlencode({'query': query})}"

    def _about(self, door: str, iri: str) -> str:
        if not _is_own(iri):
            return f"{self.root}/describe?{urlencode({'iri': iri})}"
        return f"{self.root}/{door}/{quote(_local(iri), safe=_PLAIN)}"


def _with(path: str, parameters: dict[str, str]) -> str:
    """An address with more parameters."""
    return f"{path}{'&' if '?' in path else '?'}{urlencode(parameters)}" if parameters else path


def _is_own(iri: str) -> bool:
    """Whether the IRI has a path of its own here: things and graphs of ours whose names a path can hold."""
    local = _local(iri)
    if not local or "?" in local or "#" in local:
        return False
    kind, _, slug = local.partition("/")
    return bool(kind and slug) and not any(part in (".", "..") for part in local.split("/"))


def _local(iri: str) -> str:
    """The path of a thing or graph of ours under a door; empty for other IRIs."""
    if iri.startswith(ENTITY) and not iri.startswith(f"{ENTITY}{_GRAPHS}/"):
        return iri.removeprefix(ENTITY)
    return f"{_GRAPHS}/{iri.removeprefix(GRAPH)}" if iri.startswith(GRAPH) else ""


def meant(path: str) -> list[NamedNode]:
    """The IRIs that a path under a door may mean, as it was sent, percent-encoded: literally so, else decoded."""
    base = ENTITY
    if path.startswith(f"{_GRAPHS}/"):
        base, path = GRAPH, path.removeprefix(f"{_GRAPHS}/")
    found: list[NamedNode] = []
    for each in dict.fromkeys((path, unquote(path, errors="strict") if _is_utf8(path) else path)):
        try:
            found.append(NamedNode(base + each))
        except ValueError:  # no IRI
            continue
    return found


def _is_utf8(path: str) -> bool:
    try:
        unquote(path, errors="strict")
    except UnicodeDecodeError:
        return False
    return True
