"""HTML in which only what is ours is markup.

The name of a class, what a file says and an error that quotes it may come from a folder that
somebody shares, and a front end runs what it finds in HTML. So there is one way to make it:
``Markup("<b>{}</b>").format(name)`` escapes whatever is not `markupsafe.Markup` itself, and so
does the one widget that shows it.
"""

import ipywidgets as w
import traitlets
from markupsafe import Markup, escape


class _Escaped(traitlets.Unicode):
    """Text; what is not Markup becomes Markup by escaping."""

    def validate(self, obj: traitlets.HasTraits, value: object) -> Markup:
        return escape(super().validate(obj, value))


class HTML(w.HTML):
    """Shows Markup as HTML, and any other text as the text that it is.

    Attributes
    ----------
    value : Markup
        What is shown.
    """

    value = _Escaped().tag(sync=True)
