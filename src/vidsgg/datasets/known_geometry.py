"""What the model ``geometry`` knows of Action Genome's words, and how often predicates hold: as
counted by the package, and in other annotated videos.

Letters: O object classes, C predicates of a group.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vidsgg.datasets import action_genome
from vidsgg.datasets.action_genome_counts import frequencies
from vidsgg.datasets.base import VideoDataset
from vidsgg.structures.checks import Array
from vidsgg.structures.geometry_rules import GeometryRules, Role
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import Vocabulary

BUILT_IN: Schema = action_genome.SCHEMA  # of the model that needs no training

_ROLES: Mapping[str, Role] = {
    "looking_at": "look",
    "above": "above",
    "beneath": "below",
    "in_front_of": "front",
    "on_the_side_of": "beside",
    "carrying": "hand",
    "covered_by": "wear",
    "drinking_from": "mouth",
    "eating": "mouth",
    "have_it_on_the_back": "back",
    "holding": "hand",
    "leaning_on": "lean",
    "lying_on": "lie",
    "not_contacting": "apart",
    "sitting_on": "sit",
    "standing_on": "stand",
    "touching": "touch",
    "twisting": "hand",
    "wearing": "wear",
    "wiping": "hand",
    "writing_on": "hand",
}
_LEAN = 16.0  # pairs that what is known of all classes weighs against those of one, as in the frequency baseline
RULES = GeometryRules(_ROLES, bearing=("chair", "sofa/couch", "bed", "table", "floor"), too_short=("chair",))


def known_shares(vocabulary: Vocabulary) -> dict[str, Array] | None:
    """(O, C) float32 of every group: in what part of a class's pairs a predicate holds. None for classes that were not counted."""
    if vocabulary != BUILT_IN.vocabulary:
        return None
    shares = {group.name: np.zeros((len(vocabulary.objects), len(group)), np.float32) for group in vocabulary.groups}
    attention, spatial, contacting = vocabulary.groups
    for name, counted in frequencies().items():
        row = vocabulary.objects.index(name)
        shares[attention.name][row] = counted.attention
        shares[spatial.name][row] = counted.spatial
        for predicate, share in counted.contacting.items():
            shares[contacting.name][row, contacting.predicates.index(predicate)] = share
    return shares


def count_shares(videos: VideoDataset) -> tuple[dict[str, Array], int]:
    """As ``known_shares``, counted on annotated videos, and the number of pairs. Rare classes lean
    on what holds overall: (n_or + 16 P(r)) / (n_o + 16)."""
    vocabulary = videos.schema.vocabulary
    objects = len(vocabulary.objects)
    pairs = np.zeros(objects, np.int64)
    found = {group.name: np.zeros((objects, len(group)), np.int64) for group in vocabulary.groups}
    for annotation in videos:
        klass = annotation.node_class[annotation.pair_object]
        pairs += np.bincount(klass, minlength=objects)
        for name, table in found.items():
            np.add.at(table, klass, annotation.labels[name].astype(np.int64))
    total = int(pairs.sum())
    shares = {
        name: ((table + _LEAN * table.sum(0) / max(total, 1)) / (pairs[:, None] + _LEAN)).astype(np.float32)
        for name, table in found.items()
    }
    return shares, total
