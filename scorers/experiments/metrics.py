"""The metrics of an experiment, each a ratio of two sums over the units of an arm.

A unit's sums are all that an estimate needs: the arm's value is (sum of numerators) / (sum of denominators), and its
error comes from how units differ, so campaigns of one seller never count as independent (Deng, Knoblich and Lu 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

ONE = None
"""The denominator of a mean per exposed unit."""


@dataclass(frozen=True)
class Metric:
    """A metric as columns of the table of units (`scorers.experiments.units`)."""

    name: str
    title: str
    numerator: str
    denominator: str | None = ONE
    before: str | None = None
    """The numerator's like in the pre-period: the covariate of CUPED."""
    percent: bool = False
    """Whether values are shown as percentages."""


METRICS = {
    metric.name: metric
    for metric in (
        Metric("purchase_rate", "Campaigns with a purchase", "bought", "campaigns", "bought_before", percent=True),
        Metric("purchases_per_campaign", "Purchases a campaign", "purchases_existing", "campaigns", "purchases_before"),
        Metric("purchases_per_seller", "Purchases an exposed seller", "purchases", ONE, "purchases_before"),
        Metric("revenue", "Revenue an exposed seller", "revenue", ONE, "revenue_before"),
        Metric("revenue_winsorised", "The same, winsorised", "revenue_winsorised", ONE, "revenue_before"),
        Metric("campaigns_created", "Campaigns created an exposed seller", "created", ONE, "created_before"),
        Metric("clicks_per_seller", "Clicks through search an exposed seller", "clicks", ONE, "clicks_before"),
        Metric("conversion", "Purchases a click", "purchases", "clicks", percent=True),
        Metric("adoption", "Sellers who adopted a computed keyword", "used", ONE, percent=True),
    )
}

GUARDRAIL = METRICS["campaigns_created"]
NORTH_STAR = METRICS["revenue"]
NORTH_STAR_WINSORISED = METRICS["revenue_winsorised"]
BESIDE_PRIMARY = METRICS["purchases_per_seller"]
"""Suggestions create campaigns, so that a rate per campaign alone compares different populations."""
