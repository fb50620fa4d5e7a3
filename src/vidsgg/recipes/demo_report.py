"""What a demo says: what comes, how long it takes, what came out, and what to type next."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

from vidsgg.errors import ConfigError, counted
from vidsgg.io.links import is_link
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.recall import RecallCounts, averages
from vidsgg.metrics.result import CONSTRAINT, K, RecallResult
from vidsgg.recipes.command_options import LARGE_DEMO, MEDIUM_DEMO, QUICK_DEMO, DemoOptions, DemoSize
from vidsgg.recipes.predict import Predicted
from vidsgg.recipes.tables import bytes_text, columns, rough_duration
from vidsgg.status import say
from vidsgg.structures.schema import MODES

_GIVEN = {
    "predcls": "boxes and names of the things are given",
    "sgcls": "boxes of the things are given",
    "sgdet": "nothing is given but the pictures",
}
FOUND = f"Found means: among its {K} surest statements about the picture."
# By which time and space are estimated: seconds of two CPU cores that are free, and bytes on disk.
_START, _PAGE, _DRAW, _DETECTOR, _FEATURES, _LEARN, _TEST = 10.0, 4.0, 0.27, 1.2, 0.37, 0.055, 0.06
_FILM_BYTES, _FEATURE_BYTES, _RUN_BYTES, _DETECTOR_BYTES = 130e3, 960e3, 112e6, 11e6


def demo_modes(size: DemoSize) -> list[str]:
    """The modes to train, from the easiest to the hardest. Raises ConfigError for a word that is
    none."""
    wanted = size.modes.split(",")
    if unknown := [mode for mode in wanted if mode not in MODES]:
        raise ConfigError(
            f"option -modes: {unknown[0]!r} is no mode; give some of {','.join(MODES)}, such as predcls,sgdet."
        )
    return [mode for mode in MODES if mode in wanted]


def later_epochs(size: DemoSize) -> int:
    return max(1, size.epochs // 2)


class DemoClock:
    """Says which step begins, and about how long the rest takes. expected: seconds of every step."""

    def __init__(self, expected: Sequence[float]) -> None:
        self._expected, self._begun, self._started = expected, 0, time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._started

    def begin(self, text: str) -> None:
        done, left = sum(self._expected[: self._begun]), sum(self._expected[self._begun :])
        # The first steps are too short to tell how fast a machine is.
        pace = self.elapsed / done if done > 0.25 * (done + left) else 1.0
        self._begun += 1
        say(f"\n[{self._begun}/{len(self._expected)}, {rough_duration(left * pace)} left] {text}")


def expected_seconds(size: DemoSize) -> list[float]:
    """Of every step, on two CPU cores that are free."""
    films, modes = size.videos, len(demo_modes(size))
    passes = size.epochs + (modes - 1) * later_epochs(size)
    return [
        _START + _DRAW * films,
        _DETECTOR * films * size.detector_epochs,
        _FEATURES * films * modes,
        _LEARN * films * passes,
        (1 + _TEST * films) * modes,
        _PAGE,
    ]


def expected_bytes(size: DemoSize) -> float:
    """On disk, at the end."""
    modes = len(demo_modes(size))
    return _DETECTOR_BYTES + _FILM_BYTES * size.videos + (_FEATURE_BYTES * size.videos + _RUN_BYTES) * modes


def announcement(options: DemoOptions, size: DemoSize) -> str:
    """What comes, how long it takes and how much space it needs."""
    sizes = {"vidsgg demo -quick": QUICK_DEMO, "vidsgg demo": MEDIUM_DEMO, "vidsgg demo -large": LARGE_DEMO}
    others = [
        f"{command} ({rough_duration(sum(expected_seconds(other)))})"
        for command, other in sizes.items()
        if other != size
    ]
    return _wrapped(
        f"This demo draws {size.videos} short films, so that it is known what is true in each picture. A model learns"
        " from most of them and is tested on the others, and what it says of one of those becomes a page to open.",
        f"It takes {rough_duration(sum(expected_seconds(size)))} on two free CPU cores and about"
        f" {float(f'{expected_bytes(size) / 1e6:.2g}'):,.0f} MB of disk, all of it in {options.out}.",
        f"Other sizes: {', '.join(others)}. With -v every step tells more.",
    )


def _wrapped(*paragraphs: str) -> str:
    return "\n".join(fill(text, 100, break_long_words=False, break_on_hyphens=False) for text in paragraphs)


def task_list(modes: Sequence[str]) -> str:
    """What the modes are, for people who do not know their names."""
    named = [f"{mode} ({_GIVEN[mode]})" for mode in modes]
    return f"Tasks, from easy to hard: {', '.join(named)}." if len(named) > 1 else f"Task: {named[0]}."


@dataclass(frozen=True)
class BestFilm:
    """A test film by its recall. recall, overall: of the film and of all test films, 0..1."""

    name: str
    recall: float
    films: int
    overall: float

    def text(self) -> str:
        """How good the model is there, and how good it is."""
        if self.films == 1:
            return f"{self.name} is the only test film: the model finds {_of_100(self.recall)} true relations."
        return (
            f"{self.name} is the best of {self.films} test films: the model finds {_of_100(self.recall)} true relations"
            f" there; over all test films it finds {_of_100(self.overall)}."
        )


def best_film(names: Sequence[str], counts: RecallCounts, protocol: Protocol) -> BestFilm:
    """The test film in which the model finds most; of equals the first. counts: of every film."""
    place = protocol.constraints.index(CONSTRAINT), protocol.ks.index(K)
    recall = averages(counts)["R"][:, *place]
    best = int(recall.argmax())
    return BestFilm(names[best], float(recall[best]), len(names), float(averages(counts.total())["R"][0, *place]))


def _of_100(share: float) -> str:
    return f"{100 * share:.0f} of 100"


def recall_table(results: Mapping[str, RecallResult], modes: Sequence[str]) -> str:
    """How much is found in each mode, by counting and by the model."""
    rows: list[tuple[str, ...]] = [("", "counting", "STTran")]
    for mode in modes:
        found = [results[f"{name}, {mode}"].value(CONSTRAINT, K) for name in ("frequency", "STTran")]
        rows.append((f"{mode}: {_GIVEN[mode]}", *(_of_100(share) for share in found)))
    films = counted(next(iter(results.values())).videos, "test film")
    recall = (
        f"How many of 100 true relations are found in {films}, averaged over their pictures. A relation is found if it"
        f" is among the {K} surest statements about its picture, with the right two things and with boxes in the right"
        f" places. This share is called recall, R@{K}."
    )
    counting = (
        "Counting knows how often each relation to each thing was true in the films to learn from, and does not look at"
        " the picture. A model is worth something where it finds more."
    )
    return "\n\n".join([_wrapped(recall), "\n".join(columns(rows)), _wrapped(counting)])


def disk_table(out: Path, modes: Sequence[str], done: Predicted) -> str:
    """What lies where, with its size."""
    features = out / "data" / "features"
    meaning = {
        (features,): "what the detector sees in them",
        (out / "detector",): "the detector",
        tuple(out / f"frequency_{mode}" for mode in modes): "counted relations, with their results in the test",
        tuple(out / f"sttran_{mode}" for mode in modes): "the trained model, with its results in the test",
        (done.graph,): "the graph of a test film, for programs",
        (done.page,): "the same as a page, for people",
    }
    rows = [
        (f"{out / 'data'}", bytes_text(_bytes_in(out / "data") - _bytes_in(features)), "films and what is true in them")
    ]
    rows += [
        (", ".join(map(str, places)), bytes_text(sum(map(_bytes_in, places))), text) for places, text in meaning.items()
    ]
    return "\n".join([f"On disk, {bytes_text(_bytes_in(out))} in all:", *(f"  {line}" for line in columns(rows))])


def _bytes_in(place: Path) -> int:
    """Bytes of a file, or of all files below a folder; one that has several names counts once."""
    files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file() and not is_link(file)]
    found = {(state.st_dev, state.st_ino): state.st_size for state in (file.stat() for file in files)}
    return sum(found.values())


def next_commands(program: str, out: Path, mode: str, film: Path, graph: Path) -> str:
    """Three commands that run as they are in the folder where the demo was started."""
    model, page = out / f"sttran_{mode}", out / "graphs"
    boxes = [] if mode == "sgdet" else ["-boxes", str(graph)]  # a model that has to be given boxes
    app = [str(model)] * (mode == "sgdet")  # offers models that find everything themselves
    predict = [*("predict", str(film)), *("-checkpoint", str(model)), *boxes, *("-out", str(page), "-overwrite")]
    compare = ["compare", str(out / f"frequency_{mode}"), str(model), "-out", str(out / "comparison")]
    lines = {
        "A graph of a film and a page of it. Put a film of your own in its place, and leave out -checkpoint and what\n"
        "  # stands between it and -out: this model knows drawn films only.": (
            f"{_typed(program, predict)} && {_typed(program, ['view', str(page)])}"
        ),
        "Does the model find more than counting, or is it chance? A star marks what chance does not explain.": (
            _typed(program, compare)
        ),
        f"Films in the browser{'' if app else ', with a built-in model: this one has to be given boxes'}.": (
            _typed(program, ["app", *app, "-data", str(out / "app")])
        ),
    }
    return "\n\n".join(f"  # {what}\n  {command}" for what, command in lines.items())


def _typed(program: str, words: Sequence[str]) -> str:
    """A command as it is typed. program: is typed as it is."""
    return f"{program} {shlex.join(words)}"
