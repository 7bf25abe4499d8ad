"""Signed homes: what nobody trusted has signed is not read, however plausible it is."""

import json
import re
from hashlib import sha256

import pytest

from diamond_pricing.cli import main
from diamond_pricing.errors import RegistryError
from diamond_pricing.registry import LocalStore, Registry
from diamond_pricing.registry.signing import KEY, TRUSTED, Signing, beside, new_key, read_model

SAID = {"at": "2026-01-01T00:00:00Z", "by": "test", "reason": "a test"}


@pytest.fixture
def keys(tmp_path, monkeypatch):
    """A private key, its public one, and those of a stranger; neither configured yet."""
    for name in ("own", "strange"):
        (tmp_path / f"{name}.pub").write_text(new_key(tmp_path / f"{name}.pem"))
    monkeypatch.delenv(KEY, raising=False)
    monkeypatch.delenv(TRUSTED, raising=False)

    def configure(key="", trusted=""):
        for variable, file in ((KEY, key), (TRUSTED, trusted)):
            if file:
                monkeypatch.setenv(variable, str(tmp_path / file))
            else:
                monkeypatch.delenv(variable, raising=False)

    return configure


def with_another_coefficient(model):
    """The document with one coefficient a little larger, and the hash made right again."""
    text = model.to_json()
    body = "{" + re.match(r'\{"sha256":"[0-9a-f]{64}",(.*)', text, re.DOTALL)[1]
    found = re.search(r'"coefficients":\[(-?[0-9.e-]+)', body)
    changed = body[: found.start(1)] + repr(float(found[1]) + 0.05) + body[found.end(1) :]
    digest = sha256(changed.encode()).hexdigest()
    return digest, f'{{"sha256":"{digest}",{changed[1:]}'


def test_what_a_signed_home_holds_is_read_with_the_public_key_alone(tmp_path, keys, loglinear):
    keys(key="own.pem")
    home = Registry(LocalStore(tmp_path / "home"))
    home.promote(home.add(loglinear), **SAID)
    keys(trusted="own.pub")
    reader = Registry(LocalStore(tmp_path / "home"))
    assert reader.active().sha256 == loglinear.sha256
    assert reader.verify() == []
    with pytest.raises(RegistryError, match="every entry is signed here"):
        reader.promote(loglinear.sha256, **SAID)
    assert len(reader.entries()) == 1


def test_a_plausible_edit_is_refused_by_its_hash_and_with_a_right_hash_by_its_signature(
    tmp_path, keys, loglinear
):
    digest, forged = with_another_coefficient(loglinear)
    home = Registry(LocalStore(tmp_path / "home"))
    home.promote(home.add(loglinear), **SAID)
    # Under its old hash the edit is seen by anybody.
    place = tmp_path / "home" / "models"
    (place / f"{loglinear.sha256}.json").write_text(forged.replace(digest, loglinear.sha256, 1))
    with pytest.raises(RegistryError, match="does not agree with its sha256"):
        home.active()
    (place / f"{loglinear.sha256}.json").write_text(loglinear.to_json())
    # With the hash, the file's name and the log made right only a signature tells.
    (place / f"{digest}.json").write_text(forged)
    home.promote(digest, **SAID)
    assert home.active().sha256 == digest
    keys(key="own.pem")
    signed = Registry(LocalStore(tmp_path / "home"))
    with pytest.raises(RegistryError, match=r"entry .* is not signed"):
        signed.active()
    with pytest.raises(RegistryError, match=r"model .* is not signed"):
        signed.model(digest)


@pytest.mark.parametrize("by", ["nobody", "a stranger", "the wrong thing", "half a signature"])
def test_an_entry_that_nobody_trusted_signed_is_not_followed(
    tmp_path, keys, loglinear, gam, by
):
    keys(key="own.pem")
    home = Registry(LocalStore(tmp_path / "home"))
    for model in (loglinear, gam):
        home.promote(home.add(model), **SAID)
    keys(key="strange.pem" if by == "a stranger" else "")
    intruder = Registry(LocalStore(tmp_path / "home"), Signing())
    if by == "a stranger":
        intruder.signing = Signing.configured()
        intruder.sign()
    # Both models are signed: to go back to the old one needs a signature of its own.
    intruder.promote(loglinear.sha256, **SAID)
    entry = sha256(json.dumps(0).encode()).hexdigest()
    folder = tmp_path / "home" / "signatures"
    if by in ("the wrong thing", "half a signature"):
        entry = json.loads((tmp_path / "home/log/00000003.json").read_text())["sha256"]
        good = next(folder.glob(f"{loglinear.sha256}.*")).read_bytes()
        (folder / f"{entry}.{Signing.configured().name or 'x'}").write_bytes(
            good if by == "the wrong thing" else good[:40]
        )
    keys(trusted="own.pub")
    reader = Registry(LocalStore(tmp_path / "home"))
    told = "not signed" if by == "nobody" else "signed by no key that is trusted"
    for look in (reader.active, reader.last, reader.entries):
        with pytest.raises(RegistryError, match=told):
            look()
    assert any(told in fault for fault in reader.verify())


def test_every_flipped_bit_of_a_signature_is_noticed(tmp_path, keys, loglinear):
    keys(key="own.pem")
    signing = Signing.configured()
    good = signing.sign("model", loglinear.sha256)
    signing.check("model", loglinear.sha256, [good])
    for i in range(len(good) - 1):
        for bit in (1, 4, 64):
            bad = bytearray(good)
            bad[i] ^= bit
            with pytest.raises(RegistryError):
                signing.check("model", loglinear.sha256, [bytes(bad)])


def test_a_damaged_signature_is_named_where_it_is_signed_again(tmp_path, keys, loglinear):
    keys(key="own.pem")
    registry = Registry(LocalStore(tmp_path / "home"))
    registry.add(loglinear)
    (file,) = (tmp_path / "home" / "signatures").iterdir()
    whole = file.read_bytes()
    file.write_bytes(b"")
    with pytest.raises(RegistryError, match=f"{file.name} is damaged; remove it"):
        registry.sign()
    file.unlink()
    assert registry.sign() == 1
    assert file.read_bytes() == whole


def test_keys_are_exchanged_without_a_moment_in_which_nothing_is_read(
    tmp_path, keys, loglinear, capsys
):
    home = str(tmp_path / "home")
    said = ["--home", home, "--reason", "a test"]
    (tmp_path / "model.json").write_text(loglinear.to_json())
    assert main(["registry", "promote", str(tmp_path / "model.json"), *said]) == 0
    for key in ("own", "strange"):  # the second is the newer key
        keys(key=f"{key}.pem")
        assert main(["registry", "verify", "--home", home]) == 2
        assert "registry sign" in capsys.readouterr().err
        assert main(["registry", "sign", "--home", home]) == 0
        assert main(["registry", "verify", "--home", home]) == 0
    both = (tmp_path / "own.pub").read_text() + (tmp_path / "strange.pub").read_text()
    (tmp_path / "both.pub").write_text(both)
    for trusted in ("own.pub", "both.pub", "strange.pub"):
        keys(trusted=trusted)
        assert main(["registry", "list", "--home", home]) == 0


def test_a_document_by_itself_needs_a_signature_beside_it(tmp_path, keys, loglinear, capsys):
    file = tmp_path / "model.json"
    file.write_text(loglinear.to_json())
    words = ["explain", "--carat", "1", "--cut", "Ideal", "--color", "E", "--clarity", "VS1"]
    assert main([*words, "--model", str(file)]) == 0
    keys(key="own.pem")
    assert main([*words, "--model", str(file)]) == 2
    assert f"{file}: model {loglinear.sha256[:12]} is not signed" in capsys.readouterr().err
    assert (
        main(["registry", "promote", str(file), "--home", str(tmp_path), "--reason", "x"]) == 2
    )
    assert main(["registry", "sign", str(file)]) == 0
    assert main([*words, "--model", str(file)]) == 0
    keys(trusted="strange.pub")
    with pytest.raises(RegistryError, match="signed by no key that is trusted"):
        read_model(file)
    assert beside(file).name == "model.json.sig"


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN PUBLIC KEY-----\nAAAA"])
def test_a_key_that_is_none_is_told_with_its_file_and_nothing_is_read(
    tmp_path, keys, content, capsys
):
    (tmp_path / "bad.pem").write_bytes(content)
    for configured in ({"key": "bad.pem"}, {"trusted": "bad.pem"}, {"trusted": "absent.pem"}):
        keys(**configured)
        with pytest.raises(RegistryError, match=r"bad\.pem|absent\.pem"):
            Registry(LocalStore(tmp_path / "home"))
    (tmp_path / "bad.pem").chmod(0o600)
    (tmp_path / "own.pub").chmod(0o600)
    keys(key="own.pub")
    with pytest.raises(RegistryError, match="no private key without a pass phrase"):
        Signing.configured()
    keys(trusted="own.pem")
    with pytest.raises(RegistryError):
        Signing.configured()


def test_a_new_key_is_for_its_owner_alone_and_takes_no_files_place(tmp_path, capsys):
    file = tmp_path / "k.pem"
    assert main(["registry", "keygen", str(file)]) == 0
    assert capsys.readouterr().out.startswith("-----BEGIN PUBLIC KEY-----")
    assert file.stat().st_mode & 0o777 == 0o600
    assert main(["registry", "keygen", str(file)]) == 2


def test_a_private_key_that_others_can_read_is_not_used(tmp_path, keys):
    keys(key="own.pem")
    for mode in (0o640, 0o604, 0o622):
        (tmp_path / "own.pem").chmod(mode)
        with pytest.raises(RegistryError, match="chmod 600"):
            Signing.configured()
    (tmp_path / "own.pem").chmod(0o400)
    assert Signing.configured().wanted


def test_a_variable_that_is_set_to_nothing_is_no_way_to_trust_everybody(monkeypatch):
    for variable in (KEY, TRUSTED):
        monkeypatch.setenv(variable, "")
        with pytest.raises(RegistryError, match="set to nothing"):
            Signing.configured()
        monkeypatch.delenv(variable)
