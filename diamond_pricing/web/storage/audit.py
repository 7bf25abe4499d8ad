"""Who did what: a log that only grows.

Each entry is sealed with the one before and the secret of the server, so that whoever can
write to the database but has not the secret can neither change nor forge one.
"""

import hashlib
import hmac
import time
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, text

from diamond_pricing.errors import ServiceError
from diamond_pricing.web.storage.quota import quota_of
from diamond_pricing.web.storage.tables import audit, keys, tenants


def stamp(seconds: float | None = None) -> str:
    """A moment as the tables hold it; by default now."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def write_audit(
    connection: Connection, secret: bytes, actor: str, action: str, subject: str, **details: Any
) -> None:
    """Add an entry within a transaction that writes."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE audit IN EXCLUSIVE MODE"))
    latest = select(audit.c.number, audit.c.sha256).order_by(audit.c.number.desc()).limit(1)
    last = connection.execute(latest).first()
    entry = {
        "number": 1 + (last.number if last else 0),
        "at": stamp(),
        "actor": actor,
        "action": action,
        "subject": subject,
        "details": msgspec.json.encode(details, order="deterministic").decode(),
    }
    previous = last.sha256 if last else ""
    connection.execute(insert(audit).values(**entry, sha256=_sealed(secret, previous, entry)))


def audited(connection: Connection, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
    """Entries in their order."""
    wanted = select(audit).where(audit.c.number > after).order_by(audit.c.number).limit(limit)
    return [row._asdict() for row in connection.execute(wanted)]


def newest(connection: Connection) -> int:
    """Number of the last entry; 0 for none."""
    return connection.execute(select(func.max(audit.c.number))).scalar() or 0


def audit_faults(connection: Connection, secret: bytes) -> list[str]:
    """Check the chain, and that every key has its entries; give what is wrong, in words."""
    wrong, previous, expected = [], "", 1
    told: dict[tuple[str, str], dict[str, Any]] = {}
    quotas: dict[str, str] = {}
    for row in connection.execute(select(audit).order_by(audit.c.number)):
        entry = row._asdict()
        found = entry.pop("sha256")
        if entry["number"] != expected:
            wrong.append(f"entry {expected} of the audit log is missing.")
            expected = entry["number"]
        # Nobody who asks learns how long this takes.
        # nosemgrep: secrets-are-compared-in-constant-time
        elif _sealed(secret, previous, entry) != found:
            wrong.append(f"entry {expected} of the audit log was changed.")
        previous, expected = found, expected + 1
        details = _details(entry["details"])
        told[entry["action"], entry["subject"]] = details
        if details.get("quota"):
            quotas[str(details.get("tenant"))] = details["quota"]
    for row in connection.execute(select(keys).order_by(keys.c.id)):
        for action, is_so in (("key created", True), ("key revoked", row.revoked)):
            if is_so and (action, row.id) not in told:
                wrong.append(f"the audit log does not say '{action}' of {row.id}.")
        if ("key revoked", row.id) in told and not row.revoked:
            wrong.append(f"key {row.id} was revoked, but does not stand so any more.")
        made = told.get(("key created", row.id), {})
        now = {
            "tenant": row.tenant,
            "scopes": row.scopes.split(","),
            "expires": row.expires,
            "origins": row.origins.split(),
        }
        for name, value in now.items():
            if made and (made.get(name) or None) != (value or None):
                wrong.append(f"{name} of key {row.id} is not what it was made with.")
    for row in connection.execute(select(tenants).order_by(tenants.c.name)):
        if (row.quota, row.seconds) != _quota(quotas.get(row.name)):
            wrong.append(f"the audit log says another quota of {row.name}.")
    return wrong


def _details(text: Any) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, TypeError):
        return {}  # its seal is broken too


def _quota(text: str | None) -> tuple[int | None, int | None]:
    try:
        return (None, None) if text is None else quota_of(text)
    except ServiceError:
        return None, None  # its seal is broken too


def _sealed(secret: bytes, previous: str, entry: dict[str, Any]) -> str:
    body = msgspec.json.encode([previous, entry], order="deterministic")
    return hmac.new(secret, b"audit " + body, hashlib.sha256).hexdigest()
