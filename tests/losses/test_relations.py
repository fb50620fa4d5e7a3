from dataclasses import replace

import numpy as np
import pytest
import torch
from golden.deterministic import cases_of, read_case
from golden.sttran.inputs import ATT, CON, N_OBJ, SPA, make_losses

from vidsgg.errors import ConfigError, DataError
from vidsgg.losses.relations import RelationCriterion, binary_cross_entropy, multi_label_margin
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import PredicateGroup, Vocabulary


def schema_of(att=ATT, spa=SPA, con=CON, objects=N_OBJ, subject_kind="entity", unit="frame", slots=("frame",)):
    def group(name, size, kind):
        return PredicateGroup(name, tuple(f"{name}{i}" for i in range(size)), kind)

    groups = (group("attention", att, "single"), group("spatial", spa, "multi"), group("contacting", con, "multi"))
    names = ("__background__", "person", *(f"thing{i}" for i in range(objects - 2)))
    subjects = ("person",) if subject_kind == "entity" else ("wash", "cut", "stir")
    return Schema("toy", Vocabulary(names, subjects, groups), subject_kind, unit, slots)


SCHEMA = schema_of()


def clip_of(pairs_per_frame, video_id="a", seed=0, schema=SCHEMA, units=None):
    """One video with random labels: a subject in every frame and as many objects as the frame has
    pairs.

    units: the label unit of every frame, for schemas whose subject is an action.
    """
    rs = np.random.RandomState(seed)
    counts = np.array(pairs_per_frame)
    frames, pairs, nodes = len(counts), counts.sum(), counts.sum() + len(counts)
    node_frame = np.repeat(np.arange(frames), counts + 1)
    first = np.cumsum(counts + 1) - counts - 1
    objects = np.setdiff1d(np.arange(nodes), first)
    unit = np.arange(frames) if units is None else np.array(units)
    labels = {}
    for group in schema.vocabulary.groups:
        single = np.arange(len(group)) == rs.randint(0, len(group), (pairs, 1))
        labels[group.name] = single if group.kind == "single" else rs.uniform(size=(pairs, len(group))) < 0.4
    annotation = VideoAnnotation(
        schema=schema,
        video_id=video_id,
        source_id=video_id,
        split="train",
        fps=None,
        frame_key=tuple(f"{video_id}/{i}" for i in range(frames)),
        frame_number=np.arange(1, frames + 1),
        frame_unit=unit,
        frame_slot=np.arange(frames) % len(schema.slots),
        frame_size=np.full((frames, 2), 100),
        node_box=np.tile([0, 0, 10, 10], (nodes, 1)),
        node_class=rs.randint(1, N_OBJ, nodes),
        node_frame=node_frame,
        node_identity=np.full(nodes, -1),
        action_class=[] if units is None else rs.randint(0, 3, unit[-1] + 1),
        pair_subject=first[node_frame[objects]] if units is None else unit[node_frame[objects]],
        pair_object=objects,
        pair_frame=node_frame[objects],
        labels=labels,
    )
    return Clip.from_annotation(annotation)


def logits_of(clip, seed=0, objects=True, dtype=torch.float32):
    random = torch.Generator().manual_seed(seed)
    groups = {
        g.name: torch.randn(clip.pairs, len(g), generator=random).to(dtype) for g in clip.schema.vocabulary.groups
    }
    return RelationLogits(groups, torch.randn(clip.nodes, N_OBJ, generator=random).to(dtype) if objects else None)


def rows_of(logits, pairs, nodes):
    return RelationLogits({name: score[pairs] for name, score in logits.groups.items()}, logits.objects[nodes])


def hot_of(label_lists, classes):
    hot = torch.zeros(len(label_lists), classes, dtype=torch.bool)
    for row, labels in enumerate(label_lists):
        hot[row, labels] = True
    return hot


@pytest.mark.parametrize("case", [case["id"] for case in cases_of("sttran", "losses")])
@pytest.mark.parametrize("bce", [False, True], ids=["margin", "bce"])
def test_equals_the_reference_with_gradients(case, bce):
    """The reference's spatial and contacting inputs are probabilities: ours are their logits, so
    the chain rule adds p (1 - p)."""
    config, recorded = read_case("sttran", case)
    given = make_losses(config["seed"], config["n"])
    probability = {name: torch.from_numpy(given[name]) for name in ("spatial", "contacting")}
    scores = {
        "attention": torch.from_numpy(given["attention"]),
        **{name: p.double().logit().float() for name, p in probability.items()},
    }
    scores = {name: score.requires_grad_() for name, score in scores.items()}
    objects = torch.from_numpy(given["objects"]).requires_grad_()
    clip = replace(  # n pairs and three more nodes, as in the recording
        clip_of([config["n"] - 3, 2, 1]),
        node_target=torch.from_numpy(given["object_gt"]),
        labels={name: hot_of(given[f"{name}_gt"], score.shape[1]) for name, score in scores.items()},
    )
    losses = RelationCriterion(SCHEMA, bce=bce)(RelationLogits(scores, objects), clip)
    losses["total"].backward()

    kind = "bce" if bce else "mlm"
    names = {
        "attention": "attention_relation",
        "spatial": "spatial_relation",
        "contacting": "contact_relation",
        "objects": "object",
    }
    for ours, theirs in names.items():
        np.testing.assert_allclose(losses[ours].item(), recorded[f"{kind}_{theirs}_loss"], rtol=1e-5)
        gradient = torch.from_numpy(recorded[f"grad_{kind}_{ours}"])
        if ours in probability:
            gradient = gradient * probability[ours] * (1 - probability[ours])
        score = objects if ours == "objects" else scores[ours]
        torch.testing.assert_close(score.grad, gradient, rtol=1e-4, atol=1e-6)
    assert losses["total"].item() == pytest.approx(sum(losses[name].item() for name in names), rel=1e-6)


def test_margin_counted_by_hand():
    """Probabilities 0.5, 0.5, 0.5, labels {1}: two unlabelled classes, each with margin 1, over
    three classes."""
    logits = torch.zeros(3, 3)
    hot = torch.tensor([[False, True, False], [True, True, True], [False, False, False]])
    assert multi_label_margin(logits, hot).tolist() == pytest.approx([2 / 3, 0, 0])


def test_bce_on_logits_equals_bce_on_probabilities():
    random = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(50, 17, generator=random)
    hot = torch.rand(50, 17, generator=random) < 0.2
    expected = torch.nn.BCELoss(reduction="none")(logits.double().sigmoid(), hot.double()).mean(1).float()
    torch.testing.assert_close(binary_cross_entropy(logits, hot), expected)


def test_a_batch_is_the_mean_of_its_videos():
    clips = [clip_of(pairs, video_id=str(i), seed=i) for i, pairs in enumerate([[3, 1, 2], [1], [0, 0], [6, 5]])]
    batch = Clip.cat(clips)
    logits = logits_of(batch)
    criterion = RelationCriterion(SCHEMA)
    pair_video, node_video = batch.frame_video[batch.pair_frame], batch.frame_video[batch.node_frame]
    alone = [criterion(rows_of(logits, pair_video == i, node_video == i), clip) for i, clip in enumerate(clips)]
    together = criterion(logits, batch)
    for name, loss in together.items():
        torch.testing.assert_close(loss, torch.stack([one[name] for one in alone]).mean())


@pytest.mark.parametrize("bce", [False, True], ids=["margin", "bce"])
@pytest.mark.parametrize(
    "pairs",
    [[1], [0], [0, 0, 0], [0, 1, 0]],
    ids=["one pair", "no pair", "three empty frames", "one pair in three frames"],
)
def test_small_clips_give_finite_losses_with_a_graph(pairs, bce):
    clip = clip_of(pairs)
    weight = torch.ones((), requires_grad=True)
    logits = logits_of(clip, objects=False)
    scaled = RelationLogits({name: score * weight for name, score in logits.groups.items()})
    losses = RelationCriterion(SCHEMA, bce=bce)(scaled, clip)
    losses["total"].backward()
    assert losses["total"].isfinite() and weight.grad.isfinite()
    assert (losses["total"] == 0) == (clip.pairs == 0)


def test_float32_under_autocast():
    clip = clip_of([3, 4])
    logits = logits_of(clip, dtype=torch.bfloat16)
    expected = RelationCriterion(SCHEMA)(
        RelationLogits({k: v.float() for k, v in logits.groups.items()}, logits.objects.float()), clip
    )
    with torch.autocast("cpu", torch.bfloat16):
        losses = RelationCriterion(SCHEMA)(logits, clip)
    for name, loss in losses.items():
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, expected[name])


def test_actions_are_averaged_over_the_units_of_a_video():
    schema = schema_of(subject_kind="action", unit="event", slots=("pre", "post"))
    one = clip_of([1, 1, 1, 1], schema=schema, units=[0, 0, 1, 1])
    two = clip_of([1, 2, 0, 1], schema=schema, units=[0, 0, 0, 0], video_id="b", seed=1)
    batch = Clip.cat([one, two])
    actions = torch.tensor([[1.0, 2, 3], [0, 0, 1], [5, 0, 0]])
    losses = RelationCriterion(schema)(replace(logits_of(batch), actions=actions), batch)
    rows = torch.nn.functional.cross_entropy(actions, batch.action_target, reduction="none")
    torch.testing.assert_close(losses["actions"], ((rows[0] + rows[1]) / 2 + rows[2]) / 2)


@pytest.mark.parametrize(("column", "named"), [("labels", "labels"), ("node_target", "node_target")])
def test_missing_targets_are_named(column, named):
    clip = replace(clip_of([2]), **{column: None})
    with pytest.raises(DataError, match=f"clip of a: the loss needs {named}"):
        RelationCriterion(SCHEMA)(logits_of(clip), clip)


def test_a_group_cannot_be_named_like_a_loss():
    vocabulary = Vocabulary(("__background__", "person"), ("person",), (PredicateGroup("total", ("on",)),))
    with pytest.raises(ConfigError, match="'total'"):
        RelationCriterion(Schema("toy", vocabulary, "entity"))
