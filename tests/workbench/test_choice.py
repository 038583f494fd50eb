"""A choice can be repeated from what it is written down as."""

import pickle
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fddkit.cli import main
from fddkit.core.errors import FddkitError
from fddkit.data.catalogue import CATALOGUE
from fddkit.data.distilled import DistilledSet
from fddkit.distillers.baselines import BASELINES
from fddkit.distillers.registry import METHODS
from fddkit.rules.rules import RULES
from fddkit.workbench.choice import Choice

choices = st.builds(
    dict,
    dataset=st.sampled_from(["digits", "cmnist-fg", "cifar10-s"]),
    gap=st.sampled_from([None, 0, 4]),
    br=st.floats(0.5, 1),
    ipc=st.integers(1, 50),
    sampling=st.sampled_from(["class", "group"]),
    seed=st.integers(0, 99),
)


@given(choices)
def test_the_parameters_cell_gives_the_choice_back(values):
    choice, cell = Choice(**values), {}
    exec(choice.parameters(), {}, cell)
    assert Choice(**cell) == choice


def test_a_title_names_a_preset_that_is_not_the_usual_one():
    assert Choice().title == "cobra dm IPC 10, digits BR 0.75"
    assert Choice(preset="smoke").title == "cobra dm IPC 10 smoke, digits BR 0.75"


@given(choices, choices)
def test_names_and_titles_tell_choices_apart(one, other):
    a, b = Choice(**one), Choice(**other)
    same = one | {"br": f"{a.br:g}"} == other | {"br": f"{b.br:g}"}  # six digits are shown
    assert (a.name == b.name) == same
    assert "/" not in a.name


def test_the_command_distils_the_same_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    choice = Choice(gap=2, br=0.8, ipc=1, fairness="fairdd", seed=3, preset="smoke")
    assert main(shlex.split(choice.command())[1:]) == 0
    s = DistilledSet.load(f"{choice.name}.safetensors")
    assert (s.config["fairness"], s.config["ipc"], s.config["seed"]) == ("fairdd", 1, 3)
    data = s.config["dataset"]
    assert (data["gap"], data["br"], data["seed"]) == (2, 0.8, 3)


def test_a_bias_ratio_below_the_balance_of_other_groups_is_raised():
    choice = Choice(br=0.3)
    assert choice.with_(gap=1).br == 0.5
    assert choice.with_(gap=1).with_(gap=None).br == 0.5
    assert choice.balance == 0.1


def test_the_data_set_is_looked_up_once(monkeypatch):
    asked = []

    class Counted(dict):
        def __getitem__(self, name):
            asked.append(name)
            return CATALOGUE[name]

    monkeypatch.setattr("fddkit.workbench.choice.CATALOGUE", Counted())
    choice = Choice("cmnist-fg", br=None)
    assert (choice.groups, choice.natural, choice.balance) == (10, False, 0.1)
    assert choice.name in choice.command()
    assert asked == ["cmnist-fg"]
    sent = pickle.loads(pickle.dumps(choice))
    assert sent == choice
    assert "entry" not in vars(sent)  # an entry of a file cannot be sent to a worker


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"dataset": "digit"}, "digits"),
        ({"gap": 5}, "GAP level"),
        ({"br": 0.05}, "equal groups"),
        ({"br": 1.1}, "a single group"),
        ({"ipc": 0}, "at least 1"),
        ({"method": "dmm"}, "dm"),
        ({"method": "mtt", "fairness": "fairdd"}, "mtt"),
        ({"fairness": "cobar"}, "cobra"),
        ({"sampling": "groups"}, "group"),
    ],
)
def test_mistakes_are_told(values, said):
    with pytest.raises(FddkitError, match=said):
        Choice(**values)


def test_every_cell_of_the_matrix_can_be_chosen():
    for method, distiller in METHODS.items():
        for rule in RULES:
            if not distiller.lacks(RULES[rule]):
                assert rule in Choice(method=method, fairness=rule).title
    for name, entry in BASELINES.items():
        choice = Choice(method=name)
        assert choice.baseline
        assert choice.sized == entry.sized == ("IPC 10" in choice.title)
