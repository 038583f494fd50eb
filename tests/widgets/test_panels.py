"""The explorer's panels say what the numbers say, in markup that a browser can read."""

import io
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

import fddkit as fdd
from fddkit.evaluation.measures import METRICS, headline
from fddkit.theory import residuals
from fddkit.widgets import numbers, panels, plane, results
from fddkit.workbench.choice import Choice
from fddkit.workbench.scenes import Bench


def _tree(markup: str) -> ElementTree.Element:
    # what HTML leaves open, XML wants closed
    closed = re.sub(r"<(img|br)([^>]*[^/])>", r"<\1\2/>", markup).replace("&nbsp;", " ")
    return ElementTree.fromstring(f"<all>{closed}</all>")


@pytest.fixture(scope="module")
def scene():
    return Bench().scene(Choice(br=0.8, ipc=2))


@pytest.fixture(scope="module")
def report():
    train, test = fdd.load("digits")
    s = fdd.distill(train, "random", ipc=5)
    return fdd.evaluate(s, test, repeats=2, preset="smoke", progress=False)


@pytest.fixture(scope="module")
def sound(report):
    """Return the report of networks that recognise nearly everything."""
    right = np.eye(10, dtype=int) * report.counts.sum(-1, keepdims=True)
    return replace(report, counts=right, counterfactual=None, outcomes=None)


def test_a_sheet_holds_every_pixel():
    images = torch.randint(0, 256, (6, 3, 4, 5), dtype=torch.uint8)
    sheet = np.asarray(Image.open(io.BytesIO(panels.png(images, 3))))
    assert sheet.shape == (8, 15, 3)
    assert np.array_equal(sheet[4:8, 5:10], images[4].permute(1, 2, 0))
    gray = panels.png(torch.tensor([[[[0.0, 1.0]]]]), 1)
    assert np.asarray(Image.open(io.BytesIO(gray))).tolist() == [[[0] * 3, [255] * 3]]


def test_the_table_has_every_count_and_names_what_it_counts(scene):
    tree = _tree(panels.group_table(scene.counts, scene.target_names, scene.group_names))
    cells = [int(cell.text) for cell in tree.iter("td")]
    assert cells == scene.counts.flatten().tolist()
    first = next(tree.iter("td")).get("title")
    assert first == f"class 0, group red: {scene.counts[0, 0]} images, 79.9%"


def test_names_cannot_break_the_markup():
    counts = torch.tensor([[1, 2]])
    table = panels.group_table(counts, ['<b>"'], ["a&b", "<script>"])
    assert "<script>" not in table
    _tree(table)


@pytest.mark.parametrize("br", [0.1, 0.8, 1.0])
@pytest.mark.parametrize("gap", [None, 0, 2])
def test_the_plane_holds_a_disc_a_group_and_a_mark_a_target(br, gap):
    scene = Bench().scene(Choice(ipc=1).with_(gap=gap, br=br))
    drawn = (scene.stats, scene.centres, 3, scene.group_names, "cobra")
    tree = _tree(plane.geometry(*drawn, "title"))
    titles = [t.text for t in tree.iter("title")]
    here = int(scene.stats.present[3].sum())
    assert sum("of the class" in t for t in titles) == here
    targets = [t.removeprefix("target of ").split(", ") for t in titles if "target of" in t]
    assert sorted(name for names in targets for name in names) == sorted(scene.centres)
    # of two groups the mean is the middle of the smallest ball, too
    assert len(targets) == (1 if here == 1 else 3 if gap is None else 2)
    for disc in tree.iter("circle"):
        assert 0 <= float(disc.get("cx")) <= 270
        assert 0 <= float(disc.get("cy")) <= 270


def test_the_legend_has_the_residuals(scene):
    drawn = (scene.stats, scene.centres, 5, scene.group_names, "fairdd")
    rows = [[c.text for c in row.iter("td")][1:] for row in _tree(plane.targets(*drawn)).iter("tr")]
    found = {row[0]: row for row in rows if row}
    for rule, label in (("vanilla", "vanilla"), ("cobra", "fairdd, cobra"), ("minimax", "minimax")):
        length = residuals(scene.stats, scene.centres[rule])[5]
        assert float(found[label][1]) == pytest.approx(float(length.nan_to_num().max()), abs=0.006)
        assert found[label][2] == scene.group_names[int(length.nan_to_num(nan=-1).argmax())]


def test_the_chosen_rule_is_marked(scene):
    for rule, bold in (("fairdd", "fairdd, cobra"), ("minimax", "minimax"), ("", None)):
        tree = _tree(plane.targets(scene.stats, scene.centres, 0, scene.group_names, rule))
        rows = [row for row in tree.iter("tr") if "bold" in (row.get("style") or "")]
        assert [row.findall("td")[1].text for row in rows] == ([bold] if bold else [])


def test_the_curve_grows_with_the_run():
    assert results.curve({1: 5.0}, 10, "cobra") == ""
    tree = _tree(results.curve({1: 5.0, 2: 4.0, 5: 3.0}, 10, "cobra"))
    points = next(tree.iter("polyline")).get("points").split()
    x = [float(p.split(",")[0]) for p in points]
    assert len(points) == 3
    assert x == sorted(x)
    assert "5 of 10 steps" in next(tree.iter("svg")).get("aria-label")
    _tree(results.curve({1: 0.0, 2: 0.0}, 2, "vanilla"))


def test_the_rates_are_the_reports(report):
    tree = _tree(results.rates(report))
    used = report.counterfactual
    shown = [c.text for row in tree.iter("tr") for c in row.findall("td")[:-1]]
    expected = used.group_tpr.mean.T.flatten()
    assert [float(x) for x in shown] == pytest.approx(expected.tolist(), abs=0.51)
    text = "".join(tree.itertext())
    assert f"DEO_A {used.deo_a.mean:.1f}" in text
    assert "2 networks" in text


def test_a_set_that_came_to_nothing_is_said_to_have(sound):
    unwell = {"health": {"verdict": "diverged", "notes": ["pixels <far> away"]}}
    bad = replace(sound, config={**sound.config, **unwell})
    for markup in (results.rates(bad), results.table({"cobra": bad})):
        assert "diverged (the images are of no use): pixels &lt;far&gt; away" in markup
    assert "alert" not in results.rates(sound)
    assert "alert" not in results.table({"cobra": sound})


def test_the_comparison_has_a_row_a_run(report):
    tree = _tree(results.table({"cobra <1>": report, "vanilla": report}))
    rows = list(tree.iter("tr"))
    assert len(rows) == 3
    assert "cobra <1>" in "".join(rows[1].itertext())
    assert "No run" in results.table({})
    titles = [metric.title for metric in headline().values()]
    assert [cell.text for cell in rows[0]] == ["run", *titles, "over"]
    cells = dict(zip(titles, rows[1].findall("td"), strict=False))
    used = report.shown
    for name, title in (("deo_m", "DEO_M"), ("accuracy", "accuracy")):
        text, number = "".join(cells[title].itertext()), used.metric(name)
        low, high = number.ci95
        assert text.startswith(f"{number.mean:.1f} [{low:.0f}, {high:.0f}]")
        chance = f"by chance {number.noise_floor:.0f} (at most {number.most_by_chance:.0f})"
        assert text.endswith(chance) == METRICS[name].between_groups
    assert rows[1][-1].text == "2 networks of one set"
    assert cells["DEO_M"].find("span").get("title") == "95% interval over 2 networks"


def test_a_gap_that_is_not_more_than_chance_shows_is_marked():
    number = {"mean": 9.0, "ci95": [None, None], "noise_floor": 8.0, "most_by_chance": 10.0}
    assert "≈" in numbers.cell(number | {"p": 0.3})
    assert "≈" not in numbers.cell(number | {"p": 0.01})
    old = numbers.cell({"mean": 9.0, "ci95": [8.0, 10.0], "noise_floor": 8.0})
    assert "by chance 8<" in old
    assert "≈" not in old
    assert "by chance" not in numbers.cell({"mean": 9.0})
    assert numbers.over({}) == ""
    assert numbers.over({"n": 1, "unit": "sets"}) == "1 set"


def test_of_networks_that_have_learnt_nothing_no_fairness_is_told(sound):
    counts = np.zeros_like(sound.counts)
    counts[..., 0] = sound.counts.sum(-1)
    constant = replace(sound, counts=counts, counterfactual=None, outcomes=None)
    said = "{} predicts one class for nearly all images; a small gap would be no merit"
    assert said.format("it") in results.rates(constant)
    assert said.format("&lt;a&gt;") in results.table({"<a>": constant})


def test_a_rate_without_a_test_image_stays_blank(report):
    counts = report.counts.copy()
    counts[:, 2, 4] = 0
    bare = replace(report, counts=counts, counterfactual=None, outcomes=None)
    assert "no test image" in results.rates(bare)
