"""Reports: `.qmd` sources, prose and cells that each call one exhibit, rendered to pages."""

from diamond_pricing.reporting.inputs import Inputs, samples
from diamond_pricing.reporting.refits import Refit
from diamond_pricing.reporting.render import FORMATS, Rendered, render
from diamond_pricing.reporting.source import REPORTS, Cell, Source, read_source

__all__ = [
    "FORMATS",
    "REPORTS",
    "Cell",
    "Inputs",
    "Refit",
    "Rendered",
    "Source",
    "read_source",
    "render",
    "samples",
]
