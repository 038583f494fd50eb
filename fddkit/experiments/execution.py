"""Running a notebook: this interpreter's kernel, driven by papermill."""

import asyncio
import html
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import papermill
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from ..core import processes
from ..core.errors import FddkitError
from ..core.temporary import private_folder

_BAR = "{desc}: cell {n_fmt} of {total_fmt} [{elapsed}]{postfix}"
_FILES = 128  # open at once; a kernel alone has about sixty, and zmq aborts where it gets no more
_MARKUP = re.compile(r"\x1b\[[0-9;]*m|<[^>]*>")

# What a kernel runs first. ipykernel watches its parent too, but misses a parent that ends while
# the kernel is starting, and it leaves behind the private folder and what the notebook started.
# IPython itself puts the working directory on the path, behind the standard library.
_KERNEL = """
import os, runpy, sys
del sys.path[0], os.environ["JPY_PARENT_PID"]
end_with = runpy.run_path(sys.argv.pop(1))["end_with"]
end_with(int(sys.argv.pop(1)), os.environ["IPYTHONDIR"])
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""


class _Manager(AsyncKernelManager):
    """Starts a kernel in this same interpreter, whatever kernels the user has installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        first = [sys.executable, "-c", _KERNEL, processes.__file__, str(os.getpid())]
        argv = [*first, "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="fddkit", language="python")


class _Client(PapermillNotebookClient):
    """Shows the notebook's own progress beside papermill's count of cells."""

    left = ""

    def handle_comm_msg(self, outs: list, msg: dict, cell_index: int) -> None:
        """Show the text of tqdm's bars, which are widgets in a notebook."""
        super().handle_comm_msg(outs, msg, cell_index)
        value = msg["content"].get("data", {}).get("state", {}).get("value")
        if isinstance(value, str):
            self._show(value)

    def process_message(self, msg: dict, cell: Any, cell_index: int) -> Any:
        """Show what is written to stderr, such as tqdm's bars in plain text."""
        if msg["msg_type"] == "stream" and msg["content"]["name"] == "stderr":
            self._show(re.split(r"[\r\n]+", msg["content"]["text"].strip())[-1])
        return super().process_message(msg, cell, cell_index)

    def _show(self, text: str) -> None:
        text = " ".join(html.unescape(_MARKUP.sub("", text)).split())
        if text.endswith("%"):  # the text on the left of a widget bar; the rest follows
            self.left = f"{text} "
        elif self.nb_man.pbar is not None and text:
            self.nb_man.pbar.set_postfix_str(f"{self.left}{text}"[:100])
            self.left = ""


class _Engine(Engine):
    """papermill's engine, with the kernel, folder and environment that we choose."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, path: str, folder: str, env: dict, **_: Any
    ) -> None:
        """Execute the cells."""
        nb_man.nb.metadata.papermill["input_path"] = path  # papermill puts the whole notebook
        # A private folder for the connection and for IPython's profile: none of the user's
        # start-up files runs, and a read-only home does no harm. Sockets in a folder instead of
        # ports, so that kernels that start together cannot take each other's ports.
        with private_folder() as private:
            manager = _Manager(connection_file=str(private / "kernel.json"), transport="ipc")
            client = _Client(
                nb_man,
                km=manager,
                kernel_name=kernel_name,
                timeout=None,
                startup_timeout=300,
                coalesce_streams=True,
            )
            try:
                # the process itself prints only jupyter's chatter; cells' output comes as messages
                client.execute(
                    cwd=folder,
                    env=env | {"IPYTHONDIR": str(private)},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cleanup_kc=True,
                )
            finally:
                _end_group(manager)
                _close_loop()


def _end_group(manager: _Manager) -> None:
    """End what the notebook started, which a killed kernel cannot do itself."""
    group = getattr(manager.provisioner, "pgid", None)
    if group:  # the kernel is the leader of a session of its own
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def _close_loop() -> None:
    """Close the event loop that jupyter opened for this thread and would leave open."""
    try:
        asyncio.get_running_loop()  # the caller's own, in a notebook
    except RuntimeError:
        loop = ensure_event_loop()
        loop.set_exception_handler(lambda *_: None)  # about what an interruption leaves in it
        loop.close()


papermill_engines.register("fddkit", _Engine)


def execute(
    node: Any,
    path: Path,
    output: Path,
    parameters: Mapping[str, Any],
    folder: Path,
    variables: Mapping[str, str],
    title: str = "",
    progress: bool = True,
) -> str | None:
    """Execute a notebook.

    Parameters
    ----------
    node : nbformat.NotebookNode
        The notebook.
    path : Path
        Where it was read from, to be recorded in the output.
    output : Path
        Where the executed notebook is written, after every cell: an unfinished or failed one
        holds what was executed so far.
    parameters : mapping
        Assigned in a cell after the one tagged ``parameters``.
    folder : Path
        The working directory of the notebook.
    variables : mapping of str to str
        Added to its environment.
    title : str
        Of the progress bar.
    progress : bool
        Show one on a terminal.

    Returns
    -------
    str or None
        What went wrong in the notebook, in one sentence; ``None`` if nothing did.

    Raises
    ------
    FddkitError
        If the system allows too few open files, or has no room for temporary ones.
    OSError
        If the executed notebook cannot be written or the kernel cannot be started.
    """
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed != resource.RLIM_INFINITY and allowed < _FILES:
        raise FddkitError(
            f"a notebook needs {_FILES} open files and {allowed} are allowed; "
            "allow more, e.g. `ulimit -n 1024`"
        )
    bar = {"desc": title, "disable": None, "bar_format": _BAR}  # None: only on a terminal
    # debugpy warns at every start that the standard library is frozen, which does not matter here
    env = {**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1", **variables}
    try:
        papermill.execute_notebook(
            node,
            str(output).replace("{", "{{").replace("}", "}}"),  # papermill formats its paths
            dict(parameters),
            engine_name="fddkit",
            kernel_name="python3",
            language="python",
            progress_bar=bar if progress else False,
            path=str(path),
            folder=str(folder),
            env=env,
        )
    except PapermillExecutionError as error:
        return sentence(error.ename, error.evalue)
    except DeadKernelError:
        return "the notebook's process died, perhaps for lack of memory; try a smaller preset"
    except RuntimeError as error:  # jupyter_client's, where the kernel never answered
        return f"the notebook's process did not start ({error})"
    return None


def sentence(kind: str, message: str) -> str:
    """Return an exception of the notebook as one line.

    Parameters
    ----------
    kind : str
        The exception's class, which is left out for fddkit's own.
    message : str
        What it says; only the first line is used.

    Returns
    -------
    str
    """
    first = [line.strip() for line in message.splitlines() if line.strip()][:1]
    return ": ".join(first if first and kind == "FddkitError" else [kind, *first])[:500]
