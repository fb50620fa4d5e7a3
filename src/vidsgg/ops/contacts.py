"""The predicates of a group that say that two things touch, or how, or that they do not (Action
Genome's contacting)."""

from __future__ import annotations

from torch import Tensor

from vidsgg.errors import ConfigError
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import PredicateGroup


def contact_group(schema: Schema) -> tuple[PredicateGroup, int]:
    """The schema's group of contacts, and its predicate that says that there is none. Raises
    ConfigError if it has no such group, or two."""
    groups = [group for group in schema.vocabulary.groups if group.negative is not None]
    if len(groups) != 1:
        raise ConfigError(
            f"data set {schema.name!r} has {len(groups)} groups of predicates one of which says that none of the others"
            " holds, as Action Genome's not_contacting; knowledge of how contacts follow each other needs exactly one."
        )
    assert groups[0].negative is not None
    return groups[0], groups[0].predicates.index(groups[0].negative)


def predicted_contacts(logits: Tensor, negative: int, threshold: float) -> Tensor:
    """(P, C) bool of contact logits (P, C), without gradient: none but the negative one where that
    is likeliest, else the others that are at least as likely as ``threshold``.
    """
    likely = logits.detach().float().sigmoid()
    apart = likely.argmax(1) == negative
    contacts = (likely >= threshold) & ~apart[:, None]
    contacts[:, negative] = apart
    return contacts
