"""EASG's files: their vocabularies and annotation pickles, and how entries become graphs.

Rodin et al., CVPR 2024. The files come from the authors' repository
(easg-generation/annts_in_new_format); they are not part of this package. A pickle holds, for every
moment ``<clip>_<frame>`` (graph uid), the frame numbers of three key frames and lists of
entries by annotation id. An entry says: this verb has this relation to this object, which has these
boxes in these frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidsgg.errors import DataError, short
from vidsgg.io.files import read_text
from vidsgg.io.locations import Location
from vidsgg.io.names import is_one_name
from vidsgg.io.untrusted import MISFITS
from vidsgg.structures.checks import Array

SLOTS = ("pre", "pnr", "post")  # precondition, point of no return, postcondition
_VOCABULARY_SIZE = 1 << 20  # bytes at most; the originals have a few thousand
VOCABULARY_FILES = ("verbs.txt", "objects.txt", "relationships.txt")


@dataclass(frozen=True, eq=False)
class MergedGraphs:
    """Entries put together: one graph for each (graph uid, verb), in it one object for each class,
    with the union of its relations.

    This is the grouping of the reference (run_easg.py, ``EASGData``). G graphs in the order of the
    file, verbs of a uid as first seen; O objects by graph, as first seen; E entries; B boxes in the
    order of the file. **The order of objects gives the direct object away** (it is listed first
    nearly always): sort before anything learns from it.

    graph_uid (G). frame_number (G, 3): numbers in the clip of the three key frames. verb (G,):
    index of the verb. action_key (G): annotation id whose clip feature stands for the graph, the
    last one read. object_graph, object_class (O,): indices of graph and class, from 0. relations
    (O, R) bool. entry_key (E): (graph uid, annotation id, position in its list). entry_object (E,).
    box_entry, box_slot (B,): never decreasing entry, and key frame. boxes (B, 4) float32: x, y,
    width, height over the image's.
    repeated: entries that say again what another one of their annotation id says.
    """

    graph_uid: tuple[str, ...]
    frame_number: Array
    verb: Array
    action_key: tuple[str, ...]
    object_graph: Array
    object_class: Array
    relations: Array
    entry_key: tuple[tuple[str, str, int], ...]
    entry_object: Array
    box_entry: Array
    box_slot: Array
    boxes: Array
    repeated: int

    @property
    def box_object(self) -> Array:
        """(B,) index of the object."""
        box_object: Array = self.entry_object[self.box_entry]
        return box_object


def read_names(path: Location) -> tuple[str, ...]:
    """The lines of a vocabulary file. Raises DataError naming the file."""
    try:
        return tuple(read_text(path, _VOCABULARY_SIZE).splitlines())
    except DataError as error:
        raise DataError(f"{error} EASG's vocabulary files belong next to its pickles.") from error


def merge_graphs(
    annotations: Any, verbs: Sequence[str], objects: Sequence[str], relations: Sequence[str], where: str | Location
) -> MergedGraphs:
    """``annotations`` as the pickle ``where`` holds them, merged. Raises DataError naming file,
    graph, annotation and entry."""
    verb_id, object_id, relation_id = (
        {name: i for i, name in enumerate(names)} for names in (verbs, objects, relations)
    )
    slot_id = {name: i for i, name in enumerate(SLOTS)}
    graph_uid: list[str] = []
    frame_number: list[list[int]] = []
    verb: list[int] = []
    action_key: list[str] = []
    object_graph: list[int] = []
    object_class: list[int] = []
    entry_key: list[tuple[str, str, int]] = []
    entry_object: list[int] = []
    entry_relation: list[int] = []
    cell_entry: list[int] = []
    cell_slot: list[int] = []
    cells: list[Array] = []
    repeated = 0

    if not isinstance(annotations, Mapping) or not annotations:
        raise DataError(
            f"{where}: holds {_kind(annotations)}, expected a dict of graphs; use the authors' annotation pickle."
        )
    for uid, graph in annotations.items():
        if not isinstance(uid, str) or not is_one_name(clip_name(uid)):
            raise DataError(
                f"{where}: graph {short(uid, 120)} is not '<clip>_<frame>' with a plain name of a clip; use the"
                " authors' annotation pickle."
            )
        numbers, lists = _graph_parts(graph, f"{where}: graph {short(uid)}")
        graphs: dict[int, int] = {}  # verb -> graph
        things: dict[tuple[int, int], int] = {}  # (graph, object class) -> object
        for aid, entries in lists.items():
            said: set[tuple[Any, Any, Any]] = set()
            for position, entry in enumerate(entries):
                try:
                    v, o, r = verb_id[entry["verb"]], object_id[entry["obj"]], relation_id[entry["rel"]]
                    cells_here = entry["bbox"].items()
                except MISFITS:
                    raise _bad_entry(
                        entry,
                        verb_id,
                        object_id,
                        relation_id,
                        f"{where}: graph {short(uid)}, annotation {short(aid)}, entry {position}",
                    ) from None
                if v not in graphs:
                    graphs[v] = len(graph_uid)
                    graph_uid.append(uid)
                    frame_number.append(numbers)
                    verb.append(v)
                    action_key.append(aid)
                g = graphs[v]
                action_key[g] = aid
                if (g, o) not in things:
                    things[g, o] = len(object_graph)
                    object_graph.append(g)
                    object_class.append(o)
                for slot, boxes in cells_here:
                    if slot not in slot_id or not _are_boxes(boxes):
                        raise DataError(
                            f"{where}: graph {short(uid)}, annotation {short(aid)}, entry {position}: box of"
                            f" {short(slot)} is {_kind(boxes)}; expected numbers (k, 4) for {', '.join(SLOTS)}."
                        )
                    cell_entry.append(len(entry_key))
                    cell_slot.append(slot_id[slot])
                    cells.append(boxes)
                if not cells_here:
                    raise DataError(
                        f"{where}: graph {short(uid)}, annotation {short(aid)}, entry {position} has no box; remove the"
                        " entry."
                    )
                repeated += (v, o, r) in said
                said.add((v, o, r))
                entry_key.append((uid, aid, position))
                entry_object.append(things[g, o])
                entry_relation.append(r)

    if not entry_key:
        raise DataError(f"{where}: its {len(annotations)} graphs have no entry; use the authors' annotation pickle.")
    graph_of = np.array(object_graph, np.int64)
    order = np.argsort(graph_of, kind="stable")  # entries of two verbs of one uid may alternate
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    object_of_entry = rank[np.array(entry_object, np.int64)]
    hot = np.zeros((len(order), len(relations)), np.bool_)
    hot[object_of_entry, entry_relation] = True
    sizes = [len(cell) for cell in cells]
    merged = MergedGraphs(
        graph_uid=tuple(graph_uid),
        frame_number=np.array(frame_number, np.int64),
        verb=np.array(verb, np.int64),
        action_key=tuple(action_key),
        object_graph=graph_of[order],
        object_class=np.array(object_class, np.int64)[order],
        relations=hot,
        entry_key=tuple(entry_key),
        entry_object=object_of_entry,
        box_entry=np.repeat(np.array(cell_entry, np.int64), sizes),
        box_slot=np.repeat(np.array(cell_slot, np.int64), sizes),
        boxes=np.concatenate(cells).astype(np.float32),
        repeated=repeated,
    )
    bad = np.flatnonzero(~np.isfinite(merged.boxes).all(1) | (merged.boxes[:, 2:] < 0).any(1))
    if len(bad):
        uid, aid, position = entry_key[merged.box_entry[bad[0]]]
        box = [round(float(side), 4) for side in merged.boxes[bad[0]]]
        raise DataError(
            f"{where}: graph {short(uid)}, annotation {short(aid)}, entry {position}: box {box} is not (x, y, width,"
            " height)."
        )
    return merged


def clip_name(graph_uid: str) -> str:
    """The clip that a graph belongs to."""
    return graph_uid.rpartition("_")[0]


def _are_boxes(value: Any) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.ndim == 2
        and value.shape[1] == 4
        and len(value) > 0
        and value.dtype.kind in "fiu"
    )


def _graph_parts(graph: Any, where: str) -> tuple[list[int], Mapping[str, Any]]:
    try:
        numbers = [int(graph["clip_frame_number"][slot]) for slot in SLOTS]
        lists = graph["annotations"]
        if not all(0 <= number < 2**31 for number in numbers):
            raise ValueError
        if not isinstance(lists, Mapping) or not all(isinstance(entries, list) for entries in lists.values()):
            raise TypeError
    except MISFITS:
        raise DataError(
            f"{where}: expected 'clip_frame_number' with {', '.join(SLOTS)} (frame numbers) and 'annotations' with"
            " lists of entries; use the authors' file."
        ) from None
    return numbers, lists


def _bad_entry(
    entry: Any, verbs: Mapping[str, int], objects: Mapping[str, int], relations: Mapping[str, int], where: str
) -> DataError:
    if (
        not isinstance(entry, Mapping)
        or not {"verb", "obj", "rel", "bbox"} <= entry.keys()
        or not isinstance(entry["bbox"], Mapping)
    ):
        return DataError(f"{where} is {_kind(entry)}; expected a dict with verb, obj, rel and bbox (a dict of arrays).")
    for key, names, file in zip(("verb", "obj", "rel"), (verbs, objects, relations), VOCABULARY_FILES, strict=True):
        if not isinstance(entry[key], str) or entry[key] not in names:
            return DataError(
                f"{where}: {key} {short(entry[key])} is not in {file}; use the vocabulary files that belong to the"
                " pickle."
            )
    raise AssertionError(f"{where} is well-formed")


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}, {value.dtype}"
    return f"{type(value).__name__} {short(value, 80)}"
