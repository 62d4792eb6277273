"""The world that the benchmarks ask about is what they say it is, and their client takes no half answer for one."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

from pyoxigraph import RdfFormat, Store, parse

from benchmarks import generate, peers
from benchmarks.client import TOO_LONG, Connection, get, hammer
from kg_service import resources
from kg_service.shacl import load_shapes, validate


def test_the_generated_world_breaks_no_shape() -> None:
    store = Store()
    store.extend(parse("\n".join(generate.triples(30_000)), RdfFormat.N_TRIPLES))
    report = validate(store, load_shapes(resources.folder("shapes")))
    assert not report.blocks, report.to_text()
    assert sum(report.counts.values()) < 100


def test_the_same_seed_gives_the_same_world_without_repetitions() -> None:
    world = list(generate.triples(30_000, seed=5))
    assert world == list(generate.triples(30_000, seed=5))
    assert world != list(generate.triples(30_000, seed=6))
    assert len(world) == len(set(world))
    assert 30_000 <= len(world) < 31_000


def test_a_small_world_is_the_beginning_of_a_large_one() -> None:
    small = list(generate.triples(20_000))
    assert small == list(itertools.islice(generate.triples(40_000), len(small)))


def test_a_few_networks_and_themes_are_hubs() -> None:
    links = [line.split(" ") for line in generate.triples(100_000) if "/theme/" in line or "#organization>" in line]
    for predicate in (generate.term("sse:theme"), generate.term("org:organization")):
        found = Counter(link[2] for link in links if link[1] == predicate)
        middle = sorted(found.values())[len(found) // 2]
        assert found.most_common(1)[0][1] > 5 * middle


def test_the_client_hears_whole_answers_only() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    with answering(chunked + b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n") as url:
        reply = Connection(url).ask(get(url, "ASK {}"))
        assert (reply.status, reply.media_type, reply.body) == (200, "text/plain", b"abcde")
    with answering(chunked + b"3\r\nabc\r\n") as url:  # cut off: no last chunk
        assert Connection(url).ask(get(url, "ASK {}")).status == TOO_LONG
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab") as url:
        assert Connection(url).ask(get(url, "ASK {}")).status == TOO_LONG


def test_the_client_connects_again_to_a_server_that_closes() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with answering(answer) as url:
        connection = Connection(url)
        assert [connection.ask(get(url, "ASK {}")).body for _ in range(3)] == [b"ok"] * 3
        tally = hammer(url, itertools.repeat(get(url, "ASK {}")), clients=3, seconds=0.3)
        assert tally.latencies
        assert not tally.failed


def test_the_most_popular_questions_of_the_mix_are_asked_most() -> None:
    mix = Counter(itertools.islice(peers.zipf_mix(peers.World(100, seed=1), seed=1), 20_000))
    assert len(mix) > 0.9 * peers.TEXTS
    first, second = mix.most_common(2)
    assert 1.5 < first[1] / second[1] < 2.5


@contextlib.contextmanager
def answering(*parts: bytes) -> Iterator[str]:
    """A server that answers each request with these parts, one after another, and closes the connection."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                with client, contextlib.suppress(OSError):
                    client.recv(65536)
                    for part in parts:
                        client.sendall(part)
                        time.sleep(0.01)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/sparql"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
