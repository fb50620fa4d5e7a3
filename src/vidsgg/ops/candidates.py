"""All pairs of a frame as candidates, those without a label too."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from vidsgg.ops.pairing import SubjectRule, subject_pairs
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.clip import Clip


def annotated_clip(annotation: VideoAnnotation, mode: str = "predcls", **features: Tensor) -> Clip:
    """The clip of one annotated video, see ``Clip.from_annotation``, with the pairs that its schema
    asks for: those that are annotated, or all candidates (``with_candidates``)."""
    clip = Clip.from_annotation(annotation, mode, **features)
    return with_candidates(clip) if clip.schema.pairing == "ordered" else clip


def with_candidates(clip: Clip) -> Clip:
    """A clip of true boxes whose pairs are all that the schema's rule allows, in place of those with
    a label.

    A pair without a label is a negative. Of groups of kind "single", of which a pair has one
    predicate or is not annotated, its labels are not read (``label_use``). A labelled pair beyond
    ``max_pairs`` is no candidate either, so that scores do not depend on the labels.
    """
    assert clip.labels is not None and clip.node_target is not None
    subject, obj = subject_pairs(
        clip.node_frame, clip.node_target, clip.node_score, SubjectRule.of(clip.schema), clip.node_box
    )
    annotated, order = (clip.pair_subject * clip.nodes + clip.pair_object).sort()
    wanted = subject * clip.nodes + obj
    labels, use = {}, {}
    for group in clip.schema.vocabulary.groups:
        hot, read = clip.labels[group.name], None if clip.label_use is None else clip.label_use[group.name]
        labels[group.name] = hot.new_zeros(len(wanted), len(group))
        use[group.name] = hot.new_full((len(wanted), len(group)), group.kind == "multi")
        if len(annotated):
            place = torch.searchsorted(annotated, wanted).clamp(max=len(annotated) - 1)
            there = annotated[place] == wanted
            row = order[place[there]]
            labels[group.name][there] = hot[row]
            use[group.name][there] = True if read is None else read[row]
    all_read = clip.label_use is None and all(group.kind == "multi" for group in clip.schema.vocabulary.groups)
    return replace(
        clip,
        pair_subject=subject,
        pair_object=obj,
        pair_frame=clip.node_frame[subject],
        labels=labels,
        label_use=None if all_read else use,
    )


def labelled_pairs(clip: Clip) -> Tensor | None:
    """(P,) bool: the pairs of which any predicate holds; None where pairs without a label are not
    among the candidates."""
    if clip.schema.pairing != "ordered" or clip.labels is None:
        return None
    return torch.cat([clip.labels[group.name] for group in clip.schema.vocabulary.groups], 1).any(1)
