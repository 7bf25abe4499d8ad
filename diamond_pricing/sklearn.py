"""A price model as an estimator of scikit-learn.

from sklearn.model_selection import GroupKFold, cross_val_score
from diamond_pricing.sklearn import PriceRegressor

cross_val_score(PriceRegressor(), stones, prices, cv=GroupKFold(5), groups=stone_ids)
"""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from diamond_pricing.arrays import Flags, Vector
from diamond_pricing.errors import MissingExtraError
from diamond_pricing.fitting import fit
from diamond_pricing.fitting.fit import DEFAULT
from diamond_pricing.model.price_model import nearest_priced
from diamond_pricing.stones import Stones

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise MissingExtraError("PriceRegressor", "sklearn") from error

if TYPE_CHECKING:
    import pandas as pd


UNSUPPORTED = ("nan", "nearest", "raise")


class PriceRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predict prices of stones; the fitted `PriceModel` is in ``model_``.

    Parameters
    ----------
    family : str
        As for `diamond_pricing.fitting.fit`.
    attributes : list[str], optional
        Columns that are read; default all. A column left out is a term left out.
    listing : str
        On which price list stones are priced: ``recorded``, as each stands, or ``blend``.
    unsupported : str
        ``nan``: a stone that the model declines is NaN. ``nearest``: it has the price of the
        nearest stone that the sales support, so that scores of folds exist. ``raise``: it is
        an error.
    terms, formula, trade, currency, effective
        As for `diamond_pricing.fitting.fit`.

    Attributes
    ----------
    model_ : PriceModel
    feature_names_in_ : ndarray of str
        Columns of the frame that it was fitted to.
    n_features_in_ : int
    """

    def __init__(
        self,
        family: str = DEFAULT,
        *,
        attributes: list[str] | None = None,
        listing: Literal["recorded", "blend"] = "recorded",
        unsupported: Literal["nan", "nearest", "raise"] = "nearest",
        terms: Any = None,
        formula: str | None = None,
        trade: Any = None,
        currency: str | None = None,
        effective: str | None = None,
    ) -> None:
        self.family = family
        self.attributes = attributes
        self.listing = listing
        self.unsupported = unsupported
        self.terms = terms
        self.formula = formula
        self.trade = trade
        self.currency = currency
        self.effective = effective

    def fit(
        self, X: "pd.DataFrame", y: Any, sample_weight: Any = None, groups: Any = None
    ) -> "PriceRegressor":
        """Fit to n stones and their prices.

        Parameters
        ----------
        X : DataFrame
            carat, color, clarity, cut and what else is known, as for `diamond_pricing.fit`.
        y : array-like
            Prices, shape (n,).
        sample_weight, groups : array-like, optional
            ``weights`` and ``groups`` of `diamond_pricing.fitting.fit`.

        Raises
        ------
        FitError, StoneError
        """
        if not hasattr(X, "columns"):
            raise TypeError(
                "PriceRegressor reads a data frame whose columns say what they are, not "
                f"{type(X).__name__}."
            )
        if self.unsupported not in UNSUPPORTED:
            raise ValueError(
                f"unsupported must be one of {', '.join(UNSUPPORTED)}, "
                f"not {self.unsupported!r}."
            )
        sales = self._read(X).assign(price=np.asarray(y, np.float64))
        self.model_ = fit(
            sales.reset_index(drop=True),
            self.family,
            currency=self.currency,
            effective=self.effective,
            trade=self.trade,
            terms=self.terms,
            formula=self.formula,
            weights=sample_weight,
            groups=groups,
        )
        self.feature_names_in_ = np.asarray(X.columns, object)
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: "pd.DataFrame") -> Vector:
        """Prices of n stones, in the currency, shape (n,)."""
        stones, known = self._priced(X)
        price = np.full(len(known), np.nan)
        if known.any():
            price[known] = self.model_.price(stones.take(known), listing=self.listing)
        return price

    def explain(self, X: "pd.DataFrame") -> "pd.DataFrame":
        """What each line adds to the price of n stones, dollars that sum to it.

        Returns
        -------
        DataFrame
            A column for the reference stone and for each line; of a stone that is declined as
            `predict` prices it.
        """
        import pandas as pd

        stones, known = self._priced(X)
        names = self.get_feature_names_out()
        cents = np.full((len(stones), len(names)), np.nan)
        if known.any():
            cents[known] = self.model_.itemise(stones.take(known), listing=self.listing)
        return pd.DataFrame(cents / 100, index=X.index, columns=names)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The lines of a price, the reference stone first."""
        check_is_fitted(self)
        return np.array(["reference", *self.model_.lines], object)

    def _read(self, X: "pd.DataFrame") -> "pd.DataFrame":
        wanted = X
        if self.attributes is not None:
            if lost := [name for name in self.attributes if name not in X.columns]:
                raise ValueError(f"attributes that are no columns: {', '.join(lost)}.")
            wanted = X[list(self.attributes)]
        return wanted.drop(columns=[c for c in ("price", "listing") if c in wanted.columns])

    def _priced(self, X: "pd.DataFrame") -> tuple[Stones, Flags]:
        """The stones that are priced for those asked about, and which of them are."""
        check_is_fitted(self)
        if lost := [name for name in self.feature_names_in_ if name not in X.columns]:
            raise ValueError(f"columns that it was fitted with are missing: {', '.join(lost)}.")
        stones = Stones.from_frame(self._read(X).reset_index(drop=True))
        if self.unsupported == "raise":
            self.model_.price(stones, listing=self.listing)
        known = self.model_.supports(stones)
        if self.unsupported != "nearest" or known.all():
            return stones, known
        every = [stones.stone(row) for row in range(len(stones))]
        for row in np.flatnonzero(~known).tolist():
            near = nearest_priced(self.model_, every[row])
            known[row] = near is not None
            every[row] = near or every[row]
        return Stones.of(every), known

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.target_tags.positive_only = True
        tags.no_validation = True
        return tags
