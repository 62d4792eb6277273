"""Prints docs/licences.md: what the service needs at run time, by requirements.txt, under which licences.

    python deploy/licences.py > docs/licences.md

The licences are those that the installed packages name in their metadata.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageMetadata, metadata
from pathlib import Path

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
_REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
_HEAD = """# Licences

What the service needs at run time (`requirements.txt`), made by `python deploy/licences.py` of the packages' metadata.
A test holds that the list is whole, and that nothing in it is under the GPL or AGPL.

| package | licence |
|---|---|"""


def licence_of(package: PackageMetadata) -> str:
    """The licence that a package names: as an expression, else by its classifiers, else the first line of its words."""
    if "License-Expression" in package:
        return str(package["License-Expression"])
    marked = "License :: "
    classified = [str(each).rpartition(" :: ")[2] for each in package.get_all("Classifier") or () if marked in each]
    if classified := [each for each in classified if each != "OSI Approved"]:
        return ", ".join(classified)
    words = str(package["License"]).strip() if "License" in package else ""
    return words.splitlines()[0][:80] if words else "not named"


def main() -> None:
    print(_HEAD)
    for name in sorted({name for name, _ in _PINNED.findall(_REQUIREMENTS.read_text("utf-8"))}):
        print(f"| {name} | {licence_of(metadata(name))} |")


if __name__ == "__main__":
    main()
