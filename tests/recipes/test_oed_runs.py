"""OED from its options to its files: both stages, going on after a kill, and its authors' checkpoints."""

from __future__ import annotations

import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets.ag_files import small_set
from engine.teams import in_processes
from engine.training import assert_same_bits, in_process
from golden.deterministic import cases_of, read_case, read_json
from golden.oed.states import reference_state
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import resnet18, resnet50

import vidsgg
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.faster_rcnn import DETECTORS, FasterRCNN
from vidsgg.detectors.files import save_detector, share_detector
from vidsgg.detectors.preprocess import network_input
from vidsgg.detectors.resnet_c4 import Norm
from vidsgg.engine.checkpoint import Checkpoint
from vidsgg.engine.checkpoint_files import FINAL, LAST
from vidsgg.engine.state import TrainingState
from vidsgg.errors import CheckpointError, ConfigError, VidsggError
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.authors_file import AuthorsFile
from vidsgg.methods.method import ImportOptions
from vidsgg.methods.oed import METHOD, OedOptions
from vidsgg.methods.oed.authors import AUTHORS, infer_oed, is_oed, oed_state
from vidsgg.methods.oed.start import start_from, start_state
from vidsgg.models.oed.oed import Oed
from vidsgg.models.oed.pictures import STD, prepared_picture
from vidsgg.recipes.command_options import ImportCheckpointOptions
from vidsgg.recipes.import_checkpoint import run_import
from vidsgg.recipes.train import run_training
from vidsgg.structures.widths import FeatureWidths

TINY: dict[str, Any] = {
    "model": "oed", "backbone": "resnet18", "short_side": 32, "long_side": 64, "hidden_dim": 16, "heads": 2, "feedforward_dim": 16,
    "enc_layers": 1, "instance_layers": 2, "relation_layers": 2, "num_queries": 6, "oed_topk": "5,3,2", "frames_per_video": 2,
    "num_workers": 0, "warmup_steps": 0, "logger": "none", "epochs": 4, "temporal_epochs": 2, "eval_freq": 4, "save_freq": 9,
    "val": "test",
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> OedOptions:
    """A finished run."""
    path = tmp_path_factory.mktemp("runs") / "sgdet"
    options = OedOptions(mode="sgdet", data_path=str(data), save_path=str(path), **TINY)
    run_training(options, echo=False)
    return options


@pytest.fixture(scope="module")
def backbone() -> dict[str, Tensor]:
    """A ResNet-50 under the authors' names."""
    return reference_state("backbone-32")


def weights(path: str | Path) -> dict[str, Tensor]:
    return dict(Checkpoint.load(Path(path) / "checkpoint_final.tar").weights)


def train_until(options: OedOptions, step: int, *given: str) -> None:
    """Train; in the middle of an optimiser step (from 1) this process is killed."""
    plain, done = TrainingState.count, 0

    def count(self: TrainingState, *values: Any, **named: Any) -> None:
        nonlocal done
        done += 1
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)
        plain(self, *values, **named)

    TrainingState.count = count  # type: ignore[method-assign]
    run_training(options, given=given or None, echo=False)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_run_that_was_killed_in_both_stages_ends_with_the_same_bits(run: OedOptions, tmp_path: Path) -> None:
    """Two steps an epoch, four epochs, of which two are stage 2."""
    path = tmp_path / "run"
    begun = replace(run, save_path=str(path), save_minutes=0.0)
    assert in_process(train_until, begun, 2) == -signal.SIGKILL
    again = replace(run, save_path=None, resume_from=str(path), save_minutes=0.0)
    for step, done in ((5, 5), (2, 6)):  # in the middle of the first epoch of stage 2, and at its end
        assert in_process(train_until, again, step, "resume_from", "save_minutes") == -signal.SIGKILL
        assert load_tensors(path / LAST)["training_state"]["step"] == done
    run_training(again, given=["resume_from"], echo=False)
    assert_same_bits(Path(str(run.save_path)) / FINAL, path / FINAL, but=("started_in", "config"))


def member(options: OedOptions, step: int, *given: str) -> None:
    """The second of two processes is killed in the middle of an optimiser step; 0: none is."""
    train_until(options, step if os.environ["RANK"] == "1" else 0, *given)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_two_processes_with_accumulated_steps_go_on_with_the_same_bits(run: OedOptions, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"accumulate_grad_batches": 2, "epochs": 3, "temporal_epochs": 1, "eval_freq": 3}
    whole, killed = (replace(run, save_path=str(tmp_path / name), **changes) for name in ("whole", "killed"))
    assert in_processes(member, whole, 0) == ["", ""]
    log = (tmp_path / "whole" / "logfile.txt").read_text(encoding="utf-8")
    assert "in 2 processes" in log and "from epoch 3 on: stage 2" in log and "differ" not in log
    assert in_processes(member, killed, 3)[1] == "SIGKILL"  # a step an epoch: in stage 2
    again = replace(killed, save_path=None, resume_from=killed.save_path)
    assert in_processes(member, again, 0, "resume_from") == ["", ""]
    assert_same_bits(tmp_path / "whole" / FINAL, tmp_path / "killed" / FINAL, but=("started_in", "config"))


def test_predcls_learns_in_both_stages_with_part_of_the_labels(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "predcls"
    changes = {**TINY, "epochs": 2, "temporal_epochs": 1, "eval_freq": 1, "partial_labels": "50", "use_amp": True}
    run_training(OedOptions(mode="predcls", data_path=str(data), save_path=str(path), **changes), echo=False)
    last = weights(path)
    assert bool(last["in_temporal_stage"])
    heads = [name.removeprefix("network.") for name in last if name.startswith("network.heads.groups.")]
    assert heads and any(not torch.equal(last[f"network.temporal_{n}"], last[f"network.{n}"]) for n in heads)


def test_a_trained_model_reads_videos_without_a_detector(run: OedOptions) -> None:
    model = vidsgg.load(str(run.save_path))
    frames = [np.random.default_rng(i).integers(0, 255, (48, 64, 3), np.uint8) for i in range(3)]
    graphs = list(model.stream(frames, fps=2.0, least_score=0.0, threshold=0.0))
    assert len(graphs) == 3
    people = [sum(node.label == "person" for node in graph.nodes) for graph in graphs]
    assert people == [1, 1, 1]  # queries that say the same are one, and a frame has one subject


def test_modes_and_values_that_there_are_not_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no mode 'sgcls' .* it has predcls, sgdet"):
        run_training(OedOptions(mode="sgcls", data_path=str(data), save_path=str(tmp_path / "x"), **TINY), echo=False)
    for name in ("detector", "features"):
        options = OedOptions(mode="sgdet", data_path=str(data), save_path=str(tmp_path / "x"), **TINY, **{name: "x"})
        with pytest.raises(ConfigError, match=f"-{name}: the model reads pictures itself"):
            run_training(options, echo=False)
    with pytest.raises(ConfigError, match="-temporal_epochs: 5 are more than the -epochs 4"):
        OedOptions(**{**TINY, "temporal_epochs": 5})
    options = OedOptions(mode="sgdet", **{**TINY, "oed_topk": "80,x"})
    with pytest.raises(ConfigError, match="-oed_topk: '80,x' is not one to a hundred"):
        METHOD.build(SCHEMA, FeatureWidths(), options)


PUBLISHED = {name: shapes for name, shapes in read_json("oed", "params.json").items() if name.startswith("published")}


@pytest.mark.parametrize("kind", PUBLISHED)
def test_every_weight_of_the_published_models_has_its_place(kind: str, tmp_path: Path) -> None:
    state = {name: torch.empty(shape, device="meta") for name, shape in PUBLISHED[kind].items()}
    assert is_oed(state)
    found = AUTHORS.read(AuthorsFile(tmp_path / "checkpoint.pth", {}, state), ImportOptions())
    assert found.options.mode == ("predcls" if "predcls" in kind else "sgdet")
    assert found.left_over == (("query_embed.weight",) if kind == "published-predcls-temporal" else ())
    with torch.device("meta"):
        model = METHOD.build(SCHEMA, found.widths, found.options)
    assert {name: value.shape for name, value in found.state.items()} == {
        name: value.shape for name, value in model.state_dict().items()
    }
    assert infer_oed(state)["backbone"] == "resnet50"
    with pytest.raises(CheckpointError, match=r"'input_proj\.weight'"):
        infer_oed({name: value for name, value in state.items() if name != "input_proj.weight"})


def test_the_authors_other_temporal_stages_have_their_places(tmp_path: Path) -> None:
    """One layer (--one_temp), and three times two (--dec_layers_temporal 2)."""
    shapes = PUBLISHED["published-sgdet-temporal"]
    one = {
        n.replace("query_layer1", "query_layer"): s for n, s in shapes.items() if not re.search("query_layer[23]", n)
    }
    two = {
        re.sub(r"query_layer(\d)", rf"query_decoder\1.layers.{i}", name): shape
        for name, shape in shapes.items()
        for i in range(2)
    }
    for names, layers, options in ((one, 1, {"oed_topk": "10"}), (two, 6, {"refine_layers": 2})):
        state = {name: torch.empty(shape, device="meta") for name, shape in names.items()}
        found = AUTHORS.read(AuthorsFile(tmp_path / "checkpoint.pth", {}, state), ImportOptions())
        assert all(getattr(found.options, name) == value for name, value in options.items())
        with torch.device("meta"):
            model = METHOD.build(SCHEMA, found.widths, found.options)
        assert isinstance(model, Oed) and len(model.network.refiners) == layers
        assert {n: v.shape for n, v in found.state.items()} == {n: v.shape for n, v in model.state_dict().items()}
    state["transformer.temporal_query_decoder1.norm.weight"] = torch.empty(512, device="meta")
    with pytest.raises(CheckpointError, match=r"decoder1\.norm\.weight' of this OED's temporal stage has no place"):
        oed_state(state)


def test_temporal_layers_may_be_one_or_read_the_same_queries_again() -> None:
    options = OedOptions(mode="sgdet", **{**TINY, "oed_topk": "4,2", "refine_layers": 2})
    model = METHOD.build(SCHEMA, FeatureWidths(), options)
    assert isinstance(model, Oed)
    instance, relation = torch.rand(2, 3, 6, 16, generator=torch.Generator().manual_seed(0))
    _, seen, fine = model.network.eval().temporal(instance, relation)
    assert [len(rows) for rows in seen.chosen] == [8, 8, 4, 4]
    assert fine.isfinite().all()


SMALL = "d32-h4-f64-e2-i3-r3-q12"


@pytest.mark.parametrize("kind", ["sgdet-spatial", "sgdet-temporal", "predcls-spatial", "predcls-temporal"])
def test_an_authors_file_becomes_a_checkpoint(kind: str, backbone: dict[str, Tensor], tmp_path: Path) -> None:
    state = backbone | reference_state(f"{kind}-{SMALL}")
    file = tmp_path / "checkpoint_22.pth"
    torch.save({"model": state, "epoch": 22}, file)
    imported = run_import(ImportCheckpointOptions(file=file))
    mode, stage = kind.split("-")
    assert any(f"stage: {1 if stage == 'spatial' else 2}" in line for line in imported.lines)
    assert "-detector" not in imported.lines[-1]
    found = Checkpoint.load(imported.path)
    assert found.provenance.config["mode"] == mode
    assert bool(found.weights["in_temporal_stage"]) is (stage == "temporal")
    want, _ = oed_state(state)
    assert want and all(torch.equal(found.weights[name], value) for name, value in want.items())
    if kind == "sgdet-spatial":
        frames = [np.zeros((32, 48, 3), np.uint8)]
        assert len(list(vidsgg.load(imported.path).stream(frames, fps=1.0))) == 1


def test_weights_to_start_from(tmp_path: Path) -> None:
    options = OedOptions(mode="sgdet", **TINY)
    model = METHOD.build(SCHEMA, FeatureWidths(), options)
    assert isinstance(model, Oed)
    torch.save(resnet18().state_dict(), tmp_path / "resnet.pth")
    assert "starts from a ResNet" in start_from(model, tmp_path / "resnet.pth")[0]
    own = model.state_dict()
    detr = {
        "transformer.decoder.norm.weight": torch.full((16,), 2.0),
        "bbox_embed.layers.2.bias": torch.ones(4),
        "class_embed.weight": torch.zeros(92, 16),
    }
    torch.save({"model": detr}, tmp_path / "detr.pth")
    lines = start_from(model, tmp_path / "detr.pth")
    assert "starts from DETR" in lines[0] and "not taken" in lines[1] and "object_class" in lines[1]
    after = model.state_dict()
    assert after["network.heads.object_box.layers.2.bias"].tolist() == [1, 1, 1, 1]
    assert after["network.heads.subject_box.layers.2.bias"].tolist() == [1, 1, 1, 1]
    assert torch.equal(after["network.heads.object_class.weight"], own["network.heads.object_class.weight"])
    with pytest.raises(CheckpointError, match="-start_weights: the file is neither"):
        start_state({"x": torch.zeros(1)})


TRUNK: dict[str, Any] = {**TINY, "backbone": "c4-small", "depth": 10, "base_width": 8}


def c4_detector() -> FasterRCNN:
    """One with statistics that differ from those of a new one."""
    config = DETECTORS["c4-small"]
    detector = FasterRCNN(replace(config, backbone=replace(config.backbone, base_width=8)), ("none", "person"))
    for module in detector.modules():
        if isinstance(module, Norm):
            torch.nn.init.normal_(module.running_mean, generator=torch.Generator().manual_seed(5))
            module.running_var.fill_(1.5)
    return detector.eval()


@pytest.mark.parametrize("shared", [False, True], ids=["pth", "safetensors"])
def test_it_starts_from_the_trunk_of_a_detector(shared: bool, tmp_path: Path) -> None:
    """It then sees in a picture what the detector sees, though their inputs differ."""
    detector, path = c4_detector(), tmp_path / ("detector.safetensors" if shared else "detector.pth")
    (share_detector if shared else save_detector)(path, detector)
    model = METHOD.build(SCHEMA, FeatureWidths(), OedOptions(mode="sgdet", **TRUNK))
    assert isinstance(model, Oed)
    line, _ = start_from(model, path)
    trunk = [name for name in detector.backbone.state_dict() if not name.startswith("layer4")]
    assert line.startswith(f"starts from the trunk of the detector in {path}: {len(trunk)} of the model's")
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    with torch.no_grad():
        want = detector.backbone.trunk(network_input([image], 64, (64, 96)))
        found = model.backbone(prepared_picture(image, 64, 96)[None])
    torch.testing.assert_close(found, want, rtol=1e-4, atol=1e-4)


def test_the_trunk_keeps_its_stem_and_all_normalisation() -> None:
    model = METHOD.build(SCHEMA, FeatureWidths(), OedOptions(mode="sgdet", **TRUNK))
    assert isinstance(model, Oed)
    model.learn(keep_stem=True)
    learning = {name for name, weight in model.backbone.named_parameters() if weight.requires_grad}
    convolutions = [f"layer{i}.0.{name}" for i in (2, 3) for name in ("conv1", "conv2", "downsample.0")]
    assert learning == {f"body.{name}.weight" for name in convolutions}
    before = {name: value.clone() for name, value in model.backbone.named_buffers()}
    model.train().backbone(torch.randn(2, 3, 32, 32))
    assert all(torch.equal(value, before[name]) for name, value in model.backbone.named_buffers())


def resnet_trunk() -> Oed:
    """OED with the trunk of a detector that is as large as torchvision's ResNet-18."""
    model = METHOD.build(SCHEMA, FeatureWidths(), OedOptions(mode="sgdet", **TRUNK | {"depth": 18, "base_width": 64}))
    assert isinstance(model, Oed)
    return model


def test_a_trunk_starts_from_torchvisions_resnet(tmp_path: Path) -> None:
    model, theirs = resnet_trunk(), resnet18().state_dict()
    torch.save(theirs, tmp_path / "resnet.pth")
    lines = start_from(model, tmp_path / "resnet.pth")
    assert "padding of the max pool" in lines[1] and "not taken" in lines[2]
    state = model.state_dict()
    assert torch.equal(state["backbone.body.layer3.1.conv2.weight"], theirs["layer3.1.conv2.weight"])
    blue = theirs["conv1.weight"][:, 2] / (255 * STD[2])  # the detector reads B, G, R from 0 to 255
    torch.testing.assert_close(state["backbone.body.conv1.weight"][:, 0], blue)


def test_a_resnet_may_lie_in_safetensors(tmp_path: Path) -> None:
    save_file(resnet18().state_dict(), tmp_path / "resnet.safetensors")
    model = METHOD.build(SCHEMA, FeatureWidths(), OedOptions(mode="sgdet", **TINY))
    assert isinstance(model, Oed)
    assert "starts from a ResNet" in start_from(model, tmp_path / "resnet.safetensors")[0]


def with_layer(name: str, value: Tensor | None) -> dict[str, Tensor]:
    """torchvision's ResNet-18 with another layer, or without it."""
    state = {**resnet18().state_dict(), name: torch.zeros(0) if value is None else value}
    return {known: table for known, table in state.items() if known != name or value is not None}


@pytest.mark.parametrize(
    "theirs",
    [
        with_layer("conv1.weight", torch.zeros(64, 4, 7, 7)),
        with_layer("conv1.weight", torch.zeros(64, 1, 7, 7)),
        with_layer("conv1.weight", None),
        with_layer("bn1.running_mean", None),
        resnet50().state_dict(),
        {
            "transformer.decoder.norm.weight": torch.ones(16),
            **{f"backbone.0.body.{name}": value for name, value in resnet18().state_dict().items()},
        },
    ],
    ids=["four channels", "gray", "no first layer", "other norms", "deeper", "DETR"],
)
def test_a_stem_that_does_not_fit_is_refused(theirs: dict[str, Tensor], tmp_path: Path) -> None:
    """It would stay random, as it does not learn."""
    torch.save(theirs, tmp_path / "weights.pth")
    with pytest.raises(ConfigError, match=r"^option -start_weights: the backbone .*weights\.pth is .*; give "):
        start_from(resnet_trunk(), tmp_path / "weights.pth")


def test_files_that_are_no_weights_to_start_from(run: OedOptions, tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("hello", encoding="utf-8")
    own = Path(str(run.save_path)) / FINAL
    for path, said in ((tmp_path / "text.pth", "text.pth is damaged"), (own, "give it to -resume_from")):
        with pytest.raises(VidsggError, match=rf"^option -start_weights: .*{said}"):
            start_from(resnet_trunk(), path)


def test_another_picture_size_than_the_detectors_is_told(tmp_path: Path) -> None:
    save_detector(tmp_path / "detector.pth", c4_detector())
    model = METHOD.build(SCHEMA, FeatureWidths(), OedOptions(mode="sgdet", **TRUNK))
    assert isinstance(model, Oed)
    (_, remark) = start_from(model, tmp_path / "detector.pth")
    assert remark.endswith("whose shorter side had 240 pixels; -short_side is 32")


@pytest.mark.parametrize("changes", [{"backbone": "resnet18", "depth": None, "base_width": None}, {"base_width": 16}])
def test_a_detector_with_another_trunk_is_refused_with_the_options_to_give(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    save_detector(tmp_path / "detector.pth", c4_detector())
    model = METHOD.build(SCHEMA, FeatureWidths(), OedOptions(mode="sgdet", **TRUNK | changes))
    assert isinstance(model, Oed)
    with pytest.raises(ConfigError, match="give -backbone c4-small -depth 10 -base_width 8"):
        start_from(model, tmp_path / "detector.pth")


def test_torchvisions_resnets_have_one_size() -> None:
    with pytest.raises(ConfigError, match="option -base_width: the size of -backbone resnet18 is fixed"):
        METHOD.build(
            SCHEMA, FeatureWidths(), OedOptions(mode="sgdet", **TRUNK | {"backbone": "resnet18", "depth": None})
        )


def test_stage_two_starts_as_the_reference_says() -> None:
    """Golden task start: which entries learn, and which of stage 1 the new heads are loaded from."""
    for case in cases_of("oed", "start"):
        _, want = read_case("oed", case["id"])
        if "temporal" not in case["variant"]:
            continue
        table = {str(n): torch.tensor(i) for i, n in enumerate(want["names"])}
        table |= {"transformer.obj_classes_embed": torch.tensor(-1)} if "predcls" in case["variant"] else {}
        ours = {int(i): name for name, i in oed_state(table)[0].items() if int(i) >= 0}
        mode = "predcls" if "predcls" in case["variant"] else "sgdet"
        model = METHOD.build(SCHEMA, FeatureWidths(), OedOptions(mode=mode, **{**TINY, "backbone": "resnet18"}))
        assert isinstance(model, Oed)
        model.begin_temporal_stage()
        model.learn(keep_stem=True)
        learns = {name: weight.requires_grad for name, weight in model.named_parameters()}
        for i, trainable in enumerate(want["trainable"].tolist()):
            if i in ours and ours[i] in learns:
                assert learns[ours[i]] == bool(trainable), want["names"][i]
        state = model.state_dict()
        for i, source in enumerate(want["source"].tolist()):
            if source and source != want["names"][i] and i in ours:
                assert torch.equal(state[ours[i]], state[ours[want["names"].tolist().index(source)]]), source
