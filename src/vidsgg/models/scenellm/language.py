"""The language model of SceneLLM: frozen, with low-rank adapters (LoRA, Hu et al. 2021,
arXiv:2106.09685) that learn.

Letters: S words, D their width, H width of the language model, V videos, T words of the longest
video.
"""

from __future__ import annotations

import warnings
import zlib
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.models.scenellm.language_config import RANDOM, first_line, not_there
from vidsgg.models.scenellm.loading import LanguageSource, load_language_model
from vidsgg.models.scenellm.stored_weights import stored_tensors, weights_checksum
from vidsgg.ops.ragged import RaggedLayout

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

TARGETS = ("q_proj", "v_proj")
ADAPTER = "lora_"


@dataclass(frozen=True)
class LanguageConfig:
    """rank, alpha, dropout: of the adapters, whose product counts alpha / rank."""

    source: LanguageSource
    rank: int
    alpha: float
    dropout: float


class LanguageModel(nn.Module):
    """Words as embeddings, in their order, to the hidden states of the last block. Attention is
    causal: a word sees those before it.

    State dicts hold the adapters and our own layers, never the base model, which is loaded again by
    its name; that it is the same is checked by a checksum.
    """

    def __init__(self, dim: int, config: LanguageConfig) -> None:
        """Raises ConfigError as load_language_model does."""
        super().__init__()
        base = load_language_model(config.source)
        self.name = config.source.name
        self.remarks: tuple[str, ...] = ()
        text = base.config.get_text_config()
        self.positions: int | None = getattr(text, "max_position_embeddings", None)
        self._embedding_scale = _embedding_scale(base)
        self._mark = _mark(base)
        self._checksum = _checksum(base, config.source.name)
        self._dtype = _word_embedding(base).weight.dtype
        self.reads = nn.Linear(dim, text.hidden_size)
        self.llm: PeftModel = self._adapted(base, config)
        self.says = nn.Linear(text.hidden_size, dim)
        self.register_state_dict_post_hook(_leave_out_base)  # type: ignore[no-untyped-call]  # torch does not annotate these three
        self.register_load_state_dict_pre_hook(_take_no_base)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_miss_no_base)  # type: ignore[no-untyped-call]

    def _adapted(self, base: PreTrainedModel, config: LanguageConfig) -> PeftModel:
        from peft import LoraConfig, get_peft_model

        shared: dict[str, Any] = {
            "r": config.rank,
            "lora_alpha": config.alpha,
            "lora_dropout": config.dropout,
            "bias": "none",
        }
        expected = set(TARGETS) <= {name.rsplit(".", 1)[-1] for name, _ in base.named_modules()}
        where = (
            " and ".join(TARGETS)
            if expected
            else f"all of its linear layers, for it has none named {' and '.join(TARGETS)}"
        )
        kept = str(self._dtype).removeprefix("torch.") if config.source.bits == "none" else f"{config.source.bits} bits"
        frozen = f"language model: {self.name}, {base.num_parameters():,} frozen weights in {kept}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the two libraries about each other's interfaces
            llm = get_peft_model(base, LoraConfig(target_modules=list(TARGETS) if expected else "all-linear", **shared))
        self.remarks = (f"{frozen}; adapters of {llm.get_nb_trainable_parameters()[0]:,} weights on {where}",)
        return llm

    @property
    def layers(self) -> nn.ModuleList:
        """The blocks of the base model, for -grad_checkpointing."""
        base = self.llm.get_base_model()
        return max((m for m in base.modules() if isinstance(m, nn.ModuleList)), key=len)

    def adapters(self) -> list[nn.Parameter]:
        return [parameter for name, parameter in self.llm.named_parameters() if ADAPTER in name]

    def forward(self, words: Tensor, video: Tensor) -> Tensor:
        """words (S, D), video (S,) long, never decreasing, to states (S, D). Raises ConfigError for
        a video of too many words."""
        layout = RaggedLayout.from_sorted(video)
        if self.positions is not None and layout.valid.shape[1] > self.positions:
            raise ConfigError(
                f"a video has {layout.valid.shape[1]} words, but {self.name} reads {self.positions} at most; name a"
                " model that reads more."
            )
        embedded = layout.pad(self._as_embeddings(self.reads(words))).to(self._dtype)
        # Adapters compute in their own precision beside a base model of bfloat16, which autocast
        # would only get in the way of.
        full = self._dtype is torch.float32
        with nullcontext() if full else torch.autocast(words.device.type, enabled=False):
            states = self.llm(
                inputs_embeds=embedded, attention_mask=layout.valid.long(), use_cache=False
            ).last_hidden_state
        said: Tensor = self.says(layout.pack(states).float())
        return said

    def _as_embeddings(self, x: Tensor) -> Tensor:
        """Vectors (S, H) as long as the base model's own word embeddings are on average (root mean
        square), which it has learnt to read."""
        x = x.float()
        return x * (self._embedding_scale * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt())

    def get_extra_state(self) -> Tensor:
        return torch.tensor([self._mark, self._checksum], dtype=torch.int64, device=self.reads.weight.device)

    def set_extra_state(self, state: Tensor) -> None:
        """Raises CheckpointError if the adapters were trained on another base model than this.

        Checkpoints of earlier versions hold the first of the two numbers only.
        """
        kept = state.flatten().tolist()
        differing = [
            what
            for what, ours, theirs in zip(
                ("word embeddings or norms", "weights"), (self._mark, self._checksum), kept, strict=False
            )
            if ours != theirs
        ]
        if differing or not kept:
            raise CheckpointError(
                f"the adapters were trained on another language model than {self.name!r} is now (its"
                f" {(differing or ['weights'])[0]} differ); name the same one, in the same version."
            )


def _leave_out_base(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    for name in [name for name in state if name.startswith(f"{prefix}llm.") and ADAPTER not in name]:
        del state[name]


def _take_no_base(module: nn.Module, state: dict[str, Any], prefix: str, *reports: Any) -> None:
    _, _, _, unexpected, _ = reports
    for name in [name for name in state if name.startswith(f"{prefix}llm.") and ADAPTER not in name]:
        unexpected.append(name)
        del state[name]


def _miss_no_base(module: nn.Module, keys: Any) -> None:
    keys.missing_keys[:] = [name for name in keys.missing_keys if ".llm." not in f".{name}" or ADAPTER in name]


def _word_embedding(base: PreTrainedModel) -> nn.Embedding:
    """Raises ConfigError if the base model has another way to read words than a table of
    vectors."""
    embedding = base.get_input_embeddings()
    if not isinstance(embedding, nn.Embedding):
        raise ConfigError(
            f"option -llm_name: {type(base).__name__} reads words by {type(embedding).__name__}, not by a table of"
            " vectors; name another model."
        )
    return embedding


def _embedding_scale(base: PreTrainedModel) -> float:
    """Root mean square of the base model's word embeddings as its blocks get them: some kinds scale
    them in the embedding layer."""
    embedding = _word_embedding(base)
    ids = torch.arange(min(1024, embedding.num_embeddings), device=embedding.weight.device)
    with torch.no_grad():
        return float(embedding(ids).float().square().mean().sqrt())


def _mark(base: PreTrainedModel) -> int:
    """A checksum of what quantised loading leaves as it is, in the precision that every way of
    loading has: embeddings and norms. Of the model as it was loaded, while ``_checksum`` looks at
    its files."""
    mark = zlib.crc32(type(base).__name__.encode())
    for parameter in (_word_embedding(base).weight[:64], *(p for p in base.parameters() if p.dim() == 1)):
        mark = zlib.crc32(parameter.detach().cpu().to(torch.bfloat16).contiguous().view(torch.uint8).numpy().data, mark)
    return mark


def _checksum(base: PreTrainedModel, name: str) -> int:
    """A checksum of all weights of the base model, before any quantisation. Raises ConfigError if
    its files cannot be read."""
    if name.startswith(RANDOM):
        return weights_checksum(base.named_parameters())
    try:
        return weights_checksum(stored_tensors(name, base.base_model_prefix))
    except Exception as error:  # files that the library has just read, with untrusted values
        raise not_there(name, first_line(error)) from error
