"""From a CSV to results without a line of Python: the commands as the pages print them."""

import csv
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fddkit as fdd
from fddkit.cli import main
from fddkit.data.catalogue import entry_of
from fddkit.experiments.run_hash import data_hash

ROOT = Path(__file__).resolve().parents[1]
README, PAGE = ROOT / "README.md", ROOT / "docs" / "command-line.md"
SHORT = {  # what a test adds to a command, to be done in seconds
    "distill": "--preset smoke --set lr=0.1",  # noise is not easily matched
    "evaluate": "--preset smoke --repeats 1",
    "run 02_distillation": "-p preset=smoke -p seeds=1 -p repeats=1",
    "sweep 02_distillation": "-p preset=smoke -p seeds=1 -p repeats=1",
    "run 06_explore": "-p preset=smoke -p ipc=1 -p repeats=1",
    "run 09_your_data": "-p preset=smoke -p seeds=1 -p ipc=1 -p rules=cobra -p per_cell=2",
}
pytestmark = pytest.mark.filterwarnings("ignore:the test set of")


def commands(page):
    """Return the commands about faces.csv, faces.fdd and faces.toml that a page prints."""
    lines = re.findall(r"^    fddkit (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return [line for line in lines if "faces." in line or "cobra.safetensors --repeats" in line]


def toml():
    """Return the first block of TOML of the page."""
    return re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)[1]


def write_faces(folder, n=64, seed=0):
    """Write images of noise whose red says the age, and a table with two columns of groups."""
    rng = np.random.default_rng(seed)
    with open(folder / "faces.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "age", "race", "gender"])
        for i in range(n):
            age, race, gender = (5, 33, 70)[i % 3], "ab"[int(rng.random() < 0.3)], "fm"[i // 3 % 2]
            pixels = rng.integers(0, 90, (20, 16, 3))
            pixels[..., 0] += 2 * age
            Image.fromarray(pixels.astype("uint8")).save(folder / f"{i}.png")
            table.writerow([f"{i}.png", age, race, gender])


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FDDKIT_CACHE", str(tmp_path / "cache"))
    write_faces(tmp_path)
    return tmp_path


def carry_out(line, overwrite=False):
    """Run a printed command, shortened."""
    short = next((more for start, more in SHORT.items() if line.startswith(start)), "")
    again = " --overwrite" if overwrite and line.startswith(("distill", "evaluate")) else ""
    assert main(shlex.split(f"{line} {short}{again}")) == 0, line


def test_the_commands_of_the_readme(here, capsys):
    printed = commands(README)
    does = [line.split()[0] for line in printed]
    assert does == ["import-table", "distill", "evaluate", "run", "sweep", "run"]
    for line in printed:
        carry_out(line)
    said = capsys.readouterr().out
    assert "[all] faces: 64 images 3x32x32, 3 classes, 4 groups" in said
    assert "2 runs: 2 finished" in said
    s = fdd.DistilledSet.load("cobra.safetensors")
    assert s.config["dataset"]["sha256"] == entry_of("faces.fdd").sha256
    report = json.loads(Path("report.json").read_text(encoding="utf-8"))
    assert report["counterfactual"] is None


def test_the_other_commands_of_the_page(here):
    Path("faces.toml").write_text(toml(), encoding="utf-8")
    printed = commands(PAGE)
    assert set(commands(README)) <= set(printed)
    rest = [line for line in printed if line not in commands(README)]
    assert {line.split()[0] for line in rest} == {"datasets", "distill", "run"}
    carry_out(commands(README)[0])
    for line in rest:
        carry_out(line)
    assert Path("counts.png").stat().st_size > 1000
    train, _ = fdd.load("faces.fdd")
    same, _ = fdd.load("faces.toml")
    assert same.fingerprint() == train.fingerprint()
    verdicts = list(Path("reports", "09_your_data").glob("*/metrics.json"))
    assert len(verdicts) == 1


def test_a_toml_can_be_imported_and_distilled(here, capsys):
    Path("faces.toml").write_text(toml() + "\n", encoding="utf-8")
    assert main(["import-table", "faces.toml", "--out", "two.fdd", "--json", "d.json"]) == 0
    told = json.loads(Path("d.json").read_text(encoding="utf-8"))
    assert told["splits"]["all"]["images"] == 64
    assert fdd.load("two.fdd")[0].fingerprint() == fdd.load("faces.toml")[0].fingerprint()
    assert main(["import-table", "faces.toml", "--size", "8", "--out", "two.fdd"]) == 2
    assert "leave out --size" in capsys.readouterr().err
    carry_out("distill --dataset faces.toml --fairness cobra --ipc 1 --out s.safetensors")
    carry_out("evaluate s.safetensors --json s.json")


def test_a_set_is_read_again_when_anything_it_rests_on_has_changed(here):
    text = toml().replace("size = 32", "size = 8")
    Path("faces.toml").write_text(text, encoding="utf-8")
    seen, values = [], {"dataset": "faces.toml"}

    def differs():
        sha256 = entry_of("faces.toml").sha256
        new = sha256 not in seen
        assert data_hash(values, here) == data_hash(values, here)
        seen.append(sha256)
        return new

    assert differs()
    assert not differs()
    lines = Path("faces.csv").read_text(encoding="utf-8").splitlines()
    Path("faces.csv").write_text("\n".join(lines[:-1]), encoding="utf-8")  # the table
    assert differs()
    Image.new("RGB", (16, 20), (9, 99, 9)).save("0.png")  # an image
    assert differs()
    Path("faces.toml").write_text(text.replace("size = 8", "size = 9"), encoding="utf-8")
    assert differs()
    assert not differs()
    assert fdd.load("faces.toml")[0].shape == (3, 9, 9)


def test_a_table_and_its_images_are_part_of_a_run(here):
    values = {"table": "faces.csv", "image": "path", "root": None}
    before = data_hash(values, here)
    assert data_hash(values, here) == before
    Image.new("RGB", (16, 20), (9, 99, 9)).save("0.png")
    image = data_hash(values, here)
    assert image != before
    with open("faces.csv", "a", encoding="utf-8") as file:
        file.write("0.png,5,a,f\n")
    assert data_hash(values, here) != image
    assert data_hash(values | {"image": "gone"}, here) != before  # the run says what is wrong
    assert data_hash({"table": None}, here) == data_hash({}, here)


BASE = "import-table faces.csv --image path --target age --group race --out f.fdd"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import-table faces.csv --target age --group race --out f.fdd", "--image is missing"),
        (BASE.replace("path", "pth"), "did you mean 'path'"),
        (BASE.replace("f.fdd", "f.csv"), "does not end in .fdd"),
        (BASE.replace("f.fdd", "faces.fdd"), "is not a data set of fddkit, and is kept"),
        (f"{BASE} --bins age=old", "give edges, as in age=0,20,40"),
        (f"{BASE} --bins height=3", "'height' is not a column with labels"),
        (f"{BASE} --size big", "--size"),
        (f"{BASE} --fit tight", "tight"),
        (f"{BASE} --json faces.csv", "the table and --json are the same file, faces.csv"),
        (f"{BASE} --figure f.gif", "does not end in .png, .pdf, .svg"),
        (f"{BASE} --figure 0.png", "0.png exists"),
        (BASE.replace("faces.csv", "gone.csv"), "gone.csv"),
    ],
)
def test_a_mistake_is_told_in_one_sentence_and_nothing_is_written(here, capsys, line, said):
    Path("faces.fdd").write_text("mine", encoding="utf-8")
    kept = {path: path.read_bytes() for path in here.iterdir() if path.is_file()}
    assert main(line.split()) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("fddkit: ")
    assert said in error
    assert not Path("f.fdd").exists()
    assert all(path.read_bytes() == content for path, content in kept.items())


def test_every_row_that_is_left_out_is_named(here, capsys):
    Path("3.png").write_bytes(b"no image")
    with open("faces.csv", "a", encoding="utf-8") as file:
        file.writelines(f"gone{i}.png,5,a,f\n" for i in range(30))
    assert main(BASE.split()) == 2
    error = capsys.readouterr().err
    assert "31 of 94 lines of faces.csv cannot be used" in error
    assert error.endswith("; correct them, or give --faulty skip\n")
    assert main(f"{BASE} --faulty skip --json d.json --figure d.png".split()) == 0
    out = capsys.readouterr().out
    assert "left out, line 5: unreadable image (3.png" in out
    assert "left out, line 66: no file (gone0.png)" in out
    assert "and 11 more, which --json FILE lists" in out
    assert "63 images are in f.fdd" in out
    left_out = json.loads(Path("d.json").read_text(encoding="utf-8"))["left out"]
    assert len(left_out) == 31
    assert main(["datasets", "--describe", "f.fdd"]) == 0
    assert "left out when it was read: no file: 30, unreadable image: 1" in capsys.readouterr().out


def test_splits_of_a_table_stay_splits(here):
    lines = Path("faces.csv").read_text(encoding="utf-8").splitlines()
    parts = ["part", *(("train", "test")[i % 4 == 0] for i in range(len(lines) - 1))]
    text = "\n".join(f"{line},{part}" for line, part in zip(lines, parts, strict=True))
    Path("faces.csv").write_text(text, encoding="utf-8")
    assert main(f"{BASE} --split part --figure c.png".split()) == 0
    train, test = fdd.load("f.fdd")
    assert (len(train), len(test)) == (48, 16)
    assert Path("c-train.png").exists()
    assert Path("c-test.png").exists()


def test_no_output_is_an_input_or_another_output(here, capsys):
    Path("faces.toml").write_text(toml(), encoding="utf-8")
    assert main(BASE.split()) == 0
    Path("link.json").symlink_to("f.fdd")
    kept = {path: path.read_bytes() for path in here.iterdir() if path.is_file()}
    one, two = BASE.replace("f.fdd", "g.fdd"), "import-table faces.toml --out g.fdd"
    for line, said in (
        (f"{one} --json g.fdd", "--out and --json are the same file"),
        (f"{one} --json ./faces.csv", "the table and --json are the same file"),
        (f"{one} --json d.png --figure d.png", "--json and --figure are the same file"),
        (f"{two} --json faces.toml", "the table and --json are the same file"),
        (f"{two} --json faces.csv", "a table of faces.toml and --json are the same file"),
        ("datasets --describe f.fdd --json f.fdd", "--describe and --json are the same file"),
        ("datasets --describe f.fdd --json link.json", "--describe and --json are the same file"),
    ):
        assert main(f"{line} --overwrite".split()) == 2, line
        assert said in capsys.readouterr().err
        assert not Path("g.fdd").exists()
    assert all(path.read_bytes() == content for path, content in kept.items())


@pytest.mark.parametrize("option", ["--download", "--check"])
def test_a_file_is_neither_downloaded_nor_checked(here, capsys, option):
    assert main(BASE.split()) == 0
    assert main(["datasets", option, "f.fdd"]) == 2
    assert "f.fdd is a file, and only data sets of the catalogue" in capsys.readouterr().err
