"""Weights that OED starts from: a trained detector, torchvision's ResNet, DETR's, or the authors'
first stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from vidsgg.detectors.authors import is_detector, read_authors
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.detectors.files import KIND, SHARED_SUFFIX, load_detector
from vidsgg.detectors.imagenet import DIFFERENCES, backbone_state
from vidsgg.errors import CheckpointError, ConfigError, DataError, VidsggError
from vidsgg.io.records import Record
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.authors_file import AuthorsFile
from vidsgg.methods.oed.authors import BACKBONE, TRANSFORMER, is_oed, oed_state
from vidsgg.methods.renaming import Rules, renamed
from vidsgg.models.oed.backbone import STEM, TrunkBackbone, trunk_options
from vidsgg.models.oed.oed import Oed

_BODY = "backbone.body."
_RESNET: Rules = ((r"(conv1|bn1|layer\d)\.", rf"{_BODY}\1."),)
_DETR: Rules = (
    *BACKBONE,
    *TRANSFORMER,
    (r"query_embed\.", "network.query_embed."),
    (r"class_embed\.", "network.heads.object_class."),
    (r"bbox_embed\.", "network.heads.subject_box."),
)


def start_from(model: Oed, path: Path) -> list[str]:
    """Take over the weights of a file that fit, and tell of it.

    Raises CheckpointError if the file is of no kind that is known, or if none fits; ConfigError if
    its backbone is another network than the model's.
    """
    try:
        kind, ours, lines = _read(model, path)
    except VidsggError as error:
        said = str(error)
        raise type(error)(said if said.startswith("option ") else f"option -start_weights: {said}") from error
    own = model.state_dict()
    taken = {name: value for name, value in ours.items() if name in own and own[name].shape == value.shape}
    if not taken:
        raise CheckpointError(f"option -start_weights: none of the {len(ours)} weights in {path} fits the model.")
    model.load_state_dict(own | taken)
    lines = [f"starts from {kind} in {path}: {len(taken)} of the model's {len(own)} entries", *lines]
    if left := [name for name in ours if name not in taken]:
        lines.append(f"  not taken, of other shapes or without a place: {len(left)}, such as {left[0]}")
    return lines


def start_state(theirs: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    """What the weights are, and they under our names. DETR's box head becomes both of ours. Raises
    CheckpointError if they are of no kind that is known."""
    theirs = {name: value for name, value in theirs.items() if not name.endswith("num_batches_tracked")}
    if is_oed(theirs):
        return "OED", oed_state(theirs)[0]
    if "transformer.decoder.norm.weight" in theirs:
        ours, _ = renamed(theirs, _DETR, "DETR")
        begin = "network.heads.subject_box."
        boxes = {name: value for name, value in ours.items() if name.startswith(begin)}
        return "DETR", ours | {f"network.heads.object_box.{n.removeprefix(begin)}": v for n, v in boxes.items()}
    if "layer1.0.conv1.weight" in theirs:
        return "a ResNet", renamed(theirs, _RESNET, "ResNet")[0]
    raise CheckpointError(
        "option -start_weights: the file is neither a c4 detector, torchvision's ResNet (layer1.0.conv1.weight), DETR"
        f" (transformer.decoder.norm.weight) nor OED; its first entry is {next(iter(theirs), None)!r}."
    )


def _read(model: Oed, path: Path) -> tuple[str, dict[str, Tensor], list[str]]:
    """What the weights of a file are, they under our names, and remarks."""
    trunk = model.backbone if isinstance(model.backbone, TrunkBackbone) else None
    if _is_ours(path):
        detector = load_detector(path)
        if not isinstance(detector, FasterRCNN):
            raise CheckpointError(
                f"{path} is a detector {detector.architecture}; OED can start from c4 detectors only."
            )
        return _of_detector(detector, model, path)
    theirs = AuthorsFile.read(path).state
    if is_detector(theirs):
        return _of_detector(read_authors(path, {"model": theirs})[0], model, path)
    kind, ours = start_state(theirs)
    if trunk is not None and kind != "a ResNet" and any(name.startswith(_BODY) for name in ours):
        raise ConfigError(
            f"the backbone of {kind} in {path} is a ResNet, and the model's is the trunk of a detector; give -backbone"
            " resnet50."
        )
    _check_stem(model, ours, path)
    if trunk is None or kind != "a ResNet":
        return kind, ours, []
    state = {name.removeprefix(_BODY): value for name, value in ours.items()}
    ours = {f"{_BODY}{name}": value for name, value in backbone_state(state).items()}
    return kind, ours, [f"  it had been learnt with other {DIFFERENCES}"]


def _is_ours(path: Path) -> bool:
    """Whether a file is a detector of ours. Raises ConfigError if it is a run's checkpoint."""
    if path.suffix == SHARED_SUFFIX:
        try:
            return Record(path).about.get("kind") == KIND
        except DataError:
            return False
    content = load_tensors(path, without=("state_dict",))
    if "model_state_dict" in content:
        raise ConfigError(f"{path} is a checkpoint of a run; to start from its weights, give it to -resume_from.")
    return content.get("kind") == KIND


def _of_detector(detector: FasterRCNN, model: Oed, path: Path) -> tuple[str, dict[str, Tensor], list[str]]:
    """Its trunk. Raises ConfigError if the model has another."""
    config, needed = detector.config.backbone, trunk_options(detector.config.backbone)
    if not isinstance(model.backbone, TrunkBackbone) or trunk_options(model.backbone.config) != needed:
        raise ConfigError(
            f"the trunk of the detector {path} is another network than the model's backbone; give"
            f" {' '.join(f'-{name} {value}' for name, value in needed.items())}."
        )
    state = detector.backbone.state_dict()
    ours = {f"{_BODY}{name}": value for name, value in state.items() if not name.startswith("layer4.")}
    remarks = []
    if config.short_side != model.config.short_side:
        remarks.append(
            f"  the detector saw pictures whose shorter side had {config.short_side} pixels; -short_side is"
            f" {model.config.short_side}"
        )
    return "the trunk of the detector", ours, remarks


def _check_stem(model: Oed, ours: Mapping[str, Tensor], path: Path) -> None:
    """Raises ConfigError if the file has a backbone whose first stages do not fit: as they do not learn, they would
    stay random."""
    if not any(name.startswith(_BODY) for name in ours):
        return
    for name, value in model.state_dict().items():
        part = name.removeprefix(_BODY)
        if part != name and part.split(".")[0] in STEM and (name not in ours or ours[name].shape != value.shape):
            found = f"the shape {tuple(ours[name].shape)}" if name in ours else "nothing"
            raise ConfigError(
                f"the backbone in {path} is another network than the model's: for {part} it has {found}, and"
                f" {tuple(value.shape)} is needed; give the -backbone that the file has."
            )
