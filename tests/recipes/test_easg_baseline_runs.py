"""The baseline of EASG's authors from the command line: trained as theirs, scored in all three tasks,
imported from their file."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from datasets.easg_files import write_all_features, write_easg
from torch import Tensor

from vidsgg import train as train_run
from vidsgg.cli import evaluate, import_checkpoint, predict, train
from vidsgg.cli.main import run
from vidsgg.datasets.easg import EASG
from vidsgg.engine.randomness import seed_step
from vidsgg.io.graphs import read_graph
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.easg_baseline import METHOD, EasgBaselineOptions
from vidsgg.structures.schema import MODES
from vidsgg.structures.widths import FeatureWidths

COMMON = {"model": "easg_baseline", "val": "test", "num_workers": 0, "device": "cpu", "logger": "none", "eval_freq": 10}
THEIRS = {"actions": "fc_verb", "objects": "fc_objs", "relations.relation": "fc_rels"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_easg(tmp_path_factory.mktemp("data"), clips=3, graphs=3)
    write_all_features(root)
    return root


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "whole"
    return train_run(data_path=str(data), epochs=3, save_path=str(path), **COMMON).path


def weights_of(run_path: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = load_tensors(run_path / "checkpoint_final.tar")["model_state_dict"]
    return weights


def graphs_of(data: Path) -> list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
    """Clip feature, verb, features, classes and relations of the objects of every training graph,
    each of an object's boxes counted once for every time that it is listed."""
    videos, graphs = EASG(data, "train"), []
    for index, video in enumerate(videos):
        columns = {name: torch.from_numpy(column) for name, column in videos.features(index).items()}
        for unit in range(video.units):
            of_unit = torch.from_numpy(video.frame_unit[video.node_frame]) == unit
            objects = []
            for identity in range(int(video.node_identity[of_unit.numpy()].max()) + 1):
                nodes = torch.nonzero(of_unit & (torch.from_numpy(video.node_identity.copy()) == identity)).squeeze(1)
                count = columns["node_rows"][nodes].float()
                feature = (columns["node_feature"][nodes] * count[:, None]).sum(0) / count.sum()
                row = int(nodes[0])
                objects.append((feature, int(video.node_class[row]) - 1, video.labels["relation"][row]))
            feature, klass, hot = zip(*objects, strict=True)
            graphs.append(
                (
                    columns["action_feature"][unit],
                    torch.tensor(int(video.action_class[unit])),
                    torch.stack(feature),
                    torch.tensor(klass),
                    torch.tensor([row.tolist() for row in hot]).float(),
                )
            )
    return graphs


def test_it_is_trained_as_the_authors_train(data: Path, trained: Path) -> None:
    """Their loop, written out: one graph a step, Adam, cosine annealing by epoch."""
    graphs, schema = graphs_of(data), EASG(data, "train").schema
    seed_step(42, 0, 0)
    options = EasgBaselineOptions(model="easg_baseline")
    model = METHOD.build(schema, FeatureWidths(node=1024, action=2304), options)
    verb, objs, rels = model.actions, model.objects, model.relations["relation"]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    for epoch in range(1, 4):
        order = list(range(len(graphs)))
        random.Random(f"42/{epoch}").shuffle(order)
        for clip, action, features, classes, hot in (graphs[i] for i in order):
            pairs = torch.cat([clip.expand(len(features), -1), features], 1)
            loss = F.cross_entropy(verb(clip), action) + F.cross_entropy(objs(features), classes)
            loss = loss + F.binary_cross_entropy_with_logits(rels(pairs), hot)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
    for name, weight in weights_of(trained).items():
        torch.testing.assert_close(weight, model.state_dict()[name], rtol=0, atol=2e-5)


def test_a_stopped_run_goes_on_with_the_same_bits(data: Path, trained: Path, tmp_path: Path) -> None:
    options = {**COMMON, "data_path": str(data), "save_path": str(tmp_path / "half")}
    train_run(**options, epochs=1)
    train_run(**options, epochs=3, resume_from=str(tmp_path / "half"))
    for name, weight in weights_of(tmp_path / "half").items():
        assert torch.equal(weight, weights_of(trained)[name])


@pytest.mark.parametrize("mode", MODES)
def test_one_training_serves_all_tasks(data: Path, trained: Path, mode: str, tmp_path: Path, capsys) -> None:
    arguments = ["-model", "easg_baseline", "-mode", mode, "-data_path", str(data), "-val", "test", "-epochs", "3"]
    path = tmp_path / mode
    arguments += ["-num_workers", "0", "-logger", "none", "-eval_freq", "10", "-save_path", str(path)]
    assert run(train.main, arguments) == 0
    for name, weight in weights_of(path).items():
        assert torch.equal(weight, weights_of(trained)[name])
    capsys.readouterr()
    assert run(evaluate.main, ["-checkpoint", str(path), "-charts", "False"]) == 0
    printed = "".join(capsys.readouterr())
    assert "Side by side" in printed
    others = [other for other in MODES if other != mode]
    tables = [path / f"evaluation_test{suffix}.csv" for suffix in ("", *(f"_{other}" for other in others))]
    assert all(table.is_file() for table in tables), sorted(path.iterdir())
    assert run(predict.main, ["-checkpoint", str(path), "-video", "0"]) == 0
    (graph,) = path.rglob("*.graph.json")
    assert read_graph(graph).frames


def test_their_file_is_imported(data: Path, trained: Path, tmp_path: Path, capsys) -> None:
    ours = weights_of(trained)
    state = {name.replace(mine, theirs): ours[name] for name in ours for mine, theirs in THEIRS.items() if mine in name}
    assert len(state) == len(ours) == 6
    torch.save(state, tmp_path / "model.pth")
    out = tmp_path / "imported.tar"
    arguments = [str(tmp_path / "model.pth"), "-out", str(out)]
    assert run(import_checkpoint.main, arguments) == 2
    assert "option -data_path is required" in capsys.readouterr().err
    (tmp_path / "words").mkdir()
    for name, words in (("verbs", "a"), ("objects", "b"), ("relationships", "dobj")):
        (tmp_path / "words" / f"{name}.txt").write_text(words + "\n", encoding="utf-8")
    assert run(import_checkpoint.main, [*arguments, "-data_path", str(tmp_path / "words")]) == 2
    assert "fc_verb.weight has 4 rows; with the words in" in capsys.readouterr().err

    assert run(import_checkpoint.main, [*arguments, "-data_path", str(data), "-mode", "sgdet"]) == 0
    printed = "".join(capsys.readouterr())
    assert "reads: RoI features 1024 wide, action features 2304 wide" in printed
    assert "classes: 9, EASG's; actions: 4; predicates: 6 relation" in printed
    for name, weight in load_tensors(out)["model_state_dict"].items():
        assert torch.equal(weight, ours[name])
    tables = ["-data_path", str(data), "-save_path", str(tmp_path / "tables"), "-charts", "False"]
    assert run(evaluate.main, ["-checkpoint", str(out), *tables]) == 0
    assert f"easg_baseline, sgdet, {out}" in "".join(capsys.readouterr())


def test_without_features_it_says_what_is_missing(tmp_path: Path, capsys) -> None:
    root = write_easg(tmp_path / "bare", clips=3, graphs=2)
    assert run(train.main, ["-model", "easg_baseline", "-data_path", str(root)]) == 2
    assert "EASG has none of objects and actions here; add the authors' files" in capsys.readouterr().err
    assert run(train.main, ["-model", "easg_baseline", "-data_path", str(root), "-bce_loss", "False"]) == 2
    assert "option -bce_loss: the baseline is trained with binary cross entropy" in capsys.readouterr().err
    assert run(train.main, ["-model", "easg_baseline", "-data_path", str(root), "-partial_labels", "50"]) == 2
    assert "option -partial_labels: the baseline learns each relation" in capsys.readouterr().err
