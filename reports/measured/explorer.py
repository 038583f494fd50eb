"""How fast the explorer is, in a real browser: writes explorer-DATASET.json beside itself.

    python reports/measured/explorer.py DATASET ROOT [MOVES RUNS]    # by default 1000 and 20

From the key that moves the BR slider to the last change of the panels (sentence, table, plane, and
the gallery decoded), over 50 moves one by one; whether the last move of a burst is what is
shown; from the press of Distil to the first image, from Stop to stopped, and until the first (of two)
networks has been tested; then MOVES moves and RUNS runs, and how much the kernel has grown by. Two cores, nothing else running.
"""

import json
import re
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import lab  # noqa: E402

import fddkit as fdd  # noqa: E402

SINGLE, BURSTS = 50, 10
# A move's time ends with the last change that it causes; the next key comes after a quiet moment.
WATCH = """
() => {
  const box = document.querySelector('[data-fddkit-keys]');
  window.fdd = {start: 0, last: 0, texts: 0};
  const now = () => { window.fdd.last = performance.now(); };
  new MutationObserver(now).observe(box, {subtree: true, childList: true, characterData: true,
    attributes: true, attributeFilter: ['src']});
  box.addEventListener('load', now, true);
  window.addEventListener('keydown', () => { window.fdd.start = performance.now(); }, true);
}
"""


def quiet(page, seconds: float = 0.35) -> None:
    """Wait until nothing has changed for a while."""
    page.wait_for_function(
        "wait => window.fdd.last > window.fdd.start && performance.now() - window.fdd.last > wait",
        arg=1000 * seconds,
    )


def shown(page) -> float:
    """Return the BR that the panels are drawn for."""
    said = page.get_by_text(re.compile(r"^BR \d")).first.inner_text()
    return float(said.split(":")[0].removeprefix("BR "))


def moves(page, handle) -> list[float]:
    """Return the milliseconds of single moves, there and back."""
    handle.focus()
    took = []
    for i in range(SINGLE):
        page.keyboard.press("ArrowLeft" if i % 20 < 10 else "ArrowRight")
        quiet(page)
        took.append(page.evaluate("window.fdd.last - window.fdd.start"))
        assert abs(shown(page) - float(handle.get_attribute("aria-valuetext"))) < 1e-6
    return took


def bursts(page, handle) -> int:
    """Return how many bursts ended with panels that do not show the slider's last value."""
    box = handle.bounding_box()
    stale = 0
    for i in range(BURSTS):
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        for step in range(40):
            page.mouse.move(x + (1 if i % 2 else -1) * step, y)
        page.mouse.up()
        time.sleep(1.5)
        stale += abs(shown(page) - float(handle.get_attribute("aria-valuetext"))) > 0.0051
        box = handle.bounding_box()
    return stale


def kernel() -> psutil.Process:
    """Return the kernel's process."""
    children = psutil.Process().children(recursive=True)
    return next(p for p in children if "ipykernel_launcher" in " ".join(p.cmdline()))


def distil(page) -> tuple[float, float, float, float]:
    """Return the seconds to the first image, from stop to stopped, to the first result, of all."""
    page.get_by_label("preset").select_option("quick")
    page.get_by_role("tab", name="Distil").click()
    time.sleep(1)
    start = time.perf_counter()
    page.get_by_role("button", name="Distil").click()
    page.locator(".fddkit-grid img").nth(1).wait_for()
    first = time.perf_counter() - start
    time.sleep(2)
    start = time.perf_counter()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("stopped; Resume continues where it was").wait_for()
    stopped = time.perf_counter() - start
    page.get_by_label("seed").fill("1")  # nothing of it is on the disk
    page.keyboard.press("Tab")
    time.sleep(1)
    start = time.perf_counter()
    page.get_by_role("button", name="Distil").click()
    page.get_by_text("true-positive rate (%)").wait_for()
    result = time.perf_counter() - start
    page.get_by_text("finished; saved as").wait_for()
    return first, stopped, result, time.perf_counter() - start


def main() -> None:
    """Measure and write."""
    dataset, root, *sizes = sys.argv[1:]
    many, runs = map(int, sizes or (1000, 20))
    with tempfile.TemporaryDirectory() as name, lab.chromium() as browser:
        folder = Path(name)
        for file in Path(root).iterdir():
            (folder / "data").mkdir(exist_ok=True)
            (folder / "data" / file.name).symlink_to(file.resolve())
        with lab.serve(folder) as address:
            page = lab.open_explorer(browser, address, 180_000)
            page.locator(".fddkit-grid").first.wait_for()
            title = next(one.title for one in fdd.catalogue() if one.name == dataset)
            page.get_by_label("data set").select_option(label=f"{dataset}: {title}")
            page.get_by_text(re.compile(r"^BR \d")).first.wait_for()
            time.sleep(10)  # the cells after the explorer, and the first embedding
            page.evaluate(WATCH)
            handle = lab.slider(page, "BR")
            took = moves(page, handle)
            stale = bursts(page, handle)
            first, stopped, result, whole = distil(page)
            page.get_by_label("preset").select_option("smoke")
            grown = growth(page, handle, many, runs)
            found = {
                "command": f"python reports/measured/explorer.py {dataset} ROOT {many} {runs}",
                "versions": fdd.versions("cpu"),
                "dataset": dataset,
                "move_ms": {
                    "n": len(took),
                    "median": round(float(np.median(took)), 1),
                    "p95": round(float(np.percentile(took, 95)), 1),
                    "max": round(max(took), 1),
                },
                "stale_bursts": f"{stale} of {BURSTS}",
                "first_image_s": round(first, 2),
                "stop_s": round(stopped, 2),
                "first_network_tested_s": round(result, 1),
                "quick_run_s": round(whole, 1),
                **grown,
                "browser_errors": list(page.complaints),
                "requests_that_left": list(page.left),
                "kernel_log": problems(folder / "server.log"),
            }
    path = Path(__file__).with_name(f"explorer-{dataset}.json")
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(path.read_text())


def growth(page, handle, many: int, runs: int) -> dict[str, float]:
    """Return how much memory the kernel has grown by over moves and runs, in MB."""
    process = kernel()

    def resident() -> float:
        return process.memory_info().rss / 2**20

    def move(count: int) -> None:
        handle.focus()
        for i in range(count):
            page.keyboard.press("ArrowLeft" if i % 40 < 20 else "ArrowRight")
            if i % 10 == 9:
                quiet(page, 0.15)

    def run(seed: int) -> None:
        page.get_by_label("seed").fill(str(seed))
        page.keyboard.press("Tab")
        time.sleep(0.5)
        page.get_by_role("button", name="Distil").click()
        page.get_by_role("option", name=re.compile(rf"finished.* seed {seed}$")).wait_for()

    move(40)
    run(100)
    start = resident()
    move(many)
    after_moves = resident()
    for seed in range(101, 101 + runs):
        run(seed)
    after = resident()
    return {
        "moves": many,
        "runs": runs,
        "memory_mb": round(start),
        "growth_moves_mb": round(after_moves - start, 1),
        "growth_all_mb": round(after - start, 1),
    }


def problems(log: Path) -> list[str]:
    """Return what the server and the kernel complained about."""
    bad = re.compile(r"Traceback|Error|Exception|^\[E|CRITICAL")
    return [line for line in log.read_text().splitlines() if bad.search(line)]


if __name__ == "__main__":
    main()
