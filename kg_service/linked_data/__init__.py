"""The graph as linked data: what is said of a thing, how it is written for whom, and where on the web it stands.

`describe` gives a `Description`; `documents` turns one into RDF by the profile that a client wants; `addresses` knows
the URL of every IRI. How others keep a copy: `patches` is what came after a generation, as RDF Patch; `dumps` are a
generation as files, made by the process `dumping`; `feed` is every version of every thing as an event stream, whose
pages `feed_index` cuts. How others find it: `figures` counts it, `catalog` describes it as VoID and DCAT, `examples`
are the ready-made questions. `apart` runs long work in a process of its own.
"""

from __future__ import annotations

from kg_service.linked_data.asking import Asking, of_one_generation
from kg_service.linked_data.description import PAGE, Description, Property, Value, describe, describe_property, exists

__all__ = [
    "PAGE",
    "Asking",
    "Description",
    "Property",
    "Value",
    "describe",
    "describe_property",
    "exists",
    "of_one_generation",
]
