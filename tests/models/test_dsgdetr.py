"""What must hold for DSG-DETR on any input, on a tiny configuration, and how its authors' files are told apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from clips import ENTITY, WIDTHS, entity_clip, learning_clip, open_clip
from golden.deterministic import read_json
from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.errors import CheckpointError, ConfigError, DataError
from vidsgg.methods.authors_file import AuthorsFile
from vidsgg.methods.dsgdetr.authors import AUTHORS, dsgdetr_state, infer_dsgdetr, is_dsgdetr
from vidsgg.methods.method import ImportOptions
from vidsgg.methods.sttran.authors import is_sttran
from vidsgg.methods.tempura.authors import is_tempura
from vidsgg.models.configs import DsgDetrConfig
from vidsgg.models.dsgdetr import DsgDetr
from vidsgg.ops.detections import candidate_pairs
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

TINY = DsgDetrConfig(hidden_dim=8, embedding_dim=4, heads=2, feedforward_dim=16, object_feedforward_dim=16, dropout=0.0)
SHAPES = ([3, 0, 1], [2], [1, 2])


def tiny(mode: str, **changes: Any) -> DsgDetr:
    torch.manual_seed(0)
    return DsgDetr(ENTITY, WIDTHS, replace(TINY, **changes), mode).eval()


def detected_clip(pairs_of: list[int], seed: int, name: str) -> Clip:
    """Raw detections: every two nodes of a frame, and each with itself."""
    clip = open_clip(pairs_of, seed, name)
    assert clip.node_distribution is not None and clip.pair_union is not None
    subject, obj = candidate_pairs(clip.node_frame, clip.node_distribution, (), "any")
    union = (1000.0 * subject + obj).view(-1, 1, 1, 1).expand(-1, *clip.pair_union.shape[1:])
    frame = clip.node_frame[obj]
    return replace(clip, pair_subject=subject, pair_object=obj, pair_frame=frame, pair_union=union)


@pytest.mark.parametrize("encoder", [True, False], ids=["DSG-DETR", "ImparTail's STTran"])
@pytest.mark.parametrize(
    ("mode", "make"),
    [("predcls", entity_clip), ("sgcls", learning_clip), ("sgcls", open_clip), ("sgdet", detected_clip)],
    ids=["predcls", "sgcls, learn", "sgcls, score", "sgdet, score"],
)
def test_a_batch_gives_each_video_the_result_it_has_alone(mode: str, make: Any, encoder: bool) -> None:
    model = tiny(mode, object_encoder=encoder)
    clips = [make(shape, seed, f"video{seed}") for seed, shape in enumerate(SHAPES)]
    if mode == "sgdet" and make is detected_clip:
        clips = [replace(clip, pair_union=torch.zeros_like(clip.pair_union)) for clip in clips]
    with torch.inference_mode():
        alone = [model(clip) for clip in clips]
        together = model(Clip.cat(clips))
    for name, table in together.groups.items():
        assert len(table)
        torch.testing.assert_close(table, torch.cat([logits.groups[name] for logits in alone]), rtol=1e-4, atol=1e-5)


def test_what_pairs_of_one_object_class_say_depends_on_the_whole_video():
    clip, model = entity_clip([1, 1, 1, 1], seed=3), tiny("predcls")
    same = replace(clip, node_class=torch.where(clip.node_class == 1, 1, 2))
    other = replace(same, node_feature=same.node_feature.index_fill(0, torch.tensor([7]), 3.0))
    with torch.inference_mode():
        first, second = model(same).groups["spatial"], model(other).groups["spatial"]
    assert not torch.allclose(first[0], second[0])  # the last frame's object is seen by the first frame's pair


def test_tracklets_need_the_numbers_of_frames():
    clip = replace(learning_clip([2, 1]), frame_number=None)
    tiny("sgcls", indices="class")(clip)
    with pytest.raises(DataError, match="tracklets need frame_number"):
        tiny("sgcls")(clip)


def test_widths_that_the_heads_do_not_divide_are_refused():
    with pytest.raises(ConfigError, match="-heads: nodes are 139 wide"):
        tiny("predcls", embedding_dim=5, heads=2)
    with pytest.raises(ConfigError, match="guesses classes from RoI features"):
        DsgDetr(ENTITY, FeatureWidths(), TINY, "sgcls")
    with pytest.raises(ConfigError, match="tracklets are matched by features"):
        DsgDetr(ENTITY, FeatureWidths(), replace(TINY, indices="tracks"))


@pytest.fixture(scope="module")
def published() -> dict[str, dict[str, Tensor]]:
    """Every entry of the published models, as a shape only."""
    files = {f"dsgdetr {mode}": shapes for mode, shapes in read_json("dsgdetr", "params.json").items()}
    files["impartail"] = read_json("impartail", "params.json")
    return {
        title: {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
        for title, shapes in files.items()
    }


def test_files_are_told_apart_by_their_names(published: dict[str, dict[str, Tensor]]) -> None:
    for state in published.values():
        assert is_dsgdetr(state) and not is_sttran(state) and not is_tempura(state)
    assert not is_dsgdetr(read_json("sttran", "params.json"))


@pytest.mark.parametrize("mode", ["predcls", "sgcls", "sgdet"])
def test_every_weight_of_the_authors_has_its_place(published: dict[str, dict[str, Tensor]], mode: str) -> None:
    for title in (f"dsgdetr {mode}", "impartail"):
        state = published[title]
        options, widths = infer_dsgdetr(state)
        assert widths == FeatureWidths(node=2048, union=1024)
        assert options["object_encoder"] is (title != "impartail")
        ours, left_over = dsgdetr_state(state, mode)
        with torch.device("meta"):
            model = DsgDetr(SCHEMA, widths, DsgDetrConfig(**options), mode)
        assert {name: value.shape for name, value in ours.items()} == {
            name: value.shape for name, value in model.state_dict().items()
        }
        beside = ("positional_encoder.",) + ("object_classifier.",) * (mode == "predcls")
        assert all(name.startswith(beside) or ".positional_encoder." in name for name in left_over)


def test_sgdet_is_known_by_its_table_of_positions(published: dict[str, dict[str, Tensor]], tmp_path: Path) -> None:
    found = AuthorsFile(tmp_path / "x.tar", {}, published["dsgdetr sgdet"])
    assert AUTHORS.read(found, ImportOptions()).options.mode == "sgdet"
    with pytest.raises(ConfigError, match=r"-mode: .* has the table of positions of sgdet, not of predcls"):
        AUTHORS.read(found, ImportOptions(mode="predcls"))
    with pytest.raises(ConfigError, match=r"-mode is required: .* trained in: predcls, sgcls"):
        AUTHORS.read(AuthorsFile(tmp_path / "x.tar", {}, published["dsgdetr predcls"]), ImportOptions())
    with pytest.raises(CheckpointError, match=r"'subj_fc\.weight'"):
        infer_dsgdetr({name: value for name, value in published["impartail"].items() if "subj_fc" not in name})


def test_impartails_files_hold_one_state_dict_under_a_name_of_its_own(tmp_path: Path) -> None:
    torch.save({"dsgdetr_curriculum_state_dict": {"x": torch.ones(2)}}, tmp_path / "dsgdetr_predcls_epoch_3.tar")
    assert AuthorsFile.read(tmp_path / "dsgdetr_predcls_epoch_3.tar").state["x"].tolist() == [1, 1]
