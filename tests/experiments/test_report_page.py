"""The page of all runs, read as a browser would: links, text, and nothing that gets out."""

import json
import shutil
import subprocess
import zlib
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from struct import pack
from urllib.parse import unquote, urlsplit

import pytest

from fddkit.core import files
from fddkit.core.errors import FddkitError
from fddkit.experiments import report_page
from fddkit.experiments.records import LOCK, Record

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&amp;"
RECORD = Record(
    notebook="02_distillation",
    title="Distillation",
    parameters={"ipc": 50, "dataset": "digits"},
    defaults={"ipc": 10, "dataset": "digits"},
    versions={"torch": "2.13.0", "device": "cpu"},
    started="2026-11-20T22:13:05+01:00",
    seconds=192.4,
    status="finished",
    error=None,
    hash="ab" * 32,
)
METRICS = {
    "numbers": {
        "vanilla DEO_M": {
            **{"mean": 99.84, "std": 0.3, "ci95": [99.1, 100.0], "noise_floor": 24.9},
            **{"most_by_chance": 29.2, "p": 0.002, "unit": "sets", "n": 3},
        },
        "cobra DEO_M": {
            **{"mean": 27.34, "std": 4.0, "ci95": [20.1, 34.2], "noise_floor": 24.9},
            **{"most_by_chance": 29.2, "p": 0.21, "unit": "networks", "n": 1},
        },
        "networks": 15,
    },
    "tables": {"Each method": [{"method": "cobra", "accuracy": 88.123}, {"method": "random"}]},
}


class Page(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self, path: Path):
        super().__init__()
        self.tags, self.links, self.ids, self.text, self.path = [], [], [], "", path
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        self.links += [attrs[name] for name in ("href", "src") if name in attrs]
        self.ids += [attrs["id"]] if "id" in attrs else []

    def handle_data(self, data):
        if not self.tags or self.tags[-1][0] not in ("style", "script"):
            self.text += data

    def classes(self, tag):
        return [attrs.get("class", "") for name, attrs in self.tags if name == tag]


def png(width: int, height: int) -> bytes:
    """Return a white PNG, made by hand."""

    def chunk(kind, data):
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xff" * width) * height
    head = pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    image = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + image


def make(reports: Path, name="50-abababab", metrics=METRICS, figures=("images",), **changes):
    record = replace(RECORD, **changes)
    folder = reports / record.notebook / name
    (folder / "figures").mkdir(parents=True)
    record.save(folder)
    for kind in ("html", "ipynb"):
        (folder / f"notebook.{kind}").write_text("executed")
    if metrics is not None:
        files.write_json(folder / "metrics.json", metrics)
    for figure in figures:
        (folder / "figures" / f"{figure}.png").write_bytes(png(30, 10))
        (folder / "figures" / f"{figure}.pdf").write_bytes(b"%PDF")
    index = [{"name": figure, "caption": f"The {figure}."} for figure in figures]
    files.write_json(folder / "figures" / "index.json", index)
    return folder


def test_every_link_leads_somewhere_and_nothing_leaves_the_disk(tmp_path):
    make(tmp_path, "50-abababab", figures=("images", "loss"))
    make(tmp_path, "odd name #1?-cdcdcdcd", notebook="own notebook", parameters={}, defaults={})
    page = Page(report_page.build(tmp_path))
    assert page.path == tmp_path / "index.html"
    assert len(page.links) > 15
    for link in page.links:
        parts = urlsplit(link)
        assert not parts.scheme
        assert not parts.netloc
        if parts.path:
            assert not parts.path.startswith("/")
            assert (tmp_path / unquote(parts.path)).is_file(), link
        else:
            assert unquote(parts.fragment) in page.ids
    assert len(page.ids) == len(set(page.ids))
    assert [tag for tag, _ in page.tags].count("link") == 0
    text = page.path.read_text(encoding="utf-8")
    assert "@import" not in text
    assert "url(" not in text
    assert "http" not in text.lower().replace("http-equiv", "")


def test_it_shows_parameters_numbers_tables_figures_and_versions(tmp_path):
    make(tmp_path)
    page = Page(report_page.build(tmp_path))
    words = " ".join(page.text.split())
    for shown in (
        "Distillation 02_distillation",
        "ipc 50",
        "finished in 3 min 12 s",
        "2026-11-20 22:13",
        "vanilla DEO_M 99.8",
        "[99.1, 100.0]",
        "Each method",
        "88.1",
        "The images.",
        "torch 2.13.0",
        "1 run ",
    ):
        assert shown in words, shown
    chips = [(a.get("class"), a.get("title")) for tag, a in page.tags if tag == "li"]
    assert chips == [("changed", "default: 10"), (None, None)]
    (image,) = (attrs for tag, attrs in page.tags if tag == "img")
    assert (image["width"], image["height"], image["alt"]) == ("30", "10", "The images.")


def test_what_is_not_more_than_chance_shows_is_marked(tmp_path):
    make(tmp_path)
    page = Page(report_page.build(tmp_path))
    assert page.classes("abbr") == ["fair", "fair"]  # in the overview and in the card, once each
    tips = {attrs["title"] for tag, attrs in page.tags if tag == "abbr"}
    assert tips == {"Not more than chance shows (p = 0.21)."}
    assert report_page.only_chance(METRICS["numbers"]["cobra DEO_M"])
    assert not report_page.only_chance(METRICS["numbers"]["vanilla DEO_M"])


@pytest.mark.parametrize(
    "old",
    [
        {"mean": 3.0, "ci95": None, "noise_floor": 9.0},  # from before there were p-values
        {"mean": 3.0, "noise_floor": 9.0, "p": None},
        {"mean": 3.0, "p": "0.5"},
        3.0,
    ],
)
def test_nothing_is_marked_that_was_not_tested(old):
    assert not report_page.only_chance(old)


def test_an_interval_says_what_it_is_over(tmp_path):
    make(tmp_path)
    page = Page(report_page.build(tmp_path))
    words = " ".join(page.text.split())
    assert "[99.1, 100.0] 3 sets 24.9 29.2 0.002" in words
    assert "[20.1, 34.2] 1 network 24.9 29.2 0.21" in words
    tips = [attrs.get("title") for _, attrs in page.tags if attrs.get("class") == "interval"]
    assert tips == ["95% interval over 3 sets", "95% interval over 1 network"]
    assert report_page.over({"mean": 1.0}) == report_page.over({"n": "3", "unit": "sets"}) == ""


def test_hostile_text_stays_text(tmp_path):
    table = {"tables": {HOSTILE: [{HOSTILE: HOSTILE}]}, "numbers": {HOSTILE: HOSTILE}}
    folder = make(
        tmp_path,
        notebook="<script>x",
        title=HOSTILE,
        parameters={HOSTILE: HOSTILE},
        defaults={HOSTILE: "no"},
        error=HOSTILE,
        status="failed",
        versions={HOSTILE: HOSTILE},
        started=HOSTILE,
        metrics=table,
    )
    caption = [{"name": "images", "caption": HOSTILE}, {"name": HOSTILE, "caption": ""}]
    files.write_json(folder / "figures" / "index.json", caption)
    page = Page(report_page.build(tmp_path))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == 1
    assert tags.count("img") == 1
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    assert page.text.count(HOSTILE) > 5


def test_failed_and_interrupted_runs_are_seen(tmp_path):
    make(tmp_path, "a", status="failed", error="class 8 is too small", metrics=None, figures=())
    make(tmp_path, "b", status="running", seconds=None, parameters={"ipc": 1, "dataset": "digits"})
    (tmp_path / "02_distillation" / "b" / LOCK).touch()
    page = Page(report_page.build(tmp_path))
    assert "This run failed. class 8 is too small" in " ".join(page.text.split())
    assert "This run was interrupted. The same command resumes it." in page.text
    assert "1 failed" in page.text
    assert "1 interrupted" in page.text
    assert "card failed" in page.classes("details")


def test_earlier_runs_of_the_same_parameters_step_back(tmp_path):
    make(tmp_path, "old", started="2026-11-19T10:00:00+01:00", versions={"torch": "older"})
    make(tmp_path, "new", versions={"torch": "newer"})
    make(tmp_path, "else", parameters={"ipc": 2, "dataset": "digits"})
    page = Page(report_page.build(tmp_path))
    assert "1 earlier run with the same parameters" in page.text
    assert page.text.index("newer") < page.text.index("1 earlier run") < page.text.index("older")
    rows = [attrs for tag, attrs in page.tags if tag == "tr" and "data-search" in attrs]
    assert len(rows) == 2


def test_runs_are_in_the_order_of_their_parameters(tmp_path):
    for n in (100, 9, 20):
        make(tmp_path, f"r{n}", parameters={"ipc": n, "dataset": "digits"})
    page = Page(report_page.build(tmp_path))
    cards = [i for i in page.ids if i.startswith("run-")]
    assert cards == [f"run-02_distillation-r{n}" for n in (9, 20, 100)]


def test_damaged_folders_are_shown_not_fatal(tmp_path):
    bad = make(tmp_path, "bad")
    (bad / "run.json").write_text("{")
    worse = make(tmp_path, "worse", figures=())
    (worse / "metrics.json").write_text("[1, 2")
    (worse / "figures" / "index.json").write_text('{"a": 1}')
    odd = make(tmp_path, "odd", metrics=[1], started="2026-11-21")
    (odd / "figures" / "images.png").write_bytes(b"short")
    page = Page(report_page.build(tmp_path))
    assert "run.json is not valid JSON" in page.text
    assert "metrics.json is not valid JSON" in page.text


def test_the_folder_can_be_moved(tmp_path):
    make(tmp_path / "here")
    report_page.build(tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    page = Page(tmp_path / "there" / "index.html")
    local = [urlsplit(link).path for link in page.links]
    assert all((tmp_path / "there" / unquote(path)).exists() for path in local)


def test_without_runs_or_without_permission_it_is_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(FddkitError, match=r"there are no runs in .*nothing; make one first"):
        report_page.build(tmp_path / "nothing")
    make(tmp_path)
    (tmp_path / "index.html").mkdir()  # root may write anywhere, but not over a folder
    with pytest.raises(FddkitError, match=r"cannot write .*index.html: it is a folder"):
        report_page.build(tmp_path)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (99.84, "99.8"),
        (100.0, "100.0"),
        (9.876, "9.88"),
        (0.3, "0.30"),
        (0.00123456, "0.00123"),
        (-12.34, "-12.3"),
        (1234.5, "1234"),
        (7, "7"),
        (True, "yes"),
        (None, "-"),
        ([1, 2.5], "1, 2.50"),
        ({"mean": 3.14159}, "3.14"),
        ({"a": 1}, "a: 1"),
        ("text", "text"),
    ],
)
def test_numbers_are_written_for_people(value, shown):
    assert report_page.show(value) == shown


def test_durations_are_written_for_people():
    shown = [report_page.duration(s) for s in (None, 0.4, 59.6, 192.4, 7260)]
    assert shown == ["", "0 s", "1 min 0 s", "3 min 12 s", "2 h 1 min"]


def test_a_record_survives_the_disk_and_foreign_ones_are_refused(tmp_path):
    RECORD.save(tmp_path)
    assert Record.load(tmp_path) == RECORD
    for damage in ({"x": 1}, {**asdict(RECORD), "parameters": 3}, [1]):
        (tmp_path / "run.json").write_text(json.dumps(damage))
        with pytest.raises(FddkitError, match="does not describe a run"):
            Record.load(tmp_path)


@pytest.mark.browser
def test_a_browser_draws_it_from_disk_and_its_filter_works(tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no browser")
    make(tmp_path, "a")
    make(tmp_path, "b", parameters={"ipc": 1, "dataset": "digits"}, status="failed", error="no")
    index = report_page.build(tmp_path)
    text = index.read_text(encoding="utf-8")
    typed = "box.value = 'FAILED ipc=1'; filter(); document.querySelector('.overview th').click();"
    index.write_text(text.replace("unfold();\nfor", f"{typed}\nfor"), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
    command += ["--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run([*command, index.as_uri()], capture_output=True, text=True, timeout=60)
    (tmp_path / "dom.html").write_text(done.stdout)
    page = Page(tmp_path / "dom.html")
    assert "1 of 2 runs" in page.text
    cards = {a["id"]: "hidden" in a for t, a in page.tags if "card" in a.get("class", "")}
    assert cards == {"run-02_distillation-a": True, "run-02_distillation-b": False}


# --- one bad run does not spoil the page --------------------------------------------------------

STRANGE = {
    "parameters": [None, [1], {"a": {"b": [{}]}}, {"a": 1e300}, {"a": None}],
    "defaults": [[], {"ipc": [[]]}],
    "versions": ["2", {"torch": {"x": [1]}}],
    "title": [None, 7, HOSTILE],
    "notebook": [None, HOSTILE, ""],
    "started": [None, 5, "yesterday", ""],
    "seconds": ["3", -1, 1e300, None],
    "status": ["unheard of", None, 1],
    "error": [3, HOSTILE, [1]],
    "hash": [None, 1],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in STRANGE.items() for value in values]
)
def test_a_strange_run_is_one_card_and_the_others_stay(tmp_path, key, value):
    make(tmp_path)
    folder = make(tmp_path, name="strange")
    record = json.loads((folder / "run.json").read_text()) | {key: value}
    (folder / "run.json").write_text(json.dumps(record))
    page = Page(report_page.build(tmp_path))
    assert len(page.classes("details")) >= 2
    assert "99.84" in page.text or "99.8" in page.text


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "7", '{"a": ' * 9999, "[NaN]"])
@pytest.mark.parametrize("name", ["run.json", "metrics.json", "figures/index.json"])
def test_a_file_that_is_something_else_is_one_card(tmp_path, name, content):
    make(tmp_path)
    folder = make(tmp_path, name="strange")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(content)
    page = Page(report_page.build(tmp_path))
    if name == "run.json":
        assert "This run failed." in page.text
        assert "away" in page.text or "write it again" in page.text


@pytest.mark.parametrize(
    "found",
    [
        {"numbers": {"a": {"mean": "x", "ci95": "ab", "noise_floor": None}}},
        {"numbers": {"a": {"mean": None, "ci95": [None, {}]}}},
        {"numbers": {"a": {"ci95": [1]}, "b": [[[1]]], "c": {"get": 1, "items": 2, "mean": {}}}},
        {"numbers": {"a": {"mean": 1.0, "p": 1e308, "unit": ["x"], "n": {}}}},
        {"numbers": {"a": {"mean": 1.0, "p": True, "unit": "<b>", "n": 10**300}}, "reports": [1]},
        {"numbers": [1], "tables": [2]},
        {"tables": {"t": [1, None, {"a": {"b": 1}}], "u": {}, "v": [{}]}},
    ],
)
def test_strange_numbers_are_shown_somehow(tmp_path, found):
    folder = make(tmp_path)
    (folder / "metrics.json").write_text(json.dumps(found))
    Page(report_page.build(tmp_path))


def test_figures_stay_in_their_folder(tmp_path):
    folder = make(tmp_path)
    (tmp_path / "secret.png").write_bytes(b"x" * 30)
    index = [{"name": "../../../secret", "caption": "c"}, {"name": "/etc/x", "caption": "c"}]
    (folder / "figures" / "index.json").write_text(json.dumps(index))
    assert not [link for link in Page(report_page.build(tmp_path)).links if "secret" in link]


def test_a_page_that_is_not_ours_is_kept(tmp_path):
    make(tmp_path)
    (tmp_path / "index.html").write_text("<title>My own site</title>")
    with pytest.raises(FddkitError, match=r"index.html is not a page of fddkit and is kept"):
        report_page.build(tmp_path)
    assert "My own site" in (tmp_path / "index.html").read_text()


def test_a_set_that_diverged_is_said_to_have(tmp_path):
    make(tmp_path, metrics={**METRICS, "doubts": {"cobra": "the distilled set is diverged <b>"}})
    page = Page(report_page.build(tmp_path))
    assert "Something is wrong here. cobra: the distilled set is diverged <b>" in page.text
