"""What an installed service is made of, as a bill of materials (CycloneDX 1.5, JSON): `hatch_build.py` puts it into
each wheel, as `.dist-info/sboms/sse-kg.cdx.json` (PEP 770).

    python deploy/sbom.py > sse-kg.cdx.json

The versions and checksums are those of requirements.txt and of the lock of the islands, the licences those of
docs/licences.md and of that lock. The same files give the same bill, byte for byte: it holds no time and no place.
Nothing but the standard library is used, because it runs while the project is installed.
"""

from __future__ import annotations

import base64
import json
import re
import tomllib
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

NAME = "sse-kg.cdx.json"
#: Packages that build the islands, and of which no more than a few lines are in them.
BUILDERS = ("vite",)
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?: ; ([^\\\n]+?))? *\\?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_LICENCE = re.compile(r"^\| ([\w.-]+) \| (.+) \|$", re.MULTILINE)
#: A licence, or several, as SPDX names them.
_SPDX = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*")
_VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)

Component = dict[str, Any]


def bill(root: Path) -> str:
    """The bill of the project in that folder."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    version = _VERSION.search((root / "kg_service" / "__init__.py").read_text("utf-8"))
    assert version, "kg_service/__init__.py names no version"
    python = _python((root / "requirements.txt").read_text("utf-8"), (root / "docs" / "licences.md").read_text("utf-8"))
    npm, first, needs = _npm(json.loads((root / "frontend" / "package-lock.json").read_text("utf-8")))
    own = f"pkg:pypi/{project['name']}@{version[1]}"
    asked = {re.split(r"[^\w.-]", line)[0] for line in project["dependencies"]}
    direct = [each["bom-ref"] for each in python if each["name"] in asked] + first
    made: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": version[1],
                "description": project["description"],
                "licenses": [{"expression": project["license"]}],
                "purl": own,
            },
        },
        "components": python + npm,
        "dependencies": [_needing(own, direct)] + [_needing(each, needs[each]) for each in sorted(needs)],
    }
    told = json.dumps(made, ensure_ascii=False, sort_keys=True)
    made["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, told)}"
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def _python(requirements: str, licences: str) -> list[Component]:
    """What requirements.txt pins, each with the checksums of the files that may be installed."""
    known = dict(_LICENCE.findall(licences))
    found: list[Component] = []
    for line in requirements.splitlines():
        if pinned := _PINNED.match(line):
            name, version, marker = pinned.groups()
            purl = f"pkg:pypi/{name}@{quote(version)}"
            found.append(_component(name, version, purl, known.get(name)))
            found[-1]["externalReferences"] = [{"type": "distribution", "url": purl, "hashes": []}]
            if marker:
                found[-1]["properties"] = [{"name": "python:marker", "value": marker}]
        elif checksum := _HASH.search(line):
            hashes = found[-1]["externalReferences"][0]["hashes"]
            hashes.append({"alg": "SHA-256", "content": checksum[1]})
    return found


def _npm(lock: Mapping[str, Any]) -> tuple[list[Component], list[str], dict[str, list[str]]]:
    """What the islands are made of, what of it their sources ask for, and what needs what.

    What only builds them has the scope `excluded`. Optional packages are programs for one system each, and left out.
    """
    packages = lock["packages"]
    asked = sorted(packages[""]["dependencies"])
    within = _reached(packages, [name for name in asked if name not in BUILDERS])
    refs = {path: _purl(path, packages[path]["version"]) for path in _reached(packages, asked)}
    found: list[Component] = []
    needs: dict[str, list[str]] = {}
    for path, purl in sorted(refs.items()):
        about = packages[path]
        each = _component(_name(path), about["version"], purl, about.get("license"))
        each["scope"] = "required" if path in within else "excluded"
        algorithm, _, checksum = about["integrity"].partition("-")
        content = base64.b64decode(checksum).hex()
        each["hashes"] = [{"alg": f"SHA-{algorithm.removeprefix('sha')}", "content": content}]
        found.append(each)
        needs[purl] = sorted(refs[_resolved(packages, path, name)] for name in about.get("dependencies", ()))
    return found, [refs[f"node_modules/{name}"] for name in asked], needs


def _reached(packages: Mapping[str, Any], names: Iterable[str]) -> set[str]:
    """The packages of these names and those that they need, by their places in the lock."""
    found: set[str] = set()
    waiting = [_resolved(packages, "", name) for name in names]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [_resolved(packages, path, name) for name in packages[path].get("dependencies", ())]
    return found


def _resolved(packages: Mapping[str, Any], path: str, name: str) -> str:
    """The place of the package that another one means by a name: the nearest on the way up."""
    while (at := f"{path}/node_modules/{name}".lstrip("/")) not in packages:
        path = path.rpartition("/node_modules/")[0] if path else _missing(name)
    return at


def _missing(name: str) -> str:
    raise KeyError(f"the lock of the islands has no package {name}")


def _name(path: str) -> str:
    return path.rpartition("node_modules/")[2]


def _purl(path: str, version: str) -> str:
    return f"pkg:npm/{quote(_name(path))}@{quote(version)}"


def _component(name: str, version: str, purl: str, licence: str | None) -> Component:
    made: Component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if licence:
        is_named = _SPDX.fullmatch(licence) is not None
        made["licenses"] = [{"expression": licence} if is_named else {"license": {"name": licence}}]
    return made


def _needing(ref: str, needed: list[str]) -> dict[str, Any]:
    return {"ref": ref, "dependsOn": needed}


if __name__ == "__main__":
    print(bill(Path(__file__).resolve().parent.parent), end="")
