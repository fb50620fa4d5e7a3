"""What language models are, by their names: the configuration on the Hugging Face hub, in a folder,
or given by the name itself."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidsgg.errors import ConfigError, DataError, short
from vidsgg.io.model_config import check_model_config, check_model_values

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_DIGITS = 15  # of a size; more are none
RANDOM = "random:"  # how the names of models of random numbers begin
_SIZES = {
    "hidden": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "intermediate": "intermediate_size",
    "vocabulary": "vocab_size",
    "positions": "max_position_embeddings",
}


def language_config(name: str) -> PreTrainedConfig:
    """Raises ConfigError if there is no such model, if it cannot be reached, or if it is not a
    causal language model."""
    config = _random_config(name) if name.startswith(RANDOM) else _stored_config(name)
    _check_causal(name, config)
    return config


def _random_config(name: str) -> PreTrainedConfig:
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    match = re.fullmatch(r"random:([\w-]+)(?::((?:\w+=\d+)(?:,\w+=\d+)*))?", name)
    given = dict(pair.split("=") for pair in match[2].split(",")) if match and match[2] else {}
    unknown = [key for key in given if key not in _SIZES]
    if match is None or unknown:
        raise ConfigError(
            f"option -llm_name: cannot read {name!r}; a random model is named like"
            f" random:llama:hidden=64,layers=2,heads=4, of the sizes {', '.join(_SIZES)}."
        )
    if long := [key for key, value in given.items() if len(value) > _DIGITS]:
        raise ConfigError(f"option -llm_name: {short(name)}: {long[0]} is a number of {len(given[long[0]])} digits.")
    sizes = {"hidden": 64, "layers": 2, "heads": 4, "vocabulary": 128, "positions": 2048} | {
        key: int(value) for key, value in given.items()
    }
    sizes = {"kv_heads": sizes["heads"], "intermediate": 2 * sizes["hidden"]} | sizes
    special: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    named = {_SIZES[key]: value for key, value in sizes.items()}
    try:
        check_model_values(named)
        config: PreTrainedConfig = AutoConfig.for_model(match[1], **named, **special)
    except (ValueError, ArithmeticError, StrictDataclassError, DataError) as error:
        raise ConfigError(f"option -llm_name: {name!r}: {_last_line(error)}") from error
    return config


def _stored_config(name: str) -> PreTrainedConfig:
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_NAME, AutoConfig

    if not os.path.exists(name):
        _check_reachable(name, CONFIG_NAME)
    try:
        check_model_config(_config_file(name, CONFIG_NAME))
        # A checkpoint names its language model, so a model whose folder brings code is refused;
        # unasked, the library would ask at the prompt.
        config: PreTrainedConfig = AutoConfig.from_pretrained(name, trust_remote_code=False)
    except StrictDataclassError as error:
        raise not_there(name, _last_line(error)) from error
    except Exception as error:  # untrusted values make the library raise nearly anything
        raise not_there(name, first_line(error)) from error
    return config


def _config_file(name: str, file: str) -> Path:
    """Where the file lies that the library will read, fetched from the hub if need be."""
    from huggingface_hub import try_to_load_from_cache
    from transformers.utils.hub import cached_file

    if os.path.isfile(name):
        return Path(name)
    fetched = None if os.path.isdir(name) else try_to_load_from_cache(name, file)
    if not isinstance(fetched, str):
        fetched = cached_file(name, file)
    if fetched is None:
        raise OSError(f"there is no {file}")
    return Path(fetched)


def _check_reachable(name: str, file: str) -> None:
    """Raises ConfigError at once if a file of the hub was not fetched before and there is no
    network; the library tries for half a minute."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        if not try_to_load_from_cache(name, file):
            get_hf_file_metadata(hf_hub_url(name, file))
    except (HFValidationError, HfHubHTTPError):  # not for lack of network; what it is, the library says better
        return
    except Exception as error:  # those of whichever HTTP client the library has
        raise not_there(name, f"the hub does not answer ({first_line(error)})") from error


def first_line(error: Exception) -> str:
    """Of what an error says, for messages of one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip()[:300]


def not_there(name: str, why: str) -> ConfigError:
    """The error of a language model that cannot be loaded, with what to do."""
    return ConfigError(
        f"option -llm_name: the language model {name!r} cannot be loaded: {why.rstrip('.')}. Name a folder that holds"
        " one, a model of the Hugging Face hub (which needs network, or a copy that was fetched before, and for some a"
        " login), or random:llama:hidden=64,layers=2,heads=4 to try things out; the environment variable"
        " VIDSGG_LLM_NAME replaces the default."
    )


def _check_causal(name: str, config: PreTrainedConfig) -> None:
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    if config.is_encoder_decoder or type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ConfigError(
            f"option -llm_name: {name!r} is of kind {config.model_type!r}, not a causal language model such as Llama,"
            " Gemma, Qwen."
        )
