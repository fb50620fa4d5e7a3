"""STKET's knowledge, handed to a model before a run starts."""

from __future__ import annotations

from pathlib import Path

from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.prior_cache import known_priors
from vidsgg.datasets.priors import PredicatePriors, read_priors
from vidsgg.errors import ConfigError
from vidsgg.models.stket import Stket
from vidsgg.recipes.model_options import StketOptions


def start_from_priors(model: Stket, videos: VideoDataset, options: StketOptions) -> list[str]:
    """Fill the model's tables from -priors, else by counting the videos that it is trained on; returns lines for the log.

    Raises DataError if the file is none, ConfigError if it is given for nothing.
    """
    if not model.knows:
        if options.priors is not None:
            raise ConfigError(f"option -priors: no part of the model reads {options.priors}; leave it out or turn -use_temporal_prior on.")
        return ["priors: not used"]
    if options.priors is None:
        priors, origin = known_priors(videos), f"counted on the {len(videos)} videos to train on"
    else:
        priors, origin = read_priors(Path(options.priors), videos.schema), f"read from {options.priors}"
    model.start_from(priors.initial, priors.transition)
    return [f"priors: {origin}; {summary(priors)}"]


def summary(priors: PredicatePriors) -> str:
    """How much there is to know."""
    known = priors.initial.any(1)
    pairs = "" if priors.pairs is None else f"{int(priors.pairs.sum()):,} pairs, "
    lacking = int((priors.contacts & ~priors.transition.any(2)).sum())
    return f"{pairs}{int(known.sum())} classes with {int(priors.contacts.sum())} contacts, {lacking} of which nothing follows"
