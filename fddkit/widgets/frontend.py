"""Whether a notebook is used interactively."""

import os
import sys


def interactive() -> bool:
    """Return whether the notebook is open in a front end that shows widgets.

    When executed headlessly (papermill, nbconvert, ``fddkit run``), a notebook shows figures
    instead. Jupyter's server tells a kernel which notebook it belongs to; VS Code and Colab leave
    marks of their own. ``FDDKIT_INTERACTIVE=1`` or ``0`` overrides all of this.
    """
    asked = os.environ.get("FDDKIT_INTERACTIVE")
    if asked:
        return asked != "0"
    if os.environ.get("FDDKIT_RUN_DIR"):  # under `fddkit run`, wherever that was started
        return False
    marks = ("JPY_SESSION_NAME", "VSCODE_PID", "VSCODE_CWD", "COLAB_RELEASE_TAG")
    return any(mark in os.environ for mark in marks) or "google.colab" in sys.modules
