"""Keys: random, shown once, kept as keyed hashes, compared in constant time."""

import hashlib
import hmac
import re
import secrets
import time
from calendar import timegm
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select, update

from diamond_pricing.errors import ServiceError
from diamond_pricing.web.storage.audit import newest, stamp, write_audit
from diamond_pricing.web.storage.database import Database, inserting
from diamond_pricing.web.storage.quota import quota_of
from diamond_pricing.web.storage.tables import keys, tenants

SCOPES = ("quote", "batch", "model", "admin")
PUBLISH = "publish"  # the scope of a key that stands in a page for all to read
ORIGIN = re.compile(
    r"https://[a-z0-9.-]+(:[0-9]{1,5})?|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?"
)
TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
TOKEN = re.compile(r"dp_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
OPEN = "local"  # the tenant of a server that has no keys
SESSION = 12 * 3600  # seconds that a signed-in browser stays so
_KEYS = select(keys, tenants.c.quota, tenants.c.seconds).join(
    tenants, keys.c.tenant == tenants.c.name
)


class Caller(msgspec.Struct, frozen=True):
    """Whoever a request is from."""

    tenant: str
    key: str = ""  # its id; empty on a server without keys
    scopes: frozenset[str] = frozenset(SCOPES)
    quota: int | None = None  # prices a window
    seconds: int | None = None  # length of the window
    origins: frozenset[str] = frozenset()  # of the pages whose scripts may use the key


class _Known(msgspec.Struct, frozen=True):
    hash: str
    expires: float
    caller: Caller


def create_key(
    database: Database,
    secret: bytes,
    tenant: str,
    scopes: list[str],
    *,
    by: str,
    quota: str | None = None,
    days: int | None = None,
    origins: Sequence[str] = (),
) -> str:
    """Make a key; what is given back is shown once and kept nowhere.

    Parameters
    ----------
    scopes : list[str]
        Some of ``SCOPES``, or ``publish`` alone: a key that stands in a page, prices and
        keeps nothing, and needs origins and a quota.
    origins : Sequence[str]
        Of the pages whose scripts may use it, as ``https://shop.example``.
    quota : str, optional
        Of the tenant, as ``1000/hour``; by default as it was, and none for a new one.
    days : int, optional
        Until it expires.

    Raises
    ------
    ServiceError
        For a name, scope or quota that is none.
    """
    if not TENANT.fullmatch(tenant):
        raise ServiceError(
            f"tenant {tenant[:60]!r} must be up to 40 small letters, digits and hyphens."
        )
    if tenant == OPEN:
        raise ServiceError(f"the name {OPEN!r} is that of a server without keys; use another.")
    public = scopes == [PUBLISH]
    if PUBLISH in scopes and not public:
        raise ServiceError(f"the scope {PUBLISH} goes with no other: make a key of its own.")
    if not scopes or (not public and (unknown := sorted(set(scopes) - set(SCOPES)))):
        raise ServiceError(
            f"scopes must be some of {', '.join(SCOPES)}, or {PUBLISH} alone"
            + (f", not {unknown[0]!r}." if scopes else ".")
        )
    if public and (quota is None or not origins):
        raise ServiceError(
            "a key with the scope publish is read by everyone: give it a tenant and a quota "
            "of its own, and the origins of the pages it stands in."
        )
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise ServiceError(
                f"origin {origin[:60]!r} must be like https://shop.example, without a path."
            )
    units, seconds = quota_of(quota) if quota is not None else (None, None)
    name, part = secrets.token_hex(6), secrets.token_urlsafe(32)
    scopes, origins = sorted(set(scopes)), sorted(set(origins))
    with database.writing() as connection:
        changed = {"quota": units, "seconds": seconds}
        fresh = inserting(connection, tenants).values(name=tenant, created=stamp(), **changed)
        if quota is None:
            fresh = fresh.on_conflict_do_nothing()
        else:
            fresh = fresh.on_conflict_do_update(index_elements=["name"], set_=changed)
        connection.execute(fresh)
        expires = None if days is None else stamp(time.time() + days * 86400)
        details = {"tenant": tenant, "scopes": scopes, "quota": quota, "expires": expires}
        connection.execute(
            keys.insert().values(
                id=name,
                tenant=tenant,
                hash=_hashed(secret, part),
                created=stamp(),
                scopes=",".join(scopes),
                expires=expires,
                origins=" ".join(origins),
            )
        )
        if origins:
            details["origins"] = origins
        write_audit(connection, secret, by, "key created", name, **details)
    return f"dp_{name}_{part}"


def revoke_key(database: Database, secret: bytes, name: str, *, by: str) -> None:
    """Make a key useless, for ever.

    Raises
    ------
    ServiceError
        When there is none of that id, or it has been revoked.
    """
    found = TOKEN.fullmatch(name)
    name = found[1] if found else name.removeprefix("dp_")
    with database.writing() as connection:
        changed = connection.execute(
            update(keys)
            .where(keys.c.id == name, keys.c.revoked.is_(None))
            .values(revoked=stamp())
        )
        if not changed.rowcount:
            raise ServiceError(f"there is no key {name[:20]!r} that could be revoked.")
        write_audit(connection, secret, by, "key revoked", name)


def listed_keys(database: Database) -> list[dict[str, str | int | None]]:
    """All keys without their hashes, oldest first."""
    with database.reading() as connection:
        found = connection.execute(_KEYS.order_by(keys.c.created, keys.c.id))
        return [{k: v for k, v in row._asdict().items() if k != "hash"} for row in found]


class Keys:
    """The keys in memory; `refresh` looks for changes, if the server stores anything."""

    def __init__(self, database: Database | None, secret: bytes) -> None:
        self.database, self.secret = database, secret
        self._known: dict[str, _Known] = {}
        self._seen = -1
        self.origins: frozenset[str] = frozenset()  # of all keys
        self.any = False  # whether there ever was one
        self._nobody = _hashed(secret, "")

    def refresh(self) -> None:
        """Read the keys again if anything changed."""
        if self.database is None:
            return
        with self.database.reading() as connection:
            at = newest(connection)
            if at == self._seen:
                return
            rows = connection.execute(_KEYS).all()
        self._known = {
            row.id: _Known(row.hash, _moment(row.expires), _caller(row))
            for row in rows
            if row.revoked is None
        }
        self.origins = frozenset().union(*(k.caller.origins for k in self._known.values()))
        self.any, self._seen = bool(rows), at

    def caller(self, token: str) -> Caller | None:
        """Who holds a key; None if nobody does."""
        found = TOKEN.fullmatch(token)
        known = self._known.get(found[1]) if found else None
        # An unknown key takes as long as a known one.
        same = hmac.compare_digest(
            _hashed(self.secret, found[2] if found else ""),
            known.hash if known else self._nobody,
        )
        if not same or known is None or known.expires < time.time():
            return None
        return known.caller

    def session(self, caller: Caller) -> str:
        """A cookie that stands for a key in a browser."""
        until = int(time.time()) + SESSION
        return f"{caller.key}.{until}.{self._signed(f'session {caller.key} {until}')}"

    def of_session(self, cookie: str) -> Caller | None:
        """Who a cookie stands for; None if for nobody any more."""
        name, _, rest = cookie.partition(".")
        until, _, signature = rest.partition(".")
        known = self._known.get(name)
        good = hmac.compare_digest(
            signature.encode(), self._signed(f"session {name} {until}").encode()
        )
        if not good or known is None or min(int(until), known.expires) < time.time():
            return None
        return known.caller

    def share(self, quote: str, revoked: int = 0) -> str:
        """What only we can have put into a link; links were ``revoked`` so many times."""
        return self._signed(f"share {quote} {revoked}" if revoked else f"share {quote}")[:32]

    def is_share(self, quote: str, signature: str, revoked: int = 0) -> bool:
        """Whether a link is one that we gave, and not revoked since."""
        return hmac.compare_digest(self.share(quote, revoked).encode(), signature.encode())

    def _signed(self, text: str) -> str:
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()


def _hashed(secret: bytes, part: str) -> str:
    return hmac.new(secret, b"key " + part.encode(), hashlib.sha256).hexdigest()


def _caller(row: Any) -> Caller:
    scopes, origins = frozenset(row.scopes.split(",")), frozenset(row.origins.split())
    return Caller(row.tenant, row.id, scopes, row.quota, row.seconds, origins)


def _moment(text: str | None) -> float:
    if text is None:
        return float("inf")
    return timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
