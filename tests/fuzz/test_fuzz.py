"""Whatever comes from outside, a parser answers with what it promises, soon, and no other error.

``python -m tests.fuzz.run`` looks much further, along the branches of our code.
FUZZ_CASES is the number of inputs that each target is given here instead of its own.
"""

import os
import random
from itertools import islice

import pytest

from diamond_pricing.errors import SourceError
from tests.fuzz.mutations import spoiled
from tests.fuzz.regressions import CRASHED, LONG, MISREAD
from tests.fuzz.targets import TARGETS

CASES = int(os.environ.get("FUZZ_CASES", "0"))

pytestmark = pytest.mark.filterwarnings("ignore")  # a hostile document may overflow


def inputs(name: str):
    """Spoiled seeds, the same ones in every run."""
    target, rng = TARGETS[name], random.Random(name)
    seeds = tuple(target.seeds())
    while True:
        seed = rng.choice(seeds)
        if target.mutate is not None and rng.random() < 0.6:
            yield target.mutate(seed, rng)
        else:
            yield spoiled(seed, rng, seeds)


@pytest.mark.parametrize("name", TARGETS)
def test_spoiled_inputs_are_read_or_refused(name):
    target = TARGETS[name]
    target.warm()
    read = sum(not target.feed(seed) for seed in target.seeds())
    assert read, "no seed of this target is sound, so that little of it is tried"
    for data in islice(inputs(name), CASES or target.cases):
        try:
            target.feed(data)
        except Exception as error:
            raise AssertionError(f"{name} does not stand {data!r}") from error


@pytest.mark.parametrize(("name", "data"), CRASHED)
def test_what_once_crashed_is_read_or_refused(name, data):
    TARGETS[name].warm()
    TARGETS[name].feed(data)


@pytest.mark.parametrize(("name", "data"), MISREAD)
def test_what_says_what_cannot_be_is_refused(name, data):
    assert TARGETS[name].feed(data)


def test_a_source_with_an_endless_number_is_refused_for_that():
    with pytest.raises(SourceError, match="digits"):
        TARGETS["source"].run(b"offset = " + LONG)
