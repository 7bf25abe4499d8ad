"""Prices where the stones are: of files of any size, and as SQL."""

from diamond_pricing.warehouse.scoring.score import Scored, score
from diamond_pricing.warehouse.scoring.script import DIALECTS, sql

__all__ = ["DIALECTS", "Scored", "score", "sql"]
