"""A large load does what a small one does with the same files, whatever is in the store and however it is cut up."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import zstandard
from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, RdfFormat, serialize

from kg_service import resources, unpacking
from kg_service.changes import Committed, commit, history, large
from kg_service.errors import KgError, Malformed, Violations
from kg_service.ingest import bulk, spooling
from kg_service.rdf import parse_file
from kg_service.settings import Settings
from kg_service.shacl import Shapes, whole
from kg_service.shacl.gate import Gate
from kg_service.store import Delta, embedded, log
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.patches import Patch
from tests.conftest import VILLAGE
from tests.serving import running

NONE = Shapes((), ())
XSD = "http://www.w3.org/2001/XMLSchema#"
#: Objects that the store spells in another way, and such as look like something else.
VALUES: list[NamedNode | Literal | BlankNode] = [
    NamedNode("urn:o"),
    BlankNode("b1"),
    Literal("007", datatype=NamedNode(XSD + "integer")),
    Literal("7", datatype=NamedNode(XSD + "integer")),
    Literal("4.0", datatype=NamedNode(XSD + "decimal")),
    Literal("1", datatype=NamedNode(XSD + "boolean")),
    Literal("2019-05-01", datatype=NamedNode(XSD + "date")),
    Literal("2019-02-31", datatype=NamedNode(XSD + "date")),
    Literal("text", language="ES-mx"),
    Literal("text", language="es-mx"),
    Literal('"@EN _:b1 <urn:g> .\n<urn:a> <urn:b> <urn:c> .\\'),
    Literal('x"^^<urn:type> .\r'),
    Literal("a_:b", datatype=NamedNode("urn:type")),
    Literal("ünï\u2028c\x85ode"),
]


@pytest.fixture
def spooling_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every load is a large one, in short stretches of a file of lines, of which the engine sorts few at once."""
    monkeypatch.setattr(bulk, "_LARGE", 0)
    monkeypatch.setattr(large, "is_most_of_it", lambda store, size: size % 3 > 0)  # else what it reaches is judged
    monkeypatch.setattr(spooling, "_STRETCH", 700)
    monkeypatch.setattr(embedded, "_SORTED", 10)


def statements(chance: random.Random, *, graphs: bool, blank: bool = True) -> list[Quad]:
    values = [value for value in VALUES if blank or not isinstance(value, BlankNode)]

    def one() -> Quad:
        subject: NamedNode | BlankNode = NamedNode(f"urn:s{chance.randrange(5)}")
        if blank and chance.random() < 0.2:
            subject = BlankNode(f"b{chance.randrange(3)}")
        somewhere: list[DefaultGraph | NamedNode] = [DefaultGraph(), NamedNode("urn:g"), NamedNode("urn:h")]
        where = chance.choice(somewhere[: 3 if graphs else 1])
        return Quad(subject, NamedNode(f"urn:p{chance.randrange(3)}"), chance.choice(values), where)

    return [one() for _ in range(chance.randrange(1, 40))]


def files(folder: Path, chance: random.Random) -> list[Path]:
    """Two files of statements, of formats by chance; one may be packed."""
    made = []
    for name in ("one", "two"):
        how = chance.choice([RdfFormat.N_TRIPLES, RdfFormat.N_QUADS, RdfFormat.TURTLE, RdfFormat.TRIG])
        quads = statements(chance, graphs=how.supports_datasets, blank=chance.random() < 0.5)
        text = serialize(quads if how.supports_datasets else (quad.triple for quad in quads), None, how) or b""
        path = folder / f"{name}.{how.file_extension}"
        match chance.randrange(3):
            case 0:
                path = path.with_name(path.name + ".gz")
                text = gzip.compress(text[: len(text) // 2]) + gzip.compress(text[len(text) // 2 :])
            case 1:
                path = path.with_name(path.name + ".zst")
                packer = zstandard.ZstdCompressor()
                text = packer.compress(text[: len(text) // 2]) + packer.compress(text[len(text) // 2 :])
        path.write_bytes(text)
        made.append(path)
    return made


def told(store: EmbeddedStore, done: Committed) -> dict[str, object]:
    """All that is to be the same, and that the log tells."""
    number = store.log.last_number()
    patch = store.log.patch(number)
    assert patch
    return {
        "quads": set(store.quads()),
        "merged": set(store.triples()),
        "added": patch.delta.added,
        "removed": patch.delta.removed,
        "kept": patch.kept,
        "touched": {iri for iri in patch.touched if store.log.last_about(iri) == number},
        "done": (done.generation, done.added, done.removed, done.change),
        "entry": (store.log.entry(number) or patch).added,  # type: ignore[union-attr]
    }


def loaded(root: Path, before: list[Delta], paths: list[Path], *, replace: bool = False) -> dict[str, object]:
    with EmbeddedStore(root) as store:
        for delta in before:
            commit(store, delta, Gate(NONE))
        return told(store, bulk.load(store, paths, NONE, replace=replace))


@pytest.mark.parametrize("seed", range(24))
def test_a_large_load_does_what_a_small_one_does(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spooling_all: None
) -> None:
    chance = random.Random(seed)
    paths = files(tmp_path, chance)
    before = []
    for _ in range(chance.randrange(3)):
        there = [quad for path in paths for quad in bulk.read(path) if chance.random() < 0.3]
        there += [Quad(q.subject, q.predicate, q.object) for q in there if chance.random() < 0.5]
        before.append(Delta(added=frozenset([*there, *statements(chance, graphs=True, blank=False)])))
    large = loaded(tmp_path / "large", before, paths, replace=seed % 4 == 0)
    monkeypatch.setattr(bulk, "_LARGE", sys.maxsize)
    assert large == loaded(tmp_path / "small", before, paths, replace=seed % 4 == 0)


def test_each_step_of_a_large_load_is_told(tmp_path: Path, spooling_all: None) -> None:
    """So that nobody takes the judging for the end of the writing that does not come."""
    told: list[str] = []
    with EmbeddedStore(tmp_path / "store") as store:
        bulk.load(store, files(tmp_path, random.Random(1)), NONE, progress=lambda step, done, total: told.append(step))
    assert list(dict.fromkeys(told)) == ["reading", "writing", "judging", "publishing"]


def test_a_large_load_can_be_taken_back(tmp_path: Path, spooling_all: None) -> None:
    paths = files(tmp_path, random.Random(3))
    held = frozenset(statements(random.Random(4), graphs=True, blank=False))
    with EmbeddedStore(tmp_path / "store") as store:
        commit(store, Delta(added=held), Gate(NONE))
        before = set(store.triples()), set(store.quads())
        done = bulk.load(store, paths, NONE)
        assert done.change
        patch = store.log.patch(done.change)
        assert isinstance(patch, Patch)
        commit(store, patch.inverse, Gate(NONE))
        assert (set(store.triples()), set(store.quads())) == before
        assert not (store.root / "loading").exists()


@pytest.mark.parametrize("most", [whole.MOST_COPIED, 0])
def test_it_is_judged_as_a_small_one_is(
    most: int, tmp_path: Path, shapes: Shapes, monkeypatch: pytest.MonkeyPatch, spooling_all: None
) -> None:
    """Whether the graph is copied into memory to be judged, or is too large for that."""
    monkeypatch.setattr(whole, "MOST_COPIED", most)
    ours = sorted(resources.folder("ontology").glob("*.ttl"))
    broken = tmp_path / "broken.trig"
    claim = "<https://w3id.org/sse-kg/id/claim/wrong> <https://w3id.org/sse-kg/ontology#certainty> "
    broken.write_text(
        "<https://w3id.org/sse-kg/id/organisation/nameless> a <https://w3id.org/sse-kg/ontology#Organisation> .\n"
        f"{claim} <https://w3id.org/sse-kg/id/certainty/inferred> .\n"
    )
    reports = []
    for name in ("large", "small"):
        with EmbeddedStore(tmp_path / name) as store:
            good = bulk.load(store, [*ours, VILLAGE], shapes)
            with pytest.raises(Violations) as refused:
                bulk.load(store, [broken], shapes, author="someone")
            with pytest.raises(Violations):
                bulk.load(store, [broken], shapes, dry_run=True)
            (noted,) = store.log.refusals(limit=5)
            assert (noted.author, noted.added) == ("someone", 2)
            assert (store.generation, set(store.quads())) == (1, set(store.quads()))
            assert not any("nameless" in quad.subject.value for quad in store.triples())  # type: ignore[union-attr]
            tried = bulk.load(store, [VILLAGE], NONE, dry_run=True)
            assert (tried.added, tried.generation, store.generation) == (0, 1, 1)
            reports.append((good.report.to_dict(), refused.value.report.to_dict()))
        monkeypatch.setattr(bulk, "_LARGE", sys.maxsize)
    assert reports[0] == reports[1]
    assert len(reports[0][1]["results"]) > 1


@pytest.mark.parametrize(("is_most", "most"), [(True, whole.MOST_COPIED), (True, 0), (False, 0)])
def test_what_goes_is_judged_too(
    is_most: bool, most: int, tmp_path: Path, shapes: Shapes, monkeypatch: pytest.MonkeyPatch, spooling_all: None
) -> None:
    """Replacing a graph by less of it breaks the shapes as it does by way of memory; by as much of it, it does not."""
    monkeypatch.setattr(large, "is_most_of_it", lambda store, size: is_most)
    monkeypatch.setattr(whole, "MOST_COPIED", most)
    ours = sorted(resources.folder("ontology").glob("*.ttl"))
    lines = serialize(parse_file(VILLAGE), None, RdfFormat.N_TRIPLES) or b""
    less, other, same = tmp_path / "less" / "village.nt", tmp_path / "village.nt", tmp_path / "same" / "village.nt"
    for path in (less, same):
        path.parent.mkdir()
    less.write_bytes(b"".join(line + b"\n" for line in lines.splitlines() if b"organisation/bakers> <http" not in line))
    other.write_bytes(lines.replace(b'"Bakers', b'"Bakers and others'))
    same.write_bytes(lines)
    found = []
    for name in ("large", "small"):
        with EmbeddedStore(tmp_path / name) as store:
            bulk.load(store, [*ours, VILLAGE], shapes)
            before = set(store.quads()), set(store.triples())
            with pytest.raises(Violations) as refused:
                bulk.load(store, [less], shapes, replace=True)
            (noted,) = store.log.refusals(limit=5)
            assert (set(store.quads()), set(store.triples())) == before
            assert bulk.load(store, [same], shapes, replace=True).change is None
            done = bulk.load(store, [other], shapes, replace=True)
            assert done.removed == done.added > 0
            found.append((refused.value.report.to_dict(), noted.added, noted.removed, told(store, done)))
        monkeypatch.setattr(bulk, "_LARGE", sys.maxsize)
    assert found[0] == found[1]
    assert found[0][0]["results"]


def test_an_ontology_that_comes_after_what_it_tells_of_is_judged_with_the_whole(
    tmp_path: Path, shapes: Shapes, monkeypatch: pytest.MonkeyPatch, spooling_all: None
) -> None:
    """Around each thing it would be judged as well, but the time for that grows with the things that there are."""
    ontology, reports = sorted(resources.folder("ontology").glob("*.ttl")), []
    told_of = tmp_path / "towns.ttl"
    towns = (f"<urn:town:{n}> a <https://w3id.org/sse-kg/ontology#LocalGovernment> .\n" for n in range(30))
    told_of.write_text("".join(towns))
    for way in ("whole", "around", "small"):
        sizes = list[int]()

        def is_most_of_it(_: EmbeddedStore, size: int, sizes: list[int] = sizes, way: str = way) -> bool:
            sizes.append(size)
            return way == "whole" and len(sizes) == 2

        with EmbeddedStore(tmp_path / way) as store:
            bulk.load(store, [told_of], NONE)
            monkeypatch.setattr(large, "is_most_of_it", is_most_of_it)
            monkeypatch.setattr(bulk, "_LARGE", sys.maxsize if way == "small" else 0)
            with pytest.raises(Violations) as refused:
                bulk.load(store, ontology, shapes)
        assert way == "small" or sizes[1:] == [30]
        reports.append(refused.value.report.to_dict())
    assert reports[0] == reports[1] == reports[2]


@pytest.mark.parametrize("name", ["lines.nt", "lines.nq", "document.ttl"])
def test_a_file_that_cannot_be_read_is_told_by_its_name(name: str, tmp_path: Path, spooling_all: None) -> None:
    """The system lets it be opened, and reads nothing of it: it is the file that is told, not the store's folder."""
    (tmp_path / name).symlink_to("/proc/self/mem")
    with EmbeddedStore(tmp_path / "store") as store:
        with pytest.raises(Malformed, match=f"{name}: cannot be read"):
            bulk.load(store, [tmp_path / name], NONE)
        assert (store.generation, list(store.triples())) == (0, [])


@pytest.mark.parametrize("name", ["lines.nt", "lines.nq", "document.ttl"])
def test_an_error_is_told_with_its_place(name: str, tmp_path: Path, spooling_all: None) -> None:
    path = tmp_path / name
    lines = [f'<urn:s{n}> <urn:p> "{n}" .' for n in range(200)]
    lines[150] = "<urn:s> <urn:p> oh ."
    path.write_text("\n".join(lines))
    with EmbeddedStore(tmp_path / "store") as store, pytest.raises(Malformed) as error:
        bulk.load(store, [path], NONE)
    assert error.value.more["line"] == 151
    assert str(path) in error.value.detail
    assert "line 151" in error.value.detail
    with pytest.raises(Malformed) as small:
        list(parse_file(path))
    assert error.value.detail == small.value.detail


def _cut(packed: bytes) -> bytes:
    return packed[: len(packed) // 2]


_TEXT = "".join(f'<urn:s> <urn:p> "{n}" .\n' for n in range(1000)).encode()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("cut.nt.gz", _cut(gzip.compress(_TEXT, mtime=0)), "not a whole gzip file"),
        ("cut.nt.zst", _cut(zstandard.compress(_TEXT)), "not a whole Zstandard file"),
        ("cut.ttl.zst", _cut(zstandard.compress(_TEXT)), "not a whole Zstandard file"),
        ("not.nt.gz", _TEXT, "not a whole gzip file"),
        ("not.nt.zst", _TEXT, "not a whole Zstandard file"),
        ("deep.ttl", b"<urn:s> <urn:p> " + b"[ <urn:p> " * 500 + b"1" + b"]" * 500 + b" .", "nested deeper"),
        ("entity.rdf", b'<!DOCTYPE x [<!ENTITY a "b">]><x/>', "DOCTYPE"),
        ("latin.nt", '<urn:s> <urn:p> "é" .\n'.encode("latin-1"), "latin.nt"),
        ("triple.nt", b"<urn:s> <urn:p> <<( <urn:a> <urn:b> <urn:c> )>> .\n", "RDF 1.2"),
    ],
)
def test_what_cannot_be_read_changes_nothing(
    name: str, content: bytes, why: str, tmp_path: Path, spooling_all: None
) -> None:
    (tmp_path / "good.nt").write_bytes(_TEXT)
    (tmp_path / name).write_bytes(content)
    with EmbeddedStore(tmp_path / "store") as store:
        with pytest.raises(KgError, match=why):
            bulk.load(store, [tmp_path / "good.nt", tmp_path / name], NONE)
        assert (store.generation, list(store.triples())) == (0, [])
        assert not (store.root / "loading").exists()


def test_a_line_without_end_is_refused(tmp_path: Path, spooling_all: None) -> None:
    with (tmp_path / "long.nt").open("wb") as file:
        file.write(b'<urn:s> <urn:p> "')
        file.truncate(80 * 2**20)
    with EmbeddedStore(tmp_path / "store") as store, pytest.raises(KgError, match="a line is longer than 64 MB"):
        bulk.load(store, [tmp_path / "long.nt"], NONE)


def test_a_bomb_is_unpacked_piece_by_piece(tmp_path: Path) -> None:
    path = tmp_path / "bomb.nt.zst"
    with path.open("wb") as out, zstandard.ZstdCompressor().stream_writer(out) as packer:
        for _ in range(256):
            packer.write(bytes(2**20))
    sizes = list[int]()
    with unpacking.opened(path) as file:
        while data := file.read(2**30):
            sizes.append(len(data))
    assert sum(sizes) == 2**28
    assert max(sizes) < 2**26


def test_a_load_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    """What was read is not read again; the files must be as they were, and so must the generation."""
    data, root = tmp_path / "data.nt", tmp_path / "store"
    with data.open("w") as file:
        file.writelines(f'<urn:s{n}> <urn:p> "{n:0400}" .\n' for n in range(500_000))
    program = (
        "import sys; from pathlib import Path\n"
        "from kg_service.ingest import bulk; from kg_service.shacl import Shapes\n"
        "from kg_service.store.embedded import EmbeddedStore\n"
        "with EmbeddedStore(Path(sys.argv[2])) as s: print(bulk.load(s, [Path(sys.argv[1])], Shapes((), ())).added)"
    )
    command = [sys.executable, "-c", program, str(data), str(root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    while not list(root.glob("loading/*/*.done")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    whole = {path: path.stat().st_mtime_ns for path in root.glob("loading/*/*.added") if _is_done(path)}
    assert whole
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    kept = next(iter(whole))
    while kept.exists() and process.poll() is None:
        assert kept.stat().st_mtime_ns == whole[kept]
        time.sleep(0.01)
    out, _ = process.communicate()
    assert out.split() == [b"500000"]
    assert not (root / "loading").exists()


def _is_done(path: Path) -> bool:
    return path.with_suffix(".done").exists()


def test_a_change_too_large_to_be_held_is_told_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shapes: Shapes
) -> None:
    """Its page and its JSON show the first statements; undoing it at once is refused; the patches have it whole."""
    monkeypatch.setattr(log, "MOST_WHOLE", 20)
    monkeypatch.setattr(history, "MOST_WHOLE", 20)
    root = tmp_path / "store"
    with EmbeddedStore(root) as store:
        size = bulk.load(store, [resources.folder("ontology"), VILLAGE], shapes).added
    with running(Settings(store=root, token="secret")) as url, httpx.Client(base_url=url) as client:
        told = client.get("/api/changes/1").json()
        assert (told["added"], told["truncated"], len(told["statements"]["added"])) == (size, True, 1_000)
        assert f"{size - 300:,}" in client.get("/history/1").text
        for answer in (
            client.get("/api/changes/1", headers={"Accept": "application/rdf-patch"}),
            client.post("/api/changes/1/revert", headers={"Authorization": "Bearer secret"}),
        ):
            assert answer.is_error
            assert "more than are looked at together" in answer.json()["detail"]
        assert client.get("/patches?from=0").text.count("\nA ") == size
