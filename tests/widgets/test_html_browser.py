"""Nothing that a shared folder holds runs script where the explorer shows it, in a real browser."""

import base64
from pathlib import Path

import nbformat
import pytest
from hostile import ALL, PAYLOADS, PLAIN, markup, panels
from lab import CHROMIUM, chromium, open_explorer, serve

import fddkit as fdd

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

SLOW = 90_000  # milliseconds; a shared machine can be slow, and nothing here asserts speed
GRID = Path(fdd.__file__).parent / "widgets" / "grid.js"

# The HTML view of ipywidgets sets innerHTML; an output's text/html also runs scripts; some
# libraries write again what they have read, or the text of it.
SHOW = """async ([sources, way]) => {
  const frame = document.createElement("div");
  document.body.replaceChildren(frame);
  const ways = {
    inner: (box, html) => (box.innerHTML = html),
    fragment: (box, html) => box.append(document.createRange().createContextualFragment(html)),
    again: (box, html) => { box.innerHTML = html; box.innerHTML = box.innerHTML; },
    decoded: (box, html) => { box.innerHTML = html; box.innerHTML = box.textContent; },
    normalised: (box, html) => (box.innerHTML = html.normalize("NFKC")),
  };
  const seen = [];
  for (const html of sources) {
    const box = frame.appendChild(document.createElement("div"));
    ways[way](box, html);
    seen.push([...box.querySelectorAll("*")].map((e) => [e.tagName, ...e.getAttributeNames()]));
  }
  for (const element of frame.querySelectorAll("*"))
    for (const type of ["mouseover", "focus", "click", "toggle"])
      element.dispatchEvent(new Event(type));
  for (const link of frame.querySelectorAll("a")) link.click();
  const end = document.createElement("img");
  await new Promise((done) => { end.onerror = done; end.src = "x"; }); // after those before it
  await new Promise((done) => setTimeout(done, 50));
  return seen;
}"""


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no chromium here; install it (Debian: apt install chromium)")
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser):
    made = browser.new_page()
    made.set_default_timeout(SLOW)
    made.goto("about:blank")
    yield made
    made.close()


def _show(page, text: str, folder: Path) -> dict[str, list]:
    """Show all panels with a text in every place; their elements and attributes, by way."""
    with pytest.MonkeyPatch.context() as patch:
        sources = [one for _, shown in panels(text, folder, patch) for one in markup(shown)]
    return {way: page.evaluate(SHOW, [sources, way]) for way in ("inner", "fragment", "again")}


@pytest.fixture(scope="module")
def harmless(browser, tmp_path_factory):
    page = browser.new_page()
    yield _show(page, PLAIN, tmp_path_factory.mktemp("panels"))
    page.close()


@pytest.mark.parametrize("kind", PAYLOADS)
def test_the_payloads_run_where_they_are_put_as_they_are(page, kind):
    """So that the test below can fail."""
    payload = PAYLOADS[kind]
    assert page.evaluate("top.__xss") is None
    page.evaluate(SHOW, [[payload.place.replace("{}", payload.text)], payload.way])
    page.wait_for_function("top.__xss > 0")


@pytest.mark.parametrize("kind", PAYLOADS)
def test_no_panel_runs_what_is_not_ours(page, kind, harmless, tmp_path):
    shown = _show(page, PAYLOADS[kind].text, tmp_path)
    assert page.evaluate("top.__xss") is None
    assert shown == harmless  # the same elements with the same attributes, and no others
    assert len(shown["inner"]) > 50


def test_the_grid_runs_nothing(page):
    """Its names, what it says of itself and what it speaks are text."""
    module = base64.b64encode(GRID.read_bytes()).decode()
    drawn = page.evaluate(
        """async ([module, text]) => {
          const { default: grid } = await import(`data:text/javascript;base64,${module}`);
          const state = { png: new Uint8Array([1]), rows: 2, columns: 1, cell: 12, selected: 0 };
          Object.assign(state, { names: [text, text], alt: text, spoken: text });
          const heard = {};
          const model = { get: (n) => state[n], set() {}, save_changes() {} };
          model.on = (event, act) => (heard[event] = act);
          grid.render({ model, el: document.body });
          for (const act of Object.values(heard)) act();
          for (const element of document.querySelectorAll("body *"))
            for (const type of ["mouseover", "focus", "click"])
              element.dispatchEvent(new Event(type));
          await new Promise((done) => setTimeout(done, 50));
          return {
            elements: [...document.querySelectorAll("body *")].map((e) => e.tagName),
            names: [...document.querySelectorAll(".fddkit-grid-names > *")].map(
              (e) => e.textContent),
            alt: document.querySelector("img").alt,
            spoken: document.querySelector(".fddkit-grid-spoken").textContent,
          };
        }""",
        [module, ALL],
    )
    assert drawn["elements"] == ["DIV"] * 5 + ["IMG", "DIV", "DIV"]
    assert drawn["names"] == [ALL, ALL]
    assert drawn["alt"] == drawn["spoken"] == ALL
    assert page.evaluate("top.__xss") is None


def test_jupyterlab_runs_nothing_of_names_in_menus_buttons_and_lists(browser, tmp_path):
    """Which is where ipywidgets alone decides; beside them a plain HTML widget, which runs it."""
    cell = f"""
        import ipywidgets, pathlib, sys
        import pytest
        sys.path.insert(0, {str(Path(__file__).parents[1])!r})
        from hostile import PAYLOADS, panels
        proof = PAYLOADS["image"].text.replace("__xss", "__proof")
        folder = pathlib.Path({str(tmp_path / "run")!r})
        with pytest.MonkeyPatch.context() as patch:
            shown = dict(panels(PAYLOADS["image"].text, folder, patch))
        boxes = {{id(each): each for each in shown.values() if not isinstance(each, str)}}
        display(*boxes.values(), ipywidgets.HTML(proof + "<p>all is shown</p>"))
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    with serve(tmp_path) as address:
        nbformat.write(notebook, tmp_path / "notebooks" / "names.ipynb")
        page = open_explorer(browser, address, SLOW, "names.ipynb")
        page.get_by_text("all is shown").wait_for()
        page.wait_for_function("window.__proof > 0")
        for kind in (".widget-toggle-buttons button", ".widget-dropdown option"):
            assert page.locator(kind).filter(has_text=PAYLOADS["image"].text).count() > 0, kind
        assert page.evaluate("window.__xss") is None
        page.close()
