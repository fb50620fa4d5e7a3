"""Models on the Hugging Face hub: ``hf://ORG/NAME``, or ``hf://ORG/NAME@REVISION``.

What lies there was written by strangers. Only files that are asked for by name are fetched, none
larger than the caller allows, and nothing in them is run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from vidsgg.errors import ConfigError, short
from vidsgg.status import say

# A Path makes one slash of two.
_ADDRESS = re.compile(r"hf:/{1,2}(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def is_hub_address(text: str | Path) -> bool:
    """Whether a path is an address on the hub and no file."""
    return str(text).replace("\\", "/").startswith("hf:/")


def fetch(address: str | Path, wanted: Mapping[str, int], needed: str) -> Path:
    """The folder with the files of a repository, out of the cache or fetched into it.

    wanted: names of files, and the most bytes of each; others are left where they are. needed: the
    one without which the rest is useless. Without a network the copy in the cache is taken. Raises
    ConfigError if the repository cannot be had, lacks ``needed``, or holds a file that is too large.
    """
    name, revision = _parts(address)
    hub = _library()
    with _one_message(hub, f"hf://{name}"):
        folder = _fetched(hub, name, revision, wanted, needed)
    for file, most in wanted.items():
        if (folder / file).is_file() and (folder / file).stat().st_size > most:
            raise ConfigError(f"hf://{name}: {file} is larger than {most:,} bytes; it is not read.")
    if not (folder / needed).is_file():
        raise ConfigError(f"hf://{name} holds no {needed}, so it is no model of vidsgg ('vidsgg push' makes such).")
    return folder


def hub_name(address: str | Path) -> str:
    """``ORG/NAME``. Raises ConfigError for what is no address."""
    return _parts(address)[0]


def _parts(address: str | Path) -> tuple[str, str | None]:
    text = str(address).replace("\\", "/")
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ConfigError(f"{short(text)} is no address on the hub; write hf://ORG/NAME, or hf://ORG/NAME@REVISION.")
    return found["name"], found["revision"]


def _fetched(hub: ModuleType, name: str, revision: str | None, wanted: Mapping[str, int], needed: str) -> Path:
    if not hub.constants.HF_HUB_OFFLINE:
        try:
            there = hub.HfApi().model_info(name, revision=revision, files_metadata=True, timeout=30)
        except Exception as error:
            if not _is_unreachable(error):
                raise
            say(f"hf://{name}: the hub cannot be reached; the copy in the cache is used, if there is one.")
        else:
            sizes = {file.rfilename: file.size for file in there.siblings or () if file.rfilename in wanted}
            if needed not in sizes:
                raise ConfigError(
                    f"hf://{name} holds no {needed}, so it is no model of vidsgg ('vidsgg push' makes such)."
                )
            for file, size in sizes.items():
                if size is None or size > wanted[file]:
                    raise ConfigError(
                        f"hf://{name}: {file} has {'an unknown number of' if size is None else f'{size:,}'} bytes; at most"
                        f" {wanted[file]:,} are fetched."
                    )
            places = [hub.hf_hub_download(name, file, revision=there.sha) for file in sizes]
            _remember(hub, name, revision, there.sha)
            return Path(places[0]).parent
    cached = hub.try_to_load_from_cache(name, needed, revision=revision)
    if not isinstance(cached, str):
        raise ConfigError(
            f"hf://{name} is not in the cache, and the hub is offline or does not answer. Download it once with a"
            " network, or name a folder that 'vidsgg push RUN -dry_run -out FOLDER' has written."
        )
    return Path(cached).parent


def _remember(hub: ModuleType, name: str, revision: str | None, sha: str) -> None:
    """Which commit a branch or tag stood for, so that the cache answers without a network."""
    refs = Path(hub.constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "refs" / (revision or "main")
    if revision != sha:
        refs.parent.mkdir(parents=True, exist_ok=True)
        refs.write_text(sha, encoding="utf-8")


def upload(folder: Path, name: str, *, private: bool) -> str:
    """Make a repository, if it is not there, and put a folder's files into it. Returns its address for browsers.

    Raises ConfigError if the hub refuses, or cannot be reached.
    """
    hub = _library()
    with _one_message(hub, f"hf://{name}"):
        api = hub.HfApi()
        page = api.create_repo(name, private=private, exist_ok=True, repo_type="model")
        api.upload_folder(repo_id=name, folder_path=folder, commit_message="Upload with vidsgg push")
    return str(page)


def check_hub_name(name: str) -> None:
    """Raises ConfigError for a name that no repository can have."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{short(name)} is no name on the hub; write ORG/NAME, such as my-lab/sttran-sgdet.")


def _library() -> ModuleType:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
    except ImportError as error:
        raise ConfigError("the hub needs huggingface_hub. Install it with: pip install 'vidsgg[hub]'") from error
    return huggingface_hub


def _is_unreachable(error: Exception) -> bool:
    """Whether nobody answers. The library takes httpx or httpx2, whichever is installed; their errors have one name."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    transport = any(kind.__name__ == "TransportError" for kind in type(error).__mro__)
    return transport or isinstance(error, (OfflineModeIsEnabled, ConnectionError))


@contextmanager
def _one_message(hub: ModuleType, what: str) -> Iterator[None]:
    errors = hub.errors
    try:
        yield
    except (errors.RepositoryNotFoundError, errors.GatedRepoError, errors.RevisionNotFoundError) as error:
        raise ConfigError(
            f"{what} is not there, or may not be read without logging in ('hf auth login'); {_first_line(error)}"
        ) from error
    except errors.LocalTokenNotFoundError as error:
        raise ConfigError(
            f"{what}: log in first, with 'hf auth login' or the environment variable HF_TOKEN."
        ) from error
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        remedy = " Log in first, with 'hf auth login'." if status in (401, 403) else ""
        raise ConfigError(f"{what}: the hub refuses: {_first_line(error)}{remedy}") from error
    except (errors.HFValidationError, errors.LocalEntryNotFoundError, errors.FileMetadataError) as error:
        raise ConfigError(f"{what}: {_first_line(error)}") from error
    except Exception as error:
        if not _is_unreachable(error):
            raise
        raise ConfigError(f"{what}: the hub cannot be reached: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
