import pytest

from fddkit.core.errors import FddkitError
from fddkit.core.numbers import is_whole, whole


@pytest.mark.parametrize(
    ("value", "least", "good"),
    [(1, 1, True), (0, 1, False), (0, 0, True), (True, 1, False), (2.0, 1, False), ("2", 1, False)],
)
def test_what_is_a_whole_number(value, least, good):
    assert is_whole(value, least) is good


def test_the_sentence_names_what_was_given():
    whole("k", 3)
    with pytest.raises(FddkitError, match=r"^k=0 is not a positive integer; give at least 1$"):
        whole("k", 0)
    with pytest.raises(FddkitError, match=r"^k=1.5 is not an integer of at least 2; give at least"):
        whole("k", 1.5, least=2)
