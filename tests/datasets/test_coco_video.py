"""COCO-video with relations: what is read, what is refused, and what our own export gives back."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from datasets.coco_sets import small_document, write_set

from vidsgg.cli.main import main
from vidsgg.datasets.coco_video.parse import parse_coco_video
from vidsgg.datasets.coco_video.records import coco_video_schema
from vidsgg.datasets.registry import has_validation, identify, open_whole_split
from vidsgg.datasets.relation_videos import RelationVideos
from vidsgg.datasets.validation import check_dataset
from vidsgg.errors import ConfigError, DataError
from vidsgg.inference.graphs import annotated_graph
from vidsgg.io.coco_masks import mask_box
from vidsgg.io.exporters.coco import coco

SCHEMA_FILE = Path("src/vidsgg/datasets/coco_video/coco_video.schema.json")


def opened(root: Path, split: str = "train", **options: Any) -> RelationVideos:
    data = open_whole_split(root, split, "predcls", **options)
    assert isinstance(data, RelationVideos)
    return data


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("own"))


def test_vocabulary_groups_and_frames(root: Path) -> None:
    data = opened(root)
    vocabulary = data.schema.vocabulary
    assert identify(root) == ("coco_video", root) and not has_validation(root)
    assert vocabulary.objects == ("__background__", "person", "cup", "table")
    assert vocabulary.subjects == vocabulary.objects[1:]
    assert [group.predicates for group in vocabulary.groups] == [("next_to", "on"), ("hold",)]  # by id
    assert [group.direction for group in vocabulary.groups] == ["subject->object", "object->subject"]
    annotation = data.annotation(0)
    assert annotation.frame_number.tolist() == [1, 3, 5, 7]  # ids count from 0
    assert annotation.node_box[0].tolist() == [4, 4.25, 20, 34.25]
    assert (
        annotation.fps == 2 and list(data.video_ids) == ["v1", "v2"] and opened(root, "test").video_ids == ["t1", "t2"]
    )


def test_pairs_of_frames_and_of_intervals(root: Path) -> None:
    annotation = opened(root).annotation(0)
    triples = {
        (int(annotation.frame_number[f]), int(annotation.node_identity[s]), int(annotation.node_identity[o]), name)
        for s, o, f, place, use in zip(
            annotation.pair_subject,
            annotation.pair_object,
            annotation.pair_frame,
            annotation.labels["place"],
            annotation.labels["use"],
            strict=True,
        )
        for name, holds in zip(("next_to", "on", "hold"), [*place, *use], strict=True)
        if holds
    }
    # Person 1 holds the cup in frames 3 to 7 of the file, and has no box in one of them.
    assert triples == {
        (1, 0, 1, "next_to"),
        (1, 1, 0, "next_to"),
        (1, 1, 0, "hold"),
        *((frame, 2, 3, "on") for frame in (1, 3, 5, 7)),
        (3, 1, 2, "hold"),
        (7, 1, 2, "hold"),
    }
    assert [(i.subject, i.object, i.begin, i.end) for i in opened(root).intervals(0)] == [(2, 3, 1, 101), (1, 2, 3, 8)]


def test_pictures_and_the_cache(root: Path) -> None:
    fresh = opened(root)
    again = opened(root)
    assert again.annotation(1) == fresh.annotation(1) and again.fingerprint() == fresh.fingerprint()
    assert (root / ".vidsgg" / "coco_video-train.npz").is_file()
    assert [picture.shape for picture in fresh.images(0, [1])] == [(64, 96, 3)]
    assert fresh.predicate_counts().tolist() == [4, 8, 6]


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    root = write_set(tmp_path, pictures=False)
    assert opened(root).annotation(0).frames == 4
    document = small_document(frames=3)
    (root / "train.json").write_text(json.dumps(document))
    assert opened(root).annotation(0).frames == 3


def test_our_own_export_reads_back(root: Path, tmp_path: Path) -> None:
    data = opened(root)
    annotations = [data.annotation(i) for i in range(len(data))]
    (tmp_path / "train.json").write_bytes(coco([annotated_graph(annotation) for annotation in annotations]))
    back = open_whole_split(tmp_path, "train", "predcls")
    for annotation, other in zip(annotations, back, strict=True):
        assert other.schema.vocabulary == annotation.schema.vocabulary
        unnamed = replace(annotation, fps=None, source_id=other.source_id)
        assert other == replace(unnamed, schema=other.schema)


def test_a_video_that_is_not_there_is_told_with_what_is(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"no video 'nothere' in the train split, which has 'v1', \.\.\.$"):
        opened(root).find("nothere")


def test_order_and_range_of_ids_change_nothing(root: Path, tmp_path: Path) -> None:
    document = small_document()
    for name in ("videos", "images", "categories", "annotations", "predicates", "relations"):
        document[name] = document[name][::-1]
    for annotation in document["annotations"]:
        annotation["category_id"] -= 2**40
    for category in document["categories"]:
        category["id"] -= 2**40
    mixed = opened(write_set(tmp_path, pictures=False, train=document))
    for video in ("v1", "v2"):
        one, other = (data.annotation(data.find(video)) for data in (opened(root), mixed))
        # Things of a frame are in the order of the file, so they are compared by their ids.
        order = np.lexsort((other.node_identity, other.node_frame))
        assert np.array_equal(other.node_box[order], one.node_box) and one.pairs == other.pairs
        assert one.labels["place"].sum() == other.labels["place"].sum()


def test_pictures_without_a_video_are_videos_of_one_frame(tmp_path: Path) -> None:
    document = small_document(videos=1, frames=1)
    del document["images"][0]["video_id"], document["images"][0]["frame_id"]
    document["videos"], document["relations"] = [], document["relations"][:2]
    data = opened(write_set(tmp_path, pictures=False, train=document))
    assert data.video_ids == ["v1/000000.png"] and data.annotation(0).frame_number.tolist() == [1]


def test_frames_whose_relations_are_not_labelled_are_left_out(tmp_path: Path) -> None:
    document = small_document()
    for image in document["images"][1:5]:
        image["relations_labelled"] = False
    data = opened(write_set(tmp_path, train=document))
    assert data.annotation(0).frame_number.tolist() == [1] and data.annotation(1).frames == 3
    assert len(data.images(1)) == 3 and data.frame_sources(1)[0].file.name == "000002.png"


def test_a_validation_file_of_its_own(tmp_path: Path) -> None:
    root = write_set(tmp_path, pictures=False, train=small_document(), val=small_document(first="w"))
    assert opened(root, "test").video_ids == ["w1", "w2"] and not has_validation(root)
    (root / "test.json").write_text(json.dumps(small_document(first="t")))
    assert has_validation(root) and opened(root, "val").video_ids == ["w1", "w2"]


def test_the_schema_file_is_that_of_the_types_and_the_example_fits_it() -> None:
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    assert schema == json.loads(json.dumps(coco_video_schema()))
    jsonschema.validate(small_document(), schema)
    broken = small_document()
    broken["annotations"][0]["bbox"] = [1, 2, 3]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_boxes_of_masks() -> None:
    # Three columns of four rows; set: rows 1 and 2 of the middle column.
    assert mask_box({"size": [4, 3], "counts": [5, 2, 5]}, 3, 4) == (1, 1, 1, 2)
    assert mask_box({"size": [4, 3], "counts": [3, 2, 7]}, 3, 4) == (
        0,
        0,
        2,
        4,
    )  # from a column's foot to the next one's head
    assert mask_box([[1, 2, 5, 2, 5, 9.5]], 10, 10) == (1, 2, 4, 7.5)
    from faster_coco_eval.core import mask as library

    rng = np.random.default_rng(0)
    for _ in range(20):
        mask = np.zeros((30, 40), np.uint8, order="F")
        x, y = rng.integers(0, 20, 2)
        mask[y : y + rng.integers(1, 10), x : x + rng.integers(1, 20)] = rng.integers(0, 2)
        mask[y, x] = 1
        packed = library.encode(mask)
        counts = packed["counts"].decode() if isinstance(packed["counts"], bytes) else packed["counts"]
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        wanted = (columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
        assert mask_box({"size": [30, 40], "counts": counts}, 40, 30) == wanted


def change(*path: Any, to: Any) -> Any:
    """A document with one entry changed; to None removes it."""

    def changed() -> dict[str, Any]:
        document = small_document()
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        if to is None:
            del place[path[-1]]
        else:
            place[path[-1]] = to
        return document

    return changed


def twice(name: str) -> Any:
    def doubled() -> dict[str, Any]:
        document = small_document()
        document[name].append(copy.deepcopy(document[name][0]))
        return document

    return doubled


def single() -> dict[str, Any]:
    document = small_document()
    document["predicate_groups"][0]["kind"] = "single"
    return document


def subjects() -> dict[str, Any]:
    document = small_document()
    document["categories"][0]["subject"] = True
    return document


FAULTS = [
    (change("images", to=None), r"lacks the list 'images'"),
    (change("images", to=3), r"has 3 for the list 'images'"),
    (change("annotations", 0, "bbox", to=[1, 2, 3]), r"annotations\[0\].*bbox"),
    (change("annotations", 0, "bbox", to=[1, 2, 0, 4]), r"annotations id 101: bbox is .* positive sides"),
    (
        change("annotations", 0, "bbox", to=[200, 2, 5, 4]),
        r"annotations id 101: bbox .* outside its picture of 96 x 64",
    ),
    (change("annotations", 0, "bbox", to=None), r"annotations id 101: lacks 'bbox'"),
    (change("annotations", 0, "bbox", to="big"), r"annotations\[0\]: bbox is 'big'"),
    (change("annotations", 0, "category_id", to=4), r"annotations id 101: category_id is 4; no usable category"),
    (change("annotations", 0, "image_id", to=4), r"annotations id 101: image_id is 4; no image has this id"),
    (change("annotations", 0, "id", to="x"), r"annotations\[0\]: id is 'x'; expected a whole number"),
    (change("annotations", 0, "id", to=None), r"annotations\[0\].*lacks 'id'"),
    (change("annotations", 4, "category_id", to=5), r"track_id is 0, which is of another category"),
    (
        change("annotations", 1, "track_id", to=0),
        r"annotations id 102: track_id is 0, of which its image has another box",
    ),
    (change("categories", 0, "name", to=" person"), r"categories id 0 has the name ' person'; remove the white space"),
    (change("categories", 0, "name", to="cup"), r"categories id 5 has the name 'cup', which another has too"),
    (change("categories", 0, "name", to="__background__"), r"__background__"),
    (change("predicates", 0, "group", to="nowhere"), r"predicates id 11 is of the group 'nowhere'"),
    (change("predicates", 0, "name", to="hold"), r"names are unique"),
    (change("predicate_groups", 1, "kind", to="some"), r"predicate_groups\[1\].*some"),
    (change("predicate_groups", 0, "negative", to="off"), r"predicate_groups id 'place' contradicts itself.*off"),
    (change("predicates", to=[]), r"has no usable predicate"),
    (change("images", 0, "frame_id", to=2), r"images id 51: frame_id is 2, which another image of video 7 has too"),
    (change("images", 0, "frame_id", to=None), r"images id 50: lacks 'frame_id'"),
    (change("images", 0, "frame_id", to=-1), r"images\[0\]: frame_id is -1"),
    (change("images", 0, "video_id", to=8), r"images id 50: video_id is 8; no video has this id"),
    (change("images", 0, "width", to=0), r"images\[0\]: width is 0"),
    (change("images", 0, "file_name", to="../x.png"), r"images id 50: file_name is '../x.png'; expected a path below"),
    (change("videos", 0, "file_name", to="/etc/x"), r"videos id 7: file_name is '/etc/x'"),
    (change("videos", 0, "name", to="v2"), r"videos id 14: name is 'v2', which another has too"),
    (change("relations", 0, "subject_id", to=9), r"relations id 0: subject_id is 9; no annotation has this id"),
    (change("relations", 0, "subject_id", to=None), r"relations id 0: lacks 'subject_id'"),
    (change("relations", 0, "subject_id", to=105), r"subject_id is 105, which is in another image than 50"),
    (change("relations", 0, "subject_id", to=102), r"relations id 0: subject_id and object_id are both 102"),
    (change("relations", 0, "predicate_id", to=4), r"relations id 0: predicate_id is 4; no usable predicate"),
    (change("relations", 0, "video_id", to=7), r"relations id 0: has both an image_id and a video_id"),
    (change("relations", 0, "image_id", to=None), r"relations id 0: has neither an image_id nor a video_id"),
    (change("relations", 5, "begin_frame", to=None), r"relations id 5: lacks 'begin_frame'"),
    (change("relations", 5, "end_frame", to=1), r""),
    (
        change("relations", 6, "end_frame", to=2),
        r"relations id 6: end_frame is 2 and begin_frame 2; the end is exclusive",
    ),
    (change("relations", 6, "begin_frame", to=5), r""),
    (change("relations", 5, "begin_frame", to=50), r"relations id 5: frames 50 to 99 hold no image of video 7"),
    (change("relations", 5, "subject_track_id", to=4), r"subject_track_id is 4; video 7 has no box with this track_id"),
    (change("relations", 5, "object_track_id", to=2), r"subject_track_id and object_track_id are both 2"),
    (change("relations", 5, "video_id", to=8), r"relations id 5: video_id is 8; no video has this id"),
    *(
        (twice(name), "occurs twice")
        for name in ("videos", "images", "annotations", "relations", "categories", "predicates")
    ),
    (single, r"annotations 10[0-9] and 10[0-9], which relations join, have 0 predicates of the group 'place'"),
    (subjects, r"relations id 3: its subject is of a category that has no \"subject\": true"),
]


@pytest.mark.parametrize(("made", "said"), FAULTS, ids=lambda value: value[:50] if isinstance(value, str) else "")
def test_every_fault_is_named_with_its_place(tmp_path: Path, made: Any, said: str) -> None:
    root = write_set(tmp_path, pictures=False, train=made())
    if not said:  # no fault: an interval that ends between two frames
        assert len(opened(root)) == 2
        return
    for _ in range(2):  # from the file, and from the cache
        with pytest.raises(DataError, match=said) as error:
            opened(root)
        assert "train.json" in str(error.value) and "\n" not in str(error.value)
    report = check_dataset(root, "none")
    assert not report.clean and "train.json" in report.text()


def test_several_faults_are_all_told_and_may_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = small_document()
    document["annotations"][0]["bbox"] = [1, 2, -1, 4]
    document["annotations"][1]["image_id"] = 3
    document["relations"][2]["predicate_id"] = "hold"
    root = write_set(tmp_path, pictures=False, train=document)
    assert main(["data", "check", "-data_path", str(root), "-images", "none"]) == 1
    said = "".join(capsys.readouterr())
    for place in ("annotations id 101", "annotations id 102", "relations[2]", "relations id 0: subject_id is 101"):
        assert place in said, said
    with pytest.raises(DataError, match=r"more entries cannot be used; 'vidsgg data check' lists.*-skip_bad True"):
        opened(root)
    assert opened(root, skip_bad=True).annotation(0).nodes == 13


def test_a_video_belongs_to_one_split(tmp_path: Path) -> None:
    root = write_set(tmp_path, pictures=False, train=small_document(), test=small_document())
    with pytest.raises(DataError, match=r"train\.json: video 'v1' and 1 more is in test\.json too"):
        opened(root)


def test_splits_with_other_classes_are_refused_and_other_ids_are_not(tmp_path: Path) -> None:
    other = small_document(first="t")
    for entry in (*other["categories"], *other["annotations"]):
        name = "id" if "name" in entry else "category_id"
        entry[name] = 100 - entry[name]  # the order of the classes turns round
    root = write_set(tmp_path, pictures=False, train=small_document(), test=other)
    train, test = opened(root), opened(root, "test")
    assert train.schema == test.schema
    assert train.annotation(0).node_class.tolist() == test.annotation(0).node_class.tolist()
    other["categories"][0]["name"] = "child"
    (root / "test.json").write_text(json.dumps(other))
    with pytest.raises(DataError, match=r"test\.json: the test split has the class 'child'"):
        opened(root, "test")


def test_a_table_of_facts(tmp_path: Path) -> None:
    parsed = parse_coco_video(write_set(tmp_path, pictures=False) / "train.json", "train")
    assert parsed.faults.total == 0
    assert parsed.facts["relations of a frame that stand twice, merged"] == 2
    assert parsed.facts["images within a relation over time that lack a box of it, passed over"] == 2


@pytest.mark.parametrize("text", ["", "[", "[]", '"x"', "{}", '{"images": []}', "\ufeff{", "NaN", '{"a": 1e999}'])
def test_what_is_no_such_file_gives_one_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "train.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.json") as error:
        opened(tmp_path)
    assert "\n" not in str(error.value)


def test_the_example_of_the_docs(tmp_path: Path) -> None:
    page = Path("docs/own_data.md").read_text(encoding="utf-8")
    (tmp_path / "train.json").write_text(page.split("```json\n")[1].split("```")[0], encoding="utf-8")
    annotation = opened(tmp_path).annotation(0)
    assert (annotation.frames, annotation.nodes, annotation.pairs) == (2, 6, 4)
    assert annotation.labels["place"].sum(0).tolist() == [1, 2] and annotation.labels["use"].sum() == 1


def test_pictures_may_lie_beside_the_annotations(tmp_path: Path) -> None:
    document = small_document(1, 2)
    for image in document["images"]:
        image["file_name"] = image["file_name"].replace("/", "_")
    report = check_dataset(write_set(tmp_path, train=document, test=small_document(1, 2, "t")), "all").text(3)
    assert "2 from the folder of the annotations (.png)" in report and "2 from a folder for each video (.png)" in report


def test_a_video_without_pictures_names_the_first_that_it_needs(tmp_path: Path) -> None:
    root = write_set(tmp_path, pictures=False, train=small_document())
    text = check_dataset(root, "all").text()
    first = open_whole_split(root, "train", "predcls").frame_sources(0)[0].file
    assert f"v1: {first} is missing" in text
