"""Language models by name: from the Hugging Face hub, from a folder, or made of random numbers.
Imports transformers when it loads."""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from vidsgg.errors import ConfigError, VidsggError
from vidsgg.models.scenellm.language_config import RANDOM, first_line, language_config, not_there

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

LARGE = 10**9  # parameters from which on weights are kept in bfloat16 unless asked otherwise
LIBRARIES = {"transformers": "transformers", "peft": "peft", "ot": "POT"}  # by the names that they are imported by


@dataclass(frozen=True)
class LanguageSource:
    """name: a hub id, a folder, or ``random:KIND:hidden=64,layers=2,heads=4``, whose numbers are a
    function of this text.
    dtype: of its weights, "float32", "bfloat16", or "auto": bfloat16 for models of LARGE parameters
    and more. bits: 8 or 4 for weights that are quantised while they are loaded (bitsandbytes, on a
    CUDA device).
    """

    name: str
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    bits: Literal["none", "8", "4"] = "none"


def require_libraries(*modules: str) -> None:
    """Raises ConfigError naming those of these modules of the extra ``llm`` that are not
    installed."""
    missing = [LIBRARIES[module] for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise ConfigError(f"not installed: {', '.join(missing)}. Install with: pip install 'vidsgg[llm]'")


def load_language_model(source: LanguageSource) -> PreTrainedModel:
    """The transformer of a causal language model without its output layer, frozen, in evaluation
    mode.

    Raises ConfigError if there is no such model or it cannot be reached, if it is of another kind,
    or if memory does not suffice.
    """
    require_libraries("transformers", "peft")
    random, config = source.name.startswith(RANDOM), language_config(source.name)
    parameters = _count_parameters(config)
    dtype = _dtype(source, parameters)
    _check_memory(source, parameters, torch.float32 if random else dtype)
    try:
        model = _random(source, config, dtype) if random else _stored(source, dtype)
    except VidsggError:
        raise
    except Exception as error:  # untrusted values make the library raise nearly anything
        if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error):
            raise _too_little_memory(source.name, parameters, first_line(error)) from error
        if random:  # only sizes came from elsewhere, and they have been tried: a mistake of ours
            raise
        raise not_there(source.name, first_line(error)) from error
    model.requires_grad_(False)
    model.eval()
    return model


def _check_memory(source: LanguageSource, parameters: int, dtype: torch.dtype) -> None:
    """All weights pass through main memory, unless they are quantised; a system that has no room
    ends the process without a word."""
    import psutil  # comes with peft

    free = psutil.virtual_memory().available
    if source.bits == "none" and parameters * dtype.itemsize > free:
        raise _too_little_memory(source.name, parameters, f"{free / 2**30:.1f} GiB of main memory are free")


def _too_little_memory(name: str, parameters: int, why: str) -> ConfigError:
    return ConfigError(
        f"option -llm_name: memory does not suffice for {name} ({why}): {weights_take(parameters)}; or take a smaller"
        " model."
    )


def weights_take(parameters: int) -> str:
    """The memory of so many weights, in words. In 4 bits, those that are quantised have their
    scales beside them."""
    gib = parameters / 2**30
    return (
        f"{parameters / 1e9:.2f} billion weights take {4 * gib:.1f} GiB in float32, {2 * gib:.1f} in bfloat16"
        f" (-llm_dtype bfloat16) and about {0.6 * gib:.1f} in 4 bits (-llm_bits 4)"
    )


def memory_need(name: str) -> str:
    """What the weights of a language model take. Only its configuration is looked at. Raises
    ConfigError as load_language_model."""
    require_libraries("transformers", "peft")
    return weights_take(_count_parameters(language_config(name)))


def _count_parameters(config: PreTrainedConfig) -> int:
    from transformers import AutoModel

    try:
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in AutoModel.from_config(config).parameters())
    except Exception as error:  # sizes that do not go together, and any other untrusted value
        raise ConfigError(f"option -llm_name: {first_line(error)}") from error


def _dtype(source: LanguageSource, parameters: int) -> torch.dtype:
    if source.dtype == "auto":
        return torch.bfloat16 if parameters >= LARGE else torch.float32
    dtype: torch.dtype = getattr(torch, source.dtype)
    return dtype


def _random(source: LanguageSource, config: PreTrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    from transformers import AutoModel

    if source.bits != "none":
        raise ConfigError(
            f"option -llm_bits: {source.name!r} has random weights, which are not quantised; leave the option out."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(zlib.crc32(source.name.encode()))
        model: PreTrainedModel = AutoModel.from_config(config)
        model.to(dtype)  # type: ignore[arg-type]  # transformers wraps it, which loses what it takes
        return model


def _stored(source: LanguageSource, dtype: torch.dtype) -> PreTrainedModel:
    """Raises ConfigError also if a weight is not there or has another shape: the library would
    start it from random numbers."""
    from transformers import AutoModel

    if (Path(source.name) / "adapter_config.json").exists():
        raise not_there(source.name, "it holds adapters, whose file names another model; name that one")
    given: dict[str, Any] = {
        "dtype": dtype,
        "ignore_mismatched_sizes": True,
        "output_loading_info": True,
        "trust_remote_code": False,
    }
    with _quiet():
        model, told = AutoModel.from_pretrained(source.name, **given, **_quantised(source, dtype))
    if absent := sorted({*told["missing_keys"], *(name for name, *_ in told["mismatched_keys"])}):
        raise not_there(
            source.name,
            f"of the weights that its config.json tells of, {len(absent)} are not in its files in that shape, such as"
            f" {absent[0]}",
        )
    loaded: PreTrainedModel = model
    return loaded


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's report on weights: the output layer, which is not needed, makes one for
    most models."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _quantised(source: LanguageSource, dtype: torch.dtype) -> dict[str, Any]:
    """Arguments of from_pretrained that quantise weights while it reads them."""
    if source.bits == "none":
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            f"option -llm_bits {source.bits} needs bitsandbytes. Install it with: pip install bitsandbytes"
        )
    if not torch.cuda.is_available():
        raise ConfigError(
            f"option -llm_bits {source.bits} needs a CUDA device, and there is none; leave the option out."
        )
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_8bit=source.bits == "8",
        load_in_4bit=source.bits == "4",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": config, "device_map": {"": torch.cuda.current_device()}}
