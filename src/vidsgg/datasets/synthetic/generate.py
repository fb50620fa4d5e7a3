"""Write a synthetic data set: the folder, its videos and frames, and last of all its
annotations."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import av
import numpy as np
from PIL import Image
from tqdm import tqdm

from vidsgg.datasets.synthetic.backdrop import Picture
from vidsgg.datasets.synthetic.known import MARKER, TEST_EVERY, name_of
from vidsgg.datasets.synthetic.one_person.world import OnePerson
from vidsgg.datasets.synthetic.rooms.world import Rooms
from vidsgg.datasets.synthetic.world import World
from vidsgg.errors import ConfigError
from vidsgg.io.atomic import whole_file, whole_path, write_whole
from vidsgg.io.homes import remove_made, unmarked_entries
from vidsgg.io.links import is_link
from vidsgg.io.parent import end_with_parent
from vidsgg.io.video import VideoReader
from vidsgg.status import hides_bars

FORMAT = 1  # raised whenever the same seed gives other data
FPS = 12
WORLDS: dict[str, World] = {world.name: world for world in (OnePerson(), Rooms())}
# The same pictures must give the same bytes. One thread, or the result depends on the number of
# cores; a constant quantiser, because x264's rate control ("crf") was seen to differ between two
# encodings in one process; and no arithmetic that depends on the CPU.
_ENCODER = {"qp": "20", "preset": "veryfast", "g": "24", "threads": "1", "x264-params": "cpu-independent=1"}


@dataclass(frozen=True)
class SyntheticConfig:
    """What to make. Everything but ``workers`` decides the content: the same values give the same
    bytes.

    videos: how many, a fifth of them for testing. frames: also write every frame as a PNG. width,
    height: of the pictures, even.
    workers: processes; None for as many as help. world: a name of WORLDS.
    """

    videos: int = 200
    seed: int = 0
    frames: bool = False
    width: int = 320
    height: int = 240
    workers: int | None = None
    world: str = OnePerson.name

    def __post_init__(self) -> None:
        if self.world not in WORLDS:
            raise ConfigError(f"world is {self.world!r}; use one of {', '.join(WORLDS)}.")
        if self.videos < TEST_EVERY:
            raise ConfigError(
                f"videos is {self.videos}; make at least {TEST_EVERY}, so that one of them is for testing."
            )
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}; use a number from 0.")
        for name, size in (("width", self.width), ("height", self.height)):
            if size < 96 or size > 4096 or size % 2:
                raise ConfigError(
                    f"{name} is {size}; H.264 needs an even number of pixels, and the drawing 96 to 4096."
                )
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"workers is {self.workers}; use at least 1.")

    @property
    def processes(self) -> int:
        """Starting a process takes as long as a dozen videos; fewer than that are not worth one."""
        return self.workers or max(1, min(os.cpu_count() or 1, self.videos // 20))


def generate(root: Path, config: SyntheticConfig) -> None:
    """Make the data set in folder ``root``.

    The annotations appear last: a folder that has them is complete. An older synthetic set in the
    folder is replaced, of whichever world; other files in it stay. Raises ConfigError if the folder
    holds anything else, OSError if it cannot be written to.
    """
    _clear(root)
    root.mkdir(parents=True, exist_ok=True)
    options = {name: value for name, value in asdict(config).items() if name != "workers"}
    write_whole(root / MARKER, json.dumps({"format": FORMAT, **options}, indent=1) + "\n")
    (root / "videos").mkdir(exist_ok=True)
    progress = tqdm(
        _make_all(root, config), total=config.videos, desc="synthetic videos", unit="video", disable=hides_bars()
    )
    WORLDS[config.world].write(root, config.seed, progress)


def is_complete(root: Path) -> bool:
    """Whether a data set was made in a folder up to its end."""
    return all((root / name).is_file() for name in WORLDS[world_of(root)].needed)


def world_of(root: Path) -> str:
    """The world that a synthetic set in ``root`` belongs to, as its mark says; sets of before there
    were several, and folders without a mark, count as of the first."""
    try:
        name = json.loads((root / MARKER).read_text(encoding="utf-8")).get("world")
    except (OSError, ValueError, AttributeError):
        name = None
    return name if name in WORLDS else OnePerson.name


def _clear(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise ConfigError(f"{root} is a file; give a folder.")
    if unmarked_entries(root, root / MARKER):
        raise ConfigError(
            f"{root} is not empty and holds no synthetic data set of ours ({MARKER} is missing); choose another folder."
        )
    for name, patterns in WORLDS[world_of(root)].made.items():
        if name and is_link(root / name):
            raise ConfigError(f"{root / name} is a link, and nothing is written through it; choose another folder.")
        remove_made(root / name, patterns)


def _make_all(root: Path, config: SyntheticConfig) -> Iterator[bytes]:
    make = partial(make_video, root, config)
    if config.processes == 1:
        yield from map(make, range(config.videos))
        return
    # "spawn" is the one way to start a process that all systems have.
    with ProcessPoolExecutor(config.processes, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        try:
            yield from pool.map(make, range(config.videos), chunksize=2)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def make_video(root: Path, config: SyntheticConfig, index: int) -> bytes:
    """Write video ``index`` and return what its world keeps for the annotations: what it holds
    depends on the seed and the index alone."""
    rng = np.random.default_rng([config.seed, index])
    video = WORLDS[config.world].video(rng, index, config.width, config.height)
    path = root / "videos" / f"{name_of(index)}.mp4"
    _write_video(path, video.pictures, config.width, config.height)
    if config.frames:
        folder = root / "frames" / path.name
        folder.mkdir(parents=True, exist_ok=True)
        # Decoded from the video, so that both ways of reading give the same pixels.
        reader = VideoReader(path)
        for number, picture in enumerate(reader.frames(range(1, reader.count + 1)), start=1):
            with whole_file(folder / f"{number:06d}.png", flush=False) as file:
                Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return video.entries


def _write_video(path: Path, pictures: Iterable[Picture], width: int, height: int) -> None:
    with whole_path(path, flush=False) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options=_ENCODER)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
