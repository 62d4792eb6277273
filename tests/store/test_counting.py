from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import Literal, NamedNode, Quad, Store

from kg_service.rdf import TABLE_FORMATS, Format
from kg_service.store.counting import counter

VALUES = st.lists(st.text(alphabet='",{[]}:\\\r\n\t<>rsult&é', max_size=12), max_size=12, unique=True)


@pytest.mark.parametrize("how", TABLE_FORMATS, ids=lambda how: how.name)
@given(values=VALUES, size=st.integers(1, 40))
def test_rows_are_counted_whatever_is_in_them_and_wherever_they_are_cut(
    how: Format, values: list[str], size: int
) -> None:
    store = Store()
    store.extend(Quad(NamedNode("urn:s"), NamedNode("urn:p"), Literal(value)) for value in values)
    for text in ("SELECT * { ?s ?p ?o OPTIONAL { ?o ?o ?none } }", "SELECT ?o { ?s ?p ?o }", "SELECT ?n { ?s ?p ?o }"):
        table = store.query(text).serialize(None, how.results)  # type: ignore[arg-type]
        assert table
        count = counter(how)
        counts = [count(table[start : start + size]) for start in range(0, len(table), size)]
        assert counts[-1] == len(values)
        assert counts == sorted(counts)
