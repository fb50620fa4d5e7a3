"""Open a study: a new one, or one that is there and was made for the same search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.study import Study, StudyDirection

from vidsgg.errors import ConfigError
from vidsgg.tuning.samplers import make_sampler
from vidsgg.tuning.space import Space
from vidsgg.tuning.storage import open_storage, without_password

PRUNERS = ("median", "none")
_ABOUT = "vidsgg"  # user attribute: what the study was made for


def open_study(
    name: str, place: str, space: Space, *, sampler: str, pruner: str, seed: int, options: Mapping[str, Any]
) -> Study:
    """place: as for open_storage. sampler: "grid", "random" or "bayes". pruner: "median" or "none".
    options: those of all trials, as plain values; with the space and the kind of sampler they are
    what a study is about. Higher scores are better.

    Raises ConfigError if the storage cannot be used, or holds a study of this name that is about
    something else.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # progress is ours to tell
    study = optuna.create_study(
        storage=open_storage(place),
        study_name=name,
        direction=StudyDirection.MAXIMIZE,
        load_if_exists=True,
        sampler=make_sampler(sampler, space, seed),
        pruner=optuna.pruners.MedianPruner() if pruner == "median" else optuna.pruners.NopPruner(),
    )
    # random and Bayesian search may take turns: both look at all trials
    kind = "grid" if sampler == "grid" else "samples"
    about = {
        "search": {key: str(dimension) for key, dimension in space.items()},
        "trials": kind,
        "options": dict(options),
    }
    known = study.user_attrs.get(_ABOUT)
    if known is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(_ABOUT, json.loads(json.dumps(about)))
        return study
    where = f"option -study: {name!r} in {without_password(place)}"
    if known is None:
        raise ConfigError(f"{where} was not made by 'vidsgg tune'; name another study.")
    different = _differences(known, about)
    if different:
        raise ConfigError(
            f"{where} was made for another search, so its trials cannot be compared: {different}. Name another -study."
        )
    return study


def _differences(known: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between what two studies are about, in words; empty if nothing."""
    old = {
        **known["options"],
        **{f"-search {key}": text for key, text in known["search"].items()},
        "-sampler": known["trials"],
    }
    new = {
        **now["options"],
        **{f"-search {key}": text for key, text in now["search"].items()},
        "-sampler": now["trials"],
    }
    keys = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
    return ", ".join(f"{key} was {old.get(key, 'not there')}, is {new.get(key, 'not there')}" for key in keys)
