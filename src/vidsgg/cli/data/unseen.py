"""``vidsgg data unseen``: the triplets of a split that training lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Literal

from vidsgg.cli.command_line import parse
from vidsgg.io.places import check_replaced
from vidsgg.options import option


@dataclass(frozen=True)
class UnseenOptions:
    data_path: str | None = option(
        None, "folder of the data set; by default data/action_genome, if it exists", place="input", remote=True
    )
    split: Literal["test", "val"] = option(
        "test", "videos whose triplets are compared with the others: the test split, or those for validation"
    )
    top: int = option(20, "triplets to list, the most frequent first", low=1, high=1_000_000)
    out: Path | None = option(None, "table of all of them to write (CSV)", place="new file")


def main(argv: Sequence[str]) -> int:
    description = (
        "List the triplets (class, predicate, class) of a split that the training annotations lack: what zero-shot"
        " recall of 'vidsgg evaluate' is measured on."
    )
    options = parse(UnseenOptions, argv, prog="vidsgg data unseen", description=description)
    if options.out is not None:
        check_replaced("option -out", options.out, ".csv")
    from vidsgg.assembly.data import open_split
    from vidsgg.datasets.registry import data_folder
    from vidsgg.errors import DataError, counted
    from vidsgg.recipes.report import write_rows
    from vidsgg.recipes.tables import columns
    from vidsgg.recipes.training_counts import UnseenTriplet, open_training_counts

    root = data_folder(options.data_path)
    training = open_training_counts(root, options.split)
    if training is None:
        raise DataError(f"{root}: has no training annotations, so it is unknown which triplets are seen.")
    dataset = open_split(root, "predcls", options.split, datasize="large", skip_bad=False)
    rows = training.unseen_rows(dataset)
    codes, counts = dataset.triplet_counts()
    relations, every = sum(row.relations for row in rows), int(counts.sum())
    print(
        f"{root}, {options.split}: training lacks {len(rows):,} of {counted(len(codes), 'triplet')}, with {relations:,} of"
        f" {counted(every, 'relation')} ({relations / max(every, 1):.1%})"
    )
    if over_time := dataset.true_triplets():
        print(f"of relations over time: training lacks {len(over_time - training.over_time):,} of {len(over_time):,}")
    if rows:
        head = [field.name.replace("_", " ") for field in fields(UnseenTriplet)]
        cells = [[f"{v:,}" if isinstance(v, int) else v for v in astuple(row)] for row in rows[: options.top]]
        print("\n" + "\n".join(columns([head, *cells])))
    if len(rows) > options.top:
        print(f"... and {len(rows) - options.top:,} more; -top {len(rows)} lists all, -out FILE.csv writes them")
    if options.out is not None:
        if rows:
            print(f"\nwritten to {write_rows(options.out, [asdict(row) for row in rows])}")
        else:
            print(f"there is nothing to write to {options.out}")
    return 0
