"""A library of a million relations: ``python -m benchmarks.library [-relations N]``.

Builds it from generated graph files, asks ten questions, and asks one of them of the JSON files in
plain Python, in the same run.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peak import peak_mib
from vidsgg.io.graphs import SUFFIX, graph_text
from vidsgg.library.build import add_files
from vidsgg.library.folder import LibraryFolder
from vidsgg.library.search import Library
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, RelationInterval, VideoGraph

CLASSES = ("person", "cup", "table", "chair", "book", "phone", "bed", "door", "sofa", "dish", "box", "bag")
PREDICATES = tuple(f"predicate_{i}" for i in range(26))  # the first ones are frequent
RELATIONS_A_VIDEO, FRAMES_A_VIDEO = 100, 10
QUERIES = (
    "person predicate_0 cup",
    "* predicate_20 phone",
    "person predicate_7 ?x for 15s score 0.9",
    "* * * score 0.999",
    "person predicate_3 cup then within 10s person predicate_4 table",
    "person predicate_1 ?x then within 5s person predicate_2 ?x",
    "person predicate_0 * while person predicate_1 *",
    "person predicate_5 cup then not within 10s person predicate_6 cup",
    "person predicate_1 cup before person predicate_2 chair before person predicate_3 table",
    "person ?a predicate_9 book then person ?a predicate_10 phone then person ?a predicate_11 door",
)


def graphs(count: int) -> Iterator[VideoGraph]:
    """Videos of ten minutes, a person and eleven things in each."""
    nodes = tuple(GraphNode(label, 0.9, (0.0, 0.0, 9.0, 9.0), track) for track, label in enumerate(CLASSES))
    for video in range(count):
        draw = random.Random(video)
        relations = []
        for _ in range(RELATIONS_A_VIDEO):
            thing, begin = draw.randrange(1, len(CLASSES)), round(draw.uniform(0, 580), 2)
            end = round(begin + draw.uniform(0, 20), 2)
            predicate = PREDICATES[int(len(PREDICATES) * draw.random() ** 3)]
            frames = int(begin * 25) + 1, int(end * 25) + 1
            names = CLASSES[0], CLASSES[thing], predicate, "contacting"
            relations.append(RelationInterval(0, thing, *names, begin, end, *frames, round(draw.random(), 4)))
        relations.sort(key=lambda relation: relation.begin or 0.0)
        edges = tuple(GraphEdge(0, thing, PREDICATES[thing], "contacting", 0.5) for thing in range(1, 6))
        frames_ = tuple(
            GraphFrame(f"{video}/{n}", n * 1500 + 1, n * 60.0, 640, 480, nodes, edges) for n in range(FRAMES_A_VIDEO)
        )
        yield VideoGraph(f"video{video:06}.mp4", "own", frames_, tuple(relations))


def in_plain_python(files: list[Path]) -> int:
    """How often ``person predicate_1 ?x then within 5s person predicate_2 ?x`` holds in JSON files."""
    hits = 0
    for file in files:
        relations = json.loads(file.read_bytes())["relations"]
        first, second = ([r for r in relations if r["predicate"] == name] for name in PREDICATES[1:3])
        hits += sum(
            a["object_track"] == b["object_track"] and b["begin"] > a["begin"] and b["begin"] - a["end"] <= 5
            for a in first
            for b in second
        )
    return hits


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-relations", type=int, default=1_000_000)
    count = max(1, parser.parse_args(argv).relations // RELATIONS_A_VIDEO)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = []
        for graph in graphs(count):
            files.append(root / f"{graph.video_id}{SUFFIX}")
            files[-1].write_bytes(graph_text(graph))
        json_bytes = sum(file.stat().st_size for file in files)
        begin = time.perf_counter()
        library = LibraryFolder.create(root / "lib")
        add_files(library, files, lambda file, error: print(error))
        seconds = time.perf_counter() - begin
        print(
            f"{count:,} videos, {count * RELATIONS_A_VIDEO:,} relations: built in {seconds:.1f} s"
            f" ({count / seconds:,.0f} videos a second), {library.size() / 1e6:.1f} MB of Parquet from"
            f" {json_bytes / 1e6:,.1f} MB of JSON\n"
        )
        begin = time.perf_counter()
        opened = Library(library.path)
        print(f"opened in {time.perf_counter() - begin:.2f} s\n\n| query | hits | seconds |\n|---|---:|---:|")
        seconds_of = {}
        for query in QUERIES:
            begin = time.perf_counter()
            found = opened.search(query)
            seconds_of[query] = time.perf_counter() - begin
            print(f"| `{query}` | {found.total:,} | {seconds_of[query]:.2f} |", flush=True)
        begin = time.perf_counter()
        hits = in_plain_python(files)
        plain = time.perf_counter() - begin
        assert hits == opened.search(QUERIES[5]).total, "the loop and the search differ"
        peak = peak_mib()
        print(
            f"\nThe sixth question over the JSON files in plain Python: {plain:.1f} s,"
            f" {plain / seconds_of[QUERIES[5]]:.0f} times as long. Peak memory of all: {peak:,.0f} MiB."
        )


if __name__ == "__main__":
    main()
