"""The log of models: what it says is what happened, whoever writes and whatever breaks."""

import errno
import json
import multiprocessing
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from diamond_pricing.registry import (
    BusyError,
    ConflictError,
    LocalStore,
    Registry,
    RegistryError,
    open_store,
)
from tests.web.serving import command, free_port

SAID = {"at": "2026-01-01T00:00:00Z", "by": "test", "reason": "a test"}


@pytest.fixture
def registry(tmp_path):
    return Registry(LocalStore(tmp_path / "home"))


@pytest.fixture
def models(loglinear, gam):
    return [loglinear, gam]


def test_the_active_model_is_what_the_last_entry_says(registry, models):
    assert registry.active() is None
    first, second = (registry.add(model) for model in models)
    registry.promote(first[:8], **SAID)
    assert registry.active() == models[0]
    registry.promote(second, **SAID)
    assert registry.active() == models[1]
    registry.rollback(**SAID)
    assert registry.active() == models[0]
    registry.pin(second, **SAID)
    assert registry.active() == models[0]
    entries = registry.entries()
    assert [e.action for e in entries] == ["promote", "promote", "rollback", "pin"]
    assert [e.anchor for e in entries] == [first, first, first, second]
    assert registry.verify() == []


def test_going_back_again_goes_one_further_and_never_forward(registry, models, surfaces):
    first, second, third = (registry.add(model) for model in (*models[:2], surfaces))
    for name in (first, second, third):
        registry.promote(name, **SAID)
    assert registry.rollback(**SAID).active == second
    registry.pin(third, **SAID)
    assert registry.rollback(**SAID).active == first
    with pytest.raises(RegistryError, match="no earlier model"):
        registry.rollback(**SAID)
    registry.promote(third, **SAID)
    assert registry.rollback(**SAID).active == first


def test_going_back_needs_an_earlier_model(registry, models):
    registry.promote(registry.add(models[0]), **SAID)
    with pytest.raises(RegistryError, match="no earlier model"):
        registry.rollback(**SAID)


def test_adding_a_model_again_changes_nothing(registry, models):
    assert registry.add(models[0]) == registry.add(models[0])
    assert registry.models() == [models[0].sha256]


def test_a_decision_that_rests_on_an_old_entry_is_refused(registry, models):
    name = registry.add(models[0])
    registry.promote(name, **SAID)
    registry.promote(name, **SAID)
    with pytest.raises(ConflictError, match="gone on to entry 2"):
        registry.append("refit", after=1, **SAID)
    assert len(registry.entries()) == 2


@pytest.mark.parametrize("name", ["", "abc", "00000000", "../../etc/passwd"])
def test_an_unknown_model_is_named_in_the_error(registry, models, name):
    registry.add(models[0])
    with pytest.raises(RegistryError):
        registry.model(name)


def test_every_flipped_byte_of_the_log_is_noticed(registry, models):
    for model in models:
        registry.promote(registry.add(model), **SAID)
    for entry in sorted((registry.store.root / "log").iterdir()):
        whole = entry.read_bytes()
        for at in range(len(whole)):
            entry.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert registry.verify(), f"byte {at} of {entry.name}"
        entry.write_bytes(whole)
    assert registry.verify() == []


def test_flipped_bytes_of_the_active_model_are_noticed(registry, models):
    name = registry.add(models[0])
    registry.promote(name, **SAID)
    file = registry.store.root / "models" / f"{name}.json"
    whole = file.read_bytes()
    for at in range(0, len(whole), 29):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(RegistryError):
            registry.active()


def test_a_model_under_another_name_is_noticed(registry, models):
    first, second = (registry.add(model) for model in models)
    files = registry.store.root / "models"
    (files / f"{first}.json").write_bytes((files / f"{second}.json").read_bytes())
    with pytest.raises(RegistryError, match="another model"):
        registry.model(first)


def test_a_missing_or_exchanged_entry_is_noticed(registry, models):
    for model in [*models, *models]:
        registry.promote(registry.add(model), **SAID)
    log = registry.store.root / "log"
    (log / "00000002.json").rename(log / "aside")
    assert "missing" in registry.verify()[0] or "damaged" in registry.verify()[0]
    (log / "aside").rename(log / "00000002.json")
    assert registry.verify() == []
    # An entry that was made up whole, its own hash right, does not fit the one after it.
    other = Registry(LocalStore(registry.store.root.parent / "other"))
    for model in [*models[::-1], *models[::-1]]:
        other.promote(other.add(model), **SAID)
    forged = (other.store.root / "log" / "00000002.json").read_bytes()
    (log / "00000002.json").write_bytes(forged)
    assert "does not follow" in registry.verify()[0]


def _promote_often(home: str, name: str, times: int) -> None:
    registry = Registry(LocalStore(Path(home)))
    for _ in range(times):
        while True:
            try:
                registry.append("promote", active=name, **SAID)
                break
            except ConflictError:
                continue


@pytest.mark.parametrize("times", [int(os.environ.get("TORTURE_PROMOTIONS", "15"))])
def test_promotions_at_once_are_all_there_each_once(registry, models, times):
    name = registry.add(models[0])
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_promote_often, args=(str(registry.store.root), name, times))
        for _ in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 8
    assert [e.number for e in registry.entries()] == list(range(1, 8 * times + 1))
    assert registry.verify() == []


def test_a_second_writer_is_told_that_it_is_busy(tmp_path):
    first, second = LocalStore(tmp_path), LocalStore(tmp_path)
    with first.writing(wait=False), pytest.raises(BusyError), second.writing(wait=False):
        pass
    with second.writing(wait=False):
        pass


@pytest.mark.parametrize("call", range(6))
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_when_flushing_fails_the_old_model_stays(registry, models, monkeypatch, call, error):
    first, second = (registry.add(model) for model in models)
    registry.promote(first, **SAID)
    calls = iter(range(100))
    flush = os.fsync

    def failing(handle):
        if next(calls) == call:
            raise OSError(error, os.strerror(error))
        flush(handle)

    monkeypatch.setattr(os, "fsync", failing)
    try:
        registry.add(models[1])
        registry.promote(second, **SAID)
        failed = False
    except OSError:
        failed = True
    monkeypatch.undo()
    assert registry.verify() == []
    assert registry.active() == models[0 if failed else 1]
    assert failed == (next(calls) == call + 1), "the error was raised and not told"


def test_what_was_left_aside_is_swept_and_never_read(registry, models):
    name = registry.add(models[0])
    registry.promote(name, **SAID)
    left = registry.store.root / "log" / ".part-99-dead"
    left.write_bytes(b"half an en")
    assert registry.active() == models[0]
    with registry.store.writing(wait=False):
        assert not left.exists()


@pytest.mark.parametrize("key", ["../x", "/etc/x", "a/../../x", "", "a\0b", "a\\b"])
def test_no_key_leads_out_of_the_home(tmp_path, key):
    with pytest.raises(ValueError, match="not a path inside"):
        LocalStore(tmp_path / "home").put(key, b"x")


# ------------------------------------------------------------------------- URLs


@pytest.fixture(scope="session")
def s3():
    """A real S3-compatible server over loopback, ended with the session."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(100):
        try:
            urllib.request.urlopen(address, timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": address,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    request = urllib.request.Request(f"{address}/homes", method="PUT")
    urllib.request.urlopen(request, timeout=5).close()
    yield "s3://homes"
    server.terminate()
    server.wait(10)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("kind", ["memory", "s3", "local", "file"])
def test_a_home_behind_a_url_works_as_a_local_one(kind, request, models, tmp_path):
    where = {"memory": "memory://home"}.get(kind, f"{kind}://{tmp_path}/home")
    if kind == "s3":
        where = f"{request.getfixturevalue('s3')}/a/home"
    registry = Registry(open_store(where))
    assert registry.active() is None
    for model in models:
        registry.promote(registry.add(model), **SAID)
    assert registry.active() == models[1]
    assert not registry.store.put("log/00000002.json", b"other")
    with pytest.raises(ConflictError):
        registry.append("promote", after=1, active=models[0].sha256, **SAID)
    again = Registry(open_store(where))
    assert again.verify() == []
    assert [e.number for e in again.entries()] == [1, 2]


@pytest.mark.parametrize(
    ("where", "said"), [("s3://nowhere/home", "credentials"), ("odd://nowhere/home", "odd")]
)
def test_a_storage_that_lets_nobody_in_is_told_in_a_sentence(where, said, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment |= {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    asked = subprocess.run(
        command("registry", "list", "--home", where),
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (asked.returncode, "Traceback" in asked.stderr) == (2, False)
    assert where in asked.stderr
    assert said in asked.stderr


def test_the_log_reads_as_json(registry, models):
    registry.promote(registry.add(models[0]), **SAID)
    (entry,) = (registry.store.root / "log").iterdir()
    assert json.loads(entry.read_text())["entry"]["reason"] == "a test"
