"""What every test starts from: fixed random numbers, no open figures, and where the data is."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import fddkit  # noqa: F401 (before torch: it sets how OpenMP's threads wait)

import torch  # isort: skip

ROOT = Path(__file__).resolve().parent.parent
RAW_FILES = [  # one of each data set, as torchvision lays them out
    "MNIST/raw/t10k-images-idx3-ubyte",
    "FashionMNIST/raw/t10k-images-idx3-ubyte",
    "cifar-10-batches-py/test_batch",
]

# wall time on a shared machine is noise; module-scoped data is only read
settings.register_profile(
    "fddkit", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("fddkit")

os.environ.setdefault("MPLBACKEND", "Agg")  # figures are drawn without a screen


@pytest.fixture(autouse=True)
def _fixed_random_numbers():
    """Reseed the global generators, so that no test depends on those that ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_open_figures():
    """Close what the test drew, if it drew."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Return the folder that holds the real data sets; skip where there is none.

    It is the one that FDDKIT_DATA names, or else data/, which is filled first where the
    unpacking script of the development machines lies beside the repository.
    """
    named = os.environ.get("FDDKIT_DATA")
    root = Path(named) if named else ROOT / "data"
    unpack = ROOT.parent / "shared" / "data" / "unpack.py"
    if not named and unpack.is_file():
        subprocess.run([sys.executable, unpack, root], check=True, stdout=subprocess.DEVNULL)
    missing = [name for name in RAW_FILES if not (root / name).is_file()]
    if missing:
        pytest.skip(f"{root} holds no {missing[0]}; see data/README.md")
    return root


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Let fixtures know how the test ended (``item.rep_call``)."""
    report = (yield).get_result()
    setattr(item, f"rep_{report.when}", report)
