"""STKET against numbers recorded from the authors' implementation, through the map of their state
dict's names.

Every case of a kind that stands here is run, so cases put beside the recorded ones are too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from golden.deterministic import cases_of, read_case, read_json
from golden.stket.clips import clip_of, entry, reference_state, shapes
from torch import Tensor

from vidsgg.datasets.action_genome import PERSON, SCHEMA
from vidsgg.methods.stket.authors import infer_stket, stket_state
from vidsgg.models.configs import StketConfig
from vidsgg.models.stket import Stket, StketLogits
from vidsgg.structures.clip import Clip

TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}
FEATURES = {"rtol": 1e-3, "atol": 1e-3}
CASES = sorted(cases_of("stket", "model"), key=lambda case: str(case["settings"]))  # few models are made


def model_of(settings: dict[str, Any]) -> Stket:
    """The model with the deterministic weights; its layers' sizes are read off these."""
    authors = reference_state(settings)
    sizes, widths = infer_stket(authors)
    priors = {name: settings[name] for name in ("use_spatial_prior", "use_temporal_prior")}
    reads_truth = settings["pred_contact_threshold"] == 1.0
    config = StketConfig(
        **sizes,
        **priors,
        N_layer=settings["N_layer_num"],
        pred_contact_threshold=0.5 if reads_truth else settings["pred_contact_threshold"],
        oracle_contacts=reads_truth,
        reference_compat=True,
    )
    model = Stket(SCHEMA, widths, config, settings["mode"])
    state, _ = stket_state(authors, {**sizes, **priors, "mode": settings["mode"]})
    model.load_state_dict(state, assign=True)  # strict: every weight of ours is one of theirs
    return model.eval()


@pytest.fixture(scope="module")
def models() -> Iterator[Any]:
    """The last model that was asked for."""
    kept: dict[str, Stket] = {}

    def get(settings: dict[str, Any]) -> Stket:
        if str(settings) not in kept:
            kept.clear()  # half a gigabyte each
            kept[str(settings)] = model_of(settings)
        return kept[str(settings)]

    yield get
    kept.clear()
    entry.cache_clear()


def run(model: Stket, clip: Clip) -> tuple[StketLogits, dict[str, Tensor]]:
    """What the model gives, and the features that its heads read."""
    seen: dict[str, list[Tensor]] = {"rel_tokens": []}
    hooks = [model.pair_encoder.register_forward_hook(lambda module, args, out: seen["rel_tokens"].append(out))]
    for part, heads in model.heads.items():
        calls = seen.setdefault(part, [])
        hooks.append(
            heads["attention"].register_forward_pre_hook(lambda module, args, calls=calls: calls.append(args[0]))
        )
    with torch.no_grad():
        logits = model(clip)
    for hook in hooks:
        hook.remove()
    (tokens,) = seen.pop("rel_tokens")
    # A part's heads run for its features and then, where it has one, for its prior.
    features = {
        f"{part}_{kind}": x
        for part, calls in seen.items()
        for kind, x in zip(("features", "priors"), calls, strict=False)
    }
    return logits, {"rel_tokens": tokens, **features}


def outputs(model: Stket, case: dict[str, Any]) -> dict[str, Tensor]:
    """Everything under the names of the recordings."""
    clip = clip_of(case)
    logits, have = run(model, clip)
    for part, groups in logits.parts.items():
        for group, table in groups.items():
            have[f"{part}_{group}_distribution"] = table if group == "attention" else table.sigmoid()
    if not model.config.spatial_layer:  # the spatial part is then that of the plain heads
        plain = {name: head(have["rel_tokens"]) for name, head in model.heads["spatial"].items()}
        have |= {
            f"{name}_distribution": table if name == "attention" else table.sigmoid() for name, table in plain.items()
        }
    settled = logits.clip or clip
    if logits.clip is None and logits.objects is not None:
        have["distribution"] = logits.objects
    elif settled.node_distribution is not None:
        have["distribution"] = settled.node_distribution[:, 1:]
    return have | {
        "pred_labels": settled.node_class if settled.classes_given else settled.node_target,
        "pred_scores": settled.node_score,
        "pair_idx": torch.stack([settled.pair_subject, settled.pair_object], 1),
        "im_idx": settled.pair_frame,
        "boxes": torch.cat([settled.node_frame[:, None].float(), settled.node_box], 1),
        "human_idx": torch.tensor([[surest_person(settled, frame)] for frame in range(settled.frames)]),
    }


def surest_person(clip: Clip, frame: int) -> int:
    nodes = torch.nonzero((clip.node_frame == frame) & (clip.node_class == PERSON)).flatten()
    return int(nodes[clip.node_score[nodes].argmax()]) if len(nodes) else 0


def never_read(model: Stket) -> set[str]:
    """What the reference computes for nobody: our model has no weights for it."""
    groups = ("attention", "spatial", "contacting")
    names = set()
    if model.config.spatial_layer:
        names |= {f"{group}_distribution" for group in groups}
    if model.spatial_knowledge is None:
        names |= {"spatial_priors", *(f"spatial_prior_{group}_distribution" for group in groups)}
    if model.temporal_knowledge is None:
        names |= {"temporal_priors", *(f"temporal_prior_{group}_distribution" for group in groups)}
    return names


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_weights_are_those_of_the_authors_state_dict(case: dict[str, Any]) -> None:
    recorded = read_json("stket", case["params"])
    assert {name: tuple(shape) for name, shape in recorded.items()} == dict(shapes(case["settings"]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_outputs_equal_the_reference(models: Any, case: dict[str, Any]) -> None:
    _, want = read_case("stket", case["id"])
    model = models(case["settings"])
    have = outputs(model, case)
    compared = 0
    for name in want.keys() - never_read(model):
        wanted = want[name]
        got = have[name].detach().numpy()
        if name.endswith(("_features", "_priors", "rel_tokens")):
            np.testing.assert_allclose(got[:, : wanted.shape[1]], wanted, err_msg=name, **FEATURES)
        elif have[name].dtype == torch.int64:
            np.testing.assert_array_equal(got, wanted, err_msg=name)
        else:
            np.testing.assert_allclose(got, wanted, err_msg=name, **TOLERANCE)
        compared += 1
    assert compared > len(want) // 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_heads_that_nobody_reads_would_give_what_the_reference_says(case: dict[str, Any]) -> None:
    """Their weights on the recorded tokens: so what we leave out is known to be only that."""
    _, want = read_case("stket", case["id"])
    tokens = torch.from_numpy(want["rel_tokens"])
    if tokens.shape[1] < 1936:
        pytest.skip("only the first columns of the tokens are recorded")
    for short, group in (("a", "attention"), ("s", "spatial"), ("c", "contacting")):
        count = want[f"{group}_distribution"].shape[1]
        logits = tokens @ entry(f"{short}_rel_compress.weight", (count, 1936)).T + entry(
            f"{short}_rel_compress.bias", (count,)
        )
        have = logits if group == "attention" else logits.sigmoid()
        np.testing.assert_allclose(have.numpy(), want[f"{group}_distribution"], **TOLERANCE)
