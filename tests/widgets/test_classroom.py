"""What the classroom says of a result: against chance, and nothing where there is none to tell."""

from types import SimpleNamespace

import numpy as np
import pytest

from fddkit.evaluation.report import FairnessReport
from fddkit.widgets.classroom import STEPS, Classroom
from fddkit.workbench.choice import Choice


def report(first: float, second: float) -> FairnessReport:
    """Return a report on two networks that recognise such shares of two groups of 200 images."""
    rng, n = np.random.default_rng(0), 400
    target, group = np.arange(n) % 2, np.arange(n) // 2 % 2
    right = rng.random((2, n)) < np.array([first, second])[group]
    return FairnessReport.from_predictions(
        target, np.where(right, target, 1 - target), group, names=["convnet"] * 2
    )


@pytest.fixture
def answered():
    """Return a function from a report, and the guesses, to the answers."""
    job = SimpleNamespace()
    room = Classroom(lambda _: None, lambda: Choice(), lambda _: job, lambda _: None)

    def answers(found: FairnessReport, step: int = 0) -> str:
        room.steps.value = step
        room.guess.value = 10
        room.run.click()
        room.finished(job, found)
        room.reveal.click()
        return str(room.answer.value)

    return answers


def test_a_gap_is_told_beside_what_chance_shows(answered):
    found = report(0.99, 0.6)
    told, deo = answered(found), found.deo_a
    assert f"DEO_A is <b>{deo.mean:.1f}</b> points (mean of 2 networks of one set" in told
    assert "That is more than chance shows" in told
    assert f"would show {deo.noise_floor:.1f} on average" in told
    assert f"over {deo.most_by_chance:.1f} only once in twenty" in told
    assert f"You guessed 10, which is {deo.mean - 10:.0f} off" in told


def test_a_gap_of_equal_groups_is_not_more_than_chance_shows(answered):
    assert "That is not more than chance shows" in answered(report(0.9, 0.9))


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_of_what_has_learnt_nothing_no_fairness_is_told(answered, step):
    told = answered(report(0.5, 0.5), step)
    assert "Nothing can be said of fairness here: what was trained is near chance" in told
    assert "DEO_A" not in told
    assert "fair network" not in told
    assert "in 1 of 5 steps" in answered(report(0.9, 0.9), (step + 1) % len(STEPS))


def test_no_step_calls_it_distillations_doing_what_few_images_do():
    texts = " ".join(f"{step.question} {step.answer}" for step in STEPS).lower()
    assert "amplif" not in texts
    assert "drawn at random, are as unfair" in texts
