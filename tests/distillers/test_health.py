"""A set that came to nothing is said to have, and a sound one is left alone."""

import pytest
import torch

import fddkit as fdd
from fddkit.distillers.health import VERDICTS, assess, sample, sentence

REAL = torch.randn(50, 3, 8, 8, generator=torch.Generator().manual_seed(0))
FALLING = torch.linspace(2, 1, 40, dtype=torch.float64)


@pytest.mark.parametrize(
    ("times", "verdict"), [(1, "sound"), (9, "sound"), (11, "doubtful"), (101, "diverged")]
)
def test_pixels_are_measured_by_those_of_real_images(times, verdict):
    found = assess(times * REAL, 1.0 * REAL, FALLING)
    assert found["verdict"] == verdict
    assert (f"{times} times as far" in " ".join(found["notes"])) == (verdict != "sound")


@pytest.mark.parametrize(
    ("loss", "verdict"),
    [
        (FALLING, "sound"),
        (FALLING.flip(0), "sound"),  # some losses rise: every network is another
        (torch.cat([FALLING, 30 * FALLING]), "diverged"),
        (torch.tensor([1.0, 100.0]), "sound"),  # two losses have no course
        (torch.empty(0), "sound"),
        (torch.zeros(40), "sound"),
    ],
)
def test_the_loss_may_not_run_away(loss, verdict):
    assert assess(REAL, REAL, loss.double())["verdict"] == verdict


def test_what_a_distiller_doubts_is_doubtful_at_least():
    found = assess(REAL, REAL, FALLING, ["its student does not move"])
    assert found == {"verdict": "doubtful", "notes": ["its student does not move"]}
    assert assess(1e9 * REAL, REAL, FALLING, ["so"])["verdict"] == "diverged"
    assert "is doubtful (look at the images" in sentence(found)


def test_a_sentence_for_every_verdict_and_none_for_a_sound_one():
    assert sentence({}) == sentence({"verdict": "sound", "notes": []}) == ""
    for verdict in VERDICTS:
        said = sentence({"verdict": verdict, "notes": ["why"]})
        assert (verdict in said and said.endswith("why")) != (verdict == "sound")
    assert "does not know the verdict" in sentence({"verdict": "splendid"})


def test_a_sample_is_spread_over_a_set():
    assert sample(torch.arange(1000), 3).tolist() == [0, 499, 999]
    assert sample(torch.arange(3)).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("method", "lr", "verdict"),
    [
        ("dc", 1e9, "diverged"),
        ("dsa", 1e9, "diverged"),
        ("cafe", 1e9, "diverged"),
        ("idc", 1e9, "doubtful"),
        ("dream", 1e6, "doubtful"),
        ("idc", None, "sound"),
        ("dream", None, "sound"),
        ("dc", None, "sound"),
        ("dm", None, "sound"),
        ("mtt", None, "sound"),
    ],
)
def test_a_wild_step_size_is_noticed_in_every_distiller(method, lr, verdict, tmp_path):
    train, _ = fdd.load("digits")
    given = {} if lr is None else {"lr": lr}
    s = fdd.distill(
        train, method, ipc=1, preset="smoke", progress=False, cache=tmp_path, out=tmp_path / "s",
        **given,
    )  # fmt: skip
    assert s.health["verdict"] == verdict
    assert fdd.DistilledSet.load(tmp_path / "s").health == s.health


@pytest.mark.parametrize(("method", "lr"), [("dm", 1e38), ("mtt", 1000.0)])
def test_where_numbers_end_the_run_is_refused_or_judged(method, lr, tmp_path):
    train, _ = fdd.load("digits")
    out = tmp_path / "s"
    try:
        s = fdd.distill(
            train, method, ipc=1, preset="smoke", lr=lr, progress=False, cache=tmp_path, out=out
        )
    except fdd.FddkitError as error:
        assert "choose a smaller" in str(error)  # noqa: PT017 (both ends are right)
        assert not out.exists()
        return
    assert s.health["verdict"] != "sound"


def test_an_alpha_at_its_bound_is_said(tmp_path):
    train, _ = fdd.load("digits")
    s = fdd.distill(train, "mtt", "cobra", ipc=1, preset="smoke", progress=False, cache=tmp_path)
    assert s.lr == 1e-6
    assert s.health["verdict"] == "doubtful"
    assert "has fallen to its bound" in s.health["notes"][0]
