"""What is no table that can be read, through the command and through the page: one sentence, and nothing is written."""

from __future__ import annotations

import gzip
import io
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from openpyxl import Workbook
from pydantic import SecretStr
from typer.testing import CliRunner

from kg_service.cli import app
from kg_service.errors import KgError
from kg_service.settings import Settings
from kg_service.store import generations
from kg_service.store.embedded import snapshot
from kg_service.tables.rows import MOST_BYTES
from tests.serving import running
from tests.web import html

HEADER = b"name,kind\n"
GOOD = HEADER + b"Guild of good input,association\n"


def workbook(*rows: list[str]) -> bytes:
    book, made = Workbook(), io.BytesIO()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(made)
    return made.getvalue()


def two_gigabytes_in_a_cell() -> bytes:
    """2 MB of gzip that unpack to a table of one cell of 2 GB."""
    return gzip.compress(HEADER + b'"') + gzip.compress(b"x" * 2**24) * 128


def cell_bomb_in_a_workbook() -> bytes:
    """A workbook of a cell that is larger than a cell may be, packed as well as letters go."""
    letters = "".join(chr(97 + zlib.crc32(b"%d" % n) % 26) for n in range(32_000))
    book = Workbook()
    book.worksheets[0].append(["name", "kind"])
    book.worksheets[0].append([letters, "association"])
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def zip_bomb() -> bytes:
    """A workbook of 1 MB with a sheet of a gigabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = bytes(2**24)
    first = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    packed, checksum = first * 64 + zlib.compressobj(9, zlib.DEFLATED, -15).flush(), 0
    for _ in range(64):
        checksum = zlib.crc32(piece, checksum)
    made = io.BytesIO(workbook(["name", "kind"], ["x", "association"]))
    with zipfile.ZipFile(made, "a") as into:
        into.writestr("xl/worksheets/sheet9.xml", b"")
    # What the directory says of the sheet, and the sheet: zipfile takes no data that is packed already.
    text = made.getvalue()
    local = text.rindex(b"PK\x03\x04")
    name = b"xl/worksheets/sheet9.xml"
    head = bytearray(text[local : local + 30])
    head[8:10], head[14:26] = b"\x08\x00", _sizes(checksum, len(packed), 2**30)
    central = text[local + 30 + len(name) :]
    place = central.rindex(b"PK\x01\x02")
    entry = bytearray(central)
    entry[place + 10 : place + 12], entry[place + 16 : place + 28] = b"\x08\x00", _sizes(checksum, len(packed), 2**30)
    end = entry.rindex(b"PK\x05\x06")
    start = int.from_bytes(entry[end + 16 : end + 20], "little") + len(packed)
    entry[end + 16 : end + 20] = start.to_bytes(4, "little")
    return text[:local] + bytes(head) + name + packed + bytes(entry)


def _sizes(checksum: int, packed: int, whole: int) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in (checksum, packed, whole))


CASES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "wrong delimiter": ("a.csv", lambda: b"name:kind\nGuild:association\n", "The header lacks: name"),
    "two delimiters": ("a.csv", lambda: b"name,kind\nGuild;association\nOther,x,y,z\n", "row 3 has 4 cells"),
    "header alone": ("a.csv", lambda: HEADER, "no rows below its header"),
    "header in the third row": ("a.csv", lambda: b"Guilds\nof 2024\n" + GOOD, "they seem to be in row 3"),
    "cut within a letter": ("a.csv", lambda: HEADER + "Café\nDépôt ñ".encode()[:-1], "line 3: the encoding is broken"),
    "broken encoding": ("a.csv", lambda: HEADER + b"Gr\x81\x8d\xff\n", "line 2: the encoding is broken"),
    "missing column": ("a.csv", lambda: b"title,kind\nGuild,association\n", "The header lacks: name"),
    "formula cell": ("a.xlsx", lambda: workbook(["name", "kind"], ["Guild", '=HYPERLINK("x")']), "holds a formula"),
    "cell bomb": ("a.csv.gz", two_gigabytes_in_a_cell, "when it is unpacked"),
    "cell bomb in a workbook": ("a.xlsx", cell_bomb_in_a_workbook, "a cell holds more than"),
    "zip bomb": ("a.xlsx", zip_bomb, "the workbook unpacks to"),
    "truncated gz": ("a.csv.gz", lambda: gzip.compress(GOOD * 1000)[:-20], "no whole gzip file"),
    "truncated workbook": ("a.xlsx", lambda: workbook(["name"], ["x"])[:-300], "no whole workbook"),
    "open quotation": ("a.csv", lambda: HEADER + b'"Guild,association\n', "a quotation mark is not closed"),
}


@pytest.fixture(scope="module")
def root(village: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bad") / "store"
    shutil.copytree(village.store, made)
    return made


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with each case as a file of its own folder."""
    folder = tmp_path_factory.mktemp("cases")
    for case, (name, make, _) in CASES.items():
        (folder / case).mkdir()
        (folder / case / name).write_bytes(make())
    return folder


@pytest.fixture(scope="module")
def page(root: Path) -> Iterator[tuple[httpx.Client, str]]:
    """Somebody who is signed in, and what the forms are to be sent with."""
    with (
        running(Settings(store=root, token=SecretStr("open sesame"))) as url,
        httpx.Client(base_url=url, timeout=60, headers={"accept": "text/html", "origin": url}) as person,
    ):
        assert person.post("/sign-in", data={"token": "open sesame", "author": "Ana"}).status_code == 303
        form = html.read(person.get("/tables").text)
        mark = next(e.attributes["value"] for e in form.all("input") if e.attributes.get("name") == "mark")
        yield person, mark or ""


def state(root: Path) -> tuple[int, int, set[str]]:
    """What must stay: the generation, the statements, and the folders of the store."""
    with snapshot(root) as store:
        size = len(store)
    names = {path.name for path in root.iterdir() if path.name.startswith(("scratch-load", "loading", "scratch-trial"))}
    return generations.current(root), size, names


def command(root: Path, file: Path) -> str:
    """The one sentence with which the command ends."""
    done = CliRunner().invoke(app, ["table", str(file), "--template", "organisations", "--store", str(root)])
    assert isinstance(done.exception, KgError), done.output or done.exception
    assert done.exception.exit_code == 2 or done.exception.status >= 400
    return done.exception.detail


@pytest.mark.parametrize("case", CASES)
def test_the_command_says_one_thing_and_writes_nothing(
    case: str, bad: Path, root: Path, village: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kg_service.cli.loading.seeded", lambda settings: None)  # the store has the village already
    name, _, words = CASES[case]
    before = state(root)
    told = command(root, bad / case / name)
    assert words.casefold() in told.casefold().replace("lacks name", "lacks: name")
    assert "\n" not in told
    assert state(root) == before


@pytest.mark.parametrize("case", CASES)
def test_the_page_says_one_thing_and_writes_nothing(
    case: str, bad: Path, root: Path, page: tuple[httpx.Client, str]
) -> None:
    person, mark = page
    name, _, words = CASES[case]
    before = state(root)
    for step in ("try", "make"):
        data = {"mark": mark, "step": step, "template": "organisations"}
        content = (bad / case / name).read_bytes()
        answer = person.post("/tables", data=data, files={"file": (name, content)})
        assert answer.status_code in (400, 413, 422), answer.text
        read = html.read(answer.text)
        assert words.casefold() in read.all("main")[0].text.casefold()
        assert not read.problems
    assert state(root) == before


def test_the_other_rows_of_the_same_file_would_go_in(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the cases above are refused for what they are, and not for how they are sent."""
    monkeypatch.setattr("kg_service.cli.loading.seeded", lambda settings: None)
    (tmp_path / "good.csv").write_bytes(GOOD)
    arguments = ["table", str(tmp_path / "good.csv"), "--template", "organisations", "--store", str(root), "--dry-run"]
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, "would take 1 of 1 rows" in done.output) == (0, True), done.output


def test_a_file_of_two_gigabytes_is_not_read(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kg_service.cli.loading.seeded", lambda settings: None)
    with (tmp_path / "large.csv").open("wb") as file:
        file.write(HEADER)
        file.truncate(2**31)
    assert f"at most {MOST_BYTES // 2**20} MB are read" in command(root, tmp_path / "large.csv")


def test_the_bomb_is_a_workbook_but_for_its_size() -> None:
    """zipfile finds nothing wrong with it: what refuses it is its size."""
    with zipfile.ZipFile(io.BytesIO(zip_bomb())) as packed:
        sizes = {each.filename: each.file_size for each in packed.infolist()}
        assert sizes["xl/worksheets/sheet9.xml"] == 2**30
        with packed.open("xl/worksheets/sheet9.xml") as sheet:
            assert sheet.read(1000) == bytes(1000)
