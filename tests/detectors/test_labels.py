"""Labels of detectors and classes of vocabularies."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.labels import map_labels, numbered_labels, prompts_of, read_labels
from vidsgg.errors import ConfigError, DataError

CLASSES = ("__background__", "person", "cup/glass/bottle", "sofa/couch", "television", "bag", "sports bag")


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("person", "person"),
        ("Person", "person"),
        ("cup/glass/bottle", "cup/glass/bottle"),
        ("glass", "cup/glass/bottle"),  # between slashes
        ("wine glass", "cup/glass/bottle"),  # as COCO has it
        ("Wine_Glass", "cup/glass/bottle"),
        ("tv", "television"),
        ("tvmonitor", "television"),  # as darknet has COCO's
        ("sofa", "sofa/couch"),
        ("handbag", "bag"),
        ("bag", "bag"),
        ("sports_bag", "sports bag"),  # its own name before a part of another
        ("dog", None),
        ("N/A", None),
        ("__background__", None),
    ],
)
def test_what_a_label_stands_for(label: str, name: str | None) -> None:
    found = map_labels([label, "person"], CLASSES)
    assert found.index[0] == (0 if name is None else CLASSES.index(name))
    assert found.left_out == (("dog",) if label == "dog" else ())


def test_a_file_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "labels.yaml"
    file.write_text("Mug: cup/glass/bottle\nperson: null\nman: person\n")
    found = map_labels(["mug", "person", "man", "cup"], CLASSES, file)
    assert found.index == (2, 0, 1, 2)
    file.write_text('{"mug": "cup"}')
    with pytest.raises(ConfigError, match="'mug': 'cup' is no class of the model"):
        map_labels(["mug"], CLASSES, file)
    file.write_text("- mug\n")
    with pytest.raises(DataError, match=r"labels\.yaml"):
        map_labels(["mug"], CLASSES, file)


def test_which_labels_of_a_picture_are_left_out() -> None:
    found = map_labels(["person", "dog", "N/A", "cat"], CLASSES)
    sure = torch.tensor([[0.9, 0.3, 0.0, 0.0], [0.1, 0.5, 0.0, 0.4], [0.0, 0.0, 0.9, 0.0], [0.1, 0.0, 0.0, 0.24]])
    assert found.left_out_of(sure, 0.25) == {"dog"}  # a box has one label; a cat is not sure enough; N/A is nothing
    assert found.left_out_of(sure, 0.2) == {"dog", "cat"}
    assert found.left_out_of(sure[:0], 0.25) == set()


def test_no_label_of_use_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"none of the detector's labels.*Labels: dog, cat\..*-label_map FILE"):
        map_labels(["dog", "cat"], CLASSES)


def test_probabilities_of_classes() -> None:
    labels = map_labels(["cup", "bottle", "dog", "person"], CLASSES)
    probability = torch.tensor([[0.3, 0.2, 0.4, 0.1]])
    assert labels.grouped(probability, exclusive=True)[0].tolist() == pytest.approx([0.4, 0.1, 0.5, 0, 0, 0, 0])
    assert labels.grouped(probability, exclusive=False)[0].tolist() == pytest.approx([0.4, 0.1, 0.3, 0, 0, 0, 0])


def test_what_is_not_mapped_is_said() -> None:
    said = map_labels(["person", *(f"thing {i}" for i in range(20))], CLASSES).remarks
    assert said[0].startswith("labels that are no class and are left out: thing 0, ") and "(20 in all)" in said[0]
    assert said[1] == "classes that it never finds: cup/glass/bottle, sofa/couch, television, bag, sports bag"


def test_what_an_open_vocabulary_is_asked_for(tmp_path: Path) -> None:
    asked = prompts_of(SCHEMA.vocabulary.objects)
    assert asked[:3] == ("person", "bag", "bed") and {"cup", "glass", "bottle"} <= set(asked)
    assert 0 not in map_labels(asked, SCHEMA.vocabulary.objects).index
    (tmp_path / "ask.yaml").write_text("a mug of tea: cup/glass/bottle\nperson: person\nghost: null\n")
    assert prompts_of(CLASSES, tmp_path / "ask.yaml") == ("a mug of tea", "person")


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "holds no label"), ("\n\n", "holds no label"), ("a\n" * 100_001, "at most 100,000")],
)
def test_files_of_labels(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text(content)
    with pytest.raises(DataError, match=message):
        read_labels(tmp_path / "names.txt")


def test_numbers_of_labels_may_have_gaps() -> None:
    assert numbered_labels({1: "person", 3: "cup"}) == ("N/A", "person", "N/A", "cup")
    with pytest.raises(DataError):
        numbered_labels({-1: "person"})


@pytest.mark.parametrize("table", [{0: None}, {0: "a", 1: {}}, {"x": "a"}])
def test_labels_are_texts_with_whole_numbers(table: dict[object, object]) -> None:
    with pytest.raises(DataError, match="is no text"):
        numbered_labels(table)  # type: ignore[arg-type]
