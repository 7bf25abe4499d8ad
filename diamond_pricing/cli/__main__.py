"""``python -m diamond_pricing.cli``."""

import sys

from diamond_pricing.cli import main

sys.exit(main())
