"""``vidsgg data unseen``, against a plain loop over the annotations."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from datasets.coco_sets import write_set

from vidsgg.cli.data.unseen import main
from vidsgg.cli.main import run
from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.registry import open_whole_split
from vidsgg.datasets.splits import hold_out_validation


def triplets(data: VideoDataset) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    objects = data.schema.vocabulary.objects
    for annotation in data:
        for group in data.schema.vocabulary.groups:
            for pair, hot in enumerate(annotation.labels[group.name]):
                ends = [
                    objects[annotation.node_class[rows[pair]]]
                    for rows in (annotation.pair_subject, annotation.pair_object)
                ]
                first, last = ends if group.direction == "subject->object" else ends[::-1]
                found.update((first, group.predicates[c], last) for c in hot.nonzero()[0])
    return found


def test_the_triplets_that_training_lacks(synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, test = (triplets(open_whole_split(synthetic, split, "predcls")) for split in ("train", "test"))
    new = {triplet: count for triplet, count in test.items() if triplet not in train}
    assert new
    assert run(main, ["-data_path", str(synthetic), "-top", "2", "-out", str(tmp_path / "u.csv")]) == 0
    said = capsys.readouterr().out
    assert f"training lacks {len(new)} of {len(test)} triplets, with {sum(new.values())} of" in said
    assert f"... and {len(new) - 2:,} more" in said
    with (tmp_path / "u.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(r["subject"], r["predicate"], r["object"]): int(r["relations"]) for r in rows} == new
    for row in rows:
        of_predicate = sum(count for triplet, count in train.items() if triplet[1] == row["predicate"])
        ends = {row["subject"], row["object"]}
        of_classes = sum(count for triplet, count in train.items() if {triplet[0], triplet[2]} == ends)
        assert (int(row["predicate_in_training"]), int(row["classes_in_training"])) == (of_predicate, of_classes)


def test_the_held_out_videos_are_not_training(synthetic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learnt, held = (triplets(part) for part in hold_out_validation(open_whole_split(synthetic, "train", "predcls")))
    assert run(main, ["-data_path", str(synthetic), "-split", "val"]) == 0
    assert f"val: training lacks {len(held.keys() - learnt.keys())} of {len(held)} triplets" in capsys.readouterr().out


def test_a_split_that_training_has_everything_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_set(tmp_path, pictures=False)
    assert run(main, ["-data_path", str(root), "-out", str(tmp_path / "u.csv")]) == 0
    said = capsys.readouterr().out
    assert "training lacks 0 of " in said and "of relations over time: training lacks 0 of 2" in said
    assert "nothing to write" in said and not (tmp_path / "u.csv").exists()
