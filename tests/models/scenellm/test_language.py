"""Language models with adapters: what they read and say, and what checkpoints hold of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from models.scenellm.tiny import LANGUAGE, NAME

from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.models.scenellm.language import LanguageModel
from vidsgg.models.scenellm.loading import LanguageSource, load_language_model


def language(name: str = NAME, seed: int = 0, **source: Any) -> LanguageModel:
    torch.manual_seed(seed)
    return LanguageModel(8, replace(LANGUAGE, source=LanguageSource(name, **source))).eval()


def video(*lengths: int) -> torch.Tensor:
    return torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))


def words(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))


def changed(model: LanguageModel) -> LanguageModel:
    with torch.no_grad():
        for parameter in model.adapters():
            parameter.copy_(torch.linspace(-0.3, 0.3, parameter.numel()).view_as(parameter))
    return model


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma3_text"])
def test_adapters_start_without_effect_and_get_gradients(kind: str) -> None:
    model = language(f"random:{kind}:hidden=16,layers=1,heads=2")
    x = words(3).requires_grad_()
    out = model(x, video(3))
    with model.llm.disable_adapter():
        assert torch.equal(model(x, video(3)), out)
    assert not torch.allclose(changed(model)(x, video(3)), out)
    model(x, video(3)).sum().backward()
    assert x.grad.abs().sum() > 0  # through the frozen base
    assert all(p.grad.abs().sum() > 0 for p in model.adapters())
    assert {name for name, p in model.llm.named_parameters() if p.requires_grad} == {
        n for n, _ in model.llm.named_parameters() if "lora_" in n
    }
    learnt = sum(p.numel() for p in model.adapters())
    frozen = sum(p.numel() for p in model.llm.parameters()) - learnt
    said = (
        f"language model: random:{kind}:hidden=16,layers=1,heads=2, {frozen:,} frozen weights in float32; adapters of"
        f" {learnt:,} weights"
    )
    assert model.remarks == (f"{said} on q_proj and v_proj",)


def test_a_model_without_the_expected_layers_gets_adapters_on_all_linear_ones() -> None:
    model = language("random:gpt2:hidden=16,layers=1,heads=2")
    assert model.remarks[0].endswith("weights on all of its linear layers, for it has none named q_proj and v_proj")
    assert len(model.adapters()) == 2 * 4  # c_attn, attn.c_proj, c_fc, mlp.c_proj
    before = model(words(3), video(3))
    assert not torch.allclose(changed(model)(words(3), video(3)), before)


def test_words_are_read_in_order_each_video_for_itself() -> None:
    model = changed(language())
    x = words(7)
    out = model(x, video(4, 3))
    torch.testing.assert_close(out[:4], model(x[:4], video(4)))
    torch.testing.assert_close(out[4:], model(x[4:], video(3)))
    later = x.clone()
    later[2] += 1
    different = (model(later, video(4, 3)) - out).abs().amax(1) > 1e-6
    assert different.tolist() == [False, False, True, True, False, False, False]


@pytest.mark.parametrize("kind", ["llama", "gemma3_text"])
def test_words_are_as_long_as_the_models_own_embeddings(kind: str) -> None:
    """Gemma scales its embeddings in their layer, so that those of the weight alone are 4 times
    (sqrt 16) too short."""
    model = language(f"random:{kind}:hidden=16,layers=1,heads=2")
    base = model.llm.get_base_model()
    own = base.get_input_embeddings()(torch.arange(128)).square().mean().sqrt()
    said = model._as_embeddings(1000 * words(50)[:, [0] * 16] + words(50)[:, [1] * 16])
    torch.testing.assert_close(said.square().mean(1).sqrt(), own.expand(50), rtol=1e-3, atol=0)


def test_state_dicts_hold_adapters_and_never_the_base() -> None:
    model = changed(language())
    state = model.state_dict()
    kept = {name for name in state if name.startswith("llm.")}
    assert kept == {
        f"llm.base_model.model.layers.{i}.self_attn.{x}_proj.lora_{ab}.default.weight"
        for i in (0, 1)
        for x in "qv"
        for ab in "AB"
    }
    assert {name.split(".")[0] for name in state} == {"llm", "reads", "says", "_extra_state"}
    fresh = language(seed=1)
    fresh.load_state_dict(state)
    assert torch.equal(fresh(words(3), video(3)), model(words(3), video(3)))
    with pytest.raises(RuntimeError, match="Unexpected key"):
        fresh.load_state_dict({**state, "llm.base_model.model.norm.weight": torch.ones(16)})
    del state["llm.base_model.model.layers.0.self_attn.q_proj.lora_A.default.weight"]
    with pytest.raises(RuntimeError, match="Missing key"):
        fresh.load_state_dict(state)


def test_adapters_of_another_base_are_refused() -> None:
    state = language().state_dict()
    with pytest.raises(CheckpointError, match="trained on another language model"):
        language("random:llama:hidden=16,heads=2,layers=2").load_state_dict(state)
    language(dtype="bfloat16").load_state_dict(state)  # the same numbers, rounded


def test_a_folder_is_loaded_like_the_model_that_was_saved(tmp_path: Path) -> None:
    load_language_model(LanguageSource(NAME)).save_pretrained(tmp_path / "model")
    stored = language(str(tmp_path / "model"))
    assert torch.equal(stored(words(3), video(3)), language()(words(3), video(3)))
    stored.load_state_dict(language().state_dict())


@pytest.mark.parametrize("name", ["layers.1.mlp.down_proj.weight", "embed_tokens.weight"])
def test_a_folder_in_which_one_number_is_another_is_refused(name: str, tmp_path: Path) -> None:
    """The number at the very end: what quantised loading leaves as it is does not contain it."""
    base = load_language_model(LanguageSource(NAME))
    base.get_parameter(name).data[-1, -1] += 0.5
    base.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"another language model than .* is now \(its weights differ\)"):
        language(str(tmp_path)).load_state_dict(language().state_dict())


def test_a_folder_that_was_saved_again_is_the_same_model(tmp_path: Path) -> None:
    """In pieces, in half the precision, with the output layer, or as PyTorch's own file."""
    from transformers import LlamaForCausalLM

    base, state = load_language_model(LanguageSource(NAME)), language().state_dict()
    base.save_pretrained(tmp_path / "pieces", max_shard_size="4KB")
    assert len(list((tmp_path / "pieces").glob("*.safetensors"))) > 1
    whole = LlamaForCausalLM(base.config)
    whole.model.load_state_dict(base.state_dict())
    whole.save_pretrained(tmp_path / "whole")
    base.save_pretrained(tmp_path / "torch")
    (tmp_path / "torch" / "model.safetensors").unlink()
    torch.save(base.state_dict(), tmp_path / "torch" / "pytorch_model.bin")
    base.to(torch.bfloat16).save_pretrained(tmp_path / "half")
    for copy in ("pieces", "whole", "torch", "half"):
        language(str(tmp_path / copy)).load_state_dict(state)


def test_adapters_of_an_earlier_version_are_compared_by_what_they_hold() -> None:
    state = language().state_dict()
    language().load_state_dict({**state, "_extra_state": state["_extra_state"][0]})
    for other in (state["_extra_state"][0] + 1, state["_extra_state"][:0]):
        with pytest.raises(CheckpointError, match="another language model"):
            language().load_state_dict({**state, "_extra_state": other})


def test_a_list_of_weights_names_files_beside_it_only(tmp_path: Path) -> None:
    load_language_model(LanguageSource(NAME)).save_pretrained(tmp_path / "model", max_shard_size="4KB")
    index = tmp_path / "model" / "model.safetensors.index.json"
    table = json.loads(index.read_text(encoding="utf-8"))
    part = next(iter(table["weight_map"].values()))
    (tmp_path / "model" / part).rename(tmp_path / part)
    table["weight_map"] = {name: f"../{p}" if p == part else p for name, p in table["weight_map"].items()}
    index.write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"names '\.\./{part}', which is no file beside it"):
        language(str(tmp_path / "model"))


def test_a_base_in_bfloat16_has_adapters_in_float32() -> None:
    model = changed(language(dtype="bfloat16"))
    assert model.llm.get_base_model().embed_tokens.weight.dtype is torch.bfloat16
    assert {p.dtype for p in model.adapters()} == {torch.float32}
    with torch.autocast("cpu", torch.bfloat16):
        out = model(words(3), video(3))
    torch.testing.assert_close(out.float(), changed(language())(words(3), video(3)), rtol=0.1, atol=0.1)
    out.sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in model.adapters())


def test_a_video_longer_than_the_model_reads_is_refused() -> None:
    model = language("random:llama:hidden=16,layers=1,heads=2,positions=4")
    model(words(8), video(4, 4))
    with pytest.raises(ConfigError, match=r"a video has 5 words, but random:llama:.* reads 4 at most"):
        model(words(5), video(5))


def test_a_model_that_does_not_read_words_by_a_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    base = load_language_model(LANGUAGE.source)
    base.get_input_embeddings = lambda: torch.nn.Linear(2, 2)
    monkeypatch.setattr("vidsgg.models.scenellm.language.load_language_model", lambda source: base)
    with pytest.raises(ConfigError, match=r"-llm_name: .* reads words by Linear, not by a table of vectors"):
        LanguageModel(8, LANGUAGE)
