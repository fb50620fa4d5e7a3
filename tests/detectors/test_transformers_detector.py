"""Detectors of the transformers library, with random weights of tiny configurations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from vidsgg.assembly.detectors import build_box_detector
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.label_files import LabelFiles
from vidsgg.detectors.transformers_detector import TransformersDetector
from vidsgg.errors import ConfigError

transformers = pytest.importorskip("transformers")
CLASSES = ("__background__", "person", "cup/glass/bottle", "chair")
NAMES = {0: "person", 1: "cup", 2: "dog"}
PICTURES = [np.random.RandomState(0).randint(0, 256, (48, 70, 3)).astype(np.uint8)] * 2
LABELS = {"id2label": NAMES, "label2id": {name: number for number, name in NAMES.items()}}
TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def without_dogs(head: torch.nn.Linear) -> None:
    """Random weights that take nothing for the third label, which is no class."""
    with torch.no_grad():
        head.bias[2] -= 8


def yolos(folder: Path) -> None:
    config = transformers.YolosConfig(image_size=[64, 64], patch_size=16, num_detection_tokens=7, **TINY, **LABELS)
    model = transformers.YolosForObjectDetection(config)
    without_dogs(model.class_labels_classifier.layers[-1])
    model.save_pretrained(folder)
    transformers.YolosImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}).save_pretrained(folder)


def rt_detr(folder: Path) -> None:
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8] * 4,
        depths=[1] * 4,
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = transformers.RTDetrConfig(
        backbone_config=backbone, encoder_hidden_dim=16, encoder_in_channels=[8] * 3, encoder_ffn_dim=16, d_model=16,
        encoder_attention_heads=2, num_queries=9, decoder_in_channels=[16] * 3, decoder_ffn_dim=16, decoder_layers=2,
        decoder_attention_heads=2, decoder_n_points=2, num_denoising=0, **LABELS,
    )  # fmt: skip
    model = transformers.RTDetrForObjectDetection(config)
    for head in model.model.decoder.class_embed:
        without_dogs(head)
    model.save_pretrained(folder)
    transformers.RTDetrImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)


def owl_v2(folder: Path) -> None:
    letters = [chr(97 + i) for i in range(26)]
    words = {
        w: i for i, w in enumerate([*letters, *[f"{one}</w>" for one in letters], "<|startoftext|>", "<|endoftext|>"])
    }
    text = {"vocab_size": len(words), "max_position_embeddings": 16, "pad_token_id": 0, **TINY}
    text |= {"bos_token_id": words["<|startoftext|>"], "eos_token_id": words["<|endoftext|>"]}
    vision = {"image_size": 64, "patch_size": 16, **TINY}
    config = transformers.Owlv2Config(text_config=text, vision_config=vision, projection_dim=16)
    model = transformers.Owlv2ForObjectDetection(config)
    with torch.no_grad():
        model.box_head.dense2.weight.mul_(1e-3)  # boxes near the places that they belong to
    model.save_pretrained(folder)
    reader = transformers.Owlv2ImageProcessor(size={"height": 64, "width": 64})
    transformers.Owlv2Processor(reader, transformers.CLIPTokenizer(vocab=words, merges=[])).save_pretrained(folder)


def grounding_dino(folder: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "person", "cup", "glass", "bottle", "chair"]
    swin = transformers.SwinConfig(
        image_size=64, patch_size=4, embed_dim=8, depths=[1] * 4, num_heads=[1, 1, 2, 2], window_size=2,
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    bert = transformers.BertConfig(vocab_size=len(words), max_position_embeddings=512, **TINY)
    config = transformers.GroundingDinoConfig(
        backbone_config=swin, text_config=bert, d_model=32, encoder_layers=1, encoder_ffn_dim=16, encoder_attention_heads=2,
        decoder_layers=2, decoder_ffn_dim=16, decoder_attention_heads=2, num_queries=9, num_feature_levels=4,
    )  # fmt: skip
    transformers.GroundingDinoForObjectDetection(config).save_pretrained(folder)
    reader = transformers.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    tokenizer = transformers.BertTokenizerFast(vocab={word: number for number, word in enumerate(words)})
    transformers.GroundingDinoProcessor(reader, tokenizer).save_pretrained(folder)


MODELS: dict[str, Callable[[Path], None]] = {
    "yolos": yolos, "rt_detr": rt_detr, "owlv2": owl_v2, "grounding-dino": grounding_dino,
}  # fmt: skip


@pytest.fixture(scope="module", params=MODELS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp(request.param)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        MODELS[request.param](place)
    return place


def test_boxes_of_classes_come_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidsgg.detectors.candidates.SCORE_FLOOR", 1e-4)  # random weights are sure of nothing
    detector, line = TransformersDetector.ready(str(folder), CLASSES)
    found = detector.find(PICTURES)
    assert set(found.frame.tolist()) == {0, 1} and len(found.box) >= 2
    assert (found.box >= 0).all() and (found.box <= torch.tensor([70, 48, 70, 48])).all()
    assert set(found.klass.tolist()) <= {1, 2, 3} and (found.score <= 1).all()
    torch.testing.assert_close(found.distribution.sum(1), torch.ones(len(found.box)))
    alone = detector.find(PICTURES[:1])
    torch.testing.assert_close(alone.box, found.box[found.frame == 1])
    assert json.dumps(detector.describe()) and len(detector.digest()) == 64
    if detector.open:
        assert detector.labels.labels == ("person", "cup", "glass", "bottle", "chair") and "asked for 5 words" in line
    else:
        assert detector.labels.left_out == ("dog",) and detector.labels.unseen == ("chair",)


def test_what_it_says_is_what_the_library_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The surest box of the library's own decoding is among ours, of the same class and as sure."""
    monkeypatch.setattr("vidsgg.detectors.candidates.SCORE_FLOOR", 1e-4)
    detector = TransformersDetector(str(folder), CLASSES)
    found = detector.find(PICTURES[:1])
    if not detector.open:
        pixels = detector.processor(images=PICTURES[:1], return_tensors="pt")
        with torch.no_grad():
            said = detector.model(**pixels)
        (own,) = detector.processor.post_process_object_detection(said, 1e-4, [(48, 70)])
        known = own["labels"] < 2  # no dog
    else:
        words = [f"a photo of a {word}" for word in detector.labels.labels]
        text = ["person. cup. glass. bottle. chair."] if detector._in_one_text else [words]
        given = {} if detector._in_one_text else {"padding": "max_length", "max_length": 16, "truncation": True}
        asked = detector.processor(text=text, images=PICTURES[:1], return_tensors="pt", **given)
        with torch.no_grad():
            said = detector.model(**asked)
        (own,) = detector.processor.post_process_grounded_object_detection(
            said, threshold=1e-4, target_sizes=[(48, 70)]
        )
        known = torch.ones(len(own["scores"]), dtype=torch.bool)
    assert known.any()
    best = int(torch.where(known, own["scores"], 0).argmax())
    box = torch.minimum(own["boxes"][best].clamp(min=0), torch.tensor([70.0, 48, 70, 48]))
    near = (found.box - box).abs().amax(1) < 0.05
    assert near.any()
    score = float(own["scores"][best])
    assert any(abs(float(one) - score) < (1e-3 if not detector.open else 0.6) for one in found.score[near])


def test_labels_and_words_of_the_user(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("dog: chair\nbottle: cup/glass/bottle\n")
    said = LabelFiles(label_map=tmp_path / "map.yaml")
    detector = TransformersDetector(str(folder), CLASSES, said)
    assert detector.labels.labels == (("dog", "bottle") if detector.open else ("person", "cup", "dog"))
    assert 3 in detector.labels.index
    if detector.open:
        (tmp_path / "names.txt").write_text("a\n")
        with pytest.raises(ConfigError, match="option -classes"):
            TransformersDetector(str(folder), CLASSES, LabelFiles(classes=tmp_path / "names.txt"))


def test_without_a_network_there_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=r"nobody/nothing cannot be used: .*name that folder") as caught:
        build_box_detector("hf://nobody/nothing", SCHEMA, torch.device("cpu"))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "bert"}, "'bert' model, which does not detect boxes"),
        ({"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config"}}, "cannot be used"),
        ({}, "cannot be used"),
        ({"model_type": "yolos", "num_hidden_layers": 10**12}, "'num_hidden_layers' is 1000000000000; at most 8,192"),
        ({"model_type": "yolos", "attn_implementation": "somebody/kernel"}, "does not choose other files or code"),
    ],
)
def test_a_folder_that_holds_no_detector_is_one_message(
    config: dict[str, object], message: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(ConfigError, match=message):
        build_box_detector(str(tmp_path), SCHEMA, torch.device("cpu"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "change", [{"size": {"shortest_edge": "x"}}, {"image_mean": [0.5, 0.5]}, {"rescale_factor": {}}]
)
def test_a_reader_of_pictures_that_fails_is_one_message(change: dict[str, object], tmp_path: Path) -> None:
    yolos(tmp_path)
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be used"):
        build_box_detector(str(tmp_path), SCHEMA, torch.device("cpu"))[0].find(PICTURES)
