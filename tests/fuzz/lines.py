"""Malformed command lines: good ones with a few words lost, doubled, swapped, damaged or put in,
among good and bad files."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import shutil
import stat
from pathlib import Path
from random import Random
from unittest.mock import patch

import cli.test_all_options as every_option
from datasets.easg_files import write_easg
from detectors.tiny import sighted_set
from fuzz.opens import check_whole
from fuzz.readers import assert_said
from fuzz.runner import Kind
from fuzz.watch import assert_same, listing, watched
from numbered_video import write as write_video

from vidsgg.cli.data import COMMANDS as DATA_COMMANDS
from vidsgg.cli.library import COMMANDS as LIBRARY_COMMANDS
from vidsgg.cli.main import COMMANDS, main

# Whatever a line asks for is short: options from the environment win.
SHORT = (
    "videos=5 width=96 height=96 datasize=large epochs=1 hidden_dim=8 embedding_dim=4 feedforward_dim=8 spatial_layer=1"
    " temporal_layer=1 num_workers=0 workers=1 device=cpu warmup_steps=1 trials=1 jobs=1 cpus_per_actor=1 gpus_per_actor=0 pretrained=none depth=10"
    " base_width=8 short_side=64 resamples=10 port=0 host=127.0.0.1 llm_name=random:llama:hidden=8,layers=1,heads=2"
    " pretrain_epochs=0 backend=torch precision=fp32"
)
GOOD = {
    "train": "-mode predcls -data_path data -save_path out/run",
    "evaluate": "-checkpoint run",
    "compare": "run run/checkpoint_final.tar -out out/comparison",
    "tune": "-data_path easg -search lr=1e-3,1e-2 -sampler grid -model frequency",
    "runs": ".",
    "demo": "-out out/demo",
    "predict": "film.mp4 -checkpoint run -out out/graphs -fps 1",
    "view": "film.graph.json -out out/view",
    "app": "run -data out/app",
    "export": "film.graph.json -format csv -out out/graph.csv",
    "library build": "film.graph.json -out out/lib",
    "library info": "lib",
    "library merge": "lib -out out/lib",
    "library compact": "lib",
    "search": "lib *",
    "mcp": "lib",
    "train-detector": "-data_path data -save_path out/detector",
    "features": "-data_path data -mode sgdet --estimate",
    "data synth": "-out out/data",
    "data convert": "data out/converted",
    "data check": "-data_path data -pictures none",
    "data show": "-data_path data -out out/show.png",
    "data stats": "-data_path data -out out/stats",
    "data unseen": "-data_path data -out out/unseen.csv",
    "data priors": "-data_path data -out out/priors.json",
    "import-checkpoint": "data/detector.pth -out out/c.tar",
    "models": "",
    "completion": "bash",
    "push": "run -license mit -dry_run -out out/shared",
}
# Files of every kind in place of every other; the last of them are not what anybody should read or
# write.
PLACES = (
    "data", "easg", "run", "film.mp4", "film.graph.json", "run/checkpoint_final.tar", "run/config.yaml", "data/detector.pth", "empty", "text.txt",
    "out", "out/new", ".", "..", "/", "", "-", "missing", "pipe", "link", "loop", "closed", "closed/x", "text.txt/x", "/dev/null", "/dev/full",
    "/dev/zero", "/proc/self/mem", "keep", "keep/precious.txt", "\udcff", "a b", "*", "~", "é" * 100, "con", "http://127.0.0.1:1/x", "http:x",
)  # fmt: skip
WORDS = (
    *every_option.WORDS, "true", "False", "1:30", "0x10", "1_000", "٣", "1e400", "-0", "0.5", "3", "1e-3", "lr=1e-3", "lr=", "=", "==", "a=b=c",
    "--", "-", "---", "-h", "--help", "-config", "@text.txt", "$(true)", "`id`", "; ls", "%s%n", "{run}", "[1,2]", "{}", "null", "none", "all",
    "auto", "cuda", "cuda:99", "mps", "cpu:1", "sgdet", "predcls", "tempura", "stket", "scenellm", "frequency", "os:system", "notes:Logger",
    "sqlite://", "postgresql://x@127.0.0.1:1/y", "journal:out/j", "journal:", "random:llama",
)  # fmt: skip


def _prepare(made: Path) -> tuple[Path, dict[str, str]]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), contextlib.chdir(made):
        sighted_set(made / "data")
        write_easg(made / "easg", clips=4, graphs=2)
        write_video(made / "film.mp4", frames=12, gop=6)
        tiny = (
            "-hidden_dim 8 -temporal_layer 1 -embedding_dim 4 -feedforward_dim 8 -num_workers 0 -device cpu -epochs 0"
            " -logger none"
        )
        assert main(["train", "-mode", "sgdet", "-data_path", "data", "-save_path", "run", *tiny.split()]) == 0
        assert main(["predict", "film.mp4", "-checkpoint", "run", "-o", ".", "-device", "cpu", "-fps", "1"]) == 0
        assert main(["library", "build", "film.graph.json", "-o", "lib"]) == 0
    for folder in ("empty", "out", "keep", "keep/.vidsgg", "keep/0123456789abcdef"):
        (made / folder).mkdir()
    (made / "keep" / "precious.txt").write_text("not ours\n")
    (made / "keep" / ".something.tmp").write_text("not ours\n")
    (made / "keep" / "0123456789abcdef" / "job.txt").write_text("not ours\n")
    (made / "text.txt").write_text("a: [1, 2\nb\n")
    return made, listing(made)


def _furnish(place: Path) -> None:
    """What cannot be copied."""
    os.mkfifo(place / "pipe")
    (place / "link").symlink_to("keep/precious.txt")
    (place / "loop").symlink_to("loop")
    (place / "closed").mkdir()
    (place / "closed").chmod(0)


@functools.cache
def _options_of(name: str) -> tuple[str, ...]:
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        main([*name.split(), "-help-all"])
    # -v shows where a refusal comes from, which elsewhere would be a mistake of ours
    return tuple(name for name in re.findall(r"^  -(\w+) ", said.getvalue(), re.MULTILINE) if name != "v")


def malformed(random: Random) -> list[str]:
    """The words of a line."""
    name = random.choice(list(GOOD))
    words = [*name.split(), *GOOD[name].split()]
    for _ in range(random.choice((1, 1, 2, 3))):
        at = random.randrange(len(words) + 1)
        what = random.randrange(9)
        word = words[at] if at < len(words) else ""
        options = _options_of(name) or ("x",)
        if what == 0:
            del words[at : at + 1]
        elif what == 1:
            words[at:at] = words[at : at + 2]
        elif what == 2:
            words[1:] = random.sample(words[1:], len(words[1:]))
        elif what == 3 and word:
            letter = random.randrange(len(word))
            words[at] = (
                word[:letter] + random.choice(("", "=", " ", "-", "é", "\0", word[letter] * 2)) + word[letter + 1 :]
            )
        elif what == 4 and at:
            words[at : at + 1] = [random.choice(PLACES)]
        elif what == 5 and at:
            words[at : at + 1] = [random.choice(WORDS)]
        else:
            value = random.choice(random.choice((PLACES, WORDS)))
            option = random.choice(("-", "--")) + random.choice(options)
            words += [f"{option}={value}"] if random.random() < 0.3 else [option, value]
    return words


def _one(prepared: tuple[Path, dict[str, str]], random: Random, place: Path) -> None:
    made, before = prepared
    home = place / "home"
    shutil.copytree(made, home, symlinks=True)
    _furnish(home)
    words = malformed(random)
    there = listing(home)
    said = io.StringIO()
    environment = {
        "VIDSGG_OPTIONS": SHORT,
        "HOME": str(place / "user"),
        "XDG_CACHE_HOME": str(place / "user"),
        "HF_HUB_OFFLINE": "1",
    }
    with (
        patch.dict(os.environ, environment),
        patch("uvicorn.Server.run", lambda *_, **__: None),
        patch("mcp.server.mcpserver.MCPServer.run", lambda *_, **__: None),
        open(os.devnull) as nothing,
        patch("sys.stdin", nothing),
        watched(place),
        contextlib.chdir(home),
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        try:
            code = main(words)
        except SystemExit as ended:  # -h
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException as error:
            error.add_note(f"words: {words!r:.2000}")
            raise
    try:
        assert_said(code, said.getvalue())
        assert_same(before, listing(made))
        after = listing(home)
        assert_same(there, {name: content for name, content in after.items() if name in there}, _OURS)
        _check_foreign(home, there, after)
        check_whole(home / "out")
    except AssertionError as error:
        error.add_note(f"words: {words!r:.2000}")
        raise


def _check_foreign(home: Path, before: dict[str, str], after: dict[str, str]) -> None:
    mode = (home / "closed").lstat().st_mode
    assert stat.S_ISDIR(mode)
    for name in before:
        if name.startswith("keep"):
            assert after.get(name) == before[name], name


# A run that goes on, caches and stores in data sets: these may be written.
_OURS = (
    "run/",
    "lib/",
    "output/",
    "data/annotations/.vidsgg",
    "data/features",
    "easg/.vidsgg",
    "film.graph.json",
    "out",
)


def missing() -> set[str]:
    """Commands that no line is made of."""
    several = (*(f"data {name}" for name in DATA_COMMANDS), *(f"library {name}" for name in LIBRARY_COMMANDS))
    return {*COMMANDS, *several} - {*GOOD, "data", "library"}


KINDS = {"command lines": Kind("command lines", _prepare, _one, 3600)}
