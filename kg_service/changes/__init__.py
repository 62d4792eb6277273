"""Changing the graph: every way of writing ends here, where the shapes judge what the graph would be.

commit.py    proposals -> judged -> staged -> one published generation, all of it logged
writer.py    the service's line of writers, whose changes share a generation
history.py   the log told as plain data and RDF; differences between generations
rules.py     the shapes in force
"""

from kg_service.changes.commit import Committed, Present, Proposal, commit, commit_all, judge

__all__ = ["Committed", "Present", "Proposal", "commit", "commit_all", "judge"]
