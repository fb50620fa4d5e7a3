"""Searches beside loops over the graphs, which follow docs/library.md word by word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from vidsgg.errors import counted
from vidsgg.library.build import add_graphs
from vidsgg.library.folder import LibraryFolder
from vidsgg.library.language import AskedRelation, AskedThing, parse_query
from vidsgg.library.search import Library
from vidsgg.structures.graph import GraphFrame, GraphNode, RelationInterval, VideoGraph

LABELS = ("person", "cup/glass/bottle", "table", "o'clock")
PREDICATES = ("holding", "on", "drinking_from")


def graph(name: str, relations: Sequence[RelationInterval]) -> VideoGraph:
    nodes = tuple(GraphNode(label, 0.5, None, track) for track, label in enumerate(LABELS))
    ordered = tuple(sorted(relations, key=lambda relation: relation.begin or 0.0))
    return VideoGraph(name, "own", (GraphFrame(f"{name}/1", 1, 0.0, 64, 48, nodes, ()),), ordered)


@st.composite
def intervals(draw: st.DrawFn) -> RelationInterval:
    subject, object_ = draw(st.sampled_from([0, 0, 1])), draw(st.sampled_from([0, 1, 2, 3]))
    begin = draw(st.integers(0, 8))
    end = begin + draw(st.integers(0, 4))
    timed = draw(st.integers(0, 9)) > 0
    times = (float(begin), float(end)) if timed else (None, None)
    predicate, score = draw(st.sampled_from(PREDICATES)), draw(st.sampled_from([0.25, 0.5, 0.75]))
    names = LABELS[subject], LABELS[object_]
    return RelationInterval(subject, object_, *names, predicate, "g", *times, begin + 1, end + 1, score)


THINGS = ["*", "person", "cup", "Table", '"o\'clock"', "?x", "cup ?x", "* ?y", "person ?x"]
CONNECTORS = ["then", "then within 2s", "before", "while", "then not", "then not within 1s", "while not", "before not"]


@st.composite
def queries(draw: st.DrawFn) -> str:
    def relation(negated: bool, seen: set[str]) -> str:
        def thing() -> str:
            word = draw(st.sampled_from(THINGS))
            name = word.split("?")[-1] if "?" in word else None
            if negated and name is not None and name not in seen:
                return "*"
            if name is not None:
                seen.add(name)
            return word

        subject, predicate, object_ = thing(), draw(st.sampled_from([*PREDICATES, "*"])), thing()
        more = draw(st.sampled_from(["", "", " for 2s", " score 0.5", " score 0.5 for 1s"]))
        return f"{subject} {predicate} {object_}{more}"

    seen: set[str] = set()
    text = relation(False, seen)
    for _ in range(draw(st.integers(0, 2))):
        connector = draw(st.sampled_from(CONNECTORS))
        text += f" {connector} {relation('not' in connector, seen)}"
    return text


def is_thing(thing: AskedThing, label: str) -> bool:
    if thing.name is None:
        return True
    wanted = thing.name.text.lower()
    return wanted == label or (wanted not in LABELS and wanted in label.split("/"))


def fits(step: AskedRelation, found: RelationInterval) -> bool:
    if not (is_thing(step.subject, found.subject) and is_thing(step.object, found.object)):
        return False
    if step.predicate is not None and step.predicate.text != found.predicate:
        return False
    if step.least_seconds and (found.begin is None or found.end - found.begin < step.least_seconds):  # type: ignore[operator]
        return False
    return found.score >= step.least_score


def bind(step: AskedRelation, found: RelationInterval, bound: dict[str, int]) -> dict[str, int] | None:
    """The things that variables stand for, None if they stand for others."""
    bound = dict(bound)
    for thing, track in ((step.subject, found.subject_track), (step.object, found.object_track)):
        if thing.variable is not None and bound.setdefault(thing.variable, track) != track:
            return None
    return bound


def follows(step: AskedRelation, before: tuple[int, RelationInterval], found: tuple[int, RelationInterval]) -> bool:
    (i, a), (j, b) = before, found
    if None in (a.begin, a.end, b.begin, b.end):
        return False
    if step.connector == "while":
        return i != j and b.begin <= a.end and a.begin <= b.end  # type: ignore[operator]
    if step.connector == "before":
        return i != j and a.end <= b.begin  # type: ignore[operator]
    return b.begin > a.begin and (step.within is None or b.begin - a.end <= step.within)  # type: ignore[operator]


def expected(graphs: Sequence[VideoGraph], steps: Sequence[AskedRelation]) -> Iterator[tuple[str, tuple[int, ...]]]:
    there = [step for step in steps if not step.negated]
    for video in graphs:
        known = list(enumerate(video.relations))
        for chosen in product(known, repeat=len(there)):
            bound: dict[str, int] | None = {}
            for step, (_, found) in zip(there, chosen, strict=True):
                bound = bind(step, found, bound) if bound is not None and fits(step, found) else None
            if bound is None or not all(follows(there[n], chosen[n - 1], chosen[n]) for n in range(1, len(there))):
                continue
            absent = True
            for n, step in enumerate(steps):
                if not step.negated:
                    continue
                done = sum(not earlier.negated for earlier in steps[:n])
                after = chosen[done][1] if done < len(there) else None
                for other in known:
                    bad = fits(step, other[1]) and bind(step, other[1], bound) is not None
                    bad = bad and follows(step, chosen[done - 1], other)
                    if bad and after is not None and step.connector != "while":
                        bad = after.begin is not None and other[1].begin < after.begin  # type: ignore[operator]
                    absent = absent and not bad
            if absent:
                yield video.video_id, tuple(index for index, _ in chosen)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(intervals(), min_size=1, max_size=6), min_size=1, max_size=3), queries())
def test_a_search_finds_what_loops_find(relations: list[list[RelationInterval]], query: str) -> None:
    graphs = [graph(f"v{i}", found) for i, found in enumerate(relations)]
    every = graph("all", [RelationInterval(i, j, LABELS[i], LABELS[j], p, "g", None, None, 1, 1, 0.0)
                          for i in range(4) for j in range(4) for p in PREDICATES])  # fmt: skip
    with TemporaryDirectory() as folder:
        library = LibraryFolder.create(Path(folder) / "lib")
        add_graphs(library, [*graphs, every])  # every word is known
        hits = Library(library.path).search(query, limit=10**6)
    found = sorted((hit.video, tuple(relation.relation for relation in hit.relations)) for hit in hits)
    steps = parse_query(query)
    assert found == sorted(expected([*graphs, every], steps))
    turned = [replace(steps[0], subject=steps[0].object, object=steps[0].subject)]
    other = 0 if found or len(steps) > 1 else len(list(expected([*graphs, every], turned)))
    assert [f"it has {counted(other, 'hit')}" in note for note in hits.notes] == [True] * (other > 0)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits.total == len(hits)
