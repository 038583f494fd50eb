"""Data sets that a TOML file describes."""

import pytest
from mixed_images import make

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.data import toml_sets
from fddkit.data.catalogue import entry_of
from fddkit.data.toml_sets import KEYS, read

BASE = """
table = "table.csv"
image = "path"
target = "age"
group = ["sex", "race"]
root = "images"
size = 8
bins = [0, 40, 80]
"""


@pytest.fixture
def folder(tmp_path):
    make(tmp_path / "images", 48, 0)
    return tmp_path


def write(folder, text):
    (folder / "faces.toml").write_text(text, encoding="utf-8")
    return folder / "faces.toml"


def test_it_is_what_from_table_gives(folder):
    table, root = folder / "table.csv", folder / "images"
    plain = fdd.from_table(
        table,
        "path",
        "age",
        ["sex", "race"],
        root,
        8,
        bins=[0, 40, 80],
        cache=False,
        progress=False,
    )
    found = read(write(folder, BASE), cache=False, progress=False)
    assert list(found) == ["all"]
    assert found["all"].fingerprint() == plain.fingerprint()
    assert found["all"].name == "faces"


def test_every_key(folder):
    text = BASE.replace("bins = [0, 40, 80]", "") + (
        'fit = "pad"\nchannels = "gray"\nsmallest = 2\nsmall = "drop"\nfaulty = "skip"\n'
        'name = "my faces"\nmean = [0.4]\nstd = [0.3]\nduplicates = "keep"\n'
        'intersections = "all"\n[traits]\nmirrors = false\n[bins]\nage = 3\n'
    )
    data = read(write(folder, text), cache=False, progress=False)["all"]
    assert (data.name, data.mean, data.std, data.traits.mirrors) == (
        "my faces",
        (0.4,),
        (0.3,),
        False,
    )
    assert (data.shape, data.n_classes) == ((1, 8, 8), 3)


def test_splits_by_column_and_by_table(folder):
    header, *rows = (folder / "table.csv").read_text().splitlines()
    parts = {"train": rows[:30], "test": rows[30:]}
    for name, some in parts.items():
        (folder / f"{name}.csv").write_text("\n".join([header, *some]))
    (folder / "table.csv").write_text(
        "\n".join([f"{header},part", *(f"{r},{n}" for n, some in parts.items() for r in some)])
    )
    by_column = read(write(folder, BASE + 'split = "part"\n'), cache=False, progress=False)
    text = BASE.replace('table = "table.csv"', "")
    text += '[splits]\ntrain = "train.csv"\ntest = "test.csv"\n'
    by_table = read(write(folder, text), cache=False, progress=False)
    assert by_table.keys() == by_column.keys() == {"train", "test"}
    for name, some in parts.items():
        assert by_table[name].fingerprint() == by_column[name].fingerprint()
        assert len(by_table[name]) == len(some)
    (folder / "test.csv").write_text("\n".join([header, *rows[30:], "lost.png,1,m,x", ",,,"]))
    with pytest.raises(FddkitError, match=r"line test.csv:20: no file \(lost.png\); correct"):
        read(folder / "faces.toml", cache=False, progress=False)
    (folder / "test.csv").write_text("a,b\n1,2")
    with pytest.raises(FddkitError, match="differ in their columns"):
        read(folder / "faces.toml", cache=False, progress=False)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'image = "path"',
            'imge = "path"',
            "'imge' is not a key of a data set; did you mean 'image'",
        ),
        ('image = "path"', "", "the file has no image"),
        ("size = 8", 'size = "8"', "the file.size is text"),
        ("size = 8", "size = [8]", "no size"),
        ("size = 8", "size = -1", "size=-1"),
        ("size = 8", "size = true", "size is true or false"),
        ('group = ["sex", "race"]', "group = [1]", r"group is a list, not text"),
        ('group = ["sex", "race"]', "group = []", "names no column"),
        ('group = ["sex", "race"]', 'group = ["sex", "sex"]', "or one twice"),
        ('group = ["sex", "race"]', 'group = "sexx"', "did you mean 'sex'"),
        ('table = "table.csv"', "", "either a table or a section"),
        ('table = "table.csv"', 'table = "lost.csv"', "cannot read"),
        ('root = "images"', 'root = "image"', "there is no folder"),
        ("bins = [0, 40, 80]", "bins = [80, 0]", "are no bins"),
        ("bins = [0, 40, 80]", "[bins]\nsexx = 3", "'sexx' is not a column with labels"),
        ("bins = [0, 40, 80]", "[traits]\nmirror = true", "did you mean 'mirrors'"),
        ("bins = [0, 40, 80]", "[traits]\nmirrors = 1", "mirrors is a whole number"),
        ("bins = [0, 40, 80]", "traits = 3", "traits is a whole number"),
        ("bins = [0, 40, 80]", "[splits]\ntrain = 'a.csv'", "either a table or a section"),
        ("size = 8", "size = = 8", "not valid TOML"),
        ("size = 8", 'faulty = "ignore"', "'ignore' is not a value of faulty"),
        ("size = 8", "mean = [1, 2]", "mean="),
    ],
)
def test_mistakes_get_one_sentence(folder, old, new, words):
    assert old in BASE
    with pytest.raises(FddkitError, match=words) as error:
        read(write(folder, BASE.replace(old, new)), cache=False, progress=False)
    assert str(error.value).startswith(str(folder / "faces.toml")) or "lost.csv" in new
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:the test set of")
def test_what_an_entry_was_made_from_is_not_read_again(folder, monkeypatch):
    path, found = write(folder, BASE), []
    monkeypatch.setenv("FDDKIT_CACHE", str(folder / "cache"))
    monkeypatch.setattr(toml_sets, "read", lambda path: found.append(path) or read(path))
    first = fdd.load(path, per_cell=1)[0]
    assert len(found) == 1
    again = fdd.load(path, per_cell=1)[0]  # a copy of its own
    assert len(found) == 2
    assert again.fingerprint() == first.fingerprint()
    entry = entry_of(path)
    write(folder, BASE.replace("size = 8", "size = 6"))
    assert entry.read().splits["all"].shape == (3, 6, 6)  # never what the file was before


def test_files_that_are_no_toml(folder):
    for data in (b"\xff\xfe\x00", b"a = " + b"[" * 5000, b"\0", b"a = 1\na = 2"):
        (folder / "faces.toml").write_bytes(data)
        with pytest.raises(FddkitError, match="not valid TOML"):
            read(folder / "faces.toml")
    (folder / "faces.toml").write_bytes(b"")
    with pytest.raises(FddkitError, match="has no image"):
        read(folder / "faces.toml")
    with pytest.raises(FddkitError, match="cannot read"):
        read(folder / "lost.toml")


def test_the_keys_are_the_arguments_of_from_table():
    import inspect

    arguments = set(inspect.signature(fdd.from_table).parameters)
    assert set(KEYS) - {"splits"} == arguments - {"cache", "workers", "progress"}


def test_a_text_that_tomllib_would_read_for_hours_is_refused(folder):
    keys = ".".join("a" * 4000)
    for text, words in ((f"{keys} = 1", "a line has more than"), ("# x\n" * 20_000, "65,536")):
        with pytest.raises(FddkitError, match=words):
            read(write(folder, text))
