"""A world of the social and solidarity economy of any size, in the project's own words, for benchmarks.

    python benchmarks/generate.py --triples 1000000 world.nt.gz [--seed 20]

The same number and seed always give the same triples. They hold what they need of the ontology's lists, of the
concepts and of the SDGs in data/, so that nothing else must be loaded for them to conform to shapes/ (they bring
Warnings and Infos, no Violation); every class of a thing is stated, so that ontology/sse.ttl may be left out as well.

The world is a row of neighbourhoods, each a town with its government, organisations, memberships, alliances, events,
a policy or roadmap and a document whose claims rest on quotations. Links lead to what was said before, mostly to the
earliest: a few countries, networks and themes are hubs. It is written as it is made: memory does not grow with it.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import itertools
import random
import time
from collections.abc import Generator, Iterator
from pathlib import Path

from pyoxigraph import Triple, parse

ROOT = Path(__file__).parent.parent
#: Where the lists and concepts that the world speaks of are taken from, word for word.
FOUNDATIONS = ("ontology/lists.ttl", "data/concepts.ttl", "data/sdgs.ttl")
#: Organisations in each neighbourhood; the first of them is a network.
ORGANISATIONS = 8
REGIONS = 4  # in each country
TEXT = 20_000  # characters of each document

CONTINENTS = {"africa": "Africa/África/Afrique", "americas": "Americas/América/Amériques"}
CONTINENTS |= {"asia": "Asia/Asia/Asie", "europe": "Europe/Europa/Europe", "oceania": "Oceania/Oceanía/Océanie"}
COUNTRIES = {
    "ES": "europe/Spain/España/Espagne",
    "FR": "europe/France/Francia/France",
    "BR": "americas/Brazil/Brasil/Brésil",
    "CA": "americas/Canada/Canadá/Canada",
    "KR": "asia/South Korea/Corea del Sur/Corée du Sud",
    "MX": "americas/Mexico/México/Mexique",
    "IT": "europe/Italy/Italia/Italie",
    "SN": "africa/Senegal/Senegal/Sénégal",
    "IN": "asia/India/India/Inde",
    "AR": "americas/Argentina/Argentina/Argentine",
    "ML": "africa/Mali/Malí/Mali",
    "CO": "americas/Colombia/Colombia/Colombie",
    "PT": "europe/Portugal/Portugal/Portugal",
    "MA": "africa/Morocco/Marruecos/Maroc",
    "PH": "asia/Philippines/Filipinas/Philippines",
    "DE": "europe/Germany/Alemania/Allemagne",
    "EC": "americas/Ecuador/Ecuador/Équateur",
    "ZA": "africa/South Africa/Sudáfrica/Afrique du Sud",
    "BE": "europe/Belgium/Bélgica/Belgique",
    "JP": "asia/Japan/Japón/Japon",
    "UY": "americas/Uruguay/Uruguay/Uruguay",
    "CM": "africa/Cameroon/Camerún/Cameroun",
    "AU": "oceania/Australia/Australia/Australie",
    "CR": "americas/Costa Rica/Costa Rica/Costa Rica",
    "KE": "africa/Kenya/Kenia/Kenya",
    "ID": "asia/Indonesia/Indonesia/Indonésie",
    "PL": "europe/Poland/Polonia/Pologne",
    "CL": "americas/Chile/Chile/Chili",
    "TN": "africa/Tunisia/Túnez/Tunisie",
    "NZ": "oceania/New Zealand/Nueva Zelanda/Nouvelle-Zélande",
}
#: What an organisation is, and what it is called in the three languages.
KINDS = {
    "cooperative": "{} Cooperative/Cooperativa {}/Coopérative {}",
    "association": "{} Association/Asociación {}/Association {}",
    "social-enterprise": "{} Social Enterprise/Empresa social {}/Entreprise sociale {}",
    "foundation": "{} Foundation/Fundación {}/Fondation {}",
    "mutual": "{} Mutual Society/Mutualidad {}/Mutuelle {}",
    "self-help-group": "{} Self-help Group/Grupo de autoayuda {}/Groupe d’entraide {}",
}
NETWORK = "{} Network/Red {}/Réseau {}"
SYLLABLES = [a + b for a in "bdklmnprstv" for b in "aeiou"]

_ONTOLOGY = "https://w3id.org/sse-kg/ontology#"
_VOCABULARIES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "org": "http://www.w3.org/ns/org#",
    "oa": "http://www.w3.org/ns/oa#",
    "dcterms": "http://purl.org/dc/terms/",
    "schema": "https://schema.org/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "sdg": "http://metadata.un.org/sdg/",
}
Statements = Iterator[str]
Fact = tuple[str, str, str]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--triples", type=int, default=1_000_000)
    arguments.add_argument("--seed", type=int, default=20)
    arguments.add_argument("out", type=Path, help="an .nt or .nt.gz file")
    chosen = arguments.parse_args()
    began = time.perf_counter()
    count = write(chosen.out, chosen.triples, chosen.seed)
    print(f"{count:,} triples in {time.perf_counter() - began:.1f} s")


def write(out: Path, count: int, seed: int = 20) -> int:
    """Writes the triples to the file, gzipped when its name says so; how many they are."""
    written = 0
    with gzip.open(out, "wt", encoding="utf-8", compresslevel=1) if out.suffix == ".gz" else out.open("w") as file:
        for line in triples(count, seed):
            file.write(line + "\n")
            written += 1
    return written


def triples(count: int, seed: int = 20) -> Statements:
    """N-Triples statements without line ends, no two the same: at least `count`, and at most a neighbourhood more."""
    chance = random.Random(seed)
    done = 0
    for statement in foundations():
        done += 1
        yield statement
    for number in itertools.count():
        if done >= count:
            return
        said = list(neighbourhood(number, chance))
        done += len(said)
        yield from said


def foundations() -> Statements:
    """The lists, concepts and SDGs, and the large places with their governments: the same in every world."""
    for quad in (quad for name in FOUNDATIONS for quad in parse(path=ROOT / name)):
        yield f"{Triple(quad.subject, quad.predicate, quad.object)} ."
    for slug, names in CONTINENTS.items():
        yield from named(thing("place", slug), ["Place"], names, [("sse:placeKind", thing("place-kind", "continent"))])
    for code, text in COUNTRIES.items():
        continent, names = text.split("/", 1)
        country = thing("place", code.lower())
        where = [("sse:placeKind", thing("place-kind", "country")), ("sse:countryCode", f'"{code}"')]
        yield from named(country, ["Place"], names, [*where, ("sse:within", thing("place", continent))])
        government = thing("government", code.lower())
        governs = [("sse:governs", country), ("sse:locatedIn", country), ("sse:level", thing("level", "national"))]
        governs.append(("sse:organisationKind", thing("org-kind", "national-government")))
        titles = filled("Government of {}/Gobierno de {}/Gouvernement : {}", names.split("/"))
        yield from named(government, ["Actor", "Government"], titles, governs)
        for region in range(REGIONS):
            titles = filled(
                f"{{}}, region {region + 1}/{{}}, región {region + 1}/{{}}, région {region + 1}", names.split("/")
            )
            place = [("sse:placeKind", thing("place-kind", "sub-national-region")), ("sse:within", country)]
            yield from named(thing("place", f"{code.lower()}-{region + 1}"), ["Place"], titles, place)


def neighbourhood(number: int, chance: random.Random) -> Statements:
    """Everything that is said of one town and of who acts there; links to this and to earlier neighbourhoods only."""
    name = word(number)
    code = list(COUNTRIES)[skewed(chance, len(COUNTRIES))]
    country = thing("place", code.lower())
    town = thing("place", name)
    region = thing("place", f"{code.lower()}-{1 + skewed(chance, REGIONS)}")
    title = name.title()
    yield from named(
        town,
        ["Place"],
        f"{title}/{title}/{title}",
        [("sse:placeKind", thing("place-kind", "city")), ("sse:within", region), ("sse:within", country)],
    )
    government = thing("government", name)
    yield from named(
        government,
        ["Actor", "Government", "LocalGovernment"],
        f"City of {title}/Ayuntamiento de {title}/Ville de {title}",
        [
            ("sse:governs", town),
            ("sse:locatedIn", town),
            ("sse:level", thing("level", "local")),
            ("sse:organisationKind", thing("org-kind", "local-government")),
        ],
    )
    for place in range(ORGANISATIONS):
        yield from organisation(number, place, town, country, chance)
    for place in range(1, ORGANISATIONS):
        yield from memberships(number, place, chance)
    events = yield from gatherings(number, town, chance)
    facts: list[Fact] = []
    yield from instrument(number, government, events, facts, chance)
    yield from alliances(number, government, events[0], facts, chance)
    yield from document(number, events[0], facts, chance)


def organisation(number: int, place: int, town: str, country: str, chance: random.Random) -> Statements:
    name = f"{word(number)} {word(place + ORGANISATIONS * skewed(chance, 40))}".title()
    is_network = place == 0
    kind = "network" if is_network else list(KINDS)[skewed(chance, len(KINDS))]
    classes = ["Actor", "Organisation", "Network"] if is_network else ["Actor", "Organisation"]
    more = [
        ("sse:organisationKind", thing("org-kind", kind)),
        ("sse:locatedIn", town),
        ("sse:level", thing("level", "national" if is_network else "local")),
        ("sse:acronym", f'"{"".join(part[:2] for part in name.split()).upper()}{number}"'),
        ("sse:purpose", f'"Brings people of {name} together for work, care and a fair share of what they make."@en'),
    ]
    more += [("sse:theme", theme) for theme in some("Theme", chance, 1 + skewed(chance, 4))]
    more += [("sse:sector", sector) for sector in some("Sector", chance, 1)]
    if is_network or chance.random() < 0.2:
        more.append(("sse:activeIn", country))
    titles = filled(NETWORK if is_network else KINDS[kind], [f"{name} {number}"] * 3)
    yield from named(actor(number, place), classes, titles, more)


def memberships(number: int, place: int, chance: random.Random) -> Statements:
    """An organisation in the network of its town and, mostly, in one that many belong to."""
    networks = {number} if chance.random() < 0.3 else {number, skewed(chance, number + 1)}
    for network in sorted(networks):
        since = 1995 + (number * 7 + place * 3 + network) % 29
        yield from record(
            thing("membership", f"{word(number)}-{place}-{word(network)}"),
            "Membership",
            f"Organisation {place} of {word(number).title()} in the network of {word(network).title()}",
            [
                ("org:member", actor(number, place)),
                ("org:organization", actor(network, 0)),
                ("sse:role", thing("role", ("member", "member", "partner", "coordinator")[chance.randrange(4)])),
                ("schema:startDate", typed(f"{since}", "gYear")),
            ],
        )


def gatherings(number: int, town: str, chance: random.Random) -> Generator[str, None, list[str]]:
    """A forum with two sessions and those who took part; gives back their IRIs, the forum's first."""
    name, title = word(number), word(number).title()
    year, month = 2005 + number % 19, 1 + number % 12
    forum = thing("event", name)
    during = [("sse:status", thing("status", "held"))]
    during += [("schema:startDate", typed(f"{year}-{month:02}-10", "date"))]
    during += [("schema:endDate", typed(f"{year}-{month:02}-12", "date"))]
    about = [("sse:theme", theme) for theme in some("Theme", chance, 2)]
    kind = ("forum", "conference", "policy-dialogue", "assembly")[skewed(chance, 4)]
    yield from named(
        forum,
        ["Event"],
        f"{title} Forum {year}/Foro de {title} {year}/Forum de {title} {year}",
        [("sse:eventKind", thing("event-kind", kind)), ("sse:takesPlaceIn", town), *during, *about],
    )
    sessions = [thing("event", f"{name}-session-{place}") for place in (1, 2)]
    for place, session in enumerate(sessions, 1):
        yield from named(
            session,
            ["Event", "Session"],
            f"{title} Forum {year}, session {place}/Foro de {title} {year}, sesión {place}"
            f"/Forum de {title} {year}, session {place}",
            [
                ("sse:eventKind", thing("event-kind", "parallel-session")),
                ("sse:partOfEvent", forum),
                ("sse:order", typed(f"{place}", "integer")),
                ("schema:startDate", typed(f"{year}-{month:02}-{9 + place:02}", "date")),
                *[("sse:theme", theme) for theme in some("Theme", chance, 1)],
            ],
        )
    there = [actor(number, place) for place in range(3)] + [actor(skewed(chance, number + 1), 0)]
    for place, participant in enumerate(dict.fromkeys(there)):
        yield from record(
            thing("participation", f"{name}-{place}"),
            "Participation",
            f"Participant {place + 1} of the {title} Forum {year}",
            [
                ("sse:participant", participant),
                ("sse:inEvent", forum),
                ("sse:role", thing("role", "organiser" if place == 0 else "participant")),
            ],
        )
    return [forum, *sessions]


def instrument(number: int, government: str, events: list[str], facts: list[Fact], chance: random.Random) -> Statements:
    """A policy of the town or, every fourth time, a roadmap with its recommendations; adds to the facts."""
    name, title = word(number), word(number).title()
    policy = thing("policy", name)
    is_roadmap = number % 4 == 0
    kind = "roadmap" if is_roadmap else ("public-policy", "strategy", "action-plan", "declaration")[skewed(chance, 4)]
    yield from named(
        policy,
        ["Policy", "Roadmap"] if is_roadmap else ["Policy"],
        f"{kind.replace('-', ' ').capitalize()} of {title}/Instrumento de {title}/Instrument de {title}",
        [
            ("sse:policyKind", thing("policy-kind", kind)),
            ("sse:status", thing("status", "existing")),
            ("sse:adoptedBy", government),
            ("sse:adoptedAt", events[0]),
            ("dcterms:issued", typed(f"{2005 + number % 19}", "gYear")),
            *[("sse:theme", theme) for theme in some("Theme", chance, 2)],
        ],
    )
    if is_roadmap:
        for place in (1, 2):
            yield from section(number, place, policy, events[place], facts, chance)


def section(number: int, place: int, policy: str, session: str, facts: list[Fact], chance: random.Random) -> Statements:
    name, title = word(number), word(number).title()
    part = thing("section", f"{name}-{place}")
    more = [
        ("sse:heading", f'"PART {place} OF {title.upper()}"'),
        ("sse:inPolicy", policy),
        ("sse:fromSession", session),
    ]
    more.append(("sse:order", typed(f"{place}", "integer")))
    names = f"Part {place} of {title}/Parte {place} de {title}/Partie {place} de {title}"
    yield from named(part, ["Section"], names, more)
    for item in range(1, 6):
        theme, *others = some("Theme", chance, 1 + skewed(chance, 3))
        about = f"work on {theme.rsplit('/', 1)[1][:-1].replace('-', ' ')}"
        recommendation = thing("recommendation", f"{name}-{place}-{item}")
        goal = f"<{_VOCABULARIES['sdg']}{(8, 10, 11, 12, 17, 1, 5, 4)[skewed(chance, 8)]}>"
        facts.append((recommendation, "sse:contributesTo", goal))
        yield from named(
            recommendation,
            ["Recommendation"],
            f"{title} {place}.{item}: {about}/{title} {place}.{item}/{title} {place}.{item} (fr)",
            [
                ("sse:text", f'"To support, with the networks of {title}, the {about} of those who do it."@en'),
                ("sse:inSection", part),
                ("sse:number", typed(f"{item}", "integer")),
                ("sse:order", typed(f"{5 * (place - 1) + item}", "integer")),
                ("sse:addressee", some("ActorGroup", chance, 1)[0]),
                ("sse:population", some("PopulationGroup", chance, 1)[0]),
                ("sse:contributesTo", goal),
                *[("sse:theme", each) for each in (theme, *others)],
            ],
        )


def alliances(number: int, government: str, forum: str, facts: list[Fact], chance: random.Random) -> Statements:
    """Two alliances of the town's actors with each other and with hubs; adds to the facts."""
    name, title = word(number), word(number).title()
    for place in (1, 2):
        alliance = thing("alliance", f"{name}-{place}")
        sides = [actor(number, place), actor(skewed(chance, number + 1), skewed(chance, ORGANISATIONS))]
        sides += [government] if place == 1 else [actor(skewed(chance, number + 1), 0)]
        parties = {thing("party", f"{name}-{place}-{n}"): side for n, side in enumerate(dict.fromkeys(sides), 1)}
        is_wish = len(parties) < 2 or chance.random() < 0.2
        kind = ("partnership", "cooperation", "exchange", "co-organisation", "support")[skewed(chance, 5)]
        told = [
            ("sse:allianceKind", thing("alliance-kind", kind)),
            ("sse:status", thing("status", "aimed-at" if is_wish else "existing")),
            ("sse:concernsEvent", forum),
            ("schema:startDate", typed(f"{2000 + (number + place) % 24}-01-01", "date")),
            *[("sse:party", party) for party in parties],
            *[("sse:theme", theme) for theme in some("Theme", chance, 1 + skewed(chance, 3))],
        ]
        facts += [(alliance, *fact) for fact in told if fact[0] in ("sse:party", "sse:theme", "sse:allianceKind")]
        names = f"Alliance {place} of {title}/Alianza {place} de {title}/Alliance {place} de {title} (fr)"
        yield from named(alliance, ["Alliance"], names, told)
        for party, side in parties.items():
            what = [("sse:partyActor", side), ("sse:role", thing("role", "partner"))]
            yield from record(party, "Party", f"A party of alliance {place} of {title}", what)


def document(number: int, forum: str, facts: list[Fact], chance: random.Random) -> Statements:
    """The report on the forum, with a quotation for each of the facts."""
    name, title = word(number), word(number).title()
    report = thing("document", name)
    more = [("dcterms:title", f'"Report of the {title} Forum"@en'), ("dcterms:language", '"en"')]
    more += [("sse:characters", typed(f"{TEXT}", "integer")), ("sse:describes", forum)]
    names = f"Report of the {title} Forum/Informe del Foro de {title}/Rapport du Forum de {title}"
    yield from named(report, ["Document"], names, more)
    start = 0
    for place, (subject, predicate, value) in enumerate(facts):
        exact = f"the actors of {title} {('agreed', 'met', 'wished')[chance.randrange(3)]} in point {place + 1}"
        start += 80 + chance.randrange(60)
        quotation = thing("quotation", f"{name}-{start}-{start + len(exact)}")
        yield from about(
            quotation,
            [
                *[("rdf:type", term(kind)) for kind in ("sse:Quotation", "oa:TextQuoteSelector")],
                ("oa:exact", f'"{exact}"'),
                ("oa:start", typed(f"{start}", "integer")),
                ("oa:end", typed(f"{start + len(exact)}", "integer")),
                ("sse:quotedFrom", report),
            ],
        )
        yield from about(
            thing("claim", f"{name}-{place}"),
            [
                *[("rdf:type", term(kind)) for kind in ("sse:Claim", "rdf:Statement")],
                ("rdf:subject", subject),
                ("rdf:predicate", term(predicate)),
                ("rdf:object", value),
                ("sse:certainty", thing("certainty", "stated")),
                ("sse:evidence", quotation),
                ("dcterms:source", report),
            ],
        )


def named(subject: str, classes: list[str], names: str, more: list[tuple[str, str]]) -> Statements:
    """A thing with its classes, its names in English, Spanish and French (divided by /), and more."""
    labels = zip(names.split("/"), ("en", "es", "fr"), strict=True)
    yield from about(
        subject,
        [
            *[("rdf:type", term(f"sse:{each}")) for each in classes],
            *[("skos:prefLabel", f'"{label}"@{language}') for label, language in labels],
            *more,
        ],
    )


def record(subject: str, kind: str, name: str, more: list[tuple[str, str]]) -> Statements:
    yield from about(subject, [("rdf:type", term(f"sse:{kind}")), ("skos:prefLabel", f'"{name}"@en'), *more])


def about(subject: str, told: list[tuple[str, str]]) -> Statements:
    return (f"{subject} {term(predicate)} {value} ." for predicate, value in dict.fromkeys(told))


def actor(number: int, place: int) -> str:
    """The organisation at a place of a neighbourhood."""
    return thing("organisation", f"{word(number)}-{place}")


def thing(kind: str, slug: str) -> str:
    return f"<https://w3id.org/sse-kg/id/{kind}/{slug}>"


def typed(text: str, datatype: str) -> str:
    return f'"{text}"^^<{_VOCABULARIES["xsd"]}{datatype}>'


@functools.cache
def term(name: str) -> str:
    """A prefixed name written out."""
    prefix, local = name.split(":")
    return f"<{_ONTOLOGY if prefix == 'sse' else _VOCABULARIES[prefix]}{local}>"


def filled(pattern: str, names: list[str]) -> str:
    return "/".join(each.format(name) for each, name in zip(pattern.split("/"), names, strict=True))


def word(number: int) -> str:
    """A pronounceable name, another for each number."""
    syllables: list[str] = []
    while number or len(syllables) < 2:
        number, place = divmod(number, len(SYLLABLES))
        syllables.append(SYLLABLES[place])
    return "".join(syllables)


def skewed(chance: random.Random, size: int) -> int:
    """A number below `size`, low ones far more often: the share of number n falls as n to the power of -2/3."""
    return int(size * chance.random() ** 3)


def some(kind: str, chance: random.Random, count: int) -> list[str]:
    """Up to that many concepts of a class, the popular ones far more often."""
    known = concepts(kind)
    return list(dict.fromkeys(known[skewed(chance, len(known))] for _ in range(count)))


@functools.cache
def concepts(kind: str) -> list[str]:
    """The concepts of a class that data/concepts.ttl knows."""
    quads = parse(path=ROOT / "data/concepts.ttl")
    return sorted({str(quad.subject) for quad in quads if str(quad.object) == term(f"sse:{kind}")})


if __name__ == "__main__":
    main()
