"""Every error this library raises on purpose.

DiamondPricingError
├── StoneError                the stone cannot be what was written
│   ├── UnknownGradeError     a grade that does not exist
│   ├── ContradictionError    the measurements contradict each other
│   └── UnsupportedStoneError a real stone, but not one this model can price
├── ExpressionError           arithmetic over attributes that cannot be read
├── FitError                  the data cannot support the model asked for
│   └── NotCompilableError    a fit of another library that has no exact document
├── MoneyError                amounts that cannot be divided into cents
├── DocumentError             a model document that is damaged or not understood
├── TradeError                a list of attributes that says what cannot be
├── RejectedFileError         a file of sales that is refused whole
├── SourceError               a declared source that says what cannot be
├── GatesError                limits that cannot be read
├── RegistryError             a home is damaged, or has not what was asked for
│   └── ConflictError         somebody else wrote an entry first
├── BusyError                 another process is writing to the same home
├── ReportError               a report that cannot be made
├── ServiceError              a server, its keys or its settings: what is asked cannot be
│   └── StorageError          what a server remembers cannot be read or written
└── MissingExtraError         a part of the package that was not installed
"""

from collections.abc import Sequence


class DiamondPricingError(Exception):
    """Base of all the errors below: catch this to catch them all."""


class StoneError(DiamondPricingError, ValueError):
    """The stone cannot be what was written.

    Attributes
    ----------
    attribute : str
        The attribute at fault; empty when it is not a single one.
    given : object
        What was written.
    code : str
        Of `diamond_pricing.model.verdict`, where a model declined; else empty.
    nearest : object
        The nearest value that the model supports, if there is one.
    """

    def __init__(
        self,
        message: str,
        *,
        attribute: str = "",
        given: object = None,
        code: str = "",
        nearest: object = None,
    ) -> None:
        super().__init__(message)
        self.attribute, self.given = attribute, given
        self.code, self.nearest = code, nearest


class UnknownGradeError(StoneError):
    """A grade that does not exist.

    Attributes
    ----------
    allowed : tuple[str, ...]
        The grades that do, worst first.
    """

    def __init__(
        self,
        message: str,
        *,
        attribute: str,
        given: object,
        allowed: Sequence[str],
        nearest: object = None,
    ) -> None:
        super().__init__(message, attribute=attribute, given=given, nearest=nearest)
        self.allowed = tuple(allowed)


class ContradictionError(StoneError):
    """The measurements contradict each other, so that at least one of them is wrong."""


class UnsupportedStoneError(StoneError):
    """A real stone, but outside what this model has seen."""


class ExpressionError(DiamondPricingError, ValueError):
    """Arithmetic over attributes that cannot be read."""


class FitError(DiamondPricingError, ValueError):
    """The data cannot support the model asked for."""


class NotCompilableError(FitError):
    """A fit of another library that has no exact counterpart in a model document."""


class MoneyError(DiamondPricingError, ArithmeticError):
    """Amounts too large, or none, so that they cannot be divided into cents."""


class DocumentError(DiamondPricingError, ValueError):
    """A model document that is damaged or not understood."""


class TradeError(DiamondPricingError, ValueError):
    """A list of attributes that cannot be read, or says what cannot be."""


class RejectedFileError(DiamondPricingError):
    """A file of sales that is refused whole; the message is the reason."""


class SourceError(DiamondPricingError, ValueError):
    """A declared source that cannot be read, or that says what cannot be."""


class GatesError(DiamondPricingError, ValueError):
    """A file of limits that cannot be read."""


class RegistryError(DiamondPricingError):
    """A home is damaged, or has not what was asked for."""


class ConflictError(RegistryError):
    """Somebody else wrote an entry of the log first."""


class BusyError(DiamondPricingError):
    """Another process is writing to the same home."""


class ReportError(DiamondPricingError):
    """A report that cannot be made."""


class ServiceError(DiamondPricingError):
    """A server, its keys or its settings: what is asked cannot be."""


class StorageError(ServiceError):
    """What a server remembers cannot be read or written."""


class MissingExtraError(DiamondPricingError, ImportError):
    """A part of the package that was not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the extra {extra!r}: pip install 'diamond_pricing[{extra}]'."
        )
        self.extra = extra
