"""What queries give: rows and triples, with values as Python has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import httpx
from pyoxigraph import QueryResultsFormat, QuerySolutions, RdfFormat, parse, parse_query_results

from kg_service.client.transport import Body
from kg_service.errors import Incomplete, Malformed
from kg_service.rdf import BlankNode, Literal, NamedNode

if TYPE_CHECKING:
    import networkx
    import pandas
    import rdflib

_XSD = "http://www.w3.org/2001/XMLSchema#"


class IRI(str):
    """The name of a thing."""

    __slots__ = ()


class Text(str):
    """Words in a language."""

    language: str

    def __new__(cls, text: str, language: str) -> Text:
        made = super().__new__(cls, text)
        made.language = language
        return made


#: How values of XSD types are read; of others, and where the value is beyond Python's, the text stays.
_READ: dict[str, Callable[[str], Any]] = {
    "integer": int,
    "decimal": Decimal,
    "double": float,
    "float": float,
    "boolean": lambda text: text in ("true", "1"),
    "date": date.fromisoformat,
    "dateTime": datetime.fromisoformat,
}


def value(term: Any) -> Any:
    """A term as a Python value: IRI, number, boolean, date, Text with a language, or str; None for nothing."""
    if term is None:
        return None
    if isinstance(term, NamedNode):
        return IRI(term.value)
    if isinstance(term, BlankNode):
        return f"_:{term.value}"
    if not isinstance(term, Literal):
        return str(term)
    if term.language:
        return Text(term.value, term.language)
    read = _READ.get(term.datatype.value.removeprefix(_XSD))
    try:
        return read(term.value) if read else term.value
    except (ValueError, ArithmeticError):
        return term.value


class _Open:
    """An answer that is read as it comes, once; closed at its end, or by `with`."""

    def __init__(self, opened: AbstractContextManager[httpx.Response]) -> None:
        self._opened: AbstractContextManager[httpx.Response] | None = opened
        self._response = opened.__enter__()
        #: The version of the graph that answered.
        self.generation = int(self._response.headers.get("kg-generation", 0))

    def close(self) -> None:
        """Lets go of what is not read yet."""
        opened, self._opened = self._opened, None
        if opened:
            opened.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Rows(_Open):
    """The rows of a SELECT, one after the other, each a dict from variable to value.

    The first row is there before the last has left the service; the end of the iteration is the end of the answer.
    """

    def __init__(self, opened: AbstractContextManager[httpx.Response]) -> None:
        super().__init__(opened)
        try:
            self._body = Body(self._response)
            found = parse_query_results(cast(Any, self._body), QueryResultsFormat.JSON)
        except (SyntaxError, ValueError) as error:
            self.close()
            raise Incomplete(f"the answer is no whole table: {error}") from None
        except BaseException:
            self.close()
            raise
        if not isinstance(found, QuerySolutions):
            self.close()
            raise Malformed("the query has no rows but a yes or no; ask it with `ask`")
        self._found = found
        self.variables = [variable.value for variable in found.variables]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        try:
            for row in self._found:
                yield {name: value(term) for name, term in zip(self.variables, row, strict=True)}
            self._body.read()
        except (SyntaxError, ValueError) as error:
            raise Incomplete(f"the answer is no whole table: {error}") from None
        finally:
            self.close()

    def to_pandas(self) -> pandas.DataFrame:
        """All rows as a table; needs pandas, which `pip install sse-kg[client]` brings."""
        import pandas

        return pandas.DataFrame.from_records(list(self), columns=self.variables)


class Triples(_Open):
    """The triples of a CONSTRUCT or DESCRIBE, one after the other, as subject, predicate and value."""

    def terms(self) -> Iterator[tuple[Any, NamedNode, Any]]:
        """The triples with terms as pyoxigraph has them."""
        try:
            for quad in parse(cast(Any, Body(self._response)), RdfFormat.N_TRIPLES):
                yield quad.subject, quad.predicate, quad.object
        except (SyntaxError, ValueError) as error:
            raise Incomplete(f"the answer is no whole graph: {error}") from None
        finally:
            self.close()

    def __iter__(self) -> Iterator[tuple[str, IRI, Any]]:
        for subject, predicate, object in self.terms():
            yield value(subject), IRI(predicate.value), value(object)

    def to_rdflib(self) -> rdflib.Graph:
        """All triples as an rdflib graph."""
        import rdflib

        lines = "".join(f"{s} {p} {o} .\n" for s, p, o in self.terms())
        return rdflib.Graph().parse(data=lines, format="nt")

    def to_networkx(self) -> networkx.MultiDiGraph:
        """The links between things as edges, keyed by their predicate; plain values as attributes of the things."""
        import networkx

        graph = networkx.MultiDiGraph(generation=self.generation)
        for subject, predicate, object in self:
            if isinstance(object, IRI) or str(object).startswith("_:"):
                graph.add_edge(subject, object, key=str(predicate))
            else:
                graph.add_node(subject)
                graph.nodes[subject].setdefault(str(predicate), []).append(object)
        return graph
