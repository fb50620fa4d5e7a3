"""Metrics over tracks and spans against numbers recorded from the authors' evaluators."""

import json
from pathlib import Path

import numpy as np
import pytest
from golden.vidvrd_metrics import inputs

from vidsgg.metrics.spans import SpanRelation, SpanVideo, box_overlaps, mask_overlaps, span_recall
from vidsgg.metrics.tracks import (
    errors,
    relation_detection,
    relation_tagging,
    triplets_of,
    unseen,
    viou,
)
from vidsgg.structures.instances import RelationInstance

GOLDEN = Path(__file__).parent.parent / "golden/vidvrd_metrics"
CASES = json.loads((GOLDEN / "cases.json").read_text(encoding="utf-8"))


def cases_of(task):
    return pytest.mark.parametrize(
        "case", [case for case in CASES if case["task"] == task], ids=lambda case: case["id"]
    )


def config_of(case, defaults):
    return {name: value for name, value in case.items() if name in (*defaults, "seed")}


def expected_of(case):
    return np.load(GOLDEN / f"{case['id']}.npz")


def assert_near(have, want):
    np.testing.assert_allclose(have, want, rtol=0, atol=1e-6)


def true_instances(document):
    category = {entry["tid"]: entry["category"] for entry in document["subject/objects"]}
    boxes = [
        {entry["tid"]: [entry["bbox"][side] for side in ("xmin", "ymin", "xmax", "ymax")] for entry in f}
        for f in document["trajectories"]
    ]

    def instance(entry):
        begin, end = entry["begin_fid"], entry["end_fid"]
        subject, obj = ([boxes[t][entry[f"{name}_tid"]] for t in range(begin, end)] for name in ("subject", "object"))
        triplet = (category[entry["subject_tid"]], entry["predicate"], category[entry["object_tid"]])
        return RelationInstance(triplet, begin, end, subject, obj)

    return [instance(entry) for entry in document["relation_instances"]]


def said(entry):
    return RelationInstance(
        tuple(entry["triplet"]), *entry["duration"], entry["sub_traj"], entry["obj_traj"], entry["score"]
    )


def videos_of(case):
    made = inputs.make_case(config_of(case, inputs.DEFAULTS))
    train, test = (
        {document["video_id"]: true_instances(document) for document in made[part]} for part in ("train", "test")
    )
    return train, test, {video: [said(entry) for entry in entries] for video, entries in made["predictions"].items()}


@cases_of("viou")
def test_overlaps_of_trajectories(case):
    pairs = inputs.make_viou(case["seed"], case["pairs"])
    assert_near([viou(a, *span_a, b, *span_b) for a, span_a, b, span_b in pairs], expected_of(case)["viou"])


@cases_of("relations")
def test_detection_and_tagging(case):
    train, test, predictions = videos_of(case)
    expected = expected_of(case)
    found, tagged = relation_detection(test, predictions), relation_tagging(test, predictions)
    assert_near(found.mean_ap, expected["mean_ap"])
    assert_near(found.recall, expected["recall"])
    assert_near(tagged.precision, expected["precision"])
    assert_near([video.average_precision for video in found.videos.values()], expected["video_ap"])
    np.testing.assert_array_equal([video.relations for video in found.videos.values()], expected["video_relations"])
    assert_near([tagged.videos.get(video, (np.nan,) * 3) for video in test], expected["video_precision"])
    np.testing.assert_array_equal([len(video.hits) for video in found.videos.values()], expected["hit_len"])
    np.testing.assert_array_equal([hit for video in found.videos.values() for hit in video.hits], expected["hit_flat"])

    kept, said_of_them = unseen(test, predictions, triplets_of(train))
    assert len(triplets_of(kept)) == expected["unseen_triplets"]
    assert sum(map(len, kept.values())) == expected["unseen_relations"]
    new, new_tagged = relation_detection(kept, said_of_them), relation_tagging(kept, said_of_them)
    assert_near(new.mean_ap, expected["unseen_mean_ap"])
    assert_near(new.recall, expected["unseen_recall"])
    assert_near(new_tagged.precision, expected["unseen_precision"])


@cases_of("errors")
def test_kinds_of_mistakes(case):
    _, test, predictions = videos_of(case)
    expected, found = expected_of(case), errors(test, predictions)
    np.testing.assert_array_equal([len(kinds) for kinds in found.kinds.values()], expected["type_len"])
    np.testing.assert_array_equal(np.concatenate(list(found.kinds.values())), expected["type_flat"])
    np.testing.assert_array_equal(found.counts, expected["count"])
    np.testing.assert_array_equal(found.missed, expected["missed"])
    assert_near(found.ap, expected["video_ap"])
    assert_near(found.cured - found.ap[:, None], expected["video_gain"])
    assert_near(round(found.ap.mean(), 4), expected["mean_ap"])
    assert_near(np.round(found.cured.mean(0), 4) - round(found.ap.mean(), 4), expected["gain"])


def span_video(video, masks):
    """One video of the golden as the metric takes it, its things compared by masks or by boxes."""
    frames, (height, width) = len(video["masks"]), video["masks"].shape[1:]
    true = np.where(video["boxes"] < 0, np.nan, video["boxes"]).transpose(1, 0, 2)
    tracks = np.full((len(video["tracks"]), frames, 4), np.nan)
    for m, track in enumerate(video["tracks"]):
        for frame, box in track["boxes"].items():
            tracks[m, frame] = box
    visible = ~np.isnan(true[..., 0])
    if masks:
        ids = [ident for ident, _ in video["objects"]]
        true_mask = np.stack([video["masks"] == ident for ident in ids])
        drawn = np.zeros((len(tracks), frames, height, width), bool)
        for m, track in enumerate(video["tracks"]):
            for frame, (x1, y1, x2, y2) in track["boxes"].items():
                drawn[m, frame, y1 : y2 + 1, x1 : x2 + 1] = True
        visible, overlap = true_mask.any((2, 3)), mask_overlaps(true_mask, drawn)
    else:
        overlap = box_overlaps(true, tracks)
    row = {ident: i for i, (ident, _) in enumerate(video["objects"])}
    return SpanVideo(
        frames=frames,
        true_class=np.array([klass for _, klass in video["objects"]]),
        true_visible=visible,
        relations=tuple(
            SpanRelation(row[s], row[o], p, tuple(map(tuple, spans))) for s, o, p, spans in video["relations"]
        ),
        track_class=np.array([track["class"] for track in video["tracks"]]),
        track_visible=~np.isnan(tracks[..., 0]),
        overlap=overlap,
        pairs=video["pairs"],
        probability=video["prob"],
        span=video["span"],
    )


@cases_of("pvsg")
@pytest.mark.parametrize("masks", [False, True], ids=["boxes", "masks"])
def test_recall_over_spans(case, masks):
    config = config_of(case, inputs.PVSG_DEFAULTS)
    if not masks and not {**inputs.PVSG_DEFAULTS, **config}["grid"]:
        pytest.skip("boxes that cover each other overlap otherwise than their masks")
    expected = expected_of(case)
    found = span_recall([span_video(video, masks) for video in inputs.make_pvsg(config)], len(expected["total"]))
    np.testing.assert_array_equal(found.total, expected["total"])
    np.testing.assert_array_equal(found.hit, expected["hit"])
    np.testing.assert_array_equal(found.weak_hit, expected["weak_hit"])
    for name in ("hit", "weak_hit", "soft_hit", "soft_weak_hit"):
        assert_near(found.recall(name), expected[name.replace("hit", "recall")])
        assert_near(found.mean_recall(name), expected[name.replace("hit", "mean_recall")])
