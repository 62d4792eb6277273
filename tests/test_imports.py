"""The picture in the README and the imports in the code say the same."""

from __future__ import annotations

import ast
import re
import sys

from tests.conftest import ROOT

#: Where a heavy library may be imported; its home is in the README's picture.
HOMES = {
    "rdflib": {"checks", "client"},
    "owlrl": {"checks"},
    "pyshacl": set(),
    "SPARQLWrapper": {"store"},
    "h11": {"store"},
    "jwt": {"access"},
    "opentelemetry": {"tracing"},
    "networkx": {"network", "client"},
    "networkit": {"network"},
    "pyarrow": {"network"},
    "pyspark": {"network"},
    "graphframes": {"network"},
    "scipy": {"network"},
    "numpy": {"network"},
    "openpyxl": {"tables"},
    "jinja2": {"web"},
    "fastapi": {"api", "app"},
    "starlette": {"api", "app"},
    "uvicorn": {"app", "connections"},
    "typer": {"cli"},
    "pyoxigraph": {
        "rdf",
        "store",
        "shacl",
        "evidence",
        "changes",
        "ingest",
        "sparql",
        "checks",
        "linked_data",
        "client",
        "tables",
        "datasets",
    },
}


def layers() -> list[set[str]]:
    """The README's line of layers, top first."""
    line = re.search(
        r"^Imports only point down: (.+)\.$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert line, "the README lacks its line of layers"
    return [set(re.findall(r"[a-z_]+", layer)) for layer in line[1].split("→")]


def modules() -> dict[str, list[str]]:
    """Each module's subject with what it imports, dotted."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "kg_service").rglob("*.py")):
        parts = path.relative_to(ROOT / "kg_service").with_suffix("").parts
        imported = found.setdefault(parts[0], [])
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                imported.append(node.module or "")
                imported += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def test_imports_only_point_down_the_picture() -> None:
    rank = {name: -height for height, layer in enumerate(layers()) for name in layer}
    wrong = []
    for subject, imported in modules().items():
        if subject in ("__init__", "__main__"):
            continue
        assert subject in rank, f"{subject} is not in the README's picture"
        for name in imported:
            other = name.split(".")[1] if name.startswith("kg_service.") else None
            if other in rank and other != subject and rank[other] >= rank[subject]:
                wrong.append(f"{subject} imports {other}")
    assert not sorted(set(wrong))


def test_a_heavy_library_has_one_home() -> None:
    wrong = {
        f"{subject} imports {library}"
        for subject, imported in modules().items()
        for library, homes in HOMES.items()
        for name in imported
        if name.split(".")[0] == library and subject not in homes
    }
    assert not wrong


def test_the_reader_process_starts_without_heavy_libraries() -> None:
    import subprocess

    program = "import sys, kg_service.store.reader; print(sorted(set(m.split('.')[0] for m in sys.modules)))"
    loaded = ast.literal_eval(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout)
    assert not {"rdflib", "pyshacl", "fastapi", "pydantic", "typer", "rich", "networkx"} & set(loaded)


def test_the_service_starts_without_what_measures_networks() -> None:
    import subprocess

    program = "import sys, kg_service.app, kg_service.cli; print(sorted(set(m.split('.')[0] for m in sys.modules)))"
    loaded = ast.literal_eval(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout)
    assert not {"networkit", "networkx", "numpy", "scipy", "pyarrow"} & set(loaded)
