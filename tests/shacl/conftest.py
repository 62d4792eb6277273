"""Validating Turtle with Turtle, with the usual prefixes given."""

from __future__ import annotations

from typing import Protocol

import pytest
from pyoxigraph import RdfFormat, Store, parse

from kg_service.shacl import Report, Shapes, load_shapes, validate

PREFIXES = """
@prefix : <http://example.org/> .
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""


class ShapesOf(Protocol):
    def __call__(self, shapes: str) -> Shapes: ...


class ReportOn(Protocol):
    def __call__(self, shapes: str, data: str, limit: int | None = None, language: str = "en") -> Report: ...


@pytest.fixture
def shapes_of() -> ShapesOf:
    def read(shapes: str) -> Shapes:
        return load_shapes(list(parse(PREFIXES + shapes, RdfFormat.TURTLE)))

    return read


@pytest.fixture
def report_on(shapes_of: ShapesOf) -> ReportOn:
    def judge(shapes: str, data: str, limit: int | None = None, language: str = "en") -> Report:
        store = Store()
        store.load(PREFIXES + data, RdfFormat.TRIG)
        return validate(store, shapes_of(shapes), limit, language)

    return judge
