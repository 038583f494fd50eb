"""Take pictures of the explorer's states: reports/pictures/explorer-*.png, for docs/explorer.md.

python tools/screenshots.py    # needs chromium; about a minute on two cores
"""

import re
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import lab  # noqa: E402

PICTURES = ROOT / "reports" / "pictures"


def shoot(page, name: str) -> None:
    """Save what the explorer shows now."""
    time.sleep(0.7)
    box = page.locator(".jp-OutputArea-output:has(.fddkit-grid)").first
    image = Image.open(BytesIO(box.screenshot())).convert("RGB")
    image.save(PICTURES / f"explorer-{name}.png", optimize=True)
    print(name, image.size, flush=True)


def distil(page, rule: str, seconds: float | None = None) -> None:
    """Press the button, and wait for the end or for some seconds."""
    page.get_by_label("rule", exact=True).select_option(rule)
    page.get_by_role("tab", name="Distil").click()
    page.get_by_text(f"Distil: {rule} dm").wait_for()
    page.get_by_role("button", name="Distil").click()
    if seconds:
        page.get_by_text(re.compile(r"distilling \d+ of")).wait_for()
        time.sleep(seconds)
    else:
        page.get_by_role("option", name=f"✓ finished: {rule} dm").first.wait_for()


def main() -> None:
    """Go through the states."""
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as name,
        lab.chromium() as browser,
        lab.serve(Path(name)) as address,
    ):
        page = lab.open_explorer(browser, address, 120_000)
        page.locator(".fddkit-grid").first.wait_for()
        time.sleep(8)
        shoot(page, "open")
        handle = lab.slider(page, "BR")
        handle.focus()
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        page.get_by_text("BR 0.95").first.wait_for()
        shoot(page, "dragged")
        for _ in range(20):
            page.keyboard.press("ArrowLeft")
        page.get_by_text("BR 0.75").first.wait_for()
        distil(page, "cobra", 4)
        shoot(page, "distilling")
        page.get_by_role("option", name="✓ finished: cobra dm").first.wait_for()
        shoot(page, "finished")
        sheet = page.locator(".fddkit-grid-sheet").nth(1)
        sheet.click(position={"x": 50, "y": 120})
        page.get_by_role("tab", name="Look at an image").click()
        page.get_by_text("nearest real images").wait_for()
        shoot(page, "inspector")
        distil(page, "vanilla")
        page.get_by_role("tab", name="Compare").click()
        shoot(page, "compare")
        page.get_by_role("tab", name="Finished runs").click()
        shoot(page, "past")
        page.get_by_role("tab", name="Classroom").click()
        page.get_by_role("button", name="2 · Distil it").click()
        page.get_by_role("button", name="Set up and run").click()
        page.get_by_text("The answer is ready; reveal it after your guess.").wait_for()
        page.get_by_role("button", name="Reveal").click()
        page.get_by_text(re.compile("You guessed")).wait_for()
        shoot(page, "classroom")
        page.get_by_role("tab", name="Take away").click()
        shoot(page, "take-away")


if __name__ == "__main__":
    main()
