"""``vidsgg data priors``: what is usual for every class of objects, and what follows a contact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidsgg.cli.command_line import parse
from vidsgg.cli.documents import STDOUT, write_out
from vidsgg.errors import ConfigError, counted
from vidsgg.io.places import check_replaced
from vidsgg.options import option
from vidsgg.status import say

if TYPE_CHECKING:
    from vidsgg.datasets.priors import PredicatePriors
    from vidsgg.structures.schema import Schema


@dataclass(frozen=True)
class PriorsOptions:
    data_path: str | None = option(
        None, "folder of the data set; by default data/action_genome, if it exists", place="input", remote=True
    )
    split: Literal["train", "val", "all"] = option(
        "train", "training videos without those held out for validation, only these (val), or both"
    )
    out: Path | None = option(
        None,
        "file to write in the form of STKET's TrainPrior.json, for 'vidsgg train -priors'; - is standard output",
        aliases=["o"],
        place="new file",
        takes_stream=True,
    )


def main(argv: Sequence[str]) -> int:
    description = (
        "Count what is usual for every class of objects, as STKET knows it. Training counts by itself; no file is"
        " needed."
    )
    options = parse(PriorsOptions, argv, prog="vidsgg data priors", description=description)
    stream = options.out is not None and str(options.out) == STDOUT
    if options.out is not None and not stream:
        check_replaced("option -out", options.out, ".json")
    from vidsgg.datasets.prior_cache import known_priors
    from vidsgg.datasets.priors import priors_document, write_priors
    from vidsgg.datasets.registry import data_folder, open_whole_split
    from vidsgg.datasets.splits import hold_out_validation

    root = data_folder(options.data_path)
    videos = open_whole_split(root, "train", "predcls")
    if options.split != "all":
        videos = hold_out_validation(videos)[options.split == "val"]
    priors = known_priors(videos)
    table = [f"{root}, {counted(len(videos), 'video')}: {priors.summary()}\n", *_table(priors, videos.schema)]
    if stream:
        say("\n".join(table))
        write_out(priors_document(priors, videos.schema).encode())
        return 0
    print("\n".join(table))
    if options.out is not None:
        try:
            write_priors(options.out, priors, videos.schema)
        except OSError as error:
            raise ConfigError(f"option -out: cannot write {options.out}: {error.strerror}") from error
        print(f"\nwritten to {options.out}; train with -priors {options.out}")
    return 0


def _table(priors: PredicatePriors, schema: Schema) -> list[str]:
    """A line per class, the frequent ones first: its likeliest predicate of every group, and what
    follows its likeliest contact."""
    from vidsgg.ops.contacts import contact_group
    from vidsgg.recipes.tables import columns

    vocabulary, (group, _) = schema.vocabulary, contact_group(schema)
    slices = {g.name: slice(vocabulary.offsets[g.name], vocabulary.offsets[g.name] + len(g)) for g in vocabulary.groups}
    pairs = priors.pairs
    assert pairs is not None
    rows = [["class", "pairs", *slices, f"most likely after it ({group.name})", "contacts"]]
    for k in sorted(pairs.nonzero()[0].tolist(), key=lambda k: -pairs[k]):
        likeliest = int(priors.initial[k, slices[group.name]].argmax())
        shares = [
            *(priors.initial[k, part] for part in slices.values()),
            priors.transition[k, likeliest, slices[group.name]],
        ]
        names = [g.predicates for g in vocabulary.groups] + [group.predicates]
        best = [
            f"{name[int(s.argmax())]} {s.max():.0%}" if s.any() else "-" for s, name in zip(shares, names, strict=True)
        ]
        rows.append([vocabulary.objects[k], f"{pairs[k]:,}", *best, str(int(priors.contacts[k].sum()))])
    return columns(rows)
