"""The scheduled decision: take new sales in, refit, judge, and promote or keep."""

from diamond_pricing.refit.gates import Gates
from diamond_pricing.refit.judgement import Decision, Evaluation, Finding, judge
from diamond_pricing.refit.run import Outcome, refit

__all__ = ["Decision", "Evaluation", "Finding", "Gates", "Outcome", "judge", "refit"]
