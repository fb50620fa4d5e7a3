"""Detectors of the transformers library: ``-detector hf://ORG/NAME``, or a folder in which one was saved.

Letters: T pictures, Q queries, L labels or prompts, K tokens of a text.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from vidsgg.detectors.base import BoxDetector, FoundBoxes, join_found
from vidsgg.detectors.candidates import BoxCandidates, Chooser
from vidsgg.detectors.label_files import NO_LABELS, LabelFiles
from vidsgg.detectors.labels import map_labels, numbered_labels, prompts_of, read_labels
from vidsgg.detectors.names import HUB
from vidsgg.detectors.onnx_outputs import corners
from vidsgg.detectors.record import weights_digest
from vidsgg.errors import CheckpointError, ConfigError, short
from vidsgg.io.images import Image
from vidsgg.io.model_config import check_model_config
from vidsgg.structures.box_rules import BoxRules

_BATCH_ON_GPU = 8  # on a CPU several pictures at a time are no faster
_MOST_TOKENS = 256  # of a text that Grounding DINO reads
_PADDED_SQUARE = ("owlv2",)  # whose pictures are filled up to squares, to the right and below
_ENDS_IN_SOFTMAX = ("detr", "table-transformer", "yolos")
# Which scores count is a choice of ours, not measured: a softmax is surer than sigmoids, and those
# of open vocabularies are low.
_SOFTMAX, _SIGMOID, _WORDS, _PHRASES = BoxRules(0.5, 0.6), BoxRules(0.3, 0.45), BoxRules(0.15, 0.2), BoxRules(0.3, 0.35)


class TransformersDetector(BoxDetector):
    """Object detection (DETR, RT-DETR, D-FINE, YOLOS, ...), or open-vocabulary detection (OWLv2, Grounding DINO).

    Of an open vocabulary the names of the classes are the query, every one of those between slashes;
    ``-label_map`` says other words for them. Code that comes with a model is never run, and weights
    are read from safetensors only.
    """

    architecture = "transformers"

    def __init__(self, source: str, classes: Sequence[str], labels: LabelFiles = NO_LABELS) -> None:
        """source: a folder, or ORG/NAME, which is downloaded once. Raises ConfigError if it cannot be had or is no
        detector, or if labels do not fit."""
        library, self.name, self.classes = _transformers(), source, tuple(classes)
        given: dict[str, Any] = {"trust_remote_code": False}
        with _one_message(source):
            if os.path.isdir(source):
                check_model_config(Path(source) / "config.json")
            config = library.AutoConfig.from_pretrained(source, **given)
            self.kind = str(config.model_type)
            self.open = (
                self.kind in library.models.auto.modeling_auto.MODEL_FOR_ZERO_SHOT_OBJECT_DETECTION_MAPPING_NAMES
            )
            known = library.models.auto.modeling_auto.MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES
            if not self.open and self.kind not in known:
                raise ConfigError(
                    f"option -detector: {source} is a {short(self.kind)} model, which does not detect boxes."
                )
            model, reader = (
                (library.AutoModelForZeroShotObjectDetection, library.AutoProcessor)
                if self.open
                else (library.AutoModelForObjectDetection, library.AutoImageProcessor)
            )
            self.processor = reader.from_pretrained(source, **given)
            self.model = model.from_pretrained(source, use_safetensors=True, **given)
        self.model.requires_grad_(False).eval()
        if self.open:
            if labels.classes is not None:
                labels.refuse(source, "is asked for classes by their names")
            own = prompts_of(self.classes, labels.label_map)
        else:
            own = read_labels(labels.classes) if labels.classes is not None else numbered_labels(dict(config.id2label))
        self.labels = map_labels(own, self.classes, labels.label_map)
        self.text = self._asked() if self.open else {}
        if self.open:
            self.rules = _PHRASES if self._in_one_text else _WORDS
        else:
            self.rules = _SOFTMAX if self.kind in _ENDS_IN_SOFTMAX else _SIGMOID
        self.choose = Chooser(self.labels, source, self.rules.least_score)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return ()

    @classmethod
    def ready(cls, name: str, classes: Sequence[str], labels: LabelFiles = NO_LABELS) -> tuple[Self, str]:
        """name: a folder, or ``hf://ORG/NAME``."""
        detector = cls(name.removeprefix(HUB), classes, labels)
        what = f"asked for {len(detector.labels.labels)} words" if detector.open else "with labels of its own"
        return detector, f"{name}, a {detector.kind} network of transformers {what}"

    @property
    def remarks(self) -> tuple[str, ...]:
        return self.labels.remarks

    @property
    def left_out(self) -> Mapping[str, int]:
        return self.choose.left_out

    def describe(self) -> dict[str, Any]:
        return {
            "detector": self.architecture,
            "network": self.kind,
            "labels": list(self.labels.labels),
            "classes_of_labels": list(self.labels.index),
        }

    def digest(self) -> str:
        return weights_digest(self.model.state_dict())

    @property
    def device(self) -> torch.device:
        return torch.device(self.model.device)

    def on_device(self, device: torch.device) -> Self:
        self.model.to(device)
        self.text = {name: value.to(device) for name, value in self.text.items()}
        return self

    @torch.no_grad()
    def find(self, images: Sequence[Image]) -> FoundBoxes:
        parts, begin = [], 0
        most = 1 if self.device.type == "cpu" else _BATCH_ON_GPU
        for _, group in groupby(images, key=lambda image: image.shape):
            alike = list(group)
            for few in (alike[at : at + most] for at in range(0, len(alike), most)):
                sizes = [(image.shape[1], image.shape[0]) for image in few]
                parts.append(self.choose(self._candidates(few, sizes), sizes).shifted(begin))
                begin += len(few)
        return join_found(parts, len(self.classes), self.device)

    def _candidates(self, images: Sequence[Image], sizes: Sequence[tuple[int, int]]) -> list[BoxCandidates]:
        reader = self.processor.image_processor if self.open else self.processor
        with _one_message(self.name):
            pixels = reader(images=list(images), return_tensors="pt").to(self.device)
            said = self.model(**pixels, **self._repeated(len(images)))
        found = []
        for logits, relative, (width, height) in zip(said.logits, said.pred_boxes, sizes, strict=True):
            probability, exclusive = self._probabilities(logits)
            side = (max(width, height),) * 4 if self.kind in _PADDED_SQUARE else (width, height) * 2
            found.append(BoxCandidates(corners(relative) * relative.new_tensor(side), probability, exclusive))
        return found

    def _probabilities(self, logits: Tensor) -> tuple[Tensor, bool]:
        """(Q, L) of labels, and whether they exclude one another. logits: (Q, L), (Q, L + 1) with one for nothing, or
        (Q, K) of the tokens of a text. Raises CheckpointError if there are others."""
        count = len(self.labels.labels)
        if self.open and self._in_one_text:
            of_token = logits.sigmoid()
            return torch.stack([of_token[:, span].amax(1) for span in self.spans], 1), False
        if logits.shape[1] == count:
            return logits.sigmoid(), False
        if logits.shape[1] == count + 1:
            return logits.softmax(1)[:, :-1], True
        raise CheckpointError(f"{self.name}: tells {logits.shape[1]} labels apart, but there are {count} names.")

    @property
    def _in_one_text(self) -> bool:
        """Whether all prompts stand in one text, as Grounding DINO reads them."""
        return "grounding" in self.kind

    def _asked(self) -> dict[str, Tensor]:
        """What the tokenizer makes of the prompts; of one text also ``spans``, the tokens of each prompt."""
        tokenizer, prompts = self.processor.tokenizer, self.labels.labels
        if not self._in_one_text:
            longest = int(self.model.config.text_config.max_position_embeddings)
            texts = [f"a photo of a {prompt}" for prompt in prompts]
            return dict(
                tokenizer(texts, padding="max_length", truncation=True, max_length=longest, return_tensors="pt")
            )
        text, places = "", []
        for prompt in prompts:
            places.append((len(text), len(text) + len(prompt)))
            text += f"{prompt}. "
        asked = tokenizer(text.strip(), return_tensors="pt", return_offsets_mapping=True)
        offsets = asked.pop("offset_mapping")[0].tolist()
        if len(offsets) > _MOST_TOKENS:
            raise ConfigError(
                f"option -detector: {self.name} reads {_MOST_TOKENS} tokens at most, and the {len(prompts)} names of classes make"
                f" {len(offsets)}; ask for fewer with -label_map FILE."
            )
        self.spans = [[at for at, (a, b) in enumerate(offsets) if a < end and b > begin] for begin, end in places]
        return dict(asked)

    def _repeated(self, pictures: int) -> dict[str, Tensor]:
        """The text for a batch: once for every picture."""
        return {name: value.repeat(pictures, 1) for name, value in self.text.items()}


def is_transformers_detector(name: str) -> bool:
    """Whether a value of -detector is an address of the hub, or a folder in which a model was saved."""
    return name.startswith(HUB) or os.path.isfile(os.path.join(name, "config.json"))


def _transformers() -> Any:
    try:
        import transformers
        import transformers.models.auto.modeling_auto
    except ImportError as error:
        raise ConfigError(
            "detectors of the transformers library need it: pip install 'vidsgg[transformers]'."
        ) from error
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


@contextmanager
def _one_message(source: str) -> Iterator[None]:
    """What the library raises for models that it cannot get, or cannot read, as one message."""
    try:
        yield
    except (ConfigError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # whatever a damaged or foreign folder makes it raise
        why = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"option -detector: {source} cannot be used: {why} If there is no network here, save the model to a folder elsewhere"
            " (save_pretrained, with its processor) and name that folder."
        ) from error
