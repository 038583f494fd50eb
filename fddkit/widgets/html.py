"""HTML in which only our own markup counts as markup.

The name of a class, the content of a file, or an error that quotes it may come from a folder that
somebody shares, and a front end runs what it finds in HTML. So there is only one way to make it:
``Markup("<b>{}</b>").format(name)`` escapes everything that is not `markupsafe.Markup` itself, and
so does the only widget that shows it.
"""

import ipywidgets as w
import traitlets
from markupsafe import Markup, escape


class _Escaped(traitlets.Unicode):
    """Text, which is escaped unless it is Markup."""

    def validate(self, obj: traitlets.HasTraits, value: object) -> Markup:
        return escape(super().validate(obj, value))


class HTML(w.HTML):
    """Shows Markup as HTML, and any other text literally.

    Attributes
    ----------
    value : Markup
        What is shown.
    """

    value = _Escaped().tag(sync=True)
