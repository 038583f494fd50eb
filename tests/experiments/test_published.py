"""The published Tables 1 under their nulls: chance, tests, families, sentences."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fddkit.core.errors import FddkitError
from fddkit.evaluation import metrics, nulls
from fddkit.experiments.published_chance import _rates, against_chance, fair
from fddkit.experiments.published_differences import SCOPE, differences, welch
from fddkit.experiments.published_survivors import chances, counted, sentences
from fddkit.experiments.published_tables import KEY, SIZES, Sizes, possible_networks, table_1


@pytest.mark.parametrize(
    ("dataset", "accuracy", "deo_m", "deo_a"),
    [
        ("cmnist-fg", 96.6, 7.9, 5.5),
        ("cifar10-s", 58, 4.2, 1.8),
        ("utkface-age-race", 75, 12, 8.9),
        ("bffhq-age-gender", 72, 4.5, 3.2),
    ],
)
def test_the_numbers_of_the_design_page(dataset, accuracy, deo_m, deo_a):
    found = fair(SIZES[dataset], accuracy)
    assert found["deo_m"].mean == pytest.approx(deo_m, abs=0.25)
    assert found["deo_a"].mean == pytest.approx(deo_a, abs=0.1)


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("accuracy", [30.0, 61.3, 97.0])
def test_chance_is_what_a_slow_simulation_finds(accuracy, uneven):
    sizes = Sizes(classes=5, groups=3, cell=40, exact=True, source="")
    rates, rng = _rates(accuracy / 100, 5, uneven), np.random.default_rng(0)
    assert np.mean(rates) == pytest.approx(accuracy / 100)
    found = fair(sizes, accuracy, uneven)
    told = {"deo_m": [], "deo_a": []}
    for _ in range(4000):
        right = np.array([[rng.binomial(40, rate) for rate in rates] for _ in range(3)])
        gap = 100 * (right.max(0) - right.min(0)) / 40
        told["deo_m"].append(gap.max())
        told["deo_a"].append(gap.mean())
    for name, draws in told.items():
        chance = found[name]
        assert chance.probabilities.sum() == pytest.approx(1)
        error = np.std(draws) / np.sqrt(len(draws))
        assert chance.mean == pytest.approx(np.mean(draws), abs=4 * error)
        for observed in np.quantile(draws, [0.3, 0.8, 0.95]):
            share = np.mean(np.array(draws) >= observed - 0.005)
            assert chance.p(observed) == pytest.approx(share, abs=0.035)
        step = 100 / 40 / (5 if name == "deo_a" else 1)
        assert chance.quantile(0.95) == pytest.approx(np.quantile(draws, 0.95), abs=1.01 * step)


def test_chance_is_the_null_of_our_own_reports():
    counts = np.zeros((1, 10, 10, 10), dtype=np.int64)
    counts += 80 * np.eye(10, dtype=np.int64) + 2
    size = int(counts[0, 0, 0].sum())  # 82 right of 100, 2 taken for each other class
    drawn = nulls.binomial(counts, draws=1500)
    deo_m, deo_a, _ = metrics.deo(metrics.tpr(drawn))
    found = fair(Sizes(10, 10, size, True, ""), 100 * 82 / size)
    assert found["deo_m"].mean == pytest.approx(deo_m.mean(), abs=0.3)
    assert found["deo_a"].mean == pytest.approx(deo_a.mean(), abs=0.1)


def test_welch_is_scipys():
    rng = np.random.default_rng(1)
    for _ in range(50):
        mean, std, n = rng.normal(20, 3, 2), rng.uniform(0.1, 4, 2), rng.integers(2, 12, 2)
        theirs = stats.ttest_ind_from_stats(
            mean[0], std[0], n[0], mean[1], std[1], n[1], equal_var=False
        )
        t, df, p = welch(tuple(mean), tuple(std), tuple(n), ddof=1)
        assert (t, p) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-9)
        numpys = tuple(std * np.sqrt((n - 1) / n))  # as printed with n in the denominator
        assert welch(tuple(mean), numpys, tuple(n)) == pytest.approx((t, df, p))


def test_what_welch_cannot_test():
    assert np.isnan(welch((1, 2), (0, 0), (10, 10))).all()
    assert np.isnan(welch((1, 2), (np.nan, 1), (10, 10))).all()
    assert np.isnan(welch((1, 2), (1, 1), (10, 1))).all()
    t, df, _ = welch((2, 1), (0, 1), (10, 5))  # one without spread: the other's freedom
    assert (t, df) == (2, 4)


@pytest.mark.parametrize(("paper", "cells"), [("fairdd", 504), ("cobra", 770)])
def test_every_cell_of_a_table_1_is_there_once(paper, cells):
    table = table_1(paper)
    assert not table.duplicated([*KEY, "metric"]).any()
    assert len(table) == cells
    assert set(table["n"]) == {10}
    assert set(table["dataset"]) <= SIZES.keys()
    assert set(table_1(paper, networks=4)["n"]) == {4}


def test_who_says_how_many_networks_there_are():
    assert set(table_1("fairdd")["n_from"]) == {"released scripts"}
    assert set(table_1("cobra")["n_from"]) == {"printed"}
    assert set(table_1("cobra", networks=4)["n_from"]) == {"given"}
    with pytest.raises(FddkitError, match="Table 1"):
        table_1("kde")


def planted(rng, rows=20, n=10, effect=0.0):
    """Return a Table 1 in which two rules have networks of one accuracy, and both are fair."""
    cells = []
    for row in range(rows):
        for rule, shift in (("vanilla", 0.0), ("fairdd", effect)):
            right = rng.binomial(100, 0.8, (n, 10, 10)) / 100
            deo_m, deo_a, _ = metrics.deo(right)
            values = {"acc": 100 * right.mean((1, 2)), "deo_m": deo_m - shift, "deo_a": deo_a}
            for metric, value in values.items():
                where = {"dataset": "cfmnist-fg", "distiller": f"dm{row}", "fairness": rule}
                printed = {"mean": round(value.mean(), 2), "std": round(value.std(), 2), "n": n}
                cells.append({**where, "ipc": 10, "metric": metric, **printed, "n_from": "given"})
    return pd.DataFrame(cells).astype({"ipc": "Int64"})


def test_equal_methods_seldom_differ():
    rng = np.random.default_rng(2)
    wrong = np.zeros(3)
    families = 60
    for _ in range(families):
        found = differences(planted(rng, rows=8, n=5))
        smallest = found.groupby("metric")[["p_holm", "p_excess_holm"]].min()
        wrong[:2] += (smallest.loc[["deo_m", "deo_a"], "p_excess_holm"] < 0.05).to_numpy()
        wrong[2] += smallest.loc["acc", "p_holm"] < 0.05
    # at most 5% each; the limit is what 5% exceed in one of a thousand tests
    assert (wrong <= stats.binom.ppf(0.999, families, 0.05)).all()
    assert wrong.mean() / families <= 0.05


def test_a_planted_difference_is_found_and_has_a_sign():
    found = differences(planted(np.random.default_rng(3), rows=5, effect=8.0))
    table = counted(found).set_index("metric")
    assert (table["a"] == "fairdd").all()
    assert table.loc["deo_m", ["pairs", "tested", "holm", "both", "better"]].tolist() == [5] * 5
    assert table.loc["deo_a", "both"] == 0
    assert table.loc["acc", "better"] == 0


def test_the_family_is_every_tested_pair_of_a_metric():
    found = differences(table_1("cobra"))
    for _, some in found.groupby("metric"):
        p = some["p"].dropna().to_numpy()
        slow = [
            max(min(1, (p >= one).sum() * one) for one in p[p <= mine]) for mine in p
        ]  # without ties, p >= one counts those that remain at its step
        unique = np.array([(p == one).sum() == 1 for one in p])
        assert some["p_holm"].dropna().to_numpy()[unique] == pytest.approx(np.array(slow)[unique])
    assert (found["p"].isna() == (found["untested"] != "")).all()


def test_a_pair_by_hand():
    row = differences(table_1("cobra")).query(
        "dataset == 'cmnist-fg' and distiller == 'dm' and ipc == 100 and metric == 'deo_a' "
        "and a == 'cobra' and b == 'fairdd'"
    )
    (row,) = row.itertuples()
    assert (row.mean_a, row.mean_b, row.n_a) == (4.12, 4.62, 10)
    assert row.t == pytest.approx(-0.5 / np.sqrt((0.16**2 + 0.15**2) / 9))
    floors = [fair(SIZES["cmnist-fg"], accuracy)["deo_a"].mean for accuracy in (97.74, 96.97)]
    assert row.excess_difference == pytest.approx(-0.5 - (floors[0] - floors[1]))
    assert row.within_nulls  # the gap that chance alone makes between them is larger
    assert row.p_holm < 0.01 < 0.05 < row.p_excess_holm


def test_a_difference_survives_only_if_it_does_at_both_ends():
    found = differences(table_1("cobra"))
    for row in found.itertuples():
        slow = row.p_holm < 0.05
        if row.metric != "acc":
            slow = slow and row.p_excess_holm < 0.05 and row.difference * row.excess_difference > 0
        assert row.survives == slow
    gaps = found[found["metric"] != "acc"]
    assert set(gaps["survives"]) == {True, False}
    # at a gap of 97 chance adds nothing, so what subtraction undoes is no finding, nor is it undone
    near = gaps[(gaps["p_holm"] < 0.05) & (gaps["p_excess_holm"] >= 0.05)]
    assert len(near)
    assert not near["survives"].any()


def test_a_survivor_survives_every_share_of_the_nulls():
    found = differences(table_1("fairdd")).query("metric == 'deo_a' and survives")
    cells = against_chance(table_1("fairdd")).set_index([*KEY, "metric"])
    assert len(found)
    for row in found.itertuples():
        a, b = (
            cells.loc[(row.dataset, row.distiller, name, row.ipc, row.metric)]
            for name in (row.a, row.b)
        )
        largest = max(row.p, row.p_excess)
        for share in (0.0, 0.3, 0.7, 1.0):
            means = tuple(one["mean"] - share * one["null"] for one in (a, b))
            _, _, p = welch(means, (a["std"], b["std"]), (a["n"], b["n"]))
            assert p <= largest + 1e-12


def test_real_images_are_compared_at_their_ipc_and_most_cannot_be():
    found = differences(table_1("fairdd")).query("b == 'random'")
    assert set(found["a"]) == {"vanilla", "fairdd"}
    gaps = found[found["metric"] != "acc"]
    assert (gaps["untested"] == "no standard deviation printed").all()
    row = found.query(
        "dataset == 'cmnist-fg' and distiller == 'dm' and ipc == 10 and a == 'vanilla'"
    )
    (row,) = row[row["metric"] == "acc"].itertuples()
    assert (row.mean_a, row.mean_b) == (25.01, 30.75)  # distilled worse than drawn


def test_gaps_above_chance():
    found = against_chance(table_1("cobra"))
    row = found.query("dataset == 'cifar10-s' and distiller == 'dm' and fairness == 'cobra'")
    assert row["paired"].all()
    assert (row["p_holm"] < 0.05).all()
    assert found["null"].notna().all()
    assert (found["excess"] == found["mean"] - found["null"]).all()
    best = found.query("dataset == 'cmnist-fg' and distiller == 'dm' and ipc == 100")
    assert best.query("fairness == 'cobra'")["p"].gt(0.1).all()
    table = chances(found).set_index(["metric", "rule"])
    assert (table["either"] <= table["holm"]).all()
    assert table.loc[("deo_m", "cobra"), "guessing"] == 2  # IDC on the faces, IPC 100


def test_a_mean_of_ten_whole_numbers_has_one_digit():
    cells = pd.DataFrame(
        {
            "dataset": ["cfmnist-fg"] * 4 + ["cmnist-fg"],
            "metric": "deo_m",
            "mean": [44.67, 33.8, 30.0, 21.25, 44.67],
            "n": 10,
        }
    )
    found = possible_networks(cells)
    assert found["mean"].tolist() == [44.67, 33.8, 21.25]  # 30.0 tells nothing
    assert found["possible"].tolist() == [False, True, False]
    assert found["numbers"].tolist()[0] == (3, 6, 9, 12, 15, 18)
    rng = np.random.default_rng(4)
    for n in range(2, 12):
        mean = round(rng.integers(0, 101, n).mean(), 2)
        cells = pd.DataFrame({"dataset": ["cfmnist-fg"], "metric": "deo_m", "mean": mean, "n": n})
        assert possible_networks(cells)["possible"].all()


def test_sentences_are_made_of_the_counts():
    cells = table_1("fairdd")
    told = sentences(cells)
    assert told[-1] == SCOPE
    for row in counted(differences(cells)).itertuples():
        (one,) = [s for s in told if f"{row.a} against {row.b}" in s and _is(row.metric, s)]
        assert f"of {row.pairs} pairs" in one
        assert (
            f"{row.tested} can be tested; {row.raw} differ" if row.tested else "none can"
        ) in one
    assert "not the mean of 10 networks" in told[-2]
    assert all("nan" not in sentence and sentence.endswith(".") for sentence in told)


def _is(metric, sentence):
    return sentence.startswith({"acc": "accuracy", "deo_m": "DEO_M", "deo_a": "DEO_A"}[metric])
