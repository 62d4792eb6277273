"""What can be measured: each measure with its definition, where it was published, and its parameters.

Nothing is computed here, so that the service can tell of measures without loading what computes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kg_service.errors import NotFound, wrong_parameter

#: What a parameter may be; its default has this type.
Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a measure; its default tells its type, an empty text that there is none and it must be given."""

    name: str
    default: Value
    description: str
    choices: tuple[str, ...] = ()
    least: float = 0
    most: float = 1

    @property
    def is_needed(self) -> bool:
        return self.default == "" and not self.choices

    def read(self, written: str) -> Value:
        """The value that a text says; WrongParameter when it is not one of the allowed."""
        if isinstance(self.default, bool):
            return written == self._chosen(written, ("yes", "no")) == "yes"
        if isinstance(self.default, str):
            return self._chosen(written, self.choices) if self.choices else written
        try:
            value = int(written) if isinstance(self.default, int) else float(written)
        except ValueError:
            value = math.nan
        if not self.least <= value <= self.most:
            kind = "a whole number" if isinstance(self.default, int) else "a number"
            raise wrong_parameter(self.name, written, f"it must be {kind} from {self.least:g} to {self.most:g}")
        return value

    def _chosen(self, written: str, choices: tuple[str, ...]) -> str:
        if written not in choices:
            raise wrong_parameter(self.name, written, f"allowed are {', '.join(choices)}")
        return written


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure: `of` says whether it gives a number for each node, for the network, or rows of something else.

    `function` is where it is computed, `needs` what it must be given beside the network: attributes of nodes, the
    details of ties, or a second network.
    """

    name: str
    of: str
    definition: str
    source: str
    function: str
    parameters: tuple[Parameter, ...] = ()
    needs: frozenset[str] = frozenset()

    def read(self, written: Mapping[str, str]) -> dict[str, Any]:
        """The parameters with their defaults; WrongParameter for a value that is not possible, or a missing one."""
        values: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.name in written:
                values[parameter.name] = parameter.read(written[parameter.name])
            elif parameter.is_needed:
                raise wrong_parameter(parameter.name, "", f"it must be given: {parameter.description}")
            else:
                values[parameter.name] = parameter.default
        return values


_SEED = Parameter("seed", 1, "seed of what is drawn at random", least=0, most=2**31)
_STRONG = Parameter("weighted", True, "whether strong ties count for more: yes or no")
_LENGTHS = Parameter("weighted", False, "whether strong ties are short: yes or no")
_PLAIN = Parameter("weighted", False, "whether strong ties count for more: yes or no")
_SAMPLES = Parameter("samples", 256, "nodes that an estimate starts from", least=1, most=100_000)
_FAILURE = Parameter("failure", 0.1, "probability with which an estimate may miss its bound", least=1e-6, most=0.5)
_METHOD = Parameter("method", "auto", "auto: exact where nodes × edges ≤ 10⁸", ("auto", "exact", "sampled"))
#: What nodes may be grouped by.
ATTRIBUTES = ("sector", "level", "region", "kind")
_ATTRIBUTE = Parameter("attribute", "sector", "what groups nodes", ATTRIBUTES)
_HERE = "kg_service.network."

MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure(
            "degree",
            "nodes",
            "The number of other nodes that a node is tied to; of a directed network also those in and out.",
            "L. C. Freeman (1978), Centrality in social networks: conceptual clarification, Social Networks 1",
            _HERE + "centrality:degree",
        ),
        Measure(
            "strength",
            "nodes",
            "The sum of the weights of a node’s ties.",
            "A. Barrat et al. (2004), The architecture of complex weighted networks, PNAS 101",
            _HERE + "centrality:strength",
        ),
        Measure(
            "pagerank",
            "nodes",
            "The share of time that a walker spends at a node who follows ties at random and sometimes jumps anywhere.",
            "S. Brin, L. Page (1998), The anatomy of a large-scale hypertextual Web search engine",
            _HERE + "centrality:pagerank",
            (_STRONG, Parameter("damping", 0.85, "probability to follow a tie rather than jump", least=0, most=0.9999)),
        ),
        Measure(
            "eigenvector",
            "nodes",
            "Central is who is tied to the central: the leading eigenvector of the adjacency matrix, of length 1.",
            "P. Bonacich (1972), Factoring and weighting approaches to status scores and clique identification",
            _HERE + "centrality:eigenvector",
            (_STRONG,),
        ),
        Measure(
            "hits",
            "nodes",
            "Authority (value): pointed to by good hubs; hub: pointing to good authorities. Each sums to 1.",
            "J. M. Kleinberg (1999), Authoritative sources in a hyperlinked environment, JACM 46",
            _HERE + "centrality:hits",
            (_STRONG,),
        ),
        Measure(
            "betweenness",
            "nodes",
            "The share of the shortest paths between all pairs of others that pass through a node.",
            "L. C. Freeman (1977), Sociometry 40; U. Brandes (2001), J. Math. Sociology 25; estimates: U. Brandes, "
            "C. Pich (2007), IJBC 17; M. Borassi, E. Natale (2016), KADABRA",
            _HERE + "centrality:betweenness",
            (
                Parameter(
                    "method",
                    "auto",
                    "auto: exact where nodes × edges ≤ 10⁸, else kadabra (sampled where ties are directed or weighted)",
                    ("auto", "exact", "sampled", "kadabra"),
                ),
                _LENGTHS,
                _SAMPLES,
                Parameter("error", 0.01, "greatest error that KADABRA may make", least=0.0005, most=0.5),
                _FAILURE,
                _SEED,
            ),
        ),
        Measure(
            "closeness",
            "nodes",
            "The share of nodes that reach a node, times the inverse of their mean distance.",
            "S. Wasserman, K. Faust (1994), Social network analysis, 5.2; estimates: D. Eppstein, J. Wang (2004)",
            _HERE + "centrality:closeness",
            (_METHOD, _LENGTHS, _SAMPLES, _FAILURE, _SEED),
        ),
        Measure(
            "harmonic",
            "nodes",
            "The mean inverse distance from all other nodes, 0 from those that do not reach it.",
            "Y. Rochat (2009), Closeness centrality extended to unconnected graphs; P. Boldi, S. Vigna (2014)",
            _HERE + "centrality:harmonic",
            (_METHOD, _LENGTHS, _SAMPLES, _FAILURE, _SEED),
        ),
        Measure(
            "core",
            "nodes",
            "The greatest k for which a node is in the k-core, where all have at least k ties among themselves.",
            "S. B. Seidman (1983), Network structure and minimum degree, Social Networks 5",
            _HERE + "centrality:core",
        ),
        Measure(
            "clustering",
            "nodes",
            "The share of pairs of a node’s neighbours that are tied themselves.",
            "D. J. Watts, S. H. Strogatz (1998), Collective dynamics of small-world networks, Nature 393",
            _HERE + "triangles:clustering",
        ),
        Measure(
            "structural-holes",
            "nodes",
            "Constraint (value): how much a node’s ties lead back to each other; effective size: ties that do not.",
            "R. S. Burt (1992), Structural holes; S. P. Borgatti (1997), Connections 20",
            _HERE + "triangles:structural_holes",
            (_PLAIN,),
        ),
        Measure(
            "brokerage",
            "nodes",
            "How often a node lies between two that have no tie, by the groups of the three: coordinator, itinerant, "
            "representative, gatekeeper, liaison. A tie without direction counts both ways.",
            "R. V. Gould, R. M. Fernandez (1989), Structures of mediation, Sociological Methodology 19",
            _HERE + "triangles:brokerage",
            (_ATTRIBUTE,),
            frozenset({"attributes"}),
        ),
        Measure(
            "components",
            "nodes",
            "The number of the component that a node is in, the largest being 0; directions are passed over.",
            "J. Hopcroft, R. Tarjan (1973), Algorithm 447, CACM 16",
            _HERE + "structure:components",
        ),
        Measure(
            "cut-points",
            "nodes",
            "1 for articulation points, without which a component falls apart; the rows are the bridges, ties that do.",
            "J. Hopcroft, R. Tarjan (1973), Algorithm 447, CACM 16",
            _HERE + "structure:cut_points",
        ),
        Measure(
            "mixing",
            "nodes",
            "The E–I index of each node: −1 when all its ties stay in its group, 1 when none does; the rows are the "
            "numbers of ties by group (such as North–South), the values the index and assortativity of the whole.",
            "D. Krackhardt, R. N. Stern (1988), Social Psychology Quarterly 51; M. E. J. Newman (2003), PRE 67",
            _HERE + "structure:mixing",
            (_ATTRIBUTE,),
            frozenset({"attributes"}),
        ),
        Measure(
            "summary",
            "network",
            "Size, density, components, clustering, reciprocity, degree assortativity, distances, σ of a small world.",
            "D. J. Watts, S. H. Strogatz (1998), Nature 393; M. D. Humphries, K. Gurney (2008), PLoS ONE 3",
            _HERE + "structure:summary",
            (_SAMPLES, _SEED),
        ),
        Measure(
            "communities",
            "nodes",
            "The community that a node is in, the largest being 0: the best of several runs by modularity.",
            "V. A. Traag et al. (2019), From Louvain to Leiden, Scientific Reports 9; V. D. Blondel et al. (2008); "
            "stability by L. Danon et al. (2005); label propagation: U. N. Raghavan et al. (2007), PRE 76",
            _HERE + "communities:communities",
            (
                Parameter(
                    "algorithm", "leiden", "how communities are found", ("leiden", "louvain", "label-propagation")
                ),
                Parameter("resolution", 1.0, "greater finds smaller communities", least=0, most=100),
                Parameter(
                    "runs",
                    0,
                    "seeds that are tried, one after the other; 0: ten, three past 200,000 ties, one past 500,000",
                    most=100,
                ),
                _STRONG,
                _SEED,
            ),
        ),
        Measure(
            "distances",
            "nodes",
            "The least number of ties from one node to each other, in the direction of ties that have one; nothing "
            "where none leads there.",
            "E. F. Moore (1959), The shortest path through a maze",
            _HERE + "paths:distances",
            (Parameter("origin", "", "IRI of the node from which it is measured"),),
        ),
        Measure(
            "paths",
            "paths",
            "The shortest paths from one node to another, with the evidence of each step.",
            "E. W. Dijkstra (1959), Numerische Mathematik 1; J. Y. Yen (1971), Management Science 17",
            _HERE + "paths:paths",
            (
                Parameter("origin", "", "IRI of the node where the paths begin"),
                Parameter("destination", "", "IRI of the node where they end"),
                Parameter("count", 5, "most paths", least=1, most=100),
                Parameter("hubs", 0, "most neighbours of the nodes between; 0: any number", most=10_000_000),
                _LENGTHS,
            ),
            frozenset({"details"}),
        ),
        Measure(
            "candidates",
            "pairs",
            "Who might ally: pairs without a tie, by what they have in common, with the reasons, and how good such "
            "guesses are at finding ties that were hidden (AUC, precision at k).",
            "D. Liben-Nowell, J. Kleinberg (2007), JASIST 58; L. A. Adamic, E. Adar (2003); T. Zhou et al. (2009), EPJ "
            "B 71; M. E. J. Newman (2001), PRE 64",
            _HERE + "links:candidates",
            (
                Parameter(
                    "score",
                    "resource-allocation",
                    "what is counted of the neighbours",
                    ("common-neighbours", "adamic-adar", "resource-allocation", "preferential-attachment"),
                ),
                Parameter("count", 20, "most pairs, and the k of the precision", least=1, most=1000),
                Parameter("shared", True, "whether shared themes, places and recommendations count: yes or no"),
                Parameter("hidden", 0.2, "share of ties that are hidden to see how good the guesses are", most=0.9),
                _SEED,
            ),
            frozenset({"shared"}),
        ),
        Measure(
            "robustness",
            "series",
            "The share of nodes in the largest component while nodes leave: by degree, by betweenness, or at random.",
            "R. Albert et al. (2000), Error and attack tolerance, Nature 406; C. M. Schneider et al. (2011), PNAS 108",
            _HERE + "robustness:robustness",
            (
                Parameter("steps", 20, "steps in which nodes leave", least=2, most=200),
                Parameter("runs", 10, "random orders, of which the mean is given", least=1, most=100),
                _SEED,
            ),
        ),
        Measure(
            "windows",
            "series",
            "The network in windows one after the other: size, turnover of ties, and whether communities persist.",
            "P. Holme, J. Saramäki (2012), Temporal networks, Physics Reports 519; L. Danon et al. (2005), JSTAT",
            _HERE + "change:windows",
            (Parameter("years", 1, "years of each window", least=1, most=1000),),
            frozenset({"details"}),
        ),
        Measure(
            "comparison",
            "pairs",
            "What came, went and stayed from this network to that of another window or of another generation, and how "
            "the measures differ.",
            "P. Jaccard (1901); L. Danon et al. (2005), Comparing community structure identification, JSTAT P09008",
            _HERE + "change:comparison",
            (
                Parameter("against_from", "any", "first day, month or year of the other window, or any"),
                Parameter("against_to", "any", "last day, month or year of the other window, or any"),
                Parameter("against_generation", "now", "number of the generation of the other network, or now"),
            ),
            frozenset({"second"}),
        ),
        Measure(
            "layout",
            "nodes",
            "Where nodes are drawn (x, y): neighbours attract and all others repel each other; the value is the "
            "distance from the centre. Kept, so that after a change nodes are found where they were.",
            "T. M. J. Fruchterman, E. M. Reingold (1991), Graph drawing by force-directed placement, SP&E 21",
            _HERE + "layout:layout",
            (_SEED,),
        ),
    )
}


def named(name: str) -> Measure:
    """The measure of that name; NotFound lists the known ones."""
    if name not in MEASURES:
        raise NotFound(f'unknown measure "{name}"; known: {", ".join(MEASURES)}')
    return MEASURES[name]
