"""Names in the files of EASG's baseline (fpv-iplab/EASG, ``run_easg.py``), mapped on ours. No file is read here."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vidsgg.datasets.easg_words import named_classes
from vidsgg.errors import CheckpointError
from vidsgg.methods.authors_file import AuthorsFile, AuthorsFormat, Found
from vidsgg.methods.easg_baseline import EasgBaselineOptions
from vidsgg.methods.method import ImportOptions
from vidsgg.methods.renaming import Rules, renamed
from vidsgg.structures.widths import FeatureWidths

RULES: Rules = (
    (r"fc_verb\.", "actions."),
    (r"fc_objs\.", "objects."),
    (r"fc_rels\.", "relations.relation."),
)


def is_easg_baseline(state: Mapping[str, object]) -> bool:
    """Whether these are the names of the authors' baseline."""
    return any(name.startswith("fc_rels.") for name in state)


def easg_baseline_state(authors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The weights under our names, and the authors' names that have no place in our model. Raises CheckpointError if nothing fits."""
    return renamed(authors, RULES, "EASG's baseline")


def infer_easg_baseline(authors: Mapping[str, Tensor]) -> FeatureWidths:
    """The widths of the features that a file's weights read. Raises CheckpointError if a weight is missing."""
    try:
        return FeatureWidths(node=authors["fc_objs.weight"].shape[1], action=authors["fc_verb.weight"].shape[1])
    except (KeyError, IndexError) as error:
        raise CheckpointError(
            f"a file of EASG's baseline has weights 'fc_objs.weight' and 'fc_verb.weight', matrices: {error}."
        ) from None


def _read(file: AuthorsFile, asked: ImportOptions) -> Found:
    widths = infer_easg_baseline(file.state)
    features = {"object": widths.node, "action": widths.action}
    known = named_classes(asked.data_path, asked.words, str(file.path), features)
    schema, vocabulary = known.schema, known.schema.vocabulary
    rows = {"fc_verb.weight": len(vocabulary.subjects), "fc_objs.weight": len(vocabulary.objects) - 1}
    file.check_rows(rows | {"fc_rels.weight": len(vocabulary.predicates)}, f"the words in {asked.data_path}")
    order = {"fc_verb.": known.verbs, "fc_objs.": known.objects, "fc_rels.": known.relations}
    state, left_over = easg_baseline_state(file.in_order(order))
    options = EasgBaselineOptions(model="easg_baseline", mode=asked.mode or EasgBaselineOptions.mode)
    return Found(options, widths, state, (), tuple(left_over), schema=schema)


AUTHORS = AuthorsFormat(
    "EASG's baseline (Rodin et al., CVPR 2024)", "fc_verb, fc_objs, fc_rels", is_easg_baseline, _read
)
