"""Record a page that ``vidsgg view`` or ``predict`` wrote as a moving picture.

The picture of the README was made with

    vidsgg data synth -o data -videos 100
    vidsgg train -features layout -bce_loss -data_path data -save_path layout -epochs 10 -warmup_steps 100
    vidsgg predict -checkpoint layout -video 8 -o pages
    python docs/images/record_page.py pages/S0049.html docs/images/page.webp

on a CPU with one thread. Its world is drawn, and the model is given the boxes of the annotation.
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

WIDTH, HEIGHT, SHOWN = 1280, 860, 960  # pixels of the browser; width of the picture
STEP, TIME_OF_A_PICTURE = 0.2, 200  # seconds of the video, milliseconds in the moving picture

_SEEK = """time => {
  const seek = document.getElementById("seek");
  seek.value = time;
  seek.dispatchEvent(new Event("input"));
}"""
_ARRIVED = "() => { const video = document.querySelector('video'); return video.readyState > 1 && !video.seeking; }"


def pictures(page: Page) -> list[Image.Image]:
    """The page at every step of its video."""
    begin, end = (float(page.get_attribute("#seek", name) or 0) for name in ("min", "max"))
    if not page.evaluate("document.querySelector('video') !== null"):
        raise SystemExit("the page has no video to move through")
    found = []
    for step in range(int((end - begin) / STEP)):
        page.evaluate(_SEEK, begin + step * STEP)
        while not page.evaluate(_ARRIVED):
            page.wait_for_timeout(20)
        page.wait_for_timeout(60)  # until the small pictures of the graph are drawn
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        found.append(picture.resize((SHOWN, round(HEIGHT * SHOWN / WIDTH)), Image.Resampling.LANCZOS))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("out", type=Path)
    names = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(names.page.resolve().as_uri())
        page.wait_for_timeout(1000)
        first, *others = pictures(page)
    first.save(names.out, save_all=True, append_images=others, duration=TIME_OF_A_PICTURE, loop=0, quality=60, method=6)
    print(f"{names.out}: {len(others) + 1} pictures, {names.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
