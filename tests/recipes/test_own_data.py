"""A data set of one's own, where any thing may be a subject: every method in every mode learns,
scores and says what it cannot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from datasets.ag_files import small_set
from datasets.coco_sets import small_document, write_set
from detectors.tiny import TINY, tiny_detector

from vidsgg.cli.main import main
from vidsgg.datasets.registry import open_whole_split
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.detectors.files import load_detector, save_detector
from vidsgg.errors import DataError
from vidsgg.io.vidvrd_results import read_vidvrd_results
from vidsgg.losses.relations import RelationCriterion
from vidsgg.methods.registry import find_method
from vidsgg.metrics.tracks import relation_detection
from vidsgg.ops.candidates import annotated_clip, labelled_pairs
from vidsgg.ops.detections import settle_detections
from vidsgg.ops.pairing import kept_pairs
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits

SMALL = {
    "hidden_dim": 8, "embedding_dim": 8, "feedforward_dim": 16, "epochs": 1, "warmup_steps": 1, "num_workers": 0, "device": "cpu",
    "features": "off",
}  # fmt: skip
OF_METHOD = {
    "sttran": {},
    "tempura": {},
    "stket": {"enc_layer_num": 1, "dec_layer_num": 1},
    "dsgdetr": {},
    "scenellm": {
        "token_dim": 16, "codes": 8, "code_hidden": 16, "frame_codes": 4, "max_words": 8, "word_step": 2, "decoder_layer": 1, "epochs": 2,
        "vq_epochs": 1, "freeze_llm_epochs": 1, "llm_name": "random:llama:hidden=64,layers=2,heads=4",
    },
    "frequency": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    documents = {"train": small_document(2, 2), "test": small_document(1, 2, first="t")}
    for document in documents.values():
        document["predicate_groups"][0]["negative"] = "next_to"  # which STKET needs
    folder = write_set(tmp_path_factory.mktemp("own"), **documents)
    detector = tiny_detector(("__background__", "person", "cup", "table"))
    assert isinstance(detector, FasterRCNN) and detector.config == TINY
    save_detector(folder / "detector.pth", detector)
    return folder


@pytest.mark.parametrize("mode", ["predcls", "sgcls", "sgdet"])
@pytest.mark.parametrize("model", list(OF_METHOD))
def test_every_method_in_every_mode(root: Path, tmp_path: Path, model: str, mode: str) -> None:
    options = {} if model == "frequency" else SMALL
    options = {**options, **OF_METHOD[model], "num_workers": 0, "device": "cpu", "features": "off"}
    given = [word for name, value in options.items() for word in (f"-{name}", str(value))]
    command = ["train", "-data_path", str(root), "-model", model, "-mode", mode, "-save_path", str(tmp_path), *given]
    assert main([*command, "-val", "test", "-detector", str(root / "detector.pth")]) == 0
    assert main(["evaluate", "-checkpoint", str(tmp_path), "-num_workers", "0", "-charts", "False"]) == 0
    result = json.loads((tmp_path / "evaluation_test.json").read_text())
    assert result["frames"] == 2 and "sides are x2 - x1)" in result["description"]
    if mode == "predcls":  # every relation is among the candidates, of which there are fewer than 100
        assert result["recall"]["no"]["R"]["100"] == 1


def test_every_ordered_pair_is_a_candidate(root: Path) -> None:
    clip = annotated_clip(open_whole_split(root, "train", "predcls").annotation(0))
    assert clip.pairs == 12 + 12 and clip.labels is not None  # four things in each of two frames
    ends = set(zip(clip.pair_subject.tolist(), clip.pair_object.tolist(), strict=True))
    assert (0, 1) in ends and (1, 0) in ends and (2, 3) in ends and (3, 2) in ends
    labelled = labelled_pairs(clip)
    assert labelled is not None and labelled.sum() == 5
    assert clip.labels["place"].sum() == 4 and clip.labels["use"].sum() == 2


def test_labels_of_unlabelled_pairs_are_not_read_in_groups_of_one(tmp_path: Path) -> None:
    document = small_document(1, 1)
    document["predicate_groups"] = [{"name": "place", "kind": "single"}, {"name": "use", "kind": "multi"}]
    document["relations"] = [
        {"id": 1, "image_id": 50, "subject_id": 103, "object_id": 104, "predicate_id": 11},
        {"id": 2, "image_id": 50, "subject_id": 101, "object_id": 103, "predicate_id": 3},
    ]
    data = open_whole_split(write_set(tmp_path, pictures=False, train=document), "train", "predcls")
    clip = annotated_clip(data.annotation(0))
    assert clip.label_use is not None and clip.label_use["place"].all(1).sum() == 2 and clip.label_use["use"].all()
    right, wrong = (
        {group: torch.where(hot, value, -value) for group, hot in clip.labels.items()} for value in (9.0, -9.0)
    )
    criterion = RelationCriterion(data.schema)
    losses = [criterion(RelationLogits(groups), clip)["total"].item() for groups in (right, wrong)]
    assert losses[0] < 0.01 and losses[1] > 10


def test_the_margin_learns_that_nothing_holds(root: Path) -> None:
    clip = annotated_clip(open_whole_split(root, "train", "predcls").annotation(0))
    logits = {name: torch.zeros(hot.shape, requires_grad=True) for name, hot in clip.labels.items()}
    RelationCriterion(clip.schema)(RelationLogits(logits), clip)["total"].backward()
    negative = ~labelled_pairs(clip)
    assert (logits["use"].grad[negative] > 0).all() and (logits["place"].grad[negative] > 0).all()


def test_a_frame_keeps_its_best_and_nearest_pairs() -> None:
    box = torch.tensor([[0, 0, 2, 2], [3, 0, 5, 2], [9, 0, 11, 2], [0, 0, 1, 1.0]])
    frame = torch.tensor([0, 0, 0, 1])
    subject, obj = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([1, 2, 0, 2, 0, 1])
    given = subject, obj, frame, box, torch.ones(4)
    assert kept_pairs(*given, 2).tolist() == [0, 2]  # both directions of the nearest
    assert kept_pairs(*given, 3).tolist() == [0, 2, 3]
    assert kept_pairs(*given, 9).tolist() == list(range(6))
    found = subject, obj, frame, box, torch.tensor([0.9, 0.2, 0.8, 1.0])  # of detections the best, however far
    assert kept_pairs(*found, 2).tolist() == [1, 4] and kept_pairs(*found, 4).tolist() == [0, 1, 2, 4]


def test_relations_over_tracks_are_measured_and_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split, first in (("train", "v"), ("test", "t")):
        document = small_document(2, 4, first)
        # What holds without a gap, so that its things have boxes wherever it does.
        document["relations"] = [r for r in document["relations"] if r.get("subject_track_id") == 2]
        write_set(tmp_path / "own", **{split: document})
    root, out = tmp_path / "own", tmp_path / "run"
    command = ["train", "-data_path", str(root), "-model", "frequency", "-save_path", str(out), "-num_workers", "0"]
    assert main([*command, "-val", "test"]) == 0
    assert main(["evaluate", "-checkpoint", str(out), "-num_workers", "0"]) == 0
    said = "".join(capsys.readouterr())
    assert "relations over tracks (VidVRD and VidOR)" in said and "2 videos with 2 relations" in said
    assert "relations over spans (PVSG)" in said and (out / "mistakes_test.png").stat().st_size > 10_000
    content = json.loads((out / "evaluation_test.json").read_text())
    tracks, missed = content["tracks"], content["misses"]["with"]["20"]
    assert sum(part["share"] for part in missed.values()) == pytest.approx(1 - content["recall"]["with"]["R"]["20"])
    assert content["spans"]["R"] == {"20": 1, "50": 1, "100": 1} and content["spans"]["relations"] == 2
    assert tracks["R"]["50"] == 1 and tracks["mAP"] == 1 and tracks["P"]["1"] == 1
    assert tracks["mistakes"]["missed"] == {"count": 0, "gain": 0} and "0 missed (+0.00)" in said
    assert tracks["zero_shot"]["triplets"] == 0 and "nothing to find" in said

    graphs, results = tmp_path / "graphs", tmp_path / "results.json"
    for video in ("t1", "t2"):
        assert main(["predict", "-checkpoint", str(out), "-video", video, "-o", str(graphs)]) == 0
    assert main(["export", str(graphs), "-format", "vidvrd_results", "-o", str(results)]) == 0
    truth = open_whole_split(root, "test", "predcls").true_instances()
    found = relation_detection(truth, read_vidvrd_results(results))
    assert found.recall == (1, 1) and found.mean_ap == 1


def test_a_set_without_training_annotations_is_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, other, out = write_set(tmp_path / "own"), tmp_path / "other", tmp_path / "run"
    write_set(other, test=small_document(first="t"))
    quick = ["-num_workers", "0", "-data_path"]
    assert main(["train", "-model", "frequency", "-save_path", str(out), "-val", "test", *quick, str(root)]) == 0
    assert main(["evaluate", "-checkpoint", str(out), *quick, str(other), "-save_path", str(other)]) == 0
    said = capsys.readouterr().out
    assert "no training annotations: head, body and tail and zero-shot recall are left out" in said
    assert "zero-shot" not in said.split("left out")[1] and "mean recall of" not in said
    content = json.loads((other / "evaluation_test.json").read_text())
    assert content["frames"] == 8 and "zero_shot" not in content and "zR" not in content["recall"]["with"]
    assert (other / "mistakes_test.png").is_file() and not (other / "predicates_test.png").exists()
    assert main(["compare", str(out), str(out / "checkpoint_final.tar"), "-data_path", str(other)]) == 2
    assert "has no training annotations, by which predicates are ranked" in capsys.readouterr().err


def test_results_files_that_are_refused(tmp_path: Path) -> None:
    good = {
        "triplet": ["a", "on", "b"],
        "score": 1,
        "duration": [0, 1],
        "sub_traj": [[0, 0, 5, 5]],
        "obj_traj": [[1, 1, 2, 2]],
    }
    for change, said in (
        ({"triplet": ["a", "on"]}, "triplet"),
        ({"duration": [0, 2]}, r"results\['v'\]\[0\]: .*2 frames"),
        ({"sub_traj": [[0, 0, -5, 5]]}, r"results\['v'\]\[0\]"),
        ({"score": "high"}, "score"),
    ):
        file = tmp_path / "results.json"
        file.write_text(json.dumps({"results": {"v": [{**good, **change}]}}))
        with pytest.raises(DataError, match=said):
            read_vidvrd_results(file)
    file.write_text(json.dumps({"results": {"v": [good]}}))
    assert read_vidvrd_results(file)["v"][0].score == 1


def test_max_pairs_is_kept_from_training_to_evaluation_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_set(tmp_path / "data", pictures=False, train=small_document(2, 2), test=small_document(1, 2, "t"))
    run = tmp_path / "run"
    command = ["train", "-data_path", str(data), "-model", "frequency", "-save_path", str(run), "-num_workers", "0"]
    assert main([*command, "-val", "test", "-max_pairs", "5"]) == 0
    log = (run / "logfile.txt").read_text(encoding="utf-8")
    assert "every ordered pair of a frame, at most 5: by the scores of their boxes, then the nearest" in log
    assert "4 frames of 4 (train split) have more boxes than that allows" in log
    scored = ["evaluate", "-checkpoint", str(run), "-num_workers", "0", "-charts", "False"]
    capsys.readouterr()
    assert main(scored) == 0
    assert (
        "at most 5: by the scores of their boxes, then the nearest; in 2 frames some were left out"
        in capsys.readouterr().out
    )
    kept = json.loads((run / "evaluation_test.json").read_text())["recall"]["no"]["R"]["100"]
    assert main([*scored, "-max_pairs", "0"]) == 0
    assert "pairs: every ordered pair of a frame\n" in capsys.readouterr().out
    assert kept < json.loads((run / "evaluation_test.json").read_text())["recall"]["no"]["R"]["100"] == 1


def test_a_limit_of_pairs_is_refused_where_pairs_are_annotated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = small_set(tmp_path / "set")
    assert main(["train", "-data_path", str(data), "-model", "frequency", "-max_pairs", "5", "-val", "test"]) == 2
    assert "option -max_pairs: " in capsys.readouterr().err


@pytest.mark.parametrize("model", ["tempura", "dsgdetr", "sttran"])
def test_detections_are_related_within_the_limit(root: Path, model: str) -> None:
    """Whatever a model makes of detections, no frame has more pairs than the schema allows."""
    data = open_whole_split(root, "test", "sgdet")
    schema = replace(data.schema, max_pairs=3)
    annotation = replace(data.annotation(0), schema=schema)
    raw = find_method(model).capabilities.raw_detections
    detector = load_detector(root / "detector.pth", schema.vocabulary.objects)
    extractor = ClipExtractor(detector, "sgdet", learn=False, raw_detections=raw)
    clip = extractor(data.images(0), Clip.from_annotation(annotation, "sgdet"))
    assert clip.nodes > 8 and torch.bincount(clip.pair_frame).tolist() == [3, 3]
    if raw:
        settled, _ = settle_detections(clip, clip.node_distribution)
        assert settled.pairs <= 6
