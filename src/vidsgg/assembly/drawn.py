"""What everybody who reads a graph should know of its model: whether it has learnt from drawn films, so
that what it says of real footage means nothing, and whether it saw the pictures at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

from vidsgg.assembly.saved_run import SavedRun, sees_pictures
from vidsgg.datasets.splits import held_out
from vidsgg.datasets.synthetic.known import is_synthetic, training_ids
from vidsgg.methods.registry import find_method

BLIND = "Relations are guessed from boxes and classes alone; no model saw the picture."
SHORT = "trained on drawn films: meaningless on real footage"


def graph_notes(run: SavedRun) -> tuple[str, ...]:
    """What has to be said wherever graphs of a model are shown: what it learnt from, and whether it
    sees pictures."""
    of_method = find_method(run.options.model).graph_notes(run.checkpoint.schema)
    blind = () if sees_pictures(run) else (BLIND,)
    return (*drawn_note(run), *(of_method or blind))


def drawn_note(run: SavedRun) -> tuple[str, ...]:
    """A sentence for graphs and logs where the model has learnt from the synthetic world, else
    none."""
    if not learnt_from_drawings(run):
        return ()
    return ("The model was trained on drawn films (synthetic data): what it says of real footage is meaningless.",)


def learnt_from_drawings(run: SavedRun) -> bool:
    """As the checkpoint says. Older ones do not: then by the data set's folder if it is there, else
    by the names of the videos."""
    if run.made.synthetic is not None:
        return run.made.synthetic
    path = run.made.config.get("data_path")
    # A relative path may be meant from where the run lies, which may have been moved along with its
    # data.
    places = [Path(), *run.file.resolve().parents] if path else []
    return any(is_synthetic(place / str(path)) for place in places) or _has_their_videos(run)


def _has_their_videos(run: SavedRun) -> bool:
    """Whether the training videos are those that a synthetic data set of this size has; parts of
    one (``-datasize``) are not recognised."""
    record = run.made.videos
    counts = {name: text.split()[0] for name, text in record.items() if text.split()}
    if "train" not in counts or not all(count.isdecimal() and len(count) < 6 for count in counts.values()):
        return False
    learnt = int(counts["train"])
    # with the test split to validate on, and with a part held out
    for total in {learnt, learnt + int(counts.get("val", 0))}:
        ids = training_ids(total)
        held = set(held_out(ids)) if len(ids) > 1 else set()
        for left in (ids, [name for i, name in enumerate(ids) if i not in held]):
            if record["train"] == f"{len(left)} {hashlib.sha256(chr(10).join(left).encode()).hexdigest()}":
                return True
    return False
