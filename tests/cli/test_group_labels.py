"""The options of imperfect group labels, on the command line."""

import argparse

import pytest

import fddkit as fdd
from fddkit.cli import options

ONE = "--dataset digits --data-seed 1"


def read(text):
    one = argparse.ArgumentParser()
    options.add_data(one)
    return options.train(one.parse_args(text.split()))


def test_options_do_what_the_functions_do():
    train = fdd.load("digits", seed=1)[0]
    partly = fdd.known_groups(train, 0.25, seed=1)
    noisy = fdd.noisy_groups(train, 0.2, "wrong", seed=1)
    expected = {
        "": train,
        "--group-noise 0.2 --noise-kind wrong": noisy,
        "--known-groups 0.25": partly,
        "--known-groups 0.25 --recover-groups": fdd.recovered_groups(partly),
        "--known-groups 0": fdd.unknown_groups(train),
        "--group-noise 0.2 --noise-kind wrong --known-groups 0.25": fdd.known_groups(
            noisy, 0.25, seed=1
        ),
        "--proportions unbalanced": fdd.load("digits", seed=1, proportions="unbalanced")[0],
        "--proportions 9,8,7,6,5,4,3,2,1": fdd.load("digits", seed=1, proportions=range(9, 0, -1))[
            0
        ],
    }
    for text, data in expected.items():
        assert read(f"{ONE} {text}").fingerprint() == data.fingerprint(), text
    assert len({data.fingerprint() for data in expected.values()}) == len(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--group-noise 2", "share=2.0 is not a share"),
        ("--group-noise 0.1 --noise-kind bad", "'bad' is not a kind of group noise"),
        ("--known-groups -1", "share=-1.0 is not a share"),
        ("--known-groups 0 --recover-groups", "no group of digits is known"),
        ("--proportions unbalnced", "did you mean 'unbalanced'"),
        ("--proportions 1,2", "give 9 numbers"),
    ],
)
def test_mistakes_get_one_sentence(text, message):
    with pytest.raises(fdd.FddkitError, match=message):
        read(f"{ONE} {text}")
