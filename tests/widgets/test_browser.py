"""The explorer as its users have it: a real JupyterLab in a real Chromium, mouse and keyboard."""

import json
import re
import time
from contextlib import suppress

import nbformat
import psutil
import pytest
from lab import CHROMIUM, ROOT, api, chromium, open_explorer, serve, slider
from nbconvert import HTMLExporter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

KEPT = ROOT / "build" / "browser"  # what the browser showed when a test failed
SLOW = 90_000  # milliseconds; a shared machine can be slow, and nothing here asserts speed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return where everything of this server and its kernels lies."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def address(folder):
    """Serve a copy of the notebooks."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium here; install it (Debian: apt install chromium)")
    with serve(folder) as where:
        yield where


@pytest.fixture(scope="module")
def explorer(address):
    """Open the notebook and run all cells; yield the page, with what it complained about."""
    with chromium() as browser:
        page = open_explorer(browser, address, SLOW)
        try:
            page.locator(".fddkit-grid").first.wait_for()
        except Exception:
            _keep(page, "explorer")
            raise
        _preset(page, "smoke")
        yield page


def _keep(page, name: str) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=KEPT / f"{name}.png")


@pytest.fixture(autouse=True)
def _picture_of_a_failure(request):
    """Keep what the browser shows when a test fails."""
    yield
    report = getattr(request.node, "rep_call", None)
    page = request.node.funcargs.get("explorer")
    if page is not None and report is not None and report.failed:
        _keep(page, request.node.name)


def _says(page) -> str:
    return page.get_by_text(re.compile(r"^BR \d")).first.inner_text()


def _preset(page, name: str) -> None:
    page.get_by_label("preset").select_option(name)
    shown = f" {name}," if name != "quick" else "IPC 10,"
    page.get_by_text(re.compile(f"^Distil: .*{shown}")).wait_for()


def _tab(page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def _picture(page, at: int) -> str:
    """Return the pixels that a grid shows."""
    return (
        page.locator(".fddkit-grid img")
        .nth(at)
        .evaluate(
            "img => { const c = document.createElement('canvas'); c.width = img.naturalWidth;"
            "c.height = img.naturalHeight; c.getContext('2d').drawImage(img, 0, 0);"
            "return c.toDataURL(); }"
        )
    )


def test_the_panels_follow_a_slider_moved_by_keyboard(explorer):
    page, handle = explorer, slider(explorer, "BR")
    before = _picture(page, 0)
    assert "BR 0.75" in _says(page)
    handle.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.get_by_text("BR 0.85").first.wait_for()
    page.get_by_title("class 0, group red: 113 images, 84.3%").wait_for()
    assert _picture(page, 0) != before


def test_the_panels_follow_a_slider_dragged_by_mouse_and_end_where_it_ends(explorer):
    page, handle = explorer, slider(explorer, "BR")
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(30):  # a burst: faster than anything can be redrawn
        page.mouse.move(x - 2 * step, y)
    page.mouse.up()
    page.wait_for_function("!document.querySelector('.noUi-active')")
    said = float(handle.get_attribute("aria-valuetext"))
    assert said < 0.8
    page.get_by_text(f"BR {said:.2f}").first.wait_for()
    handle.focus()
    page.keyboard.press("Home")
    page.get_by_text("BR 0.10").first.wait_for()
    for _ in range(65):
        page.keyboard.press("ArrowRight")
    page.get_by_text("BR 0.75").first.wait_for()


def test_gap_makes_two_groups(explorer):
    page = explorer
    page.get_by_label("bias", exact=True).select_option("two groups, GAP apart")
    page.get_by_title(re.compile("class 0, group GAP 0")).wait_for()
    page.get_by_label("bias", exact=True).select_option("the set's own groups")
    page.get_by_title(re.compile("class 0, group cyan")).wait_for()


def test_a_run_shows_its_images_and_its_result(explorer):
    page = explorer
    page.get_by_role("button", name="Distil").click()
    page.locator(".fddkit-grid img").nth(1).wait_for()
    page.get_by_text("finished; saved as").wait_for()
    page.get_by_text("true-positive rate (%)").wait_for()
    page.get_by_title(re.compile("class 3, group cyan: .*% recognised")).wait_for()
    _tab(page, "Compare")
    page.get_by_role("row", name=re.compile("cobra dm IPC 10 smoke, digits BR 0.75")).wait_for()
    _tab(page, "Distil")


def test_a_clicked_image_is_explained(explorer):
    page = explorer
    sheet = page.locator(".fddkit-grid-sheet").nth(1)
    box = sheet.bounding_box()
    sheet.click(position={"x": box["width"] * 0.05, "y": box["height"] * 0.35})
    _tab(page, "Look at an image")
    page.get_by_text("Synthetic image 1 of class 3").wait_for()
    page.get_by_text("nearest real images").wait_for()
    _tab(page, "Distil")
    sheet.focus()
    page.keyboard.press("ArrowDown")
    _tab(page, "Look at an image")
    page.get_by_text("Synthetic image 1 of class 4").wait_for()
    _tab(page, "Distil")


def test_stop_and_resume_end_as_an_uninterrupted_run(explorer):
    page = explorer
    _preset(page, "quick")
    page.get_by_role("button", name="Distil").click()
    page.get_by_text(re.compile(r"distilling \d+ of 200")).wait_for()
    page.get_by_role("button", name="Pause").click()
    page.get_by_text(re.compile(r"paused at step \d+ of 200")).wait_for()
    shown = _picture(page, 1)
    page.get_by_role("button", name="Resume").click()
    page.get_by_text(re.compile(r"distilling \d+ of 200")).wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("stopped; Resume continues where it was").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text(re.compile(r"distilling (\d\d|1\d\d) of 200")).wait_for()
    assert _picture(page, 1) != shown
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("stopped; Resume continues where it was").wait_for()
    _preset(page, "smoke")


def test_two_runs_queue(explorer):
    page = explorer
    for rule in ("vanilla", "fairdd"):
        page.get_by_label("rule", exact=True).select_option(rule)
        page.get_by_text(f"Distil: {rule} dm").wait_for()
        page.get_by_role("button", name="Distil").click()
    for rule in ("vanilla", "fairdd"):
        page.get_by_role("option", name=f"✓ finished: {rule} dm IPC 10").wait_for()


def test_the_classroom_hides_the_answer_until_the_guess(explorer):
    page = explorer
    _tab(page, "Classroom")
    page.get_by_role("button", name="2 · Distil it").click()
    assert page.get_by_role("button", name="Reveal").is_disabled()
    page.get_by_role("button", name="Set up and run").click()
    page.get_by_text("The answer is ready; reveal it after your guess.").wait_for()
    page.get_by_role("button", name="Reveal").click()
    page.get_by_text(re.compile("You guessed 50|Your guess does not count")).wait_for()


def test_what_is_finished_is_found_again_without_computing(explorer):
    page = explorer
    _tab(page, "Finished runs")
    page.get_by_role("button", name="Look again").click()
    page.get_by_text("BR 0.75, IPC 10").wait_for()
    _tab(page, "Distil")


def test_the_choice_is_written_down(explorer):
    page = explorer
    _tab(page, "Take away")
    areas = page.locator("textarea:visible")
    page.wait_for_function(
        "[...document.querySelectorAll('textarea')].some(t => t.value.startsWith('fddkit'))"
    )
    written = [areas.nth(i).input_value() for i in range(areas.count())]
    cell = next(text for text in written if text.startswith("dataset ="))
    command = next(text for text in written if text.startswith("fddkit distill"))
    assert "br = 0.75" in cell
    assert "--dataset digits" in command
    _tab(page, "Distil")


def test_the_saved_notebook_exports_to_a_page_with_figures(explorer, folder):
    """What a person sends to others: no widget can be shown there, its figures are."""
    explorer.locator(".jp-Notebook .jp-MarkdownCell").first.click()
    explorer.get_by_role("menuitem", name="File").first.click()
    explorer.get_by_text("Save Notebook", exact=True).click()
    saved = folder / "notebooks" / "06_explore.ipynb"
    limit = time.monotonic() + 30
    while "widget-view+json" not in saved.read_text() and time.monotonic() < limit:
        time.sleep(0.2)
    notebook = nbformat.read(saved, as_version=4)
    body, _ = HTMLExporter().from_notebook_node(notebook)
    shown = next(c for c in notebook.cells if "widget-view+json" in str(c.get("outputs")))
    assert "text/html" in shown.outputs[-1].data
    assert body.count("data:image/png;base64") >= 6  # three in the explorer's place, three below
    assert "Error displaying widget" not in body
    assert '<script type="application/vnd.jupyter.widget-view' not in body


def test_nothing_went_wrong_and_nothing_left_the_machine(explorer):
    assert explorer.complaints == []
    assert explorer.left == []


def test_a_kernel_that_is_shut_down_leaves_no_worker(explorer, address, folder):
    assert _workers(folder)
    with api(f"{address}/api/kernels") as answer:
        kernels = json.load(answer)
    for kernel in kernels:
        api(f"{address}/api/kernels/{kernel['id']}", "DELETE").close()
    limit = time.monotonic() + 30
    while _workers(folder) and time.monotonic() < limit:
        time.sleep(0.2)
    assert not _workers(folder)


def _workers(folder) -> list[psutil.Process]:
    """Return the processes that kernels of this server have started."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if "spawn_main" in " ".join(process.cmdline()) and (
                process.environ().get("IPYTHONDIR") == str(folder / "ipython")
            ):
                found.append(process)
    return found
