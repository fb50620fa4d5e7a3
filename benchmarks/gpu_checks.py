"""What ``benchmarks.gpu`` checks: a run that goes on has the same bits, and numbers are those of the CPU and of
the authors' code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu_rows import Machine, Row
from benchmarks.gpu_speed import Made, Sizes, boxed_clip, largest, pictures
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.engine.checkpoint import Checkpoint
from vidsgg.engine.checkpoint_files import FINAL
from vidsgg.losses.relations import RelationCriterion
from vidsgg.recipes.train import run_training

TESTS = Path(__file__).parents[1] / "tests"
LOOSER = 10.0  # times the tolerance of the tests, which is for processors
CLOSE = 1e-3  # between a GPU's and a CPU's sums, relative to the largest value


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Inside, cuDNN computes in float32 and not in TF32, whose 10 bits are no ground for a comparison."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def judged(row: Row, difference: float, allowed: float, unit: str = "of the largest value") -> Row:
    """The row of a difference, failed if it is above what is allowed. unit: of both."""
    wrong = not difference <= allowed
    remark = f"{'FAILED: ' if wrong else ''}at most {allowed:g} is allowed"
    return replace(row, value=difference, unit=unit, remark=remark, failed=wrong)


def resume(machine: Machine, sizes: Sizes, made: Made, folder: Path) -> Iterator[Row]:
    """Two epochs in one go, and the second one from the checkpoint of the first."""
    whole, part = folder / "whole", folder / "part"
    settings: dict[str, Any] = {"mode": "predcls", "deterministic": True, "save_freq": 1, "eval_freq": 2}
    if sizes.tiny:  # otherwise the detector looks at every picture, so its numbers have to come back too
        settings |= {"features": "layout", "detector": "auto"}
    run_training(made.options(machine, sizes, epochs=2, save_path=str(whole), **settings), echo=False)
    copytree(whole, part)
    for file in part.glob("checkpoint_*"):  # a run resumes from the newest checkpoint
        if file.name != "checkpoint_epoch_1.tar":
            file.unlink()
    run_training(made.options(machine, sizes, epochs=2, resume_from=str(part), **settings), echo=False)
    ours, theirs = (Checkpoint.load(path / FINAL).weights for path in (part, whole))
    wrong = [name for name, value in theirs.items() if not torch.equal(ours[name].cpu(), value.cpu())]
    what = f"FAILED: {wrong[0]} differs" if wrong else f"{len(theirs)} tensors have the same bits"
    yield Row("resume", "weights after two epochs", "deterministic", 1, len(wrong), "differ", None, what, bool(wrong))


def against_cpu(machine: Machine, sizes: Sizes) -> Iterator[Row]:
    """The same weights and inputs here and on the CPU: logits, losses, gradients, features."""
    clip, criterion = sizes.clip(0), RelationCriterion(SCHEMA)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    with exact_convolutions():
        for device in (torch.device("cpu"), machine.device):
            model = sizes.model().eval().to(device)
            logits = model(clip.to(device))
            loss = criterion(logits, clip.to(device))["total"]
            loss.backward()
            gradient = torch.cat([p.grad.flatten().cpu() for p in model.parameters() if p.grad is not None])
            table = torch.cat([logits.groups[group.name].detach() for group in SCHEMA.vocabulary.groups], 1)
            found.append((table, loss.detach(), gradient))
        for what, on_cpu, here in zip(("logits", "loss", "gradient"), *found, strict=True):
            yield judged(Row("as on the CPU", f"STTran, {what}", "fp32", 1), largest(here, on_cpu), CLOSE)
        looked = [
            ClipExtractor(FasterRCNN(sizes.detector, SCHEMA.vocabulary.objects).to(device), "predcls", learn=False)(
                pictures(sizes, 1), boxed_clip(replace(sizes, pictures=1))
            )
            for device in (torch.device("cpu"), machine.device)
        ]
    for what in ("node_feature", "pair_union"):
        on_cpu, here = (getattr(one, what) for one in looked)
        yield judged(Row("as on the CPU", f"c4-resnet101, {what}", "fp32"), largest(here, on_cpu), CLOSE)


def goldens(machine: Machine, sizes: Sizes) -> Iterator[Row]:
    """STTran against numbers recorded from its authors' code, where the tests are at hand."""
    row = Row("goldens", "STTran", "fp32", 1)
    if sizes.tiny:
        yield replace(row, remark="skipped: tiny; the recorded network has 100 million weights")
        return
    if not (TESTS / "golden").is_dir():
        yield replace(row, remark=f"skipped: {TESTS} is not there; run this from a checkout")
        return
    sys.path.insert(0, str(TESTS))
    try:
        from golden.deterministic import read_case
        from models import test_sttran_golden as recorded
    except ImportError as error:
        yield replace(row, remark=f"skipped: the tests need {error.name}: pip install {error.name}")
        return
    finally:
        sys.path.remove(str(TESTS))
    yield from golden_rows(machine, row, recorded, lambda case: read_case("sttran", case["id"])[1])


def golden_rows(machine: Machine, row: Row, recorded: Any, read: Callable[[Any], Any]) -> Iterator[Row]:
    """recorded: the module of tests that knows cases and models. read: the recorded numbers of a case."""
    for case in recorded.CASES:
        model = recorded.model_of(case["enc"], case["dec"], "sgcls").eval().to(machine.device)
        model.register_forward_pre_hook(lambda module, given: (given[0].to(machine.device),))
        model.register_forward_hook(lambda module, given, logits: on_cpu(logits))
        with exact_convolutions():
            have = recorded.OUTPUTS[case["kind"]](model, case)
        limits, worst = recorded.TOLERANCE, 0.0
        for name, want in read(case).items():
            ours = have[name].detach().cpu().numpy()
            if ours.dtype == np.int64:
                worst = max(worst, 0.0 if np.array_equal(ours, want) else np.inf)
            else:
                worst = max(
                    worst, float((np.abs(ours - want) / (limits["atol"] + limits["rtol"] * np.abs(want))).max())
                )
        yield judged(replace(row, what=f"STTran, {case['id']}"), worst, LOOSER, "times the tests' tolerance")


def on_cpu(value: Any) -> Any:
    """A dataclass with its tensors, also those in mappings, on the CPU."""
    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {name: on_cpu(entry) for name, entry in value.items()}
    if hasattr(value, "to"):
        return value.to("cpu")
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: on_cpu(getattr(value, f.name)) for f in fields(value)})
    return value
