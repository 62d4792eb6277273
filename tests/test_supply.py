"""What the service is made of: pinned versions that fit, and licences that suit its own."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.licences import licence_of
from tests.conftest import ROOT

REQUIREMENTS = (ROOT / "requirements.txt").read_text("utf-8")
_LINES = re.findall(r"^([\w.-]+)==([^\s;\\]+)", REQUIREMENTS, re.MULTILINE)
#: The versions of each package: for some there is one for older and one for newer Pythons.
PINNED: dict[str, list[str]] = {}
for _name, _version in _LINES:
    PINNED.setdefault(canonicalize_name(_name), []).append(_version)


def _declared() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [Requirement(line) for line in project["dependencies"]]


def _whole() -> set[str]:
    """What is installed of everything that the service needs, and that this needs in turn."""
    seen: set[tuple[str, frozenset[str]]] = set()
    left = [(canonicalize_name(each.name), frozenset(each.extras)) for each in _declared()]
    while left:
        name, extras = left.pop()
        if (name, extras) in seen:
            continue
        try:
            needed = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:  # for another system
            continue
        seen.add((name, extras))
        for each in needed:
            if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
                left.append((canonicalize_name(each.name), frozenset(each.extras)))
    return {name for name, _ in seen}


def test_every_dependency_is_pinned_at_a_version_that_fits() -> None:
    for each in _declared():
        versions = PINNED.get(canonicalize_name(each.name))
        assert versions, f"{each.name} is not in requirements.txt"
        for version in versions:
            assert each.specifier.contains(version), f"{each} does not allow {version}"


def test_requirements_name_no_index_and_have_checksums() -> None:
    assert "://" not in REQUIREMENTS
    assert not re.search(r"^\s*(-i|-f|--index|--extra-index|--find-links|--trusted)", REQUIREMENTS, re.MULTILINE)
    assert REQUIREMENTS.count("--hash=sha256:") >= len(_LINES)


def test_the_list_of_licences_is_whole() -> None:
    text = (ROOT / "docs" / "licences.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| ([\w.-]+) \| (.+) \|$", text, re.MULTILINE))
    listed.pop("package")
    assert {canonicalize_name(name) for name in listed} == set(PINNED)
    assert "not named" not in listed.values()
    assert not [name for name, licence in listed.items() if is_forbidden(licence)]


def test_nothing_that_is_needed_at_run_time_is_under_the_gpl() -> None:
    needed = _whole()
    assert {"fastapi", "starlette", "pyoxigraph", "cryptography"} <= needed
    assert not [f"{name}: {told}" for name in sorted(needed) if is_forbidden(told := licence_of(metadata(name)))]


def is_forbidden(licence: str) -> bool:
    """Whether it is the GPL or AGPL; the Lesser GPL is not."""
    words = re.sub(r"\bL(esser )?GPL|Lesser General Public|LGPL", "", licence)
    return re.search(r"\bA?GPL|Affero|General Public", words) is not None
