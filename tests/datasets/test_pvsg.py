"""PVSG: files of its exact form, masks that become boxes, and its quirks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden.vidvrd_metrics import inputs
from PIL import Image

from vidsgg.cli.main import main
from vidsgg.datasets.registry import identify, open_whole_split
from vidsgg.datasets.relation_videos import RelationVideos
from vidsgg.datasets.validation import check_dataset
from vidsgg.errors import DataError
from vidsgg.io.coco_masks import _unpacked, mask_box, packed_mask

THINGS, STUFF = [f"c{i}" for i in range(4)], ["floor"]
RELATIONS = ["holding", "on", "next to", "in front of", "in", "over"]


def write(root: Path, change: Any = None) -> tuple[Path, list[dict[str, Any]]]:
    """Two videos to train on and one to test on, with masks as palette pictures."""
    videos = inputs.make_pvsg({"seed": 3, "videos": 3, "grid": False, "off": 0.2})
    data = []
    for video in videos:
        frames, height, width = video["masks"].shape
        data.append(
            {
                "video_id": video["vid"],
                "meta": {"height": height, "width": width, "fps": 5, "duration": 3, "num_frames": frames},
                "objects": [
                    {"object_id": i, "category": THINGS[k], "is_thing": True, "status": []} for i, k in video["objects"]
                ],
                "relations": [[s, o, RELATIONS[p], spans] for s, o, p, spans in video["relations"]],
                "captions": [],
            }
        )
        folder = root / "vidor/masks" / video["vid"]
        folder.mkdir(parents=True)
        for t, mask in enumerate(video["masks"]):
            picture = Image.fromarray(mask, "P")
            picture.putpalette([0, 0, 0, 200, 10, 10, 10, 200, 10, 9, 9, 9] + [7] * 12)
            picture.save(folder / f"{t:04d}.png")
    names = [entry["video_id"] for entry in data]
    document = {
        "objects": {"thing": THINGS, "stuff": STUFF},
        "relations": RELATIONS,
        "split": {"vidor": {"train": names[:2], "val": names[2:]}, "ego4d": {"train": [], "val": []}},
        "data": data,
    }
    if change:
        change(document, root)
    (root / "pvsg.json").write_text(json.dumps(document))
    return root, videos


def opened(root: Path, split: str, **options: Any) -> RelationVideos:
    data = open_whole_split(root, split, "predcls", **options)
    assert isinstance(data, RelationVideos)
    return data


def test_masks_become_boxes_and_spans_intervals(tmp_path: Path) -> None:
    root, videos = write(tmp_path)
    assert identify(root)[0] == "pvsg"
    train = opened(root, "train")
    assert train.schema.vocabulary.objects == ("__background__", *THINGS, *STUFF) and train.schema.overlap == "plus_one"
    annotation, video = train.annotation(0), videos[0]
    assert annotation.frames == len(video["masks"]) and annotation.frame_key[0].endswith("/0000.png")
    for node, (f, ident) in enumerate(zip(annotation.node_frame, annotation.node_identity, strict=True)):
        rows, columns = np.nonzero(video["masks"][f] == ident)
        low, high = (columns.min(), rows.min()), (columns.max(), rows.max())
        assert annotation.node_box[node].tolist() == [*low, *(h + (a == h) for a, h in zip(low, high, strict=True))]
    spans = sum(len(spans) for *_, spans in video["relations"])
    assert len(train.intervals(0)) == spans
    subject, _, predicate, (first, last) = *video["relations"][0][:3], video["relations"][0][3][0]
    assert train.intervals(0)[0].subject == subject and train.intervals(0)[0].predicate == predicate
    assert (train.intervals(0)[0].begin, train.intervals(0)[0].end) == (first + 1, last + 2)
    assert opened(root, "test").video_ids == [videos[2]["vid"]]
    assert opened(root, "train").annotation(0) == annotation  # from the cache


def test_quirks_are_counted(tmp_path: Path) -> None:
    def odd(document: dict[str, Any], root: Path) -> None:
        first = document["data"][0]
        first["relations"].append([1, 2, "squatting on", [[0, 3]]])
        first["relations"].append([1, 2, "on", [[0, 999]]])
        path = root / "vidor/masks" / first["video_id"] / "0000.png"
        mask = np.asarray(Image.open(path)).copy()
        mask[0, 0] = 77
        Image.fromarray(mask, "L").save(path)
        document["data"][1]["objects"].reverse()  # looked up by id, not by position

    report = check_dataset(write(tmp_path, odd)[0], "none")
    for fact in (
        "does not list, dropped: 1",
        "spans cut at the end of the video: 1",
        "no object has, passed over: 1",
        "published 338",
    ):
        assert fact in report.text()
    assert report.clean


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda d, r: d["data"][0]["objects"][0].update(category="ghost"),
            r"object 1 is 'ghost', which 'objects' does not",
        ),
        (lambda d, r: d["data"][0]["objects"].append(d["data"][0]["objects"][0]), r"object_id 1 occurs twice"),
        (lambda d, r: d["data"][0]["relations"][0].__setitem__(0, 99), r"relations\[0\] names object 99"),
        (lambda d, r: d["data"][0]["relations"][0].__setitem__(3, [[5, 2]]), r"relations\[0\] has the span \[5, 2\]"),
        (lambda d, r: d["data"][0]["meta"].update(width=7), r"0000\.png: is 48 x 36 pixels, the video 7 x 36"),
        (
            lambda d, r: next((r / "vidor/masks").iterdir()).joinpath("0001.png").write_bytes(b"x"),
            r"0001\.png: not a readable PNG",
        ),
        (lambda d, r: d["data"][0].update(relations=[[1]]), r"data\[0\]\.relations\[0\]"),
        (lambda d, r: d["objects"].pop("stuff"), r"objects lacks 'stuff'"),
        (lambda d, r: d["split"].update({"../x": {"train": ["a"]}}), r"'\.\./x' is not the name of a folder"),
    ],
)
def test_faults_are_named(tmp_path: Path, change: Any, said: str) -> None:
    root, _ = write(tmp_path, lambda document, root: change(document, root))
    with pytest.raises(DataError, match=said) as error:
        opened(root, "train")
    assert "\n" not in str(error.value) and not check_dataset(root, "none").clean


def test_a_video_without_masks(tmp_path: Path) -> None:
    root, videos = write(tmp_path)
    for path in (root / "vidor/masks" / videos[0]["vid"]).iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"has no mask such as 0000\.png"):
        opened(root, "train")
    assert len(opened(root, "train", skip_bad=True)) == 1


def test_masks_are_kept_where_that_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, videos = write(tmp_path / "set")
    train = opened(root, "train")
    annotation, masks = train.annotation(0), list(train.masks(0))
    assert train.has_masks and len(masks) == annotation.nodes
    for mask, f, ident in zip(masks, annotation.node_frame, annotation.node_identity, strict=True):
        np.testing.assert_array_equal(mask, videos[0]["masks"][f] == ident)

    assert main(["data", "convert", str(root), str(tmp_path / "plain")]) == 0
    assert "lost: the masks of things, which -masks True keeps" in capsys.readouterr().out
    assert main(["data", "convert", str(root), str(tmp_path / "own"), "-masks", "True"]) == 0
    assert "lost: the masks" not in capsys.readouterr().out
    document = json.loads((tmp_path / "own/train.json").read_text())
    assert len(document["annotations"]) == sum(a.nodes for a in train)
    for entry, mask in zip(document["annotations"], masks, strict=False):
        assert entry["segmentation"]["size"] == list(mask.shape)
        x, y, width, height = mask_box(entry["segmentation"], *mask.shape[::-1])
        assert [x, y, max(width, 2), max(height, 2)] == entry["bbox"]  # a side of one pixel is drawn with two
        if min(width, height) > 1:
            entry.pop("bbox")
    (tmp_path / "own/train.json").write_text(json.dumps(document))  # boxes of the first video out of its masks
    again, plain = (open_whole_split(tmp_path / name, "train", "predcls").annotation(0) for name in ("own", "plain"))
    assert again == plain

    assert main(["data", "convert", str(root), str(tmp_path / "x"), "-masks", "True", "-format", "vidvrd"]) == 2
    assert main(["data", "convert", str(tmp_path / "own"), str(tmp_path / "x"), "-masks", "True"]) == 2
    said = capsys.readouterr().err
    assert (
        "vidvrd cannot represent masks" in said and "has boxes and no masks" in said and not (tmp_path / "x").exists()
    )


def test_masks_are_packed_as_run_lengths() -> None:
    rng = np.random.default_rng(0)
    for share in (0.0, 0.02, 0.5, 1.0):
        mask = rng.random((37, 53)) < share
        runs = _unpacked(packed_mask(mask)["counts"])
        values = np.repeat(np.arange(len(runs)) % 2, runs)
        np.testing.assert_array_equal(values.reshape(53, 37).T, mask)
    assert packed_mask(np.array([[True, False], [True, False]]))["counts"] == "022"
