"""Signatures: who says that a model, or an entry of the log, is theirs.

A hash tells that a document is whole, a signature also who made it. Keys are Ed25519
(RFC 8032), in PEM files whose paths stand in the environment:

DIAMOND_PRICING_SIGNING_KEY
    The private key of whoever fits and promotes.
DIAMOND_PRICING_TRUSTED_KEYS
    Public keys, one behind the other: what is signed by one of them is read, all else is
    refused. The signing key's own is trusted as well.

With neither nothing is signed and everything is read. The keys are named outside of the home,
so that whoever can write to the home cannot say whom to trust.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from diamond_pricing.errors import DocumentError, MissingExtraError, RegistryError
from diamond_pricing.files import folder, put
from diamond_pricing.model import PriceModel
from diamond_pricing.model.document import LARGEST

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

T = TypeVar("T")
KEY = "DIAMOND_PRICING_SIGNING_KEY"
TRUSTED = "DIAMOND_PRICING_TRUSTED_KEYS"
MODEL, ENTRY = "model", "entry"
_MARK = b"-----BEGIN PUBLIC KEY-----"


class Signing:
    """What is signed with, and whose signatures count.

    Parameters
    ----------
    private : Ed25519PrivateKey or None
    trusted : iterable of Ed25519PublicKey
    """

    def __init__(
        self,
        private: "Ed25519PrivateKey | None" = None,
        trusted: "Iterable[Ed25519PublicKey]" = (),
    ) -> None:
        self._private = private
        own = [] if private is None else [private.public_key()]
        self._trusted = [*own, *trusted]

    @classmethod
    def configured(cls) -> "Signing":
        """As the environment says.

        Raises
        ------
        RegistryError
            When a file that it names holds no such key.
        MissingExtraError
            When keys are named and the extra ``sign`` is not installed.
        """
        for variable in (KEY, TRUSTED):
            if os.environ.get(variable) == "":
                raise RegistryError(f"{variable} is set to nothing; name a file or unset it.")
        return _configured(os.environ.get(KEY, ""), os.environ.get(TRUSTED, ""))

    @property
    def wanted(self) -> bool:
        """Whether signatures are asked for at all."""
        return bool(self._trusted)

    @property
    def name(self) -> str:
        """Short name of the signing key; empty without one."""
        if self._private is None:
            return ""
        public = self._private.public_key().public_bytes_raw()
        return hashlib.sha256(public).hexdigest()[:16]

    def sign(self, kind: str, sha256: str) -> bytes:
        """Sign a hash.

        Raises
        ------
        RegistryError
            When there is no private key.
        """
        if self._private is None:
            raise RegistryError(
                f"every {kind} is signed here: name the file of a key in {KEY}."
            )
        return _written(self._private.sign(_message(kind, sha256)))

    def check(self, kind: str, sha256: str, signatures: Iterable[bytes]) -> None:
        """Refuse what nobody who is trusted has signed.

        Raises
        ------
        RegistryError
        """
        if not self.wanted:
            return
        found = list(signatures)
        message = _message(kind, sha256)
        if not any(_by(key, text, message) for key in self._trusted for text in found):
            how = "is signed by no key that is trusted here" if found else "is not signed"
            raise RegistryError(f"{kind} {sha256[:12]} {how}.")


def read_model(path: Path) -> PriceModel:
    """Read a model document that lies by itself, its signature beside it.

    Errors name the file: DocumentError when it is no sound model document, RegistryError when
    signatures are asked for and it has none that is trusted.
    """
    with path.open("rb") as source:
        data = source.read(LARGEST + 1)
    try:
        model = PriceModel.from_json(data)
    except DocumentError as error:
        raise DocumentError(f"{path}: {error}") from error
    signing = Signing.configured()
    if signing.wanted:
        signatures = [beside(path).read_bytes()] if beside(path).is_file() else []
        try:
            signing.check(MODEL, model.sha256, signatures)
        except RegistryError as error:
            raise RegistryError(f"{path}: {error}") from error
    return model


def beside(path: Path) -> Path:
    """Where the signature of a document that lies by itself lies."""
    return path.with_name(f"{path.name}.sig")


def new_key(path: Path) -> str:
    """Make a private key, where there is no file yet; give the public one, PEM."""
    ed25519, serialization = _library()
    private = ed25519.Ed25519PrivateKey.generate()
    text = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    folder(path.absolute().parent)
    if not put(path, text, 0o600):
        raise RegistryError(f"{path} exists; name another file.")
    public: bytes = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public.decode()


@lru_cache(8)
def _configured(key: str, trusted: str) -> Signing:
    if not key and not trusted:
        return Signing()
    ed25519, serialization = _library()
    private, public = None, []
    if key:
        with suppress(OSError):  # reading it says why
            if sys.platform != "win32" and Path(key).stat().st_mode & 0o077:
                raise RegistryError(
                    f"{KEY}: {key} can be read or changed by others; chmod 600 it."
                )
        read = _loaded(KEY, key, lambda data: serialization.load_pem_private_key(data, None))
        if not isinstance(read[0], ed25519.Ed25519PrivateKey):
            raise RegistryError(f"{KEY}: {key} holds no private Ed25519 key.")
        private = read[0]
    if trusted:
        public = _loaded(TRUSTED, trusted, serialization.load_pem_public_key)
        if not all(isinstance(one, ed25519.Ed25519PublicKey) for one in public):
            raise RegistryError(f"{TRUSTED}: {trusted} holds a key that is not Ed25519.")
    return Signing(private, public)


def _loaded(variable: str, file: str, load: Callable[[bytes], T]) -> list[T]:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise RegistryError(f"{variable}: {file}: {error.strerror}.") from error
    parts = [_MARK + part for part in data.split(_MARK)[1:]] or [data]
    try:
        return [load(part) for part in parts]
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        which = "private key without a pass phrase" if variable == KEY else "public key"
        raise RegistryError(f"{variable}: {file} holds no {which} in PEM.") from error


def _message(kind: str, sha256: str) -> bytes:
    # The kind is signed too: a model's signature says nothing of an entry.
    return f"diamond_pricing {kind} {sha256}\n".encode()


def _by(key: "Ed25519PublicKey", text: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        signature = bytes.fromhex(text.decode())
        key.verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return text == _written(signature)


def _written(signature: bytes) -> bytes:
    return signature.hex().encode() + b"\n"


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise MissingExtraError("signatures", "sign") from error
    return ed25519, serialization
