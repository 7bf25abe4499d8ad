"""How many prices a tenant may ask in a window of time."""

import re

from diamond_pricing.errors import ServiceError

QUOTA = re.compile(r"([1-9][0-9]{0,11})/(second|minute|hour|day)")
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def quota_of(text: str) -> tuple[int, int]:
    """Read ``1000/hour``: prices, and seconds of a window."""
    found = QUOTA.fullmatch(text)
    if found is None:
        raise ServiceError(f"quota {text!r} is not like 1000/hour; second, minute, hour, day.")
    return int(found[1]), SECONDS[found[2]]
