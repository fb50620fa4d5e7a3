"""``vidsgg completion``; what shells then ask for is in ``completing.py``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from vidsgg.cli.command_line import parse
from vidsgg.errors import ConfigError
from vidsgg.options import option

DESCRIPTION = """Print what lets a shell complete commands, options and their values with the Tab key.

bash   echo 'eval "$(vidsgg completion bash)"' >> ~/.bashrc
zsh    echo 'eval "$(vidsgg completion zsh)"' >> ~/.zshrc      (below a line 'autoload -U compinit && compinit')
fish   vidsgg completion fish > ~/.config/fish/completions/vidsgg.fish"""


@dataclass(frozen=True)
class CompletionOptions:
    shell: Literal["bash", "zsh", "fish"] = option(help="the shell to set up")


def main(argv: Sequence[str]) -> int:
    options = parse(CompletionOptions, argv, prog="vidsgg completion", description=DESCRIPTION, positional=["shell"])
    if find_spec("argcomplete") is None:
        raise ConfigError("vidsgg completion needs argcomplete. Install it with: pip install 'vidsgg[completion]'")
    from argcomplete.shell_integration import shellcode

    print(shellcode(["vidsgg"], shell=options.shell))
    return 0
