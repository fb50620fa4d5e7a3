"""EASG: what its files become. Cases are made by hand or by easg_files; the real files are looked
for through VIDSGG_EASG."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets.easg_files import OBJECTS, RELATIONS, VERBS, write_easg, write_features, write_pickle
from golden.easg_data import inputs

from vidsgg.datasets.easg import EASG, HANDS, NOMINAL_SIZE
from vidsgg.datasets.easg_features import mean_rows
from vidsgg.datasets.easg_files import SLOTS, MergedGraphs, merge_graphs
from vidsgg.errors import ConfigError, DataError
from vidsgg.structures.clip import Clip

GOLDEN = Path(__file__).parent.parent / "golden" / "easg_data"
REAL = os.environ.get("VIDSGG_EASG")
needs_easg = pytest.mark.skipif(REAL is None, reason="needs EASG's files: set VIDSGG_EASG to their folder")

CLIP = "0b5a2a2c-0000-4000-8000-000000000000"


def entry(obj: str, rel: str = "dobj", verb: str = "cut", **boxes: Any) -> dict[str, Any]:
    cells = {slot: np.float32(rows).reshape(-1, 4) for slot, rows in (boxes or {"pnr": [0.1, 0.2, 0.3, 0.4]}).items()}
    return {"obj": obj, "verb": verb, "rel": rel, "bbox": cells}


def graph(*lists: list[dict[str, Any]], number: int = 100) -> dict[str, Any]:
    return {
        "annotations": {f"a{i}": entries for i, entries in enumerate(lists)},
        "clip_frame_number": {"pre": number - 10, "pnr": number, "post": number + 20},
    }


def open_one(tmp_path: Path, *entries: dict[str, Any], **graphs: dict[str, Any]) -> EASG:
    """A data set of one clip; ``entries`` make its only graph, or ``graphs`` are given by their
    frame number (f100=...)."""
    write_easg(tmp_path, clips=1, graphs=1)
    made = {f"{CLIP}_{int(name[1:]):06d}": value for name, value in graphs.items()} or {
        f"{CLIP}_000100": graph(list(entries))
    }
    write_pickle(tmp_path / "easg_train.pkl", made)
    return EASG(tmp_path, "train")


def pixels(*relative: float) -> np.ndarray:
    return np.float32(relative) * np.float32([*NOMINAL_SIZE, *NOMINAL_SIZE])


# ---- Golden numbers of the reference.


def golden_outputs(merged: MergedGraphs) -> dict[str, np.ndarray]:
    thing, relation = np.nonzero(merged.relations)
    values = np.empty((len(merged.boxes), 1), np.float32)
    place = 0
    previous: tuple[int, int] | None = None
    for i, cell in enumerate(zip(merged.box_entry.tolist(), merged.box_slot.tolist(), strict=True)):
        place = place + 1 if cell == previous else 0
        previous = cell
        uid, aid, position = merged.entry_key[cell[0]]
        values[i] = inputs.roi_value(uid, aid, position, SLOTS[cell[1]], place)
    return {
        "verb": merged.verb,
        "n_obj": np.bincount(merged.object_graph),
        "obj": merged.object_class,
        "rels": merged.relations,
        "triplets": np.stack([merged.verb[merged.object_graph[thing]], merged.object_class[thing], relation], 1),
        "clip_value": np.float32([inputs.clip_value(aid) for aid in merged.action_key]),
        "obj_value": mean_rows(values, merged.box_object, len(merged.object_class))[:, 0],
    }


def test_golden_synthetic():
    annotations, verbs, objects, relations = inputs.synthetic(seed=7, n_graphs=20)
    outputs = golden_outputs(merge_graphs(annotations, verbs, objects, relations, "golden"))
    with np.load(GOLDEN / "open-synthetic.npz") as golden:
        assert set(golden.files) == set(outputs)
        for name in golden.files:
            np.testing.assert_allclose(
                outputs[name], golden[name], rtol=0, atol=1e-5 if name.endswith("value") else 0, err_msg=name
            )


@needs_easg
def test_golden_real():
    data = EASG(Path(REAL), "test")
    outputs = golden_outputs(data.merged)
    case = next(
        case for case in json.loads((GOLDEN / "cases.json").read_text(encoding="utf-8")) if case["id"] == "open-val"
    )
    for name, digest in case["label_sha256_int64"].items():
        assert hashlib.sha256(np.ascontiguousarray(outputs[name], np.int64).tobytes()).hexdigest() == digest, name
    with np.load(GOLDEN / "open-val.npz") as golden:
        for name in golden.files:
            np.testing.assert_allclose(outputs[name], golden[name], rtol=0, atol=1e-5, err_msg=name)


# ---- The real files: the counts of the specification.

REAL_COUNTS = {
    "train": {
        "clips": 129, "graphs": 3819, "units": 3822, "pairs": 8297, "triplets": 8485, "entries": 10413, "repeated entries": 1893,
        "boxes": 30478, "units without pre": 25, "units without pnr": 5, "units without post": 85, "grown boxes": 0,
    },
    "test": {
        "clips": 92, "graphs": 2382, "units": 2382, "pairs": 5133, "triplets": 5299, "entries": 6500, "repeated entries": 1183,
        "boxes": 19342, "units without pre": 13, "units without pnr": 5, "units without post": 48, "grown boxes": 1,
    },
}  # fmt: skip


@needs_easg
@pytest.mark.parametrize("split", ["train", "test"])
def test_real_counts(split):
    data = EASG(Path(REAL), split)
    report = data.report()
    assert {name: report[name] for name in REAL_COUNTS[split]} == REAL_COUNTS[split]
    vocabulary = data.schema.vocabulary
    assert (len(vocabulary.subjects), len(vocabulary.objects), len(vocabulary.predicates)) == (198, 392, 13)
    units = pairs = triplets = direct = 0
    for video in data:
        units += video.units
        objects = video.frame_unit[video.pair_frame] * 10 + video.node_identity[video.pair_object]
        _, once = np.unique(objects, return_index=True)
        labels = video.labels["relation"]
        pairs, triplets = pairs + len(once), triplets + int(labels[once].sum())
        direct += int(labels[once][:, vocabulary.predicates.index("dobj")].sum())
    assert (units, pairs, triplets) == tuple(REAL_COUNTS[split][name] for name in ("units", "pairs", "triplets"))
    assert direct == {"train": 3819, "test": 2381}[split]


# ---- Structure.


def test_schema(tmp_path):
    schema = EASG(write_easg(tmp_path), "train").schema
    assert schema.vocabulary.objects == ("__background__", *OBJECTS)
    assert (schema.vocabulary.subjects, schema.vocabulary.predicates) == (VERBS, RELATIONS)
    assert (schema.subject_kind, schema.unit, schema.slots, schema.box_unit) == (
        "action",
        "event",
        ("pre", "pnr", "post"),
        "relative",
    )
    assert schema.vocabulary.groups[0].exclusive == ("dobj",)
    assert schema.modes == ("predcls", "sgcls", "sgdet")
    assert schema.subject_given == ("predcls", "sgcls")
    assert not schema.has_frames
    assert not schema.features


@pytest.mark.parametrize("split", ["train", "test"])
def test_written_files_have_every_kind_of_dirt_and_load(tmp_path, split):
    data = EASG(write_easg(tmp_path, seed=3, clips=5, graphs=12), split)
    report = data.report()
    assert report["clips"] == len(data) == 5
    assert report["graphs"] == 60
    for name in ("repeated entries", "merged entries", "clipped boxes"):
        assert report[name] > 0, name
    assert sum(video.units for video in data) == report["units"]
    assert sum(video.frames for video in data) == report["frames"] < 3 * report["units"]
    for video in data:
        assert video.pairs == video.nodes > 0
        # one node per class, sorted by class
        assert (np.diff(video.node_class)[np.diff(video.node_frame) == 0] > 0).all()
        for mode in ("predcls", "sgcls", "sgdet"):
            clip = Clip.from_annotation(video, mode)
            assert (clip.node_class >= 0).all() == (mode == "predcls")
            assert (clip.action_class >= 0).all() == (mode != "sgdet")


def test_units_frames_and_nodes(tmp_path):
    everywhere = {slot: [0.1, 0.2, 0.3, 0.4] for slot in SLOTS}
    late = graph(
        [entry("knife", "with", "wash", post=[0, 0, 0.5, 0.5]), entry("cup", "dobj", "wash", **everywhere)], number=300
    )
    early = graph(
        [entry("water", "dobj", "pour", pre=[0, 0, 1, 1])],
        [entry("sponge", "dobj", "cut", pnr=[0, 0, 0.5, 1])],
        number=200,
    )
    data = open_one(tmp_path, f300=late, f200=early)
    video = data.annotation(0)
    assert list(data.video_ids) == [CLIP]
    assert (video.video_id, video.source_id, video.split, video.fps) == (CLIP, CLIP, "train", 30.0)
    # The two verbs of the early moment are two units, by verb; then the late one with three frames.
    assert video.action_class.tolist() == [VERBS.index("cut"), VERBS.index("pour"), VERBS.index("wash")]
    assert video.frame_unit.tolist() == [0, 1, 2, 2, 2]
    assert [SLOTS[s] for s in video.frame_slot] == ["pnr", "pre", "pre", "pnr", "post"]
    assert video.frame_number.tolist() == [200, 190, 290, 300, 320]
    assert video.frame_key[0] == f"{CLIP}_000200/pnr"
    assert [OBJECTS[c - 1] for c in video.node_class] == ["sponge", "water", "cup", "cup", "cup", "knife"]
    assert video.node_frame.tolist() == [0, 1, 2, 3, 4, 4]
    assert video.node_identity.tolist() == [0, 0, 0, 0, 0, 1]
    assert video.pair_subject.tolist() == [0, 1, 2, 2, 2, 2]
    assert [RELATIONS[np.flatnonzero(row)[0]] for row in video.labels["relation"]] == ["dobj"] * 5 + ["with"]
    np.testing.assert_allclose(video.node_box[2], pixels(0.1, 0.2, 0.4, 0.6), rtol=1e-6)
    np.testing.assert_array_equal(video.frame_size, np.tile(np.float32(NOMINAL_SIZE), (5, 1)))


def test_entries_of_one_class_merge_with_the_union_of_their_relations(tmp_path):
    data = open_one(
        tmp_path,
        f100=graph(
            [
                entry("left_hand", "with", pre=[0.1, 0.1, 0.2, 0.2]),
                entry("left_hand", "with", pre=[0.1, 0.1, 0.2, 0.2]),
            ],
            [entry("left_hand", "in", pnr=[0.5, 0.5, 0.2, 0.2])],
        ),
    )
    video = data.annotation(0)
    assert video.nodes == 2
    assert video.node_identity.tolist() == [0, 0]
    for row in video.labels["relation"]:
        assert {RELATIONS[i] for i in np.flatnonzero(row)} == {"with", "in"}
    report = data.report()
    assert (report["entries"], report["merged entries"], report["repeated entries"], report["units"]) == (3, 2, 1, 1)


@pytest.mark.parametrize("hand", HANDS)
def test_several_boxes_of_a_hand_become_their_union(tmp_path, hand):
    video = open_one(tmp_path, entry(hand, "with", pnr=[[0.1, 0.2, 0.1, 0.1], [0.5, 0.1, 0.2, 0.2]])).annotation(0)
    np.testing.assert_allclose(video.node_box, [pixels(0.1, 0.1, 0.7, 0.3)], rtol=1e-6)


def test_of_several_boxes_of_a_thing_the_largest_stays_wherever_it_is_listed(tmp_path):
    rows = [[0.1, 0.2, 0.1, 0.1], [0.5, 0.1, 0.2, 0.2], [0.1, 0.1, 0.2, 0.2]]  # two of one size
    found = [
        open_one(tmp_path, entry("cup", pnr=[rows[i] for i in order])).annotation(0).node_box
        for order in ([0, 1, 2], [2, 1, 0])
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].shape == (1, 4)
    np.testing.assert_allclose(found[0][0, 2:] - found[0][0, :2], np.float32(NOMINAL_SIZE) * 0.2, rtol=1e-5)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((-0.1, 0.2, 0.3, 0.4), (0.0, 0.2, 0.2, 0.6)),
        ((0.9, 0.95, 0.2, 0.1), (0.9, 0.95, 1.0, 1.0)),
        ((-1.0, -1.0, 3.0, 3.0), (0.0, 0.0, 1.0, 1.0)),
    ],
    ids=["left", "right and below", "all around"],
)
def test_boxes_are_cut_at_the_edge(tmp_path, box, expected):
    data = open_one(tmp_path, entry("cup", pnr=box))
    np.testing.assert_allclose(data.annotation(0).node_box, [pixels(*expected)], rtol=1e-5)
    assert data.report()["clipped boxes"] == 1


def test_slips_are_dropped(tmp_path):
    data = open_one(
        tmp_path, entry("cup", pre=[0.2, 0.2, 0.1, 0.0], pnr=[0.2, 0.2, 0.1, 0.1], post=[1.2, 0.2, 0.1, 0.1])
    )
    assert data.annotation(0).nodes == 1
    report = data.report()
    assert (report["boxes"], report["dropped boxes"], report["grown boxes"]) == (3, 2, 0)
    assert (report["units without pre"], report["units without pnr"], report["units without post"]) == (1, 0, 1)


@pytest.mark.parametrize(
    "box",
    [
        (0.9575, -0.00667, 0.0175, 0.00667),
        (1.5, 1.5, 0.1, 0.1),
        (-0.3, 0.5, 0.1, 0.1),
        (0.5, 0.5, 0.0, 0.0),
        (0.9999, 0.9999, 1e-5, 1e-5),
    ],
    ids=["as in the real files", "right of it", "left of it", "a point", "a point in the corner"],
)
def test_an_object_that_has_only_slips_keeps_its_relation(tmp_path, box):
    data = open_one(tmp_path, entry("cup", "with", pnr=box), entry("knife"))
    video = data.annotation(0)
    report = data.report()
    assert video.nodes == report["pairs"] == 2
    assert (report["grown boxes"], report["dropped boxes"]) == (1, 0)
    low, high = video.node_box[0].reshape(2, 2) / np.float32(NOMINAL_SIZE)
    assert (low >= 0).all()
    assert (high <= 1 + 1e-6).all()
    assert (high - low >= 0.99e-3).all()


def test_order_of_the_files_changes_nothing(tmp_path):
    """Graphs, annotations, entries and boxes shuffled: the direct object comes first in the real
    files, and must not be found so."""
    write_easg(tmp_path, seed=1, clips=3, graphs=8)
    before = list(EASG(tmp_path, "train"))
    annotations = pickle.loads((tmp_path / "easg_train.pkl").read_bytes())
    random = np.random.default_rng(0)

    def shuffled(items):
        items = list(items)
        return [items[i] for i in random.permutation(len(items))]

    mixed = {}
    for uid, moment in shuffled(annotations.items()):
        lists = {aid: shuffled(entries) for aid, entries in shuffled(moment["annotations"].items())}
        for entries in lists.values():
            entries[:] = [
                {**e, "bbox": {s: b[random.permutation(len(b))] for s, b in shuffled(e["bbox"].items())}}
                for e in entries
            ]
        mixed[uid] = {**moment, "annotations": lists}
    assert list(mixed) != list(annotations)
    write_pickle(tmp_path / "easg_train.pkl", mixed)
    assert list(EASG(tmp_path, "train")) == before


def test_same_seed_same_files(tmp_path):
    one, two = write_easg(tmp_path / "1", seed=5), write_easg(tmp_path / "2", seed=5)
    assert all((one / path.name).read_bytes() == path.read_bytes() for path in two.iterdir())


# ---- Features.


def test_features_are_means_over_boxes(tmp_path):
    first = entry("cup", pre=[[0.1, 0.1, 0.2, 0.2], [0.3, 0.3, 0.2, 0.2]], pnr=[0.1, 0.1, 0.2, 0.2])
    again = entry("cup", "with", pre=[0.1, 0.1, 0.2, 0.2], post=[0.2, 0.2, 0.0, 0.1])  # the last box is dropped
    open_one(tmp_path, f100=graph([first, entry("board", "on", pnr=[0, 0, 1, 1])], [again]))
    write_features(tmp_path, "train")
    data = EASG(tmp_path, "train")
    assert dict(data.schema.features) == {"object": 1024, "action": 2304}
    roi = pickle.loads((tmp_path / "roi_feats_train.pkl").read_bytes())[f"{CLIP}_000100"]
    columns = data.features(0)
    video = data.annotation(0)
    assert [(OBJECTS[c - 1], SLOTS[video.frame_slot[f]]) for c, f in zip(video.node_class, video.node_frame, strict=True)] == [
        ("cup", "pre"), ("board", "pnr"), ("cup", "pnr"),
    ]  # fmt: skip
    cup_pre = np.concatenate([roi["a0"][0]["pre"], roi["a1"][0]["pre"]]).mean(0)
    expected = np.stack([cup_pre, roi["a0"][1]["pnr"][0], roi["a0"][0]["pnr"][0]])
    np.testing.assert_allclose(columns["node_feature"], expected, rtol=1e-5, atol=1e-6)
    assert columns["node_rows"].tolist() == [3, 1, 1]
    action = torch.load(tmp_path / "verb_features.pt", weights_only=True)
    np.testing.assert_array_equal(columns["action_feature"], action["a1"].numpy()[None])  # the last annotation read
    clip = Clip.from_annotation(video, **{name: torch.from_numpy(column) for name, column in columns.items()})
    assert clip.node_feature.dtype == clip.action_feature.dtype == torch.float32


def test_features_fit_every_clip(tmp_path):
    write_features(write_easg(tmp_path, clips=3, graphs=5), "test")
    data = EASG(tmp_path, "test")
    for i, video in enumerate(data):
        columns = data.features(i)
        assert columns["node_feature"].shape == (video.nodes, 1024)
        assert columns["action_feature"].shape == (video.units, 2304)
        assert columns["node_rows"].shape == (video.nodes,)
        assert columns["node_rows"].min() >= 1
        features = [column for name, column in columns.items() if name != "node_rows"]
        assert all(np.isfinite(column).all() and column.dtype == np.float32 for column in features)


@pytest.mark.parametrize(
    ("action", "roi", "expected"),
    [(True, False, {"action": 2304}), (False, True, {"object": 1024}), (False, False, {})],
)
def test_only_the_features_that_are_there(tmp_path, action, roi, expected):
    write_features(write_easg(tmp_path, clips=1, graphs=2), action=action, roi=roi)
    data = EASG(tmp_path, "train")
    assert dict(data.schema.features) == expected
    assert {name.split("_")[0] for name in data.features(0)} == {
        {"object": "node"}.get(name, name) for name in expected
    }


def test_damaged_features_are_named(tmp_path):
    write_features(write_easg(tmp_path, clips=1, graphs=2))
    roi = pickle.loads((tmp_path / "roi_feats_train.pkl").read_bytes())
    lists = next(iter(roi.values()))
    aid, cells = next(iter(lists.items()))
    slot = next(iter(cells[0]))
    whole = cells[0][slot]
    for damaged, message in (
        (whole[:0], r"features of shape \(0, 1024\) for \d boxes"),
        (whole[:, :5], "expected"),
        (None, r"shape \(\)"),
    ):
        cells[0][slot] = damaged
        write_pickle(tmp_path / "roi_feats_train.pkl", roi)
        with pytest.raises(DataError, match=rf"roi_feats_train\.pkl.*{aid}.*entry 0.*{message}"):
            EASG(tmp_path, "train").features(0)
    lists[aid] = []  # lists shrink in the authors' script where no picture was found
    write_pickle(tmp_path / "roi_feats_train.pkl", roi)
    with pytest.raises(DataError, match=rf"{aid}.*no feature"):
        EASG(tmp_path, "train").features(0)
    (tmp_path / "roi_feats_train.pkl").unlink()

    for content, message in (({}, ": no feature for annotation"), ([1], " holds a list")):
        torch.save(content, tmp_path / "verb_features.pt")
        with pytest.raises(DataError, match=rf"verb_features\.pt{message}"):
            EASG(tmp_path, "train").features(0)
    torch.save({key: torch.zeros(7) for lists in roi.values() for key in lists}, tmp_path / "verb_features.pt")
    with pytest.raises(DataError, match="has 7 values, expected 2304"):
        EASG(tmp_path, "train").features(0)
    (tmp_path / "verb_features.pt").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"verb_features\.pt .*A dict of tensors by annotation id is expected"):
        EASG(tmp_path, "train").features(0)
    torch.save({"a": Path("x")}, tmp_path / "verb_features.pt")
    with pytest.raises(DataError, match=r"verb_features\.pt holds something other than tensors"):
        EASG(tmp_path, "train").features(0)


# ---- Errors.


@pytest.mark.parametrize("file", ["verbs.txt", "objects.txt", "relationships.txt", "easg_train.pkl"])
def test_missing_files_are_named(tmp_path, file):
    (write_easg(tmp_path) / file).unlink()
    with pytest.raises(DataError, match=file.replace(".", r"\.")):
        EASG(tmp_path, "train")


def test_unknown_split_and_mode(tmp_path):
    write_easg(tmp_path)
    with pytest.raises(ConfigError, match="no split 'val'"):
        EASG(tmp_path, "val")
    with pytest.raises(ConfigError, match="no mode 'edgecls'"):
        EASG(tmp_path, "train", "edgecls")


def test_no_pictures(tmp_path):
    with pytest.raises(DataError, match="no pictures"):
        EASG(write_easg(tmp_path), "train").images(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verb": "fly"}, r"verb 'fly' is not in verbs\.txt"),
        ({"obj": "unicorn"}, r"obj 'unicorn' is not in objects\.txt"),
        ({"rel": "above"}, r"rel 'above' is not in relationships\.txt"),
        ({"rel": ["with"]}, r"rel \['with'\] is not in relationships\.txt"),
        ({"bbox": None}, "expected a dict with verb, obj, rel and bbox"),
        ({"bbox": {}}, "has no box"),
        ({"bbox": {"now": np.zeros((1, 4), np.float32)}}, "box of 'now'"),
        ({"bbox": {"pnr": np.zeros((0, 4), np.float32)}}, r"an array of shape \(0, 4\)"),
        ({"bbox": {"pnr": np.zeros(4, np.float32)}}, r"an array of shape \(4,\)"),
        ({"bbox": {"pnr": [[0, 0, 1, 1]]}}, "box of 'pnr' is list"),
        ({"bbox": {"pnr": np.array([["a", "b", "c", "d"]])}}, "box of 'pnr'"),
        ({"bbox": {"pnr": np.float32([[0, 0, np.nan, 1]])}}, r"is not \(x, y, width, height\)"),
        ({"bbox": {"pnr": np.float32([[0.5, 0.5, -0.1, 0.1]])}}, r"is not \(x, y, width, height\)"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:20],
)
def test_bad_entries_are_named(tmp_path, change, message):
    bad = {**entry("cup"), **change}
    with pytest.raises(
        DataError, match=rf"easg_train\.pkl: graph '{CLIP}_000100', annotation 'a0', entry 1.*{message}"
    ):
        open_one(tmp_path, entry("knife"), bad)


@pytest.mark.parametrize("key", ["verb", "obj", "rel", "bbox"])
def test_entries_lacking_a_key_are_named(tmp_path, key):
    bad = {name: value for name, value in entry("cup").items() if name != key}
    with pytest.raises(DataError, match=r"entry 0 is dict .*expected a dict with verb, obj, rel and bbox"):
        open_one(tmp_path, bad)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        {},
        {"annotations": {}},
        {**graph(), "clip_frame_number": {"pre": 1}},
        {**graph(), "clip_frame_number": {"pre": 1, "pnr": 10**30, "post": 3}},
        np.float64(2),
        {**graph(), "annotations": [1]},
        {**graph(), "annotations": {"a": 3}},
    ],
    ids=["none", "empty", "no numbers", "two numbers missing", "a huge number", "a number", "a list", "no list"],
)
def test_bad_graphs_are_named(tmp_path, bad):
    write_easg(tmp_path)
    write_pickle(tmp_path / "easg_train.pkl", {f"{CLIP}_000100": bad})
    with pytest.raises(DataError, match=rf"easg_train\.pkl: graph '{CLIP}_000100'"):
        EASG(tmp_path, "train")


@pytest.mark.parametrize(
    "content", [{}, [], None, {f"{CLIP}_000100": graph([])}], ids=["no graph", "a list", "none", "no entry"]
)
def test_files_without_graphs(tmp_path, content):
    write_easg(tmp_path)
    write_pickle(tmp_path / "easg_train.pkl", content)
    with pytest.raises(DataError, match=r"easg_train\.pkl"):
        EASG(tmp_path, "train")


def test_a_pickle_that_asks_for_code_is_refused(tmp_path):
    write_easg(tmp_path)
    (tmp_path / "easg_train.pkl").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(DataError, match=r"easg_train\.pkl: the pickle asks for os\.system"):
        EASG(tmp_path, "train")


@pytest.mark.parametrize(
    "uid",
    ["../../../../x_1", "/tmp/x_1", "C:x_1", "a\\b_1", "a\0b_1", ".._1", "_1", "x", "x" * 300 + "_1", 7, b"x_1"],
    ids=lambda uid: repr(uid)[:20],
)
def test_names_of_clips_never_lead_out_of_a_folder(tmp_path, uid):
    write_easg(tmp_path)
    write_pickle(tmp_path / "easg_train.pkl", {f"{CLIP}_000100": graph([entry("cup")]), uid: graph([entry("cup")])})
    with pytest.raises(DataError, match=r"easg_train\.pkl: graph .* is not '<clip>_<frame>'") as caught:
        EASG(tmp_path, "train")
    assert len(str(caught.value)) < 1000
