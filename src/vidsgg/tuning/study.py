"""Open a study: a new one, or one that is there and was made for the same search."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import optuna
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from vidsgg.errors import ConfigError, DataError, VidsggError, short
from vidsgg.io.untrusted import as_type
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
    where = f"option -study: {name!r} in {without_password(place)}"
    storage = open_storage(place)
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction=StudyDirection.MAXIMIZE,
            load_if_exists=True,
            sampler=make_sampler(sampler, space, seed),
            pruner=optuna.pruners.MedianPruner() if pruner == "median" else optuna.pruners.NopPruner(),
        )
        known, trials = study.user_attrs.get(_ABOUT), study.get_trials(deepcopy=False)
        directions = study.directions
    except (VidsggError, SQLAlchemyError, optuna.exceptions.OptunaError):
        raise
    except Exception as error:  # what is stored is not what Optuna writes
        raise _damaged(where, error) from error
    # random and Bayesian search may take turns: both look at all trials
    kind = "grid" if sampler == "grid" else "samples"
    about = {
        "search": {key: str(dimension) for key, dimension in space.items()},
        "trials": kind,
        "options": dict(options),
    }
    if known is None and not trials and directions == [StudyDirection.MAXIMIZE]:
        study.set_user_attr(_ABOUT, json.loads(json.dumps(about)))
        return study
    if known is None or directions != [StudyDirection.MAXIMIZE]:
        raise ConfigError(f"{where} was not made by 'vidsgg tune'; name another study.")
    try:
        different = _differences(msgspec.to_builtins(as_type(known, _About)), about)
        if not different:
            for trial in trials:
                _check_trial(trial, space)
    except DataError as error:
        raise _damaged(where, error) from error
    if different:
        raise ConfigError(
            f"{where} was made for another search, so its trials cannot be compared: {different}. Name another -study."
        )
    return study


class _About(msgspec.Struct):
    """What a study of ours says of itself."""

    search: dict[str, str]
    trials: str
    options: dict[str, Any]


class _Attributes(msgspec.Struct):
    """What we keep with a trial (``search.py``)."""

    repeats: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] | msgspec.UnsetType = msgspec.UNSET
    surplus: bool | msgspec.UnsetType = msgspec.UNSET
    message: str | msgspec.UnsetType = msgspec.UNSET
    epoch: int | msgspec.UnsetType = msgspec.UNSET
    beat: int | msgspec.UnsetType = msgspec.UNSET


def _check_trial(trial: FrozenTrial, space: Space) -> None:
    """Raises DataError if a trial holds what we never store."""
    place = f"trial {trial.number}, "
    as_type(dict(trial.user_attrs), _Attributes, place)
    scores = [*(trial.values or ()), *trial.intermediate_values.values()]
    if not all(isinstance(score, float) for score in scores) or not all(map(math.isfinite, trial.values or ())):
        raise DataError(f"{place}the scores are {short(scores)}, not all finite numbers.")
    if trial.state == TrialState.COMPLETE and len(trial.values or ()) != 1:
        raise DataError(f"{place}which is complete, has {len(trial.values or ())} scores instead of one.")
    if unknown := sorted(trial.params.keys() - space.keys()):
        raise DataError(f"{place}has the option {short(unknown[0])}, which is not searched.")


def _damaged(where: str, error: Exception) -> ConfigError:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
    return ConfigError(f"{where} is damaged: {said.rstrip('.')}. Restore it from a copy, or name another -study.")


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
