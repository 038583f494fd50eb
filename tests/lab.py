"""A real JupyterLab with the explorer open in a real Chromium: for the tests and for measuring."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("FDDKIT_CHROMIUM") or shutil.which("chromium")
TOKEN = "explorer"


def api(url: str, method: str = "GET"):
    """Ask Jupyter's server."""
    headers = {"Authorization": f"token {TOKEN}"}
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers, method=method))


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a copy of the notebooks, which work in ``folder`` as `make lab` has it; the address."""
    shutil.copytree(
        ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_*")
    )
    for name in ("data", "reports"):
        (folder / name).mkdir(exist_ok=True)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    command += [f"--port={port}", f"--IdentityProvider.token={TOKEN}", "--ServerApp.password="]
    command += [f"--ServerApp.root_dir={folder}/notebooks"]
    command += [f"--AsyncMappingKernelManager.root_dir={folder}"]
    command += [
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate"
    ]
    private = {f"JUPYTER_{k}_DIR": str(folder / k.lower()) for k in ("CONFIG", "RUNTIME", "DATA")}
    env = {**os.environ, **private, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder / "ipython")}
    env.pop("FDDKIT_INTERACTIVE", None)
    env.pop("FDDKIT_RUN_DIR", None)
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                try:
                    api(f"{address}/api").close()
                    break
                except OSError:
                    assert server.poll() is None, (folder / "server.log").read_text()
                    time.sleep(0.1)
            yield address
        finally:
            server.terminate()
            server.wait(30)


@contextmanager
def chromium():
    """Start the system's Chromium; nothing is downloaded."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        yield opened
        opened.close()


def open_explorer(browser, address: str, timeout: float, notebook: str = "06_explore.ipynb"):
    """Open the notebook and run all cells; the page, which collects what it complains about."""
    page = browser.new_page(viewport={"width": 1500, "height": 1800})
    page.set_default_timeout(timeout)
    page.complaints, page.left = [], []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "console",
        lambda m: page.complaints.append(m.text) if m.type == "error" else None,
    )
    own = re.compile(rf"{address}|ws://{address[7:]}|blob:|data:")
    page.on("request", lambda r: None if own.match(r.url) else page.left.append(r.url))
    page.goto(f"{address}/lab/tree/{notebook}?reset&token={TOKEN}")
    page.locator(".jp-Notebook").wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.get_by_role("button", name="No", exact=True).click()  # news of Jupyter? it hides a corner
    page.keyboard.press("Control+b")  # the folder's list takes the width of a panel
    page.get_by_role("menuitem", name="Run").first.click()
    page.get_by_text("Run All Cells", exact=True).click()
    return page


def slider(page, name: str):
    """Return the handle of a slider."""
    row = page.locator(".widget-slider").filter(has=page.get_by_text(name, exact=True))
    return row.locator(".noUi-handle")
