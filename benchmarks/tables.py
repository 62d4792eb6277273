"""How many rows of a table a minute go into the graph, from the command to the published generation.

    python -m benchmarks.tables [--rows 10000 40000] [--xlsx]

The tables are those of a register: its organisations (name, its language, kind, country, website, a description; the
names in Latin, Arabic, Korean and Cyrillic letters), then who is a member of whom. One row in a hundred cannot go in:
its country is none, or its organisation is unknown. Each goes into a store that holds the project's own data by
`kg table`, in a process of its own: columns read, languages and countries found, rows judged by the shapes, the
rejected ones told, the others written, logged and published. The peak is that of the largest process.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from openpyxl import Workbook

from benchmarks.generate import ROOT

#: One in so many rows cannot go in.
_BAD = 100
_KG = [sys.executable, "-P", "-m", "kg_service"]
_WORDS = {
    "en": ("Weavers", "Housing", "Energy", "Care", "Farmers", "Repair", "Credit", "Bakers"),
    "fr": ("Tisserandes", "Habitat", "Énergie", "Soin", "Paysans", "Réemploi", "Crédit", "Boulangers"),
    "es": ("Tejedoras", "Vivienda", "Energía", "Cuidados", "Campesinas", "Reparación", "Crédito", "Panaderas"),
    "ar": ("نساجات", "سكن", "طاقة", "رعاية", "مزارعون", "إصلاح", "ائتمان", "خبازون"),
    "ko": ("직조", "주택", "에너지", "돌봄", "농민", "수리", "신용", "제빵"),
    "ru": ("Ткачи", "Жильё", "Энергия", "Забота", "Фермеры", "Ремонт", "Кредит", "Пекари"),
}
_COUNTRIES = ("FR", "Spain", "Brasil", "KR", "Morocco", "Canada", "México", "Sénégal")


def organisations(count: int, chance: random.Random) -> Iterator[list[str]]:
    yield ["name", "language", "kind", "country", "website", "description"]
    for number in range(count):
        language = chance.choice(list(_WORDS))
        words = chance.sample(_WORDS[language], 3)
        country = "Nowhere at all" if number % _BAD == _BAD - 1 else chance.choice(_COUNTRIES)
        kind = "network" if number % 50 == 0 else "cooperative"
        site = f"https://{number}.example.org" if number % 3 else ""
        yield [name(number, words), language, kind, country, site, " ".join(chance.choices(_WORDS[language], k=12))]


def name(number: int, words: list[str]) -> str:
    return f"{' '.join(words)} {number}"


def memberships(members: list[str], chance: random.Random) -> Iterator[list[str]]:
    yield ["member", "organisation", "role", "start"]
    for number, member in enumerate(members[1:]):
        unknown = number % _BAD == _BAD - 1
        yield ["No such network" if unknown else member, members[0], "member", str(chance.randrange(1990, 2026))]


def written(file: Path, rows: Iterator[list[str]]) -> None:
    if file.suffix == ".csv":
        with file.open("w", encoding="utf-8", newline="") as text:
            csv.writer(text).writerows(rows)
        return
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    book.save(file)


def told(file: Path, template: str, environment: dict[str, str], count: int) -> bool:
    """Puts a table in and prints the figures; whether every row is accounted for."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [*_KG, "table", str(file), "--template", template, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if not done.stdout:
        print(done.stderr)
        return False
    answer = json.loads(done.stdout)
    accepted = answer["taken"]
    print(
        f"{template:14} {file.suffix[1:]:5} {count:>7,} rows, {accepted:>7,} in: {seconds:6.1f} s, "
        f"{60 * count / seconds:>8,.0f} rows a minute, "
        f"{used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime:6.1f} s CPU, "
        f"peak {used.ru_maxrss / 1024:5.0f} MiB",
        flush=True,
    )
    return bool(accepted == count - count // _BAD)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", nargs="+", type=int, default=[10_000, 40_000])
    arguments.add_argument("--xlsx", action="store_true", help="workbooks instead of CSV")
    chosen = arguments.parse_args()
    is_whole = True
    for count in chosen.rows:
        chance = random.Random(count)
        with tempfile.TemporaryDirectory(prefix="tables-") as name_of_folder:
            folder = Path(name_of_folder)
            environment = os.environ | {"KG_STORE": str(folder / "store"), "PYTHONPATH": str(ROOT)}
            subprocess.run([*_KG, "load", str(ROOT / "data")], env=environment, check=True, capture_output=True)
            suffix = ".xlsx" if chosen.xlsx else ".csv"
            rows = list(organisations(count, chance))
            written(folder / f"organisations{suffix}", iter(rows))
            is_whole &= told(folder / f"organisations{suffix}", "organisations", environment, count)
            members = [row[0] for row in rows[1:] if row[3] != "Nowhere at all"]
            written(folder / f"memberships{suffix}", memberships(members, chance))
            is_whole &= told(folder / f"memberships{suffix}", "memberships", environment, len(members) - 1)
    sys.exit(0 if is_whole else 1)


if __name__ == "__main__":
    main()
