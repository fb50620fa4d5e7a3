"""Weights that OED starts from: torchvision's ResNet, DETR's, or the authors' first stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from vidsgg.errors import CheckpointError
from vidsgg.methods.authors_file import AuthorsFile
from vidsgg.methods.oed.authors import BACKBONE, TRANSFORMER, is_oed, oed_state
from vidsgg.methods.renaming import Rules, renamed

_RESNET: Rules = ((r"(conv1|bn1|layer\d)\.", r"backbone.body.\1."),)
_DETR: Rules = (
    *BACKBONE,
    *TRANSFORMER,
    (r"query_embed\.", "network.query_embed."),
    (r"class_embed\.", "network.heads.object_class."),
    (r"bbox_embed\.", "network.heads.subject_box."),
)


def start_from(model: nn.Module, path: Path) -> list[str]:
    """Take over the weights of a file that fit, and tell of it. Raises CheckpointError if the file
    is of no kind that is known, or if none fits.
    """
    theirs = AuthorsFile.read(path).state
    kind, ours = start_state(theirs)
    own = model.state_dict()
    taken = {name: value for name, value in ours.items() if name in own and own[name].shape == value.shape}
    if not taken:
        raise CheckpointError(f"option -start_weights: none of the {len(theirs)} weights in {path} fits the model.")
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
        "option -start_weights: the file is neither torchvision's ResNet (layer1.0.conv1.weight), DETR"
        f" (transformer.decoder.norm.weight) nor OED; its first entry is {next(iter(theirs), None)!r}."
    )
