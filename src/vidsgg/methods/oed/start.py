"""Weights that OED starts from: a trained detector, torchvision's ResNet, DETR's, or the authors'
first stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from vidsgg.detectors.authors import is_detector
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.detectors.files import KIND, SHARED_SUFFIX, load_detector
from vidsgg.detectors.imagenet import backbone_state
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.authors_file import AuthorsFile
from vidsgg.methods.oed.authors import BACKBONE, TRANSFORMER, is_oed, oed_state
from vidsgg.methods.renaming import Rules, renamed
from vidsgg.models.oed.backbone import TrunkBackbone, trunk_options
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
    it is a detector with another trunk than the model's.
    """
    trunk = model.backbone if isinstance(model.backbone, TrunkBackbone) else None
    theirs = None if _is_ours(path) else AuthorsFile.read(path).state
    if theirs is None or is_detector(theirs):
        kind, ours = "the trunk of the detector", _of_detector(path, trunk)
    else:
        kind, ours = start_state(theirs)
        if trunk is not None:
            ours = _for_trunk(ours, whole=kind == "a ResNet")
    own = model.state_dict()
    taken = {name: value for name, value in ours.items() if name in own and own[name].shape == value.shape}
    if not taken:
        raise CheckpointError(f"option -start_weights: none of the {len(ours)} weights in {path} fits the model.")
    model.load_state_dict(own | taken)
    left = [name for name in ours if name not in taken]
    lines = [f"starts from {kind} in {path}: {len(taken)} of the model's {len(own)} entries"]
    if left:
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


def _is_ours(path: Path) -> bool:
    """Whether a file is a detector of ours."""
    return path.suffix == SHARED_SUFFIX or load_tensors(path, without=("state_dict",)).get("kind") == KIND


def _of_detector(path: Path, trunk: TrunkBackbone | None) -> dict[str, Tensor]:
    """The weights of a detector's trunk under our names."""
    detector = load_detector(path)
    if not isinstance(detector, FasterRCNN):
        raise CheckpointError(
            f"option -start_weights: {path} is a detector {detector.architecture}; OED can start from c4 detectors only."
        )
    needed = trunk_options(detector.config.backbone)
    if trunk is None or trunk_options(trunk.config) != needed:
        raise ConfigError(
            f"option -start_weights: the trunk of the detector {path} is another network than the model's backbone; give"
            f" {' '.join(f'-{name} {value}' for name, value in needed.items())}."
        )
    state = detector.backbone.state_dict()
    return {f"{_BODY}{name}": value for name, value in state.items() if not name.startswith("layer4.")}


def _for_trunk(ours: Mapping[str, Tensor], *, whole: bool) -> dict[str, Tensor]:
    """Weights for a model with the trunk of a detector, whose input is another. whole: they are
    a ResNet; else its layers are left out."""
    if not whole:
        return {name: value for name, value in ours.items() if not name.startswith(_BODY)}
    state = {name.removeprefix(_BODY): value for name, value in ours.items()}
    return {f"{_BODY}{name}": value for name, value in backbone_state(state).items()}
