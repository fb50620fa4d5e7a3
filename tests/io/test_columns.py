"""Annotations survive writing and reading exactly, whatever they hold."""

from __future__ import annotations

import json
import os
import string
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vidsgg.errors import DataError
from vidsgg.io.columns import AnnotationTable, Texts, load_columns, ragged_rows, save_columns
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup, Vocabulary

TEXT = st.text(max_size=8)
NAME = st.text(string.ascii_letters + "äß/_日 ", min_size=1, max_size=6).map(str.strip).filter(bool)
INT = st.integers(-(2**40), 2**40)


def names(low: int, high: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(NAME.filter(lambda n: n != BACKGROUND), min_size=low, max_size=high, unique=True).map(tuple)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    objects, predicates = (BACKGROUND, *draw(names(1, 4))), draw(names(2, 5))
    cut = draw(st.integers(1, len(predicates) - 1))
    groups = (
        PredicateGroup("first", predicates[:cut], kind="single"),
        PredicateGroup("second", predicates[cut:], direction="object->subject", exclusive=predicates[cut : cut + 1]),
    )
    entity = draw(st.booleans())
    unit = "frame" if entity else draw(st.sampled_from(["frame", "event"]))
    return Schema(
        name=draw(TEXT),
        vocabulary=Vocabulary(objects, objects[1:2] if entity else draw(names(1, 3)), groups),
        subject_kind="entity" if entity else "action",
        unit=unit,
        slots=("pre", "post") if unit == "event" else ("frame",),
        modes=("predcls",),
        subject_given=(),
        box_unit=draw(st.sampled_from(["pixel", "relative"])),
        features=draw(st.dictionaries(st.sampled_from(["object", "action"]), st.integers(1, 9))),
        has_frames=draw(st.booleans()),
    )


@st.composite
def annotations(draw: st.DrawFn, schema: Schema) -> VideoAnnotation:
    frames = draw(st.integers(1, 4))
    entity = schema.subject_has_box
    unit = (
        np.arange(frames)
        if schema.unit == "frame"
        else np.concatenate([[0], np.cumsum(draw(_list(st.integers(0, 1), frames - 1)))])
    )
    node_frame = np.sort(draw(st.lists(st.integers(0, frames - 1), max_size=5)))
    corner = st.floats(-100, 100, width=16)
    low = np.array(draw(_list(st.tuples(corner, corner), len(node_frame))), np.float32).reshape(-1, 2)
    side = np.array(
        draw(_list(st.tuples(st.floats(1, 50, width=16), st.floats(1, 50, width=16)), len(node_frame))), np.float32
    )
    # Pairs: any nodes of one frame, or the frame's action with a node of it.
    pairs = sorted(draw(st.lists(st.sampled_from(range(len(node_frame))), max_size=4))) if len(node_frame) else []
    frame = node_frame[pairs] if pairs else np.zeros(0, int)
    labels = {}
    for group in schema.vocabulary.groups:
        if group.kind == "single":
            labels[group.name] = np.eye(len(group), dtype=bool)[draw(_list(st.integers(0, len(group) - 1), len(pairs)))]
        else:
            labels[group.name] = np.array(draw(_list(_list(st.booleans(), len(group)), len(pairs))), bool).reshape(
                -1, len(group)
            )
    vocabulary, units = schema.vocabulary, int(unit[-1]) + 1
    return VideoAnnotation(
        schema=schema,
        video_id=draw(TEXT),
        source_id=draw(TEXT),
        split=draw(TEXT),
        fps=draw(st.none() | st.floats(0.1, 1000)),
        frame_key=draw(_list(TEXT, frames)),
        frame_number=draw(_list(INT, frames)),
        frame_unit=unit,
        frame_slot=draw(_list(st.integers(0, len(schema.slots) - 1), frames)),
        frame_size=np.array(draw(_list(st.tuples(*[st.floats(1, 5000, width=32)] * 2), frames)), np.float32),
        node_box=np.concatenate([low, low + side.reshape(-1, 2)], axis=1),
        node_class=draw(_list(st.integers(1, len(vocabulary.objects) - 1), len(node_frame))),
        node_frame=node_frame,
        node_identity=draw(_list(INT, len(node_frame))),
        action_class=[] if entity else draw(_list(st.integers(0, len(vocabulary.subjects) - 1), units)),
        pair_subject=pairs if entity else unit[frame],
        pair_object=pairs,
        pair_frame=frame,
        labels=labels,
    )


def _list(element: st.SearchStrategy, size: int) -> st.SearchStrategy[list]:
    return st.lists(element, min_size=size, max_size=size)


TABLES = schemas().flatmap(lambda schema: st.tuples(st.just(schema), st.lists(annotations(schema), max_size=4)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(TABLES)
def test_annotations_survive_writing_and_reading(tmp_path_factory: pytest.TempPathFactory, case: tuple) -> None:
    schema, videos = case
    path = tmp_path_factory.mktemp("table") / "a.npz"
    AnnotationTable.of(schema, videos).save(path)
    back = AnnotationTable.load(path)
    assert back.schema == schema and len(back) == len(videos)
    assert [back[i] for i in range(len(back))] == videos
    if videos:
        assert back[-1] == videos[-1]
    with pytest.raises(IndexError):
        back[len(videos)]


@settings(max_examples=60, deadline=None)
@given(schemas())
def test_a_schema_survives_json(schema: Schema) -> None:
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


@given(st.lists(TEXT, max_size=6), st.data())
def test_texts_are_a_list_of_strings(strings: list[str], data: st.DataObject) -> None:
    texts = Texts.of(strings)
    assert list(texts) == strings and len(texts) == len(strings)
    rows = data.draw(st.lists(st.sampled_from(range(len(strings))), max_size=6)) if strings else []
    assert list(texts.take(np.array(rows, np.int64))) == [strings[i] for i in rows]


def test_ragged_rows() -> None:
    assert ragged_rows(np.array([5, 0, 9]), np.array([2, 3, 0])).tolist() == [5, 6, 0, 1, 2]
    assert ragged_rows(np.array([]), np.array([])).tolist() == []


def test_a_table_takes_one_schema_only() -> None:
    groups = (PredicateGroup("g", ("p",)),)
    schema = Schema("a", Vocabulary((BACKGROUND, "x"), ("x",), groups), "entity")
    other = Schema("b", schema.vocabulary, "entity")
    with pytest.raises(DataError, match="'a', the table 'b'"):
        AnnotationTable.of(other, [_one(schema)])


def _one(schema: Schema) -> VideoAnnotation:
    return VideoAnnotation(
        schema=schema, video_id="v", source_id="v", split="train", fps=25.0, frame_key=("k",), frame_number=[1], frame_unit=[0],
        frame_slot=[0], frame_size=[[9, 9]], node_box=[[0, 0, 1, 1]], node_class=[1], node_frame=[0], node_identity=[-1],
        action_class=[], pair_subject=[0], pair_object=[0], pair_frame=[0], labels={g.name: [[True]] for g in schema.vocabulary.groups},
    )  # fmt: skip


def test_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    schema = Schema("a", Vocabulary((BACKGROUND, "x"), ("x",), (PredicateGroup("g", ("p",)),)), "entity")
    AnnotationTable.of(schema, [_one(schema)] * 3).save(path)
    data = path.read_bytes()
    with pytest.raises(DataError, match=r"gone\.npz: no such file"):
        AnnotationTable.load(tmp_path / "gone.npz")
    for cut in (0, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(DataError, match=r"a\.npz"):
            AnnotationTable.load(path)
    path.write_bytes(data)
    columns, header = load_columns(path)
    for change in (
        {"node_box": columns["node_box"][:-1]},
        {"start.pair": columns["start.pair"] + 1},
        {"fps": columns["fps"][:1]},
        {"frame_key.start": columns["frame_key.start"].astype(np.float64)},
    ):
        save_columns(path, {**columns, **change}, header)
        with pytest.raises(DataError, match=r"a\.npz"):
            AnnotationTable.load(path)
    save_columns(path, {k: v for k, v in columns.items() if k != "node_class"}, header)
    with pytest.raises(DataError, match="node_class"):
        AnnotationTable.load(path)
    save_columns(path, columns, {**header, "version": 99})
    with pytest.raises(DataError, match="version 99"):
        AnnotationTable.load(path)
    np.savez(path, header=np.array([{"a": 1}], dtype=object))  # a pickle inside: refused, not executed
    with pytest.raises(DataError, match=r"a\.npz"):
        AnnotationTable.load(path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    save_columns(path, {"x": np.arange(3)}, {"n": 1})

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_columns(path, {"x": np.arange(9)}, {"n": 2})
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
    columns, header = load_columns(path)
    assert columns["x"].tolist() == [0, 1, 2] and header == {"n": 1}
