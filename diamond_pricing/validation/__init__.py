"""How far a model can be trusted: splits, scores, baselines, cross-validation, evidence."""

from diamond_pricing.validation.baselines import BASELINES
from diamond_pricing.validation.comparables import Comparable, Comparables, Evidence
from diamond_pricing.validation.concurvity import concurvity
from diamond_pricing.validation.cross_validation import (
    BANDS,
    Evaluation,
    Predictions,
    cross_validate,
    grouped_folds,
)
from diamond_pricing.validation.mispricing import Mispricing, mispriced
from diamond_pricing.validation.noise_floor import NoiseFloor, noise_floor
from diamond_pricing.validation.ratio_study import RatioStudy, ratio_study
from diamond_pricing.validation.scores import Scores, scores

__all__ = [
    "BANDS",
    "BASELINES",
    "Comparable",
    "Comparables",
    "Evaluation",
    "Evidence",
    "Mispricing",
    "NoiseFloor",
    "Predictions",
    "RatioStudy",
    "Scores",
    "concurvity",
    "cross_validate",
    "grouped_folds",
    "mispriced",
    "noise_floor",
    "ratio_study",
    "scores",
]
