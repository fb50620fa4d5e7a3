"""Record a page that ``vidsgg view`` or ``predict`` wrote as a moving picture.

python docs/images/record_page.py demo/.../S0003.html docs/images/page.webp
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


def pictures(page: Page) -> list[Image.Image]:
    """The page at every step of its video."""
    length = page.evaluate("document.querySelector('video')?.duration ?? 0")
    if not length:
        raise SystemExit("the page has no video to move through")
    found = []
    for step in range(int(length / STEP)):
        page.evaluate("time => { document.querySelector('video').currentTime = time }", step * STEP)
        page.wait_for_timeout(150)
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
