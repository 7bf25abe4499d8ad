"""A few seconds of the soak, so that it works when somebody lets it run for an hour."""

import os

from tests.faults.soak import soak

SECONDS = float(os.environ.get("SOAK_SECONDS", "8"))


def test_everything_at_once_goes_well(tmp_path):
    found = soak(tmp_path, SECONDS, refit_every=0)
    assert found["wrong"] == []
    assert found["log"] == []
    assert found["lost"] == 0
    assert found["quotes"] > 10
    files = [row[2] for row in found["seen"]]
    assert files[-1] < files[0] + 20
