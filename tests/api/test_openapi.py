"""The service does what its OpenAPI description says: asked as the description allows, and as it does not.

schemathesis makes the requests; they are the same in every run. `KG_EXAMPLES` asks for more of each operation.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from pydantic import SecretStr
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from kg_service import resources
from kg_service.app import create_app
from kg_service.ingest import bulk
from kg_service.settings import Settings
from kg_service.shacl import Shapes
from kg_service.store.embedded import EmbeddedStore
from tests.conftest import VILLAGE
from tests.serving import running

TOKEN = {"authorization": "Bearer open sesame"}
EXAMPLES = int(os.environ.get("KG_EXAMPLES", "4"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def described() -> dict[str, Any]:
    """The description, with one of the questions and of the collections for all, whose doors are the same code."""
    whole = create_app(Settings()).openapi()
    asked = ("/api/queries/recommendations/by-addressee", "/api/queries/events/in-period")
    alike = ("documents", "governments", "organisations", "places", "policies", "sdgs", "themes", "alliances")
    paths = {
        path: item
        for path, item in whole["paths"].items()
        if (path in asked or not path.startswith("/api/queries/"))
        and not path.startswith(tuple(f"/api/{name}" for name in alike))
    }
    return whole | {"paths": paths}


DESCRIBED = described()
OPERATIONS = [(method, path) for path, item in DESCRIBED["paths"].items() for method in item]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Iterator[str]:
    root = tmp_path_factory.mktemp("openapi") / "store"
    with EmbeddedStore(root) as store:
        bulk.load(store, [resources.folder("ontology"), VILLAGE], shapes)
    settings = Settings(store=root, token=SecretStr("open sesame"), query_seconds=5, queue_seconds=3)
    with running(settings) as url:
        yield url


FEW = hypothesis_settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=str)
def test_an_operation_answers_as_it_is_described(service: str, method: str, path: str) -> None:
    schema = schemathesis.openapi.from_dict(DESCRIBED)
    schema.config.update(base_url=service)
    operation = schema[path][method.upper()]

    def ask(case: Any) -> None:
        case.call_and_validate(headers=TOKEN, checks=CHECKS, timeout=30)

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        # Where nothing can be asked there is nothing wrong to ask.
        with contextlib.suppress(Unsatisfiable):
            FEW(given(case=operation.as_strategy(generation_mode=mode))(ask))()
