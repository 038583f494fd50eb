"""Whether somebody is there to drag a slider."""

import os
import sys


def interactive() -> bool:
    """Return whether the notebook is open in a front end that shows widgets.

    Executed headlessly (papermill, nbconvert, ``fddkit run``) a notebook shows figures in their
    place. Jupyter's server tells a kernel which notebook it belongs to; VS Code and Colab leave
    marks of their own. ``FDDKIT_INTERACTIVE=1`` or ``0`` decides where none of this holds.
    """
    told = os.environ.get("FDDKIT_INTERACTIVE")
    if told:
        return told != "0"
    if os.environ.get("FDDKIT_RUN_DIR"):  # a run of ours, wherever it was started from
        return False
    marks = ("JPY_SESSION_NAME", "VSCODE_PID", "VSCODE_CWD", "COLAB_RELEASE_TAG")
    return any(mark in os.environ for mark in marks) or "google.colab" in sys.modules
