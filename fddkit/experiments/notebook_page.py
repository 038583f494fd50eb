"""An executed notebook as one HTML page that needs no network."""

import copy
import html
from pathlib import Path
from typing import Any

import jinja2
import latex2mathml.converter
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from ..core.files import atomic

_WIDGET = "application/vnd.jupyter.widget-view+json"


def mathml(tex: str, display: str) -> str:
    """Return a formula as MathML, which every browser draws by itself.

    Parameters
    ----------
    tex : str
        LaTeX without dollar signs.
    display : {"inline", "block"}
        Within the line or on its own.

    Returns
    -------
    str
        HTML; the LaTeX itself as code where the converter does not know a command.
    """
    try:
        found = latex2mathml.converter.convert(tex, display=display)
    except Exception:  # of many kinds; all of them mean that the formula was not understood
        found = "\\"
    if "\\" in found or ">&<" in found:  # an unknown command, or an alignment left as it was
        return f"<code>{html.escape(tex.strip())}</code>"
    return found


class _Renderer(IPythonRenderer):
    """Markdown whose formulas are converted now, not by a script from the network."""

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return mathml(body, "block")

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")


def _markdown(source: str) -> str:
    renderer = _Renderer(escape=False, exclude_anchor_links=True)
    return MarkdownWithMath(renderer=renderer).render(source)


def write(node: Any, path: Path, title: str) -> None:
    """Write the page of a notebook, atomically.

    Parameters
    ----------
    node : nbformat.NotebookNode
        The executed notebook.
    path : Path
        The page.
    title : str
        Shown by the browser.

    Raises
    ------
    FddkitError
        If the page cannot be written.
    """
    node = copy.deepcopy(node)
    node.metadata["title"] = title
    node.metadata.pop("widgets", None)
    for cell in node.cells:
        if cell.cell_type == "code":  # a widget shows nothing without Python
            cell.outputs = [out for out in cell.outputs if _WIDGET not in out.get("data", {})]
    exporter = HTMLExporter(
        extra_loaders=[jinja2.FileSystemLoader(Path(__file__).parent / "templates")],
        template_file="notebook.html.j2",
        embed_images=True,
    )
    exporter.register_filter("markdown2html", _markdown)
    page, _ = exporter.from_notebook_node(node)
    with atomic(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
