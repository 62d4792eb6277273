"""How long each ready-made question takes, on disk as the service asks it; the slowest first.

    python benchmarks/questions.py [how many to print]

Each question runs three times in this process over the published generation of the store that KG_STORE names (load it
first with `kg query 'ASK {}'`); the best of the three is printed, and as a multiple of the median question.
"""

from __future__ import annotations

import statistics
import sys
import time

from pyoxigraph import QueryResultsFormat, QuerySolutions

from kg_service import queries, resources
from kg_service.settings import Settings
from kg_service.store.embedded import snapshot


def main() -> None:
    shown = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    taken: dict[str, float] = {}
    with snapshot(Settings().store) as store:
        for question in queries.every(resources.folder("queries")):
            runs = []
            for _ in range(3):
                began = time.perf_counter()
                found = store.query(question.text)
                if isinstance(found, QuerySolutions):
                    found.serialize(format=QueryResultsFormat.JSON)
                runs.append(time.perf_counter() - began)
            taken[question.name] = min(runs)
    middle = statistics.median(taken.values())
    print(f"{len(taken)} questions, median {middle * 1000:.1f} ms")
    for name, seconds in sorted(taken.items(), key=lambda each: -each[1])[:shown]:
        print(f"{seconds * 1000:8.1f} ms  {seconds / middle:7.1f} x  {name}")


if __name__ == "__main__":
    main()
