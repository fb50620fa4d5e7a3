"""What the engines for many items cost: ``python -m benchmarks.many``.

Films of a test pattern are predicted by the boxes-only model with an untrained detector: by a bare
loop, by the interface in one process, in two, and with ``-ray True`` on two workers of a Ray that
is started here. Rounds of all of them follow one another. Then items without any work tell what
handing one out costs.

Seconds of the clock are worth little where others use the machine. The processor seconds of this
process and its workers are: those of Ray's own processes are not counted. Prints markdown tables.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vidsgg.execution.items import Lost
from vidsgg.execution.many import Engine, apply_to_many
from vidsgg.execution.processes import Processes, cores
from vidsgg.execution.ray_cluster import RayCluster
from vidsgg.io.encoding import Encoding, write_video
from vidsgg.recipes.command_options import PredictOptions
from vidsgg.recipes.graph_places import GraphPlace
from vidsgg.recipes.predict_video import predictor_of

FPS = 5


@dataclass(frozen=True)
class Timed:
    """Predicts a film; gives the processor seconds of it and those of the worker's start."""

    options: PredictOptions

    def __call__(self, number: int) -> Callable[[GraphPlace], tuple[float, float]]:
        torch.set_num_threads(1)
        began = time.process_time()
        predict = predictor_of(self.options).predict
        start = [time.process_time() - began]

        def timed(place: GraphPlace) -> tuple[float, float]:
            began = time.process_time()
            done = predict(place)
            assert done.problem is None, done.problem
            return time.process_time() - began, start.pop() if start else 0.0

        return timed


@dataclass(frozen=True)
class Nothing:
    def __call__(self, number: int) -> Callable[[int], int]:
        return int


def write_films(folder: Path, films: int, seconds: float) -> list[Path]:
    rng = np.random.RandomState(0)
    paths = []
    for number in range(films):
        path = folder / f"{number:03}.mp4"
        picture = rng.randint(0, 256, (30, 60, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
        frames = [np.ascontiguousarray(picture[:, 4 * i % 160 :][:, :320]) for i in range(round(seconds * FPS))]
        write_video(path, ((i / FPS, one) for i, one in enumerate(frames)), Encoding(quality=18), last=1 / FPS)
        paths.append(path)
    return paths


def bare(setup: Timed, places: Sequence[GraphPlace]) -> tuple[float, float, float]:
    began = time.perf_counter()
    work = setup(0)
    done = [work(place) for place in places]
    return time.perf_counter() - began, sum(one for one, _ in done), sum(start for _, start in done)


def engine_run(setup: Timed, places: Sequence[GraphPlace], engine: Engine) -> tuple[float, float, float]:
    began, own = time.perf_counter(), time.process_time()
    done = []
    with closing(apply_to_many(setup, places, engine)) as results:
        for result in results:
            assert not isinstance(result, Lost), result
            done.append(result)
    own = time.process_time() - own if engine != Processes(1) else 0.0  # of handing out
    return time.perf_counter() - began, own + sum(one for one, _ in done), sum(start for _, start in done)


def cost_of_an_item(engine: Engine | None, count: int) -> float:
    """Microseconds, without the start of the workers."""
    stamps = []
    if engine is None:
        work = Nothing()(0)
        began = time.perf_counter()
        for item in range(count):
            work(item)
        return 1e6 * (time.perf_counter() - began) / count
    for _ in apply_to_many(Nothing(), range(count), engine):
        stamps.append(time.perf_counter())
    return 1e6 * (stamps[-1] - stamps[count // 10]) / (count - 1 - count // 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-films", type=int, default=8)
    parser.add_argument("-seconds", type=float, default=10.0, help="of each film")
    parser.add_argument("-rounds", type=int, default=3)
    parser.add_argument("-items", type=int, default=2000, help="without any work")
    parser.add_argument("-ray", type=lambda word: word == "True", default=False)
    given = parser.parse_args()
    torch.set_num_threads(1)
    engines: dict[str, Engine | None] = {
        "bare loop": None,
        "the interface, one process": Processes(1),
        "the interface, two processes": Processes(2),
    }
    if given.ray:
        engines["the interface, Ray, two workers"] = RayCluster(workers=2)
    folder = Path(tempfile.mkdtemp())
    try:
        films = write_films(folder, given.films, given.seconds)
        torch.manual_seed(0)
        options = PredictOptions(checkpoint="geometry", detector="c4-small", device="cpu", fps=FPS)
        setup = Timed(options)
        rounds: dict[str, list[tuple[float, float, float]]] = {name: [] for name in engines}
        for number in range(given.rounds):
            for name, engine in engines.items():
                places = [GraphPlace(film, folder / f"{number}_{len(name)}_{film.stem}.json") for film in films]
                run = bare(setup, places) if engine is None else engine_run(setup, places, engine)
                rounds[name].append(run)
    finally:
        shutil.rmtree(folder)
    hours = given.films * given.seconds / 3600
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{given.films} films of {given.seconds:g} s, {FPS} graphs a second, {cores()} cores{load}; medians of")
    print(f"{given.rounds} rounds, one thread in each process\n")
    print("| | processor seconds of the films | against the loop | of starting | seconds in all |")
    print("|---|---:|---:|---:|---:|")
    loop = statistics.median(work for _, work, _ in rounds["bare loop"])
    for name, runs in rounds.items():
        total, work, start = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"| {name} | {work:.2f} | {100 * (work / loop - 1):+.1f} % | {start:.2f} | {total:.1f} |")
    print(f"\n{hours / (loop / 3600):.2f} hours of video in an hour of one core\n")
    print("| | microseconds an item |")
    print("|---|---:|")
    for name, engine in engines.items():
        print(f"| {name} | {cost_of_an_item(engine, given.items):.1f} |")


if __name__ == "__main__":
    main()
