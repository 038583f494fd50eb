import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from references import toy

import fddkit as fdd
from fddkit.core.tensors import read_tensors, write_tensors
from fddkit.data.distilled import DistilledSet
from fddkit.distillers.dm import DM, DMSettings
from fddkit.distillers.loop import CHECKPOINT
from fddkit.distillers.registry import METHODS, settings
from fddkit.distillers.start import initial
from fddkit.rules.rules import RULES

TINY = {"iterations": 12, "batch": 16, "width": 8, "lr": 5.0}


@pytest.fixture(scope="module")
def train():
    return fdd.load("digits", seed=0)[0]


def run(train, **kwargs):
    return fdd.distill(train, preset="smoke", progress=False, **{"ipc": 2, **TINY, **kwargs})


@pytest.mark.parametrize("rule", ["vanilla", "fairdd", "cobra", "minimax"])
def test_the_run_is_gradient_descent_with_momentum_on_the_matching_loss(train, rule):
    s = run(train, fairness=rule, iterations=4, seed=3)
    c = s.config["settings"]
    matching = DM(train, 2, DMSettings(**c), seed=3)
    images, velocity, losses = initial(train, 2, 3).images, 0.0, []
    for i in range(4):
        loss, gradient = matching.gradient(images, RULES[rule], i)
        velocity = c["momentum"] * velocity + gradient
        images = images - c["lr"] * velocity
        losses.append(loss)
    torch.testing.assert_close(s.images, images)
    assert s.loss.tolist() == pytest.approx(losses)


def test_same_seed_same_bits_and_other_seed_other_images(train):
    a, b, c = run(train, seed=1), run(train, seed=1), run(train, seed=2)
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.loss, b.loss)
    assert not torch.equal(a.images, c.images)


@pytest.mark.parametrize("rule", ["vanilla", "fairdd", "cobra", "minimax"])
def test_the_images_fit_networks_and_batches_they_were_not_fitted_to(train, rule):
    s = run(train, fairness=rule, iterations=40, lr={"fairdd": 0.3}.get(rule, 3.0))
    matching = DM(train, 2, DMSettings(**s.config["settings"]), seed=0)
    before, after = (
        sum(matching.gradient(images, RULES[rule], i)[0] for i in range(1000, 1010))
        for images in (initial(train, 2, 0).images, s.images)
    )
    assert after < before * 0.99  # batches of 16 are noisy: their own distance remains


def test_config_tells_the_run_and_rebuilds_it(train):
    s = run(train, fairness="cobra", sampling="group")
    c = s.config
    assert c["fingerprint"] == train.fingerprint()
    assert c["dataset"] == train.info
    assert (c["method"], c["fairness"], c["ipc"], c["seed"]) == ("dm", "cobra", 2, 0)
    again = fdd.distill(
        train, c["method"], c["fairness"], c["ipc"], c["seed"], progress=False, **c["settings"]
    )
    assert torch.equal(again.images, s.images)
    assert s.versions["torch"] == str(torch.__version__)


def test_callback_sees_every_nth_iteration_and_the_last(train):
    seen = []
    s = run(train, callback=seen.append, every=5)
    assert [p.iteration for p in seen] == [5, 10, 12]
    assert torch.equal(seen[-1].images, s.images)
    assert not torch.equal(seen[0].images, s.images)
    assert seen[-1].loss == s.loss[-1]


def test_baselines_need_no_steps(train, tmp_path):
    whole = fdd.distill(train, "whole", out=tmp_path / "w.safetensors")
    assert len(whole) == len(train)
    assert whole.config["fairness"] is None
    random = fdd.distill(train, "random", ipc=3)
    assert len(random) == 30
    assert len(random.loss) == 0


# --- interruption -------------------------------------------------------------------------

SCRIPT = """
import sys, fddkit as fdd
train, _ = fdd.load("digits", seed=0)
fdd.distill(train, preset="smoke", progress=False, ipc=2, iterations=60, batch=16, width=8, lr=5.0,
            fairness="fairdd", out=sys.argv[1], checkpoint_seconds=0.0,
            callback=lambda p: print(p.iteration, flush=True), every=1)
"""


def start(path):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path)], stdout=subprocess.PIPE, text=True
    )


def test_a_killed_run_resumes_to_the_same_bits(train, tmp_path):
    whole = run(train, fairness="fairdd", iterations=60)
    path = tmp_path / "s.safetensors"
    reached = []
    for stop_after in (7, 25):  # killed twice, at whatever moment follows
        process = start(path)
        lines = []
        for line in process.stdout:
            lines.append(int(line))
            if lines[-1] >= stop_after:
                break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        reached.append(lines[0])
        assert not path.exists()
    assert reached[1] > 1  # the second call went on, it did not start again
    process = start(path)
    assert int(process.stdout.readline()) > 20
    process.communicate()
    s = DistilledSet.load(path)
    assert torch.equal(s.images, whole.images)
    assert torch.equal(s.loss, whole.loss)
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.endswith(".tmp")) == [path.name]


def test_control_c_keeps_the_work(train, tmp_path):
    path = tmp_path / "s.safetensors"

    def interrupt(p):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(train, out=path, callback=interrupt, every=5)
    seen = []
    s = run(train, out=path, callback=seen.append, every=1)
    assert seen[0].iteration == 6
    assert torch.equal(s.images, run(train).images)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_goes_on_with_the_same_bits(method, tmp_path):
    """Stopped in the middle of a network, and at the step before a new one."""
    data = toy(0, torch.full((3, 2), 8))
    options = {"preset": "smoke", "progress": False, "iterations": 3, "batch": 4, "width": 4,
               "depth": 2, "cache": tmp_path / "cache"}  # fmt: skip
    whole = fdd.distill(data, method, "cobra", 2, **options)
    out = tmp_path / "s.safetensors"
    for at in (1, 2, 4):

        def stop(progress, at=at):
            if progress.iteration == at:
                raise KeyboardInterrupt

        with contextlib.suppress(KeyboardInterrupt):
            fdd.distill(data, method, "cobra", 2, out=out, callback=stop, every=1, **options)
    s = fdd.distill(data, method, "cobra", 2, out=out, **options)
    assert torch.equal(s.images, whole.images)
    assert torch.equal(s.loss, whole.loss)


@pytest.mark.parametrize("method", METHODS)
def test_an_interrupt_within_a_step_leaves_the_step_undone(method, tmp_path, monkeypatch):
    """Control-C may come while the network is half trained: the checkpoint is the one before."""
    data = toy(0, torch.full((3, 2), 8))
    options = {"preset": "smoke", "progress": False, "iterations": 3, "batch": 4, "width": 4,
               "depth": 2, "cache": tmp_path / "cache"}  # fmt: skip
    whole = fdd.distill(data, method, "fairdd" if method != "mtt" else "vanilla", 2, **options)
    out, original, calls = tmp_path / "s.safetensors", METHODS[method].after, []

    def after(self, images, step):
        found = original(self, images, step)  # images and network have moved on
        calls.append(step)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(METHODS[method], "after", after)
    for _ in range(2):
        with contextlib.suppress(KeyboardInterrupt):
            s = fdd.distill(data, method, whole.config["fairness"], 2, out=out, **options)
    assert calls[1] == calls[2]
    assert torch.equal(s.images, whole.images)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "rule"), [(m, r) for m in METHODS for r in RULES if not METHODS[m].lacks(RULES[r])]
)
def test_every_cell_of_the_matrix_converges_on_digits(method, rule, train, tmp_path):
    """The images fit batches and networks that they were not fitted to."""
    options = {"dm": {"lr": 1.0}, "cafe": {"lr": 0.3}, "mtt": {"iterations": 30}}.get(method, {})
    s = fdd.distill(
        train, method, rule, 5, preset="smoke", progress=False, cache=tmp_path, **options
    )
    config = type(METHODS[method].presets["smoke"])(**s.config["settings"])
    m = METHODS[method](train, 5, config, seed=99)
    m.prepare(RULES[rule], tmp_path, progress=False)
    fresh = range(0, 10 * m.per_network, m.per_network)
    before, after = (
        sum(m.gradient(images, RULES[rule], step)[0] for step in fresh)
        for images in (METHODS[method](train, 5, config, seed=0).start().images, s.images)
    )
    assert after < before


def test_a_finished_set_is_loaded_not_computed(train, tmp_path):
    path = tmp_path / "s.safetensors"
    first = run(train, out=path)
    began = path.stat().st_mtime_ns
    time.sleep(0.01)
    again = run(train, out=path, callback=lambda p: pytest.fail("computed again"), every=1)
    assert torch.equal(first.images, again.images)
    assert path.stat().st_mtime_ns == began


def test_another_configuration_is_refused_unless_overwritten(train, tmp_path):
    path = tmp_path / "s.safetensors"
    run(train, out=path)
    with pytest.raises(
        fdd.FddkitError, match=r"belongs to another run .*fairness: 'vanilla' there"
    ):
        run(train, out=path, fairness="cobra")
    with pytest.raises(fdd.FddkitError, match="iterations: 12 there, 13 here"):
        run(train, out=path, iterations=13)
    # the data set has a seed of its own
    with pytest.raises(fdd.FddkitError, match="seed: 0 there, 1 here"):
        run(train, out=path, seed=1)
    other = fdd.load("digits", seed=1)[0]
    with pytest.raises(fdd.FddkitError, match=r"dataset seed: 0 there, 1 here"):
        run(other, out=path)
    s = run(train, out=path, fairness="cobra", overwrite=True)
    assert DistilledSet.load(path).config == s.config
    s.save(f"{path}.part")  # not a checkpoint
    path.unlink()
    with pytest.raises(fdd.FddkitError, match=r"s.safetensors.part is .*not a checkpoint.*move it"):
        run(train, out=path)
    with pytest.warns(UserWarning, match=r"is kept as s.safetensors.part.damaged and made again"):
        run(train, out=path, fairness="fairdd", overwrite=True)
    assert DistilledSet.load(f"{path}.part.damaged").config == s.config


def _interrupted(train, path, at=5, **kwargs):
    """Leave a checkpoint of some steps."""

    def stop(progress):
        if progress.iteration == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(train, out=path, callback=stop, every=1, **kwargs)
    return Path(f"{path}.part")


def test_a_file_of_somebody_else_where_the_checkpoint_would_be_is_kept(train, tmp_path):
    path, part = tmp_path / "s", tmp_path / "s.part"
    part.write_text("half of a download")
    with pytest.raises(fdd.FddkitError, match=r"s.part is truncated or not a checkpoint .*move it"):
        run(train, out=path)
    assert part.read_text() == "half of a download"
    assert not path.exists()
    part.unlink()
    run(train, out=path)
    part.write_text("half of a download")
    run(train, out=path)  # found finished
    assert part.read_text() == "half of a download"


def test_a_damaged_checkpoint_is_set_aside_and_the_run_begins_anew(train, tmp_path):
    whole = run(train, out=tmp_path / "whole")
    for i, spoil in enumerate(
        [
            lambda data: data[:-30],
            lambda data: data[: len(data) // 2],
            lambda data: data[:-9] + b"damaged!!",
            lambda data: b"",
        ]
    ):
        path = tmp_path / f"s{i}"
        part = _interrupted(train, path)
        part.write_bytes(spoil(part.read_bytes()))
        with pytest.warns(UserWarning, match=rf"s{i}.part is .* kept as s{i}.part.damaged"):
            again = run(train, out=path)
        assert torch.equal(again.images, whole.images)
        assert Path(f"{part}.damaged").exists()
        assert not part.exists()


def test_overwrite_works_on_a_damaged_checkpoint_and_a_damaged_set(train, tmp_path):
    path = tmp_path / "s"
    part = _interrupted(train, path)
    part.write_text("nothing that can be read")
    with pytest.warns(UserWarning, match="s.part.damaged"):
        run(train, out=path, overwrite=True)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(fdd.FddkitError, match=r"truncated.*; choose another output file, or"):
        run(train, out=path)
    run(train, out=path, overwrite=True)
    DistilledSet.load(path)
    path.write_text("a thesis")
    with pytest.raises(fdd.FddkitError, match="is not a distilled set of fddkit, and is kept"):
        run(train, out=path, overwrite=True)
    assert path.read_text() == "a thesis"


def test_what_appears_while_a_set_is_distilled_is_kept_and_nothing_computed_is_lost(
    train, tmp_path
):
    path = tmp_path / "s"

    def meanwhile(progress):
        path.write_text("somebody's")

    with pytest.raises(fdd.FddkitError, match="has appeared while this set was distilled"):
        run(train, out=path, callback=meanwhile, every=5)
    assert path.read_text() == "somebody's"
    path.unlink()
    steps = []
    again = run(train, out=path, callback=lambda p: steps.append(p.iteration), every=1)
    assert steps == []
    assert torch.equal(again.images, run(train).images)


@pytest.mark.parametrize("what", ["folder", "pipe", "device"])
def test_an_output_that_is_no_plain_file_is_one_sentence(train, tmp_path, what):
    path = tmp_path / "s"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path = Path("/dev/full")
    with pytest.raises(fdd.FddkitError, match=r"it is (a folder|not a regular file)"):
        run(train, out=path)


def test_a_checkpoint_that_fits_no_run_of_its_configuration_is_set_aside(train, tmp_path):
    whole = run(train)
    for i, change in enumerate(
        [
            {"step": 0},
            {"step": -1},
            {"step": 10**9},
            {"images": torch.zeros(1, 3, 16, 16), "momentum": torch.zeros(1, 3, 16, 16)},
            {"loss": torch.zeros(0, dtype=torch.float64)},
            {"loss": torch.zeros(100, dtype=torch.float64)},
        ]
    ):
        path = tmp_path / f"s{i}"
        part = _interrupted(train, path)
        tensors, header = read_tensors(part, CHECKPOINT)
        for name, value in change.items():
            (tensors if name in tensors else header)[name] = value
        write_tensors(part, CHECKPOINT, tensors, header)
        with pytest.warns(UserWarning, match=r"does not fit its own configuration .*damaged"):
            assert torch.equal(run(train, out=path).images, whole.images)


def test_a_run_that_goes_on_under_other_versions_says_so(train, tmp_path):
    path = tmp_path / "s"
    part = _interrupted(train, path)
    tensors, header = read_tensors(part, CHECKPOINT)
    header["versions"]["torch"] = "1.0"
    write_tensors(part, CHECKPOINT, tensors, header)
    with pytest.warns(UserWarning, match=r"begun with torch 1\.0 and continues with another"):
        s = run(train, out=path)
    assert s.versions["begun"] == {"torch": "1.0"}
    assert DistilledSet.load(path).versions == s.versions


# --- mistakes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"method": "dmm"}, "did you mean 'dm'"),
        ({"fairness": "fair-dd"}, "did you mean 'fairdd'"),
        ({"ipc": 10_000}, "ipc=10000 is larger than class"),
        ({"device": "tpu7"}, "device 'tpu7' cannot be used here"),
        ({"lr": 1e30}, "choose a smaller lr"),
        ({"colour": 1}, "'colour' is not a setting"),
    ],
)
def test_mistakes_get_a_sentence(train, wrong, sentence):
    with pytest.raises(fdd.FddkitError, match=sentence):
        run(train, **wrong)


def test_a_folder_that_takes_no_files_is_told_before_the_first_step(train, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(fdd.FddkitError, match="cannot write"):
        run(
            train,
            out=tmp_path / "file" / "s.safetensors",
            callback=lambda p: pytest.fail("a step was taken"),
            every=1,
        )


def test_a_checkpoint_that_is_cut_is_named(train, tmp_path):
    path = tmp_path / "s.safetensors"
    (tmp_path / "s.safetensors.part").write_bytes(b"half")
    with pytest.raises(fdd.FddkitError, match=r"s.safetensors.part is truncated"):
        run(train, out=path)


def test_settings_are_recorded_whole(train):
    s = run(train)
    chosen = settings("smoke", **TINY).resolve(2, train)
    assert s.config["settings"] == asdict(chosen)
