"""Language models by name: what is loaded, and every way in which loading fails."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from models.scenellm.tiny import NAME, tiny

from vidsgg.errors import ConfigError
from vidsgg.models.scenellm import loading
from vidsgg.models.scenellm.language_config import language_config
from vidsgg.models.scenellm.loading import LanguageSource, load_language_model


def test_random_models_are_a_function_of_their_names_alone() -> None:
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    first, second = load_language_model(LanguageSource(NAME)), load_language_model(LanguageSource(NAME))
    assert torch.equal(torch.random.get_rng_state(), state)
    other = load_language_model(LanguageSource("random:llama:heads=2,hidden=16,layers=2"))
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(first.embed_tokens.weight, other.embed_tokens.weight)
    assert (first.config.num_hidden_layers, first.config.hidden_size, first.config.num_attention_heads) == (2, 16, 2)
    assert not any(p.requires_grad for p in first.parameters())


def test_large_models_are_kept_in_bfloat16() -> None:
    assert loading._dtype(LanguageSource("x"), 10**9) is torch.bfloat16
    assert loading._dtype(LanguageSource("x"), 10**9 - 1) is torch.float32
    assert loading._dtype(LanguageSource("x", "float32"), 10**10) is torch.float32


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("random:llama:hidden", "cannot read 'random:llama:hidden'; a random model is named like"),
        ("random:llama:width=3", "of the sizes hidden, layers"),
        ("random:lama:hidden=16", "lama"),
        ("random:t5:hidden=16,layers=1,heads=2", "of kind 't5', not a causal language model"),
        ("random:llama:hidden=17,heads=2", "17"),
        ("random:llama:hidden=16,heads=0", "'random:llama:hidden=16,heads=0.: integer .*modulo"),
        ("random:llama:layers=1000000000", "'num_hidden_layers' is 1000000000; at most 8,192"),
        ("random:llama:hidden=" + "9" * 5000, "hidden is a number of 5000 digits"),
        ("nowhere/there-is-none", "'nowhere/there-is-none' cannot be loaded: .* VIDSGG_LLM_NAME replaces the default"),
        (
            "/not/a/folder",
            "'/not/a/folder' cannot be loaded: .* Name a folder that holds one, a model of the Hugging Face hub",
        ),
    ],
)
def test_a_model_that_is_not_there_is_named_with_the_remedy(
    name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=message):
        load_language_model(LanguageSource(name))


def test_without_network_it_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library would try six times and write of each."""
    import huggingface_hub
    import transformers

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("Name or service not known\nand so on")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", unreachable)
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", lambda name: pytest.fail("asked the library"))
    with pytest.raises(
        ConfigError,
        match=r"'some/model' cannot be loaded: the hub does not answer \(Name or service not known\)\. Name",
    ):
        load_language_model(LanguageSource("some/model"))


def test_a_model_that_was_fetched_before_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    import transformers

    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda name, file: str(tmp_path / file))
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda url: pytest.fail("asked the hub"))
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", lambda name, **given: language_config(NAME))
    assert language_config("some/model").hidden_size == 16


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_language_model(LanguageSource(str(tmp_path)))


def cut_off(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def configured(**values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **values}), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut_off, r"cannot be loaded: .*incomplete metadata.*\. Name a folder"),
        (lambda folder: (folder / "model.safetensors").unlink(), "cannot be loaded: .*model.safetensors"),
        (
            configured(num_hidden_layers=3),
            r"of the weights that its config\.json tells of, 9 are not in its files .* such as layers\.2\.input",
        ),
        (
            configured(intermediate_size=48),
            r"tells of, 6 are not in its files in that shape, such as layers\.0\.mlp\.down_proj\.weight\. Name",
        ),
        (configured(num_attention_heads=3), r"cannot be loaded: ValueError: The hidden size \(16\) is not a multiple"),
        (configured(num_attention_heads=0), "cannot be loaded: integer .*modulo by zero"),
        (
            configured(num_hidden_layers=10**9),
            r"config\.json: 'num_hidden_layers' is 1000000000; at most 8,192 is possible",
        ),
        (configured(vocab_size=10**30), "'vocab_size' is 10{10,}.*; at most 1,099,511,627,776 is possible"),
        (configured(model_type=[]), "cannot be loaded: unhashable type"),
        (configured(hidden_act="none of these"), "none of these"),
        (
            configured(attn_implementation="somebody/kernel"),
            "'somebody/kernel', and a file does not choose other files",
        ),
        (configured(configuration_files=["config.1.0.0.json"]), "a file does not choose other files"),
        (lambda folder: (folder / "config.json").write_text("[" * 10**5), "is not valid JSON"),
        (lambda folder: (folder / "config.json").write_text("3"), "holds 3, expected a table of options"),
        (lambda folder: (folder / "adapter_config.json").write_text("{}"), "it holds adapters"),
    ],
)
def test_a_folder_whose_weights_are_not_whole_is_refused(
    spoil: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    """The library would start what is not there from random numbers, and say so in a table."""
    load_language_model(LanguageSource(NAME)).save_pretrained(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ConfigError, match=message):
        load_language_model(LanguageSource(str(tmp_path)))


def test_code_that_a_folder_brings_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint may name its language model; the library by itself would ask at the prompt
    whether to run the folder's code."""
    load_language_model(LanguageSource(NAME)).save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(
        json.dumps({**config, "model_type": "unheard_of", "auto_map": {"AutoConfig": "mine.Config"}}), encoding="utf-8"
    )
    (tmp_path / "mine.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w').close()\n", encoding="utf-8")
    monkeypatch.setattr("builtins.input", lambda *asked: "y")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_language_model(LanguageSource(str(tmp_path)))
    assert not (tmp_path / "run").exists()


def test_the_library_makes_no_report_of_what_is_not_needed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    AutoModelForCausalLM.from_config(language_config(NAME)).save_pretrained(tmp_path)  # with its output layer
    before = logging.get_verbosity()
    load_language_model(LanguageSource(str(tmp_path)))
    assert "UNEXPECTED" not in "".join(capfd.readouterr())
    assert logging.get_verbosity() == before


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("transformers", "peft", "ot") else find(name)
    )
    with pytest.raises(
        ConfigError, match=r"^not installed: transformers, peft\. Install with: pip install 'vidsgg\[llm\]'$"
    ):
        load_language_model(LanguageSource(NAME))
    with pytest.raises(ConfigError, match=r"^not installed: POT"):
        tiny(language=None)
    tiny(language=None, ot_mode="tconv")


def test_quantised_weights_need_their_library_and_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="random weights"):
        load_language_model(LanguageSource(NAME, bits="4"))
    load_language_model(LanguageSource(NAME)).save_pretrained(tmp_path)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else find(name))
    with pytest.raises(ConfigError, match=r"needs bitsandbytes\. Install it with"):
        load_language_model(LanguageSource(str(tmp_path), bits="4"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="needs a CUDA device"):
        load_language_model(LanguageSource(str(tmp_path), bits="8"))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_too_little_memory_is_told_with_what_would_do(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(loading, "_random", full)
    with pytest.raises(
        ConfigError, match=r"memory does not suffice for random:llama.*GiB in float32.*-llm_bits 4.*smaller model"
    ):
        load_language_model(LanguageSource(NAME))


def test_a_model_larger_than_main_memory_is_refused_before_it_is_made() -> None:
    """The system would end the process without a word."""
    name = "random:llama:hidden=65536,layers=200,heads=64"
    with pytest.raises(
        ConfigError,
        match=r"not suffice for random:llama\S+ \(\d+\.\d GiB of main memory are free\): \d+\.\d\d billion weights",
    ):
        load_language_model(LanguageSource(name))


def test_the_papers_language_model_needs_24_gib() -> None:
    said = loading.memory_need("random:llama:hidden=5120,layers=40,heads=40,intermediate=13824,vocabulary=32000")
    assert said.startswith("12.85 billion weights take 47.9 GiB in float32, 23.9 in bfloat16")


def test_other_errors_of_loading_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(loading, "_random", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        load_language_model(LanguageSource(NAME))
