"""A call that opens, writes, flushes or renames fails: an error is told, nothing is half done.

The disk is full (ENOSPC) or broken (EIO), no more files may be open (EMFILE), the file system
has become read-only (EROFS) or a permission is gone (EACCES). TORTURE_CALLS sets how many
calls of each scenario are tried; `make torture` tries them all, with every error.
"""

import errno
import os
import shutil
import signal

import numpy as np
import pytest

from tests.faults.killing import CAN_FAIL_CALLS, FORESEEN, failing_at
from tests.faults.scenarios import names

CALLS = int(os.environ.get("TORTURE_CALLS", "8"))
ERRORS = (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EROFS, errno.EACCES)

pytestmark = pytest.mark.skipif(not CAN_FAIL_CALLS, reason="knows registers of x86-64 alone")


@pytest.mark.parametrize("scene", names(), indirect=True)
def test_a_call_that_fails_is_told_and_leaves_what_was(scene, tmp_path, request):
    place = tmp_path / "place"

    def failing(call, error):
        shutil.rmtree(place, ignore_errors=True)
        scene.prepare(place)
        end = failing_at(call, error, lambda tell: scene.work(place, tell))
        where = f"{errno.errorcode[error]} at call {call}, told {end.told}"
        assert end.code in (0, FORESEEN), f"{where}: exit code {end.code}"
        try:
            scene.check(place, end.told)
        except Exception as broken:
            raise AssertionError(where) from broken
        return end

    calls = failing(0, errno.EIO).passed
    points = range(1, calls + 1)
    if calls > CALLS:
        points = np.unique(np.linspace(1, calls, CALLS).astype(int)).tolist()
    ends = []
    for i, call in enumerate(points):
        for error in ERRORS if calls <= CALLS else ERRORS[i % 5 : i % 5 + 1]:
            ends.append(failing(call, error))
    refused = sum(end.code == FORESEEN for end in ends)
    print(f"{request.node.callspec.id}: {len(ends)} failures of {calls} calls, {refused} told")
    assert refused


def test_a_signal_reaches_a_child_that_is_watched():
    def work(tell):
        tell("begun")
        os.kill(os.getpid(), signal.SIGTERM)
        tell("went on")

    end = failing_at(0, 0, work)
    assert (end.code, end.told) == (-signal.SIGTERM, ["begun"])
