"""Where models live: documents named by their content, and a log of what is active.

The log is numbered and chained. `Registry` is all that most code needs; `open_store` turns a
path or a URL into its storage.
"""

from diamond_pricing.errors import BusyError, ConflictError, RegistryError
from diamond_pricing.registry.registry import Entry, Registry, activations, published
from diamond_pricing.registry.store import LocalStore, Store, open_store

__all__ = [
    "BusyError",
    "ConflictError",
    "Entry",
    "LocalStore",
    "Registry",
    "RegistryError",
    "Store",
    "activations",
    "open_store",
    "published",
]
