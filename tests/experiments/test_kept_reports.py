"""What a run keeps of reports: whole files with safe names, numbers, a table, and doubts."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fddkit.core.reading import FILE_NAME, read_json
from fddkit.evaluation.measures import headline
from fddkit.evaluation.report import FairnessReport
from fddkit.experiments import checking, kept_reports, records, runs, this_run


def report(right: int = 9, seed: int = 0, paired: bool = True) -> FairnessReport:
    """Return a report on three networks that recognise so many of ten images."""
    rng = np.random.default_rng(seed)
    n = 80
    target, group = np.arange(n) % 2, np.arange(n) // 2 % 2
    wrong = rng.random((3, n)) * 10 >= right
    one = FairnessReport.from_predictions(target, target ^ wrong, group)
    names = ["convnet"] * 3
    other = replace(one, networks=names) if paired else None
    return replace(one, networks=names, counterfactual=other)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder that is that of the current run."""
    record = records.Record("n", "N", {}, {}, {}, "", None, "running", None, "h")
    record.save(tmp_path)
    monkeypatch.setenv(runs.FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


TITLES = ["cobra", "Cobra", "COBRA", "BR 0.5", "BR 0,5", "run", "", "<>", "../x", ".hidden",
          "x.damaged", "a" * 300, "a" * 299, "índice", "NUL\0", "br-0-5.8ce05f7c"]  # fmt: skip


def test_every_title_has_a_safe_file_of_its_own():
    names = [kept_reports.file_name(title) for title in TITLES]
    assert len(set(map(str.lower, names))) == len(TITLES)
    for name in names:
        assert FILE_NAME.fullmatch(name)
        assert len(name) < 100
        assert ".damaged" not in name  # which means something else to `fddkit check`
        assert name not in ("run.json", "metrics.json")
    assert kept_reports.file_name("cobra") == "cobra.report.json"


def test_a_run_keeps_reports_whole_so_that_they_can_be_pooled(here):
    named = {"cobra": report(9), "BR 0.5": report(8, paired=False)}
    this_run.current().reports(named)
    found = read_json(here / "metrics.json")["reports"]
    assert found.keys() == named.keys()
    again = {title: FairnessReport.load(here / "reports" / name) for title, name in found.items()}
    for title, one in again.items():
        assert np.array_equal(one.outcomes.predicted, named[title].outcomes.predicted)
    assert again["cobra"].counterfactual.outcomes is not None
    pooled = FairnessReport.pool([again["cobra"], report(7)])
    assert pooled.accuracy.unit == "sets"


def test_a_cell_that_is_executed_again_replaces_them(here):
    run = this_run.current()
    run.reports({"cobra": report(9)})
    run.reports({"cobra": report(6), "dm": report(9)})
    found = read_json(here / "metrics.json")["reports"]
    assert sorted(path.name for path in (here / "reports").iterdir()) == sorted(found.values())
    again = FairnessReport.load(here / "reports" / found["cobra"])
    assert again.accuracy.mean == report(6).accuracy.mean
    (here / "reports" / found["cobra"]).write_text("half a fi")
    run.reports({"cobra": report(6)})
    assert FairnessReport.load(here / "reports" / found["cobra"]).accuracy.mean < 80


def test_by_hand_no_file_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv(runs.FOLDER_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert list(this_run.current().reports({"cobra": report()}).index) == ["cobra"]
    assert list(tmp_path.iterdir()) == []


def test_an_attempt_that_is_repeated_begins_without_the_earlier_reports(here):
    this_run.current().reports({"cobra": report()})
    (here / "reports" / "mine.txt").write_text("notes")
    runs._clear(here, everything=False)
    assert [path.name for path in (here / "reports").iterdir()] == ["mine.txt"]


def test_a_listing_that_leads_out_of_the_folder_removes_nothing(here):
    for strange in ({"a": "../run.json"}, {"a": 7}, [1], {"a": "/etc/passwd"}):
        (here / "metrics.json").write_text(json.dumps({"reports": strange}))
        assert kept_reports.saved(here) == set()


# --- numbers and table --------------------------------------------------------------------------


def test_reports_become_numbers_and_a_table(here):
    table = this_run.current().reports({"cobra": report()})
    assert table.loc["cobra", "unit"] == "3 networks"
    titles = [metric.title for metric in headline().values()]
    assert list(table.columns) == ["unit", *titles, *(f"counterfactual {t}" for t in titles)]
    shown, deo = table.loc["cobra", "counterfactual DEO_M"], report().deo_m
    expected = f"by chance {deo.noise_floor:.1f} to {deo.most_by_chance:.1f}"
    assert shown.startswith(f"{deo.mean:.1f} [")
    assert shown.endswith(expected)
    assert "by chance" not in table.loc["cobra", "worst group"]
    found = read_json(here / "metrics.json")
    number = found["numbers"]["cobra counterfactual DEO_A"]
    assert number == json.loads(json.dumps(report().deo_a.to_dict()))
    assert 0 < number["p"] <= 1
    (rows,) = found["tables"].values()
    assert rows[0]["trained on"] == "cobra"
    assert found["doubts"] == {}


def test_sets_are_the_unit_where_there_are_several(here):
    pooled = FairnessReport.pool([report(9, 1), report(8, 2)])
    table = this_run.current().reports({"cobra": pooled})
    assert table.loc["cobra", "unit"] == "2 sets"
    assert read_json(here / "metrics.json")["numbers"]["cobra accuracy"]["unit"] == "sets"


def test_what_is_near_chance_and_a_set_that_diverged_are_doubted(here):
    config = report().config | {"health": {"verdict": "diverged", "notes": ["far"]}}
    named = {"guessing": report(5), "unwell": replace(report(), config=config)}
    this_run.current().reports({**named, 3: report()})
    doubts = read_json(here / "metrics.json")["doubts"]
    assert doubts.keys() == named.keys()
    assert "it is near chance" in doubts["guessing"]
    assert "diverged" in doubts["unwell"]


# --- fddkit check -------------------------------------------------------------------------------


def test_check_knows_them_and_names_a_damaged_one(here):
    names = kept_reports.save(here, {title: report() for title in ("run", "x.damaged", "cobra")})
    found = {one.path.name: one.state for one in checking.check(here) if one.what == "report"}
    assert found == dict.fromkeys(names.values(), "whole")
    for name in names.values():
        path = here / "reports" / name
        path.write_text(path.read_text().replace("convnet", "convnot"))
    damaged = [one for one in checking.check(here) if one.state == "damaged"]
    assert {one.path.name for one in damaged} == set(names.values())
    assert all("is a damaged report" in one.problem for one in damaged)


def test_check_notices_when_one_of_a_finished_run_is_gone(here):
    this_run.current().reports({"cobra": report()})
    record = replace(records.Record.load(here), status="finished", files=runs._left(here))
    record.save(here)
    states = {one.what: one.state for one in checking.check(here)}
    assert states == {"run": "whole", "report": "whole"}
    (here / "reports" / "cobra.report.json").unlink()
    (one,) = checking.check(here)
    assert one.state == "damaged"
    assert "reports/cobra.report.json" in one.problem
