"""Runs in the background: in order, stopped and taken up, and nothing lost or left behind."""

import asyncio
import os
import subprocess
import sys
import textwrap
import time
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
import torch

import fddkit as fdd
from fddkit.core.locks import is_held
from fddkit.workbench.choice import Choice
from fddkit.workbench.jobs import _thin
from fddkit.workbench.queue import Jobs

pytestmark = pytest.mark.timeout(240)
SMOKE = {"preset": "smoke", "ipc": 2}


def _until(condition, seconds=120.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def heard():
    return []


@pytest.fixture(scope="module")
def jobs(tmp_path_factory, heard):
    queue = Jobs(
        tmp_path_factory.mktemp("explore"),
        repeats=1,
        changed=lambda job: heard.append((job, job.state, job.stage)),
    )
    yield queue
    queue.close()


def test_runs_end_one_after_the_other_with_the_bits_of_distill(jobs, heard):
    one, two = (jobs.submit(Choice(fairness=rule, **SMOKE)) for rule in ("vanilla", "cobra"))
    assert two.state == "waiting"
    jobs.wait([one, two], 120)
    assert (one.state, two.state) == ("finished", "finished")
    _until(lambda: (two, "finished", "") in heard)
    states = [(job is two, state) for job, state, _ in heard]
    assert states.index((False, "finished")) < states.index((True, "running"))
    train, test = fdd.load("digits", br=0.75)
    alone = fdd.distill(train, "dm", "cobra", 2, preset="smoke", sampling="class", progress=False)
    # a fresh process may take other threads: equal to rounding, and bit for bit on one machine
    assert torch.allclose(two.distilled().images, alone.images, atol=1e-4)
    report = fdd.evaluate(alone, test, repeats=1, preset="smoke", progress=False)
    assert two.fairness().accuracy.mean == pytest.approx(report.accuracy.mean, abs=3)


def test_frames_and_losses_are_those_of_the_steps(jobs):
    job = jobs.submit(Choice(fairness="fairdd", **SMOKE))
    jobs.wait([job], 120)
    steps = sorted(job.frames)
    assert (steps[0], steps[-1]) == (1, 20)
    assert job.frames[20].shape == (20, 3, 16, 16)
    assert job.frames[20].dtype == "uint8"
    shown = torch.from_numpy(job.frames[20]).float() / 255
    assert torch.allclose(shown, job.distilled().pixels(), atol=0.003)
    assert list(job.losses) == list(range(1, 21))
    assert list(job.losses.values()) == pytest.approx(job.distilled().loss.tolist())


def test_stop_and_resume_end_with_the_bits_of_an_uninterrupted_run(jobs, tmp_path):
    choice = Choice(ipc=50, seed=5, preset="smoke")
    job = jobs.submit(choice)
    _until(lambda: job.step >= 1 and job.stage == "distilling")
    jobs.stop(job)
    _until(lambda: job.state == "stopped", 10)
    job.losses.clear()
    assert Path(f"{job.order.out}.part").exists()
    assert not job.order.out.exists()
    jobs.resume(job)
    _until(lambda: job.state == "finished")
    assert 1 < min(job.losses) <= max(job.losses) == 20  # not from the start
    other = Jobs(tmp_path, repeats=1)
    try:
        whole = other.submit(choice)
        other.wait([whole], 200)
        assert torch.equal(job.distilled().images, whole.distilled().images)
    finally:
        other.close()


def test_pause_rests_and_goes_on(jobs):
    job = jobs.submit(Choice(ipc=2, seed=6))
    _until(lambda: job.step >= 2)
    jobs.pause(job)
    _until(lambda: job.state == "paused")
    step = job.step
    time.sleep(0.5)
    assert job.step == step
    jobs.resume(job)
    _until(lambda: job.step > step)
    jobs.pause(job)
    _until(lambda: job.state == "paused")
    jobs.stop(job)  # also one that rests
    _until(lambda: job.state == "stopped")


def test_a_stopped_run_that_goes_on_at_once_is_not_ended_by_the_patience_of_its_stop(
    jobs, monkeypatch
):
    monkeypatch.setattr("fddkit.workbench.queue._PATIENCE", 1.0)
    job = jobs.submit(Choice(ipc=2, seed=10))
    _until(lambda: job.step >= 2)
    jobs.stop(job)
    _until(lambda: job.state == "stopped")
    jobs.resume(job)
    _until(lambda: job.state == "running" and job.step > 2)
    time.sleep(1.5)
    assert job.state in ("running", "finished"), job.error
    jobs.stop(job)
    _until(lambda: job.state in ("stopped", "finished"))


def test_a_waiting_run_is_taken_from_the_queue(jobs):
    first, second = (jobs.submit(Choice(ipc=2, seed=seed)) for seed in (7, 8))
    jobs.stop(second)
    assert second.state == "stopped"
    jobs.stop(first)
    _until(lambda: first.state == "stopped")


def test_what_is_on_the_disk_is_not_computed_again(jobs):
    job = jobs.submit(Choice(fairness="cobra", **SMOKE))
    start = time.monotonic()
    jobs.wait([job], 60)
    assert job.frames == {}
    assert time.monotonic() - start < 30
    assert job.fairness().accuracy.mean > 0


def test_a_mistake_is_one_sentence(tmp_path):
    queue = Jobs(tmp_path, root="nowhere")
    try:
        job = queue.submit(Choice("cmnist-bg", br=0.9))
        queue.wait(seconds=60)
    finally:
        queue.close()
    assert job.state == "failed"
    assert "needs MNIST" in job.error
    assert "\n" not in job.error


def test_baselines_are_tested_too(jobs):
    names = ("whole", "whole-balanced", "random", "random-balanced")
    made = [jobs.submit(Choice(method=m, **SMOKE)) for m in names]
    jobs.wait(made, 120)
    whole, cut, some, balanced = made
    assert {job.state for job in made} == {"finished"}
    assert (whole.out, cut.out) == (None, None)  # as large as the training set
    assert [job.fairness().config["data"]["method"] for job in made] == list(names)
    assert (whole.fairness().counts != cut.fairness().counts).any()
    assert len(some.distilled()) == len(balanced.distilled()) == 20
    held = balanced.distilled()
    assert all(len(held.group[held.target == y].unique()) == 2 for y in range(10))


def test_a_worker_that_dies_fails_its_run_and_is_replaced(jobs):
    job = jobs.submit(Choice(ipc=2, seed=9))
    _until(lambda: job.step >= 2)
    psutil.Process(jobs._process.pid).kill()
    _until(lambda: job.state == "failed")
    assert "memory" in job.error
    jobs.resume(job)
    _until(lambda: job.state == "running" and job.stage == "distilling" and job.step > 0)
    jobs.stop(job)
    _until(lambda: job.state == "stopped", 10)


def test_changes_of_a_burst_are_told_once_on_the_loop(tmp_path):
    heard = []

    async def main():
        queue = Jobs(tmp_path, repeats=1, changed=lambda job: heard.append(asyncio.current_task()))
        try:
            job = queue.submit(Choice(**SMOKE))
            queue.wait([job], 120)  # the loop is blocked, as by a long cell
            assert not heard
            await asyncio.sleep(0.1)
        finally:
            queue.close()

    asyncio.run(main())
    assert len(heard) == 1


def test_nothing_is_left_when_the_kernel_is_killed(tmp_path):
    """A process with a queue is killed while it works: the worker ends, no file is half-written."""
    code = f"""
        import sys, time
        from fddkit.workbench.choice import Choice
        from fddkit.workbench.queue import Jobs
        if __name__ == "__main__":
            jobs = Jobs({str(tmp_path)!r}, repeats=1)
            job = jobs.submit(Choice(ipc=2))
            while job.step < 3:
                time.sleep(0.01)
            print(jobs._process.pid, flush=True)
            time.sleep(100)
    """
    script = tmp_path / "kernel.py"
    script.write_text(textwrap.dedent(code))
    env = os.environ | {"PYTHONPATH": str(Path(fdd.__file__).resolve().parents[1])}
    kernel = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=env)
    worker = int(kernel.stdout.readline())
    assert psutil.pid_exists(worker)
    kernel.kill()
    kernel.wait()
    kernel.stdout.close()
    _until(lambda: not psutil.pid_exists(worker), 20)
    left = [path for path in tmp_path.iterdir() if path.name != "kernel.py"]
    assert all(path.suffix in (".part", ".lock") for path in left), left
    assert not any(is_held(path) for path in left if path.suffix == ".lock")


def test_a_thinned_film_keeps_its_ends_and_stays_even():
    frames = {}
    for step in range(1, 201):
        frames[step] = None
        if len(frames) > 16:
            _thin(frames)
    steps = sorted(frames)
    assert (steps[0], steps[-1], len(steps)) == (1, 200, 16)
    gaps = [b - a for a, b in pairwise(steps)]
    assert max(gaps) <= 4 * min(gaps[:-1])
