"""Write requirements.lock and environment.yml: the exact version of every package.

Run it by `make lock`, with Python 3.11: it installs what pyproject.toml asks for, at the newest
versions allowed, into a scratch environment (two minutes, 2 GB) and pins what it finds there.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Beside what pyproject.toml names.
WANTED = [
    "torch==2.13.0",
    "torchvision==0.28.0",
    "setuptools",  # builds the editable install
    "appnope",  # ipykernel needs it on macOS only
    "aiohttp",  # papermill needs it on Python 3.12 only
]

# What torch's own metadata brings where its build needs it, and what is no dependency.
LEFT_OUT = re.compile(r"(fddkit|pip|triton|(nvidia|cuda)-.*)$")

LOCK_HEAD = """\
# Every package that fddkit, its notebooks and its tests use, at the version they are tested with.
# Written by tools/lock.py (`make lock`, with Python 3.11); environment.yml holds the same pins.
# torch is pinned without its build (+cpu, +cu130): the package index in use decides that.
"""

ENVIRONMENT_HEAD = """\
# conda env create -f environment.yml && conda activate fddkit
# The pins are those of requirements.lock; both are written by tools/lock.py (`make lock`).
name: fddkit
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python>=3.11,<3.14
  - pip
  - pip:
      - -e .
"""


def resolve() -> str:
    """Return `pip freeze --all` of a scratch environment that holds all that is wanted."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*WANTED, *project["dependencies"], *(name for extra in extras for name in extra)]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip"]
        subprocess.run([*pip, "install", "--upgrade", *wanted], check=True)
        return subprocess.run(
            [*pip, "freeze", "--all"], check=True, capture_output=True, text=True
        ).stdout


def pins(freeze: str) -> list[str]:
    """Return the sorted `name==version` lines of a freeze, without builds such as +cpu."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^+\s]+)(?:\+\S*)?$", freeze, re.MULTILINE)
    kept = [f"{name}=={version}" for name, version in found if not LEFT_OUT.match(name.lower())]
    return sorted(kept, key=str.lower)


def main() -> None:
    if sys.version_info[:2] != (3, 11):  # the oldest supported: it needs the most packages
        sys.exit("the lock is made with Python 3.11; run: make lock PYTHON=python3.11")
    lines = pins(resolve())
    (ROOT / "requirements.lock").write_text(LOCK_HEAD + "".join(f"{pin}\n" for pin in lines))
    pip_section = "".join(f"      - {pin}\n" for pin in lines)
    (ROOT / "environment.yml").write_text(ENVIRONMENT_HEAD + pip_section)


if __name__ == "__main__":
    main()
