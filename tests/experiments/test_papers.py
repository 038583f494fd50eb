"""The published numbers: all of them, as printed, and friendly filters."""

import csv
from pathlib import Path

import numpy as np
import pytest

from fddkit.core.errors import FddkitError
from fddkit.evaluation.report import FairnessReport
from fddkit.experiments import papers
from fddkit.experiments.papers import published

FOLDER = Path(papers.__file__).parent / "published"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "papers"


def test_every_cell_is_there_as_it_stands_in_the_files():
    cells = published()
    assert len(cells) == 2684
    rows = []
    for name in papers.PAPERS:
        with open(FOLDER / f"{name}.csv", newline="") as file:
            rows += list(csv.DictReader(file))
    assert list(cells.columns) == list(rows[0])
    for column in ("paper", "table", "dataset", "fairness", "condition", "metric"):
        assert cells[column].tolist() == [row[column] for row in rows]
    assert cells["mean"].tolist() == [float(row["mean"]) for row in rows]
    for column in ("ipc", "seeds", "std"):
        missing = cells[column].isna().tolist()
        assert missing == [row[column] == "" for row in rows]
    assert cells["ipc"].dtype == "Int64"


def test_a_cell_that_we_know():
    cell = published(
        "cmnist-fg", distiller="dm", fairness="fairdd", ipc=10, metric="deo_m", paper="fairdd"
    )
    (main,) = cell[cell.table == "T21"].itertuples()
    assert (main.mean, main.std, main.condition) == (17.04, 1.13, "")


def test_filters_meet_and_lists_join():
    some = published(ipc=[10, 50], metric=("acc", "deo_m"), architecture="convnet")
    assert set(some.ipc) == {10, 50}
    assert set(some.metric) == {"acc", "deo_m"}
    assert set(some.architecture) == {"convnet"}
    parts = [
        len(published(ipc=n, metric=m, architecture="convnet"))
        for n in (10, 50)
        for m in ("acc", "deo_m")
    ]
    assert len(some) == sum(parts) > 0
    baselines = published(fairness="")
    assert set(baselines.distiller) == {"random", "whole"}
    assert published(dataset="cmnist-conflict", paper="cobra").empty


def test_what_no_paper_prints_is_one_friendly_sentence():
    with pytest.raises(FddkitError, match="did you mean 'cmnist-fg'"):
        published("cmnist-gf")
    with pytest.raises(FddkitError, match="'x' is not a published fairness; known: cobra, df"):
        published(fairness=["cobra", "x"])
    with pytest.raises(FddkitError, match="no paper prints ipc=7; there are 1, 3, 5, 10, 50, 100"):
        published(ipc=7)
    with pytest.raises(FddkitError, match="published paper"):
        published(paper="fairDD2")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared copies are not beside this repository")
def test_the_copies_are_the_shared_files():
    for name in papers.PAPERS:
        assert (FOLDER / f"{name}.csv").read_bytes() == (SHARED / f"{name}.csv").read_bytes()


def test_vocabulary_is_documented():
    for value in ["fairdd-inverse", "dream", "deo_m", "slowdown", "memory_mb", "vit1", "selecmix"]:
        assert f"``{value}``" in papers.__doc__
    for column in published().columns:
        assert f"``{column}``" in papers.__doc__


def made(right):
    counts = np.zeros((2, 2, 2, 2), dtype=np.int64)
    counts[:, :, 0, 0], counts[:, :, 1, 1] = right, 10
    counts[:, :, 0, 1] = 10 - right
    return FairnessReport(counts, ["convnet"] * 2)


def test_own_numbers_stand_beside_the_printed_ones():
    named = {"whole": made(9), "vanilla": made(5), "cobra": made(10)}
    table = papers.beside(named, "cmnist-fg", 10)
    assert table.loc["vanilla", ("accuracy", "here")] == pytest.approx(75)
    assert table.loc["vanilla", ("accuracy", "fairdd")] == 25.01  # FairDD, table 22
    assert table.loc["cobra", ("deo_m", "cobra")] == 14.74  # COBRA, table 8
    assert table.loc["whole", ("deo_a", "fairdd")] == 5.89  # FairDD, table 21
    assert np.isnan(table.loc["cobra", ("deo_m", "fairdd")])
    assert [c[1] for c in table.columns if c[0] == "deo_m"] == ["here", "fairdd", "cobra"]


def test_a_set_that_no_paper_has_stands_alone():
    table = papers.beside({"vanilla": made(5)}, "digits", 10)
    assert list(table.columns) == [(m, "here") for m in ("accuracy", "deo_m", "deo_a")]
