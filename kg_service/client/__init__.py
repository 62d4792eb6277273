"""The graph from Python: queries, lists, search, changes, copies.

    from kg_service.client import Client

    with Client("http://127.0.0.1:8000") as graph:
        for row in graph.select("SELECT ?event ?start { ?event <https://schema.org/startDate> ?start }"):
            print(row["event"], row["start"])
        table = graph.select("SELECT ?s ?p ?o { ?s ?p ?o }").to_pandas()
        for event in graph.events(sort="label"):
            print(event["label"])

What is returned is complete: an answer that was cut on its way raises `Incomplete` and is never taken for a short one.
A service that is busy is asked again, at the time that it names.
"""

from kg_service.client.copies import Changes, Transaction
from kg_service.client.graph import Client
from kg_service.client.results import IRI, Rows, Text, Triples
from kg_service.errors import Incomplete

__all__ = ["IRI", "Changes", "Client", "Incomplete", "Rows", "Text", "Transaction", "Triples"]
