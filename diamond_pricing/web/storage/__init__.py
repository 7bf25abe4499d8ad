"""What a server remembers: tenants, keys, quotes, usage, and who did what.

SQLite in WAL mode or PostgreSQL, through SQLAlchemy's Core. What is told to be stored has
been flushed to the disk.
"""

from diamond_pricing.web.storage.audit import audit_faults, audited, write_audit
from diamond_pricing.web.storage.database import Database
from diamond_pricing.web.storage.keys import Caller, Keys, create_key, revoke_key
from diamond_pricing.web.storage.ledger import Ledger, NewQuote, Receipt, Spend, StoredQuote

__all__ = [
    "Caller",
    "Database",
    "Keys",
    "Ledger",
    "NewQuote",
    "Receipt",
    "Spend",
    "StoredQuote",
    "audit_faults",
    "audited",
    "create_key",
    "revoke_key",
    "write_audit",
]
