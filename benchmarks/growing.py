"""What many videos cost: ``python -m benchmarks.growing -detector FILE.onnx [-video FILE] [-fps 2]``.

Predicts one video into a library, and says how many hours of video a core does in an hour, and how
much the library holds for an hour of video. Processor time counts, of all threads, without what
every call spends once (it is measured with a film of a second); so others on the machine do not
matter. Without -video a film of a minute is made that pans over two photos of scikit-image, in which
a person and a cup can be seen: real ones have more or less in them, which is why bytes are also told
for a row of each table.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidsgg.cli.main import main as vidsgg
from vidsgg.io.encoding import Encoding, write_video
from vidsgg.io.images import Image
from vidsgg.io.video import VideoReader
from vidsgg.library.folder import LibraryFolder

WIDTH, HEIGHT, RATE = 640, 360, 25


def film(path: Path, seconds: int) -> Path:
    """A camera that moves over two photos, there and back in ten seconds."""
    from skimage import data
    from skimage.transform import resize

    photos = [resize(photo, (HEIGHT, 480), preserve_range=True) for photo in (data.astronaut(), data.coffee())]
    scene = np.concatenate(photos, 1).astype(np.uint8)

    def pictures() -> Iterator[tuple[float, Image]]:
        for i in range(seconds * RATE):
            left = round((0.5 - 0.5 * np.cos(2 * np.pi * i / (10 * RATE))) * (scene.shape[1] - WIDTH))
            yield i / RATE, np.ascontiguousarray(scene[:, left : left + WIDTH])

    write_video(path, pictures(), Encoding(quality=23), last=1 / RATE)
    return path


def predicted(video: Path, out: Path, words: list[str]) -> float:
    """Processor seconds of a call. Raises SystemExit if it fails."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    with contextlib.redirect_stdout(io.StringIO()):
        code = vidsgg(["predict", str(video), "-o", str(out), *words])
    if code:
        raise SystemExit(code)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-detector", required=True)
    parser.add_argument("-video", type=Path)
    parser.add_argument("-fps", default="2")
    given = parser.parse_args()
    words = ["-detector", given.detector, "-fps", given.fps, "-device", "cpu"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        video = given.video or film(root / "minute.mp4", 60)
        predicted(film(root / "second.mp4", 1), root / "warm", words)  # what is imported
        once = predicted(root / "second.mp4", root / "once", words)
        spent = predicted(video, root / "lib", [*words, "-format", "library"]) - once
        predicted(video, root / "graphs", words)
        json_bytes = sum(path.stat().st_size for path in (root / "graphs").iterdir())
        times = VideoReader(video).times
        assert times is not None
        seconds, library = times[-1] + 1 / RATE, LibraryFolder(root / "lib")
        rows = library.rows()
        print(f"{video.name}: {seconds:.0f} seconds, {rows['frames']} graphs")
        print(f"hours of video in an hour of one core: {seconds / spent:.2f} ({spent:.1f} s of processor time)")
        print(
            f"an hour of such video: {library.size() / seconds * 3600 / 1e6:.2f} MB of Parquet, {json_bytes / seconds * 3600 / 1e6:.1f} MB of JSON"
        )
        for table, count in rows.items():
            size = sum(path.stat().st_size for path in library.files(table))
            print(f"{table:10} {count:8,} rows, {size / max(count, 1):7.1f} bytes each")


if __name__ == "__main__":
    main()
