"""From the labels of a detector to the classes of a vocabulary.

Letters: L labels of the detector, O classes with the background at 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vidsgg.detectors.coco_classes import EQUIVALENTS, OTHER_SPELLINGS
from vidsgg.errors import ConfigError, DataError, short
from vidsgg.io.files import read_text
from vidsgg.io.untrusted import as_type, read_yaml
from vidsgg.options import closest

NOTHING = frozenset(
    ("", "n/a", "none", "null", "background", "__background__", "no object")
)  # labels that stand for nothing
LONGEST_FILE = 1 << 20  # bytes of a file of labels
MOST_LABELS = 100_000
_NAMED = 12  # labels in a remark


@dataclass(frozen=True, eq=False)
class LabelMap:
    """The class of every label. index (L,): position in ``classes``, 0 for a label that is no class."""

    labels: tuple[str, ...]
    classes: tuple[str, ...]
    index: tuple[int, ...]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Labels that are no class of the vocabulary."""
        pairs = zip(self.labels, self.index, strict=True)
        return tuple(label for label, at in pairs if at == 0 and _plain(label) not in NOTHING)

    @property
    def unseen(self) -> tuple[str, ...]:
        """Classes that no label stands for."""
        return tuple(name for at, name in enumerate(self.classes) if at and at not in self.index)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is not mapped, in words."""
        said = []
        if self.left_out:
            said.append(f"labels that are no class and are left out: {_listed(self.left_out)}")
        if self.unseen:
            said.append(f"classes that it never finds: {_listed(self.unseen)}")
        return tuple(said)

    def left_out_of(self, probability: Tensor, least: float) -> set[str]:
        """The left-out labels of the boxes of a picture. probability: (N, L); a box has its likeliest
        label, from a probability of ``least``."""
        if not len(probability):
            return set()
        likeliest, label = probability.max(1)
        names = {self.labels[at] for at in label[likeliest >= least].unique().tolist() if self.index[at] == 0}
        return {name for name in names if _plain(name) not in NOTHING}

    def grouped(self, probability: Tensor, *, exclusive: bool) -> Tensor:
        """(N, L) probabilities of labels to (N, O) of classes; column 0 holds the labels that are no class.

        exclusive: labels exclude one another (a softmax), so those of a class are added up; otherwise the
        likeliest of them counts.
        """
        index = torch.tensor(self.index, device=probability.device).expand(len(probability), -1)
        grouped = probability.new_zeros(len(probability), len(self.classes))
        return grouped.scatter_reduce(1, index, probability, "sum" if exclusive else "amax")


def map_labels(labels: Sequence[str], classes: Sequence[str], label_map: Path | None = None) -> LabelMap:
    """The class of every label: as the file says, else the class of its name.

    A name fits in any case, with spaces for underscores, as one of several between slashes
    (``sofa`` is ``sofa/couch``), and as COCO has it (``coco_classes.py``). The background, class 0, has no label.
    Raises ConfigError if no label is a class, or if the file names an unknown class; DataError naming a
    file that cannot be read.
    """
    said = {} if label_map is None else read_label_map(label_map, classes)
    names = _names_of(classes)
    index = tuple(said[plain] if (plain := _plain(label)) in said else names.get(plain, 0) for label in labels)
    if not any(index):
        raise ConfigError(
            f"none of the detector's labels is a class of the model. Labels: {_listed(labels)}. Classes:"
            f" {_listed(classes[1:])}. Map them with -label_map FILE, with lines such as 'mug: cup'."
        )
    return LabelMap(tuple(labels), tuple(classes), index)


def read_label_map(path: Path, classes: Sequence[str]) -> dict[str, int]:
    """The classes of labels, by plain label, as the file has them; 0 for ``label: null``.

    Raises DataError naming the file if it cannot be read, ConfigError for an unknown class.
    """
    content = as_type(read_yaml(path), dict[str, str | None], f"{path}: ")
    known = {name: at for at, name in enumerate(classes) if at}
    said = {}
    for label, name in content.items():
        if name is not None and name not in known:
            raise ConfigError(
                f"option -label_map: {path}: {short(label)}: {short(name)} is no class of the model{closest(name, list(known))}"
            )
        said[_plain(label)] = 0 if name is None else known[name]
    return said


def prompts_of(classes: Sequence[str], label_map: Path | None = None) -> tuple[str, ...]:
    """What an open-vocabulary detector is asked for: the labels of the file, else every name between the slashes of every class."""
    if label_map is not None:
        return tuple(label for label, at in read_label_map(label_map, classes).items() if at)
    return tuple(dict.fromkeys(_plain(part) for name in classes[1:] for part in name.split("/")))


def read_labels(path: Path) -> tuple[str, ...]:
    """A file of labels, one a line, in the order of the network's numbers from 0. Raises DataError naming the file."""
    lines = [line.strip() for line in read_text(path, LONGEST_FILE).rstrip().splitlines()]
    if not lines or not any(lines):
        raise DataError(f"{path}: holds no label; one per line is expected.")
    if len(lines) > MOST_LABELS:
        raise DataError(f"{path}: has {len(lines):,} lines; at most {MOST_LABELS:,} labels are read.")
    return tuple(lines)


def numbered_labels(table: Mapping[int, str]) -> tuple[str, ...]:
    """Labels by their numbers, which may have gaps. Raises DataError for numbers below 0 or beyond all reason,
    and for labels that are no texts."""
    if not table:
        raise DataError("there is no label.")
    if strange := [pair for pair in table.items() if not (isinstance(pair[0], int) and isinstance(pair[1], str))]:
        raise DataError(f"the label {short(strange[0][1])} of number {short(strange[0][0])} is no text.")
    if min(table) < 0 or max(table) >= MOST_LABELS:
        raise DataError(f"labels have numbers from {min(table)} to {max(table)}; 0 to {MOST_LABELS - 1} are possible.")
    return tuple(table.get(number, "N/A") for number in range(max(table) + 1))


def _names_of(classes: Sequence[str]) -> dict[str, int]:
    """Plain labels that stand for a class by their name; the class of that very name comes first."""
    found: dict[str, int] = {}
    sources = (
        lambda name: (name,),
        lambda name: EQUIVALENTS.get(name, ()),
        lambda name: name.split("/"),
    )
    for names in sources:
        for at, name in enumerate(classes):
            for label in names(name) if at else ():
                found.setdefault(_plain(label), at)
    for spelling, label in OTHER_SPELLINGS.items():
        if label in found:
            found.setdefault(spelling, found[label])
    return found


def _plain(label: str) -> str:
    return re.sub(r"[\s_]+", " ", label).strip().casefold()


def _listed(names: Sequence[str]) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > _NAMED else ""
    return ", ".join(str(name)[:60] for name in names[:_NAMED]) + more
