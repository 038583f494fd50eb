"""Whatever is not ours is escaped where HTML is made: names, errors, paths, and what files say."""

import ast
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import ipywidgets
import pytest
import traitlets
from hostile import PAYLOADS, PLAIN, file_name, made, markup, panels
from markupsafe import Markup

import fddkit as fdd
from fddkit.widgets import Explorer
from fddkit.widgets.html import HTML
from fddkit.workbench.choice import Choice

PACKAGE = Path(fdd.__file__).parent
WIDGETS = sorted((PACKAGE / "widgets").glob("*.py"))
IMAGE = PAYLOADS["image"].text


class _Read(HTMLParser):
    """Elements with the names of their attributes, and all that is text."""

    def __init__(self, source: str):
        super().__init__()
        self.elements, self.text = [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, *(name for name, _ in attrs)))
        self.text += [value for _, value in attrs]

    def handle_endtag(self, tag):
        self.elements.append(f"/{tag}")

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        self.elements.append("comment")

    handle_decl = handle_pi = unknown_decl = handle_comment

    def times(self, text: str) -> int:
        """Return how often a text is shown, also as the name of a file, or fit for a terminal."""
        shown = "\n".join(value or "" for value in self.text)
        printable = "".join(c if c.isprintable() else " " for c in text)
        return sum(shown.count(form) for form in {text, file_name(text), printable})


def _shown(text: str, folder: Path) -> dict[str, list[_Read]]:
    with pytest.MonkeyPatch.context() as patch:
        return {
            name: [_Read(source) for source in markup(shown)]
            for name, shown in panels(text, folder, patch)
        }


@pytest.fixture(scope="module")
def harmless(tmp_path_factory):
    return _shown(PLAIN, tmp_path_factory.mktemp("panels"))


def test_the_panels_show_what_is_not_ours(harmless):
    shows = {name: sum(one.times(PLAIN) for one in read) for name, read in harmless.items()}
    ours = {name for name, times in shows.items() if not times}
    assert ours == {"curve"}  # its rule is a colour
    assert shows["rates"] > 100


@pytest.mark.parametrize("kind", PAYLOADS)
def test_no_element_and_no_attribute_comes_from_what_is_not_ours(kind, harmless, tmp_path):
    """And it is shown as it is: as often as a harmless text in its place, letter by letter."""
    text = PAYLOADS[kind].text
    shown = _shown(text, tmp_path)
    assert shown.keys() == harmless.keys()
    both = {name: list(zip(shown[name], harmless[name], strict=True)) for name in shown}
    broken = [n for n, each in both.items() if any(a.elements != b.elements for a, b in each)]
    assert broken == []
    unlike = [
        n for n, each in both.items() if any(a.times(text) != b.times(PLAIN) for a, b in each)
    ]
    assert unlike == []


def test_a_set_in_a_shared_folder_runs_nothing_through_the_error_that_quotes_it(tmp_path):
    """End to end: the folder holds another set where the explorer would put its own."""
    desk = Explorer(Choice(preset="smoke", ipc=1), reports=tmp_path, repeats=1, live=True)
    try:
        theirs, _, _ = made()
        config = theirs.config | {"fingerprint": IMAGE, "method": IMAGE}
        out = tmp_path / "explore" / f"{desk.choice.name}.safetensors"
        replace(theirs, config=config).save(out)
        desk.distil.start.click()
        (job,) = desk.jobs.all
        desk.jobs.wait([job])
        desk.distil.changed(job)
        told = _Read(desk.distil.says.value)
        assert told.elements == [("b",), "/b"]
        assert IMAGE in "".join(told.text)
        widgets = list(_tree(desk.box))
        assert len([one for one in widgets if isinstance(one, HTML)]) > 10
        plain = (ipywidgets.HTML, ipywidgets.HTMLMath)
        assert [
            one for one in widgets if isinstance(one, plain) and not isinstance(one, HTML)
        ] == []
    finally:
        desk.close()


def _tree(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _tree(child)


# --- the widget -----------------------------------------------------------------------------


def test_the_widget_escapes_whatever_is_not_markup():
    shown = HTML(IMAGE)
    assert shown.value == str(Markup.escape(IMAGE))
    shown.value = Markup("<b>{}</b>").format(IMAGE)
    assert shown.value == f"<b>{Markup.escape(IMAGE)}</b>"
    shown.value += IMAGE
    assert shown.value == Markup("<b>{0}</b>{0}").format(IMAGE)
    shown.value = HTML(value=IMAGE).value  # once is enough
    assert shown.get_state("value")["value"] == str(Markup.escape(IMAGE))
    shown.value = ""
    assert shown.value == ""
    with pytest.raises(traitlets.TraitError):
        shown.value = None


def test_the_widget_escapes_what_a_front_end_sends():
    shown = HTML()
    shown.set_state({"value": IMAGE})
    assert shown.value == str(Markup.escape(IMAGE))
    with shown.hold_trait_notifications():
        shown.value = IMAGE
        assert shown.value == str(Markup.escape(IMAGE))


# --- the source -----------------------------------------------------------------------------


def _unsafe(source: str) -> list[int]:
    """Return the lines where markup is no Markup, or Markup is made of what is no literal."""
    nodes = list(ast.walk(ast.parse(source)))
    calls = [n for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func) == "Markup"]
    ours = {id(arg) for call in calls for arg in call.args if isinstance(arg, ast.Constant)}
    ours |= {id(n.value) for n in nodes if isinstance(n, ast.Expr)}  # docstrings
    hints = [getattr(n, field, None) for n in nodes for field in ("returns", "annotation")]
    ours |= {id(part) for hint in hints if hint for part in ast.walk(hint)}
    ours |= {id(call.func) for call in calls if all(id(arg) in ours for arg in call.args)}
    return [
        n.lineno
        for n in nodes
        if id(n) not in ours
        and (
            (isinstance(n, ast.Constant) and "<" in str(n.value))
            or (isinstance(n, ast.Name) and n.id == "Markup")
        )
    ]


@pytest.mark.parametrize("path", WIDGETS, ids=lambda path: path.stem)
def test_markup_is_made_of_literals_alone(path):
    assert _unsafe(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        'f"<b>{name}</b>"',
        '"<b>" + name',
        '"<b>%s</b>" % name',
        '"<b>{}</b>".format(name)',
        "Markup(name)",
        'Markup(f"<b>{name}")',
        'Markup("{}" + name)',
        "map(Markup, names)",
    ],
)
def test_what_could_let_a_name_be_markup_is_found(source):
    assert _unsafe(f"shown = {source}") != []
    assert _unsafe('shown = Markup("<b>{}</b>").format(name)') == []


def test_no_other_widget_of_the_package_shows_html():
    """Nor does a label: ipywidgets escapes what these say, unless it is told not to."""
    theirs = {"HTML", "HTMLMath", "description_allow_html"}
    used = {
        (path.name, name)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in _names(node)
        if name in theirs
    }
    assert used == {("html.py", "HTML")}


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [alias.name for alias in node.names]
    return [getattr(node, field) for field in ("attr", "arg") if hasattr(node, field)]


def test_the_grid_writes_text_and_never_html():
    script = (PACKAGE / "widgets" / "grid.js").read_text(encoding="utf-8")
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "setHTML",
        "eval",
    ):
        assert way not in script
