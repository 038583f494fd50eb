"""The published numbers: all of them, as printed, and friendly filters."""

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from fddkit.core.errors import FddkitError
from fddkit.data.catalogue import CATALOGUE
from fddkit.data.loading import load
from fddkit.distillers.baselines import BASELINES
from fddkit.distillers.registry import METHODS, settings
from fddkit.evaluation.measures import headline
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


def made(
    right,
    networks="convnet",
    name="dm",
    rule=None,
    ipc=10,
    br=0.9,
    width=128,
    preset="paper",
    evaluated=None,
    changed=None,
    **info,
):
    counts = np.zeros((2, 2, 2, 2), dtype=np.int64)
    counts[:, :, 0, 0], counts[:, :, 1, 1] = right, 10
    counts[:, :, 0, 1] = 10 - right
    info = {"dataset": "cmnist-fg", "br": br, "gap": None, **info}
    config = {
        "data": {"dataset": info, "method": name, "fairness": rule, "ipc": ipc}
        | {"preset": preset, "settings": changed or {}},
        "preset": evaluated or preset,
        "settings": {"width": width, "depth": 3},
    }
    return FairnessReport(counts, [networks] * 2, config)


def note(table, name):
    return table.loc[name, ("note", "")]


def test_own_numbers_stand_beside_the_printed_ones():
    whole = made(9, name="whole", ipc=None)
    named = {"whole": whole, "vanilla": made(5, rule="vanilla"), "cobra": made(10, rule="cobra")}
    table = papers.beside(named, "cmnist-fg", 10)
    assert table.loc["vanilla", ("accuracy", "here")] == pytest.approx(75)
    assert table.loc["vanilla", ("accuracy", "fairdd")] == 25.01  # FairDD, table 22
    assert table.loc["cobra", ("deo_m", "cobra")] == 14.74  # COBRA, table 8
    assert table.loc["whole", ("deo_a", "fairdd")] == 5.89  # FairDD, table 21
    assert np.isnan(table.loc["cobra", ("deo_m", "fairdd")])
    assert [c[1] for c in table.columns if c[0] == "deo_m"] == ["here", "fairdd", "cobra"]
    assert list(table.columns)[-1] == ("note", "")
    assert (table["note", ""] == "").all()


def test_a_set_that_no_paper_has_stands_alone():
    table = papers.beside(
        {"vanilla": made(5, rule="vanilla", dataset="digits", br=0.75)}, "digits", 10
    )
    assert list(table.columns) == [*((name, "here") for name in headline()), ("note", "")]
    assert note(table, "vanilla") == "no paper prints it"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"ipc": 50}, "IPC 50, not 10"),
        ({"networks": "alexnet"}, "network alexnet, not convnet"),
        ({"name": "dc"}, "method dc, not dm"),
        ({"rule": "cobra"}, "rule cobra, not vanilla"),
        ({"rule": None}, "it does not say its rule"),
        ({"dataset": "cmnist-bg"}, "data set cmnist-bg, not cmnist-fg"),
        ({"proportions": [0.5, 0.5]}, "bias with proportions"),
        (
            {"group_labels": [{"wrong": 0.5}], "offset": 0.1},
            "bias with offset and group_labels",
        ),
        ({"majority": {"zero": "red"}}, "bias with majority"),
        ({"gap": 2}, "GAP 2 at bias ratio 0.9, which no paper prints"),
        ({"br": 0.5}, "bias ratio 0.5, which no paper prints"),
        ({"br": 0.95}, "bias ratio 0.95, which no paper prints"),  # at IPC 50 only
    ],
)
def test_another_experiment_has_nothing_beside_it_and_says_why(changed, why):
    named = {
        "vanilla": made(5, **{"rule": "vanilla", **changed}),
        "fairdd": made(5, rule="fairdd"),
    }
    table = papers.beside(named, "cmnist-fg", 10)
    printed = [c for c in table.columns if c[1] in papers.PAPERS]
    assert len(printed) == 6  # two papers, three metrics
    assert table.loc["vanilla", printed].isna().all()
    assert note(table, "vanilla") == why
    assert table.loc["fairdd", printed].notna().all()
    assert note(table, "fairdd") == ""


@pytest.mark.parametrize(
    ("dataset", "changed", "why"),
    [
        ("celeba-attractive-gender", {"size": 32}, "size 32, not 64"),
        ("corrupted-cifar10-conflict", {"severity": 3, "br": 0.95}, "severity 3, not 5"),
        ("bgfmnist-conflict", {"scenes": "mine", "br": 0.95}, "scenes mine, not its own"),
    ],
)
def test_a_set_with_other_options_has_nothing_beside_it(dataset, changed, why):
    entry = CATALOGUE[dataset]
    as_published = {"dataset": dataset, "br": entry.default_br, **entry.options}
    named = {"vanilla": made(5, rule="vanilla", **(as_published | changed))}
    assert note(papers.beside(named, dataset, 10), "vanilla") == why
    named = {"vanilla": made(5, rule="vanilla", **as_published)}
    assert "not" not in note(papers.beside(named, dataset, 10), "vanilla")


def test_the_wrapped_background_is_the_authors_own():
    wrapped = made(5, rule="vanilla", dataset="cfmnist-bg", official_wrap=True)
    table = papers.beside({"vanilla": wrapped}, "cfmnist-bg", 10)
    assert table.loc["vanilla", ("accuracy", "fairdd")] > 0
    assert note(table, "vanilla") == ""


def test_a_smaller_network_is_compared_and_said():
    table = papers.beside({"fairdd": made(5, rule="fairdd", width=32)}, "cmnist-fg", 10)
    assert table.loc["fairdd", ("deo_m", "fairdd")] > 0
    assert note(table, "fairdd") == "width 32, not 128"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"preset": "quick"}, "distilled and evaluated with preset quick"),
        ({"evaluated": "quick"}, "evaluated with preset quick"),
        ({"preset": "quick", "evaluated": "paper"}, "distilled with preset quick"),
        ({"preset": None, "evaluated": "paper"}, "distilled with a preset that it does not say"),
        ({"changed": {"iterations": 20}}, "iterations 20, not 20000"),
        ({"changed": {"lr": 7.0}}, ""),  # the published one depends on IPC
        ({"changed": {"distance": "l1", "iterations": 20_000}}, "distance l1, not mse"),
        (
            {
                "preset": "quick",
                "changed": {"iterations": 400, "batch": 64, "lr": 6.0},
                "width": 32,
            },
            "distilled and evaluated with preset quick; width 32, not 128; iterations 400, not "
            "20000; lr 6.0, not 5.0",
        ),
        (
            {"preset": "mine", "changed": {"batch": 64}, "evaluated": "paper"},
            "distilled with preset mine; batch 64, not 256",
        ),
    ],
)
def test_less_effort_is_compared_and_said(changed, said):
    table = papers.beside({"fairdd": made(5, rule="fairdd", **changed)}, "cmnist-fg", 10)
    assert table.loc["fairdd", ("deo_m", "fairdd")] > 0
    assert note(table, "fairdd") == said


def test_what_a_run_of_the_preset_records_is_no_change():
    train, _ = load("digits")
    for name in METHODS:
        chosen = asdict(settings("paper", name).resolve(ipc=10, train=train))
        chosen = json.loads(json.dumps(chosen))  # as in a file
        one = made(5, name=name, rule="fairdd", changed=chosen)
        found = note(papers.beside({"fairdd": one}, "cmnist-fg", 10, name), "fairdd")
        assert found in ("", "no paper prints it"), (name, found)


def test_another_bias_has_the_ablations_beside_it():
    table = papers.beside({"fairdd": made(5, rule="fairdd", br=0.95, ipc=50)}, "cmnist-fg", 50)
    assert table.loc["fairdd", ("deo_m", "fairdd")] == 10.30  # FairDD, table 24
    assert np.isnan(table.loc["fairdd", ("deo_m", "cobra")])
    assert note(table, "fairdd") == "bias ratio 0.95"
    cifar = {"cobra": made(5, rule="cobra", dataset="cifar10-s", br=0.8, ipc=50, gap=1)}
    table = papers.beside(cifar, "cifar10-s", 50)
    assert table.loc["cobra", ("accuracy", "cobra")] == 44.52  # COBRA, table 11
    cifar = {"cobra": made(5, rule="cobra", dataset="cifar10-s", br=0.8, ipc=50)}
    table = papers.beside(cifar, "cifar10-s", 50)
    assert table.loc["cobra", ("accuracy", "cobra")] == 52.60  # likewise, under SKEW


def test_every_baseline_has_its_own_row_at_least():
    named = {name: made(5, name=name, ipc=10 if b.sized else None) for name, b in BASELINES.items()}
    table = papers.beside(named, "cmnist-fg", 10)
    assert list(table.index) == list(BASELINES)
    assert table["accuracy", "here"].notna().all()
    assert table.loc["random", ("deo_m", "fairdd")] == 100  # FairDD, table 1
    assert note(table, "random-balanced") == "no paper prints it"
    assert table.loc["whole-balanced", ("deo_m", "fairdd")] != 10.1
    assert table.loc["whole", ("deo_m", "fairdd")] == 10.1


def test_a_report_that_does_not_say_how_it_was_made_is_compared_with_nothing():
    silent = FairnessReport(made(5).counts, ["convnet"] * 2)
    table = papers.beside({"vanilla": silent}, "cmnist-fg", 10)
    assert np.isnan(table.loc["vanilla", ("deo_m", "cobra")])
    assert note(table, "vanilla") == ("it does not say its data set, method, rule, IPC, bias ratio")
