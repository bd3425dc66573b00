"""Portfolio: the portfolios of least variance along a frontier of returns, from one matrix on the chip.

    minimise w^T C w / 2   with   1^T w = 1,  m^T w = r:      [ C  1  m ] [ w ]   [ 0 ]
                                                              [ 1' 0  0 ] [ a ] = [ 1 ]
                                                              [ m' 0  0 ] [ b ]   [ r ]

(Markowitz, J. Finance 7, 77 (1952); Merton, J. Financial Quantitative Anal. 7, 1851 (1972), for the closed form.) The
system is symmetric and indefinite. It does not depend on r: a whole frontier is as many right-hand sides of one matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.applications.application import (
    MATRICES,
    Application,
    ApplicationResult,
    Prepared,
    digital_solution,
    is_blank,
    name_of,
    record_rows,
    relative_error,
)
from mho.extensions.applications.input_data import real_matrix
from mho.instruments import Bench
from mho.procedures import IntegerParameter, Parameter, Stream
from mho.runs import Array, Column, Figure, Layout, Table

DAYS = 252  # trading days of a year


def conditions(covariance: Floats, means: Floats) -> Floats:
    """Return the matrix of the optimality conditions, (assets + 2, assets + 2); C and m scaled to entries of order 1.

    Raises `InputError`: all means are equal: then every portfolio has one return, and the last two rows are one.
    """
    if np.ptp(means) <= 1e-12 * np.abs(means).max():
        raise InputError(
            "all assets have the same mean return, so that none can be asked for; give assets that differ"
        )
    assets = len(means)
    matrix = np.zeros((assets + 2, assets + 2))
    matrix[:assets, :assets] = covariance / np.diag(covariance).mean()
    matrix[:assets, assets] = matrix[assets, :assets] = 1.0
    matrix[:assets, assets + 1] = matrix[assets + 1, :assets] = means / np.abs(means).max()
    return matrix


def right_sides(returns: Floats, means: Floats) -> Floats:
    """Return the right-hand sides of wanted returns, (assets + 2, count)."""
    sides = np.zeros((len(means) + 2, len(returns)))
    sides[-2] = 1.0
    sides[-1] = returns / np.abs(means).max()
    return sides


def variances(weights: Floats, covariance: Floats) -> Floats:
    """Return w^T C w of weights (assets, count)."""
    return np.asarray(np.einsum("ik,ij,jk->k", weights, covariance, weights))


def frontier(returns: Floats, covariance: Floats, means: Floats) -> Floats:
    """Return the least variance at each wanted return: (a r^2 - 2 b r + c) / d (Merton 1972, equation 9)."""
    ones = np.ones(len(means))
    with_ones, with_means = np.linalg.solve(covariance, np.stack((ones, means), axis=1)).T
    a, b, c = ones @ with_ones, ones @ with_means, means @ with_means
    return np.asarray((a * returns**2 - 2.0 * b * returns + c) / (a * c - b**2))


def made_market(assets: int, days: int, rng: np.random.Generator) -> Floats:
    """Return daily returns (days, assets) of a market with one factor that all follow, and noise of their own.

    Volatilities of a year from 12 to 40 %, sensitivities to the factor from 0.5 to 1.5, means in proportion to these.
    """
    sensitivity = rng.uniform(0.5, 1.5, assets)
    own = rng.uniform(0.12, 0.4, assets) / np.sqrt(DAYS)
    factor = rng.normal(0.0, 0.16 / np.sqrt(DAYS), days)
    drift = (0.03 + 0.08 * sensitivity + rng.normal(0.0, 0.02, assets)) / DAYS
    return np.asarray(drift + factor[:, None] * sensitivity + own * rng.standard_normal((days, assets)))


def moments(returns: Floats) -> tuple[Floats, Floats]:
    """Return covariance and means of daily returns (days, assets), of a year.

    Raises `InputError`: fewer than two assets, fewer days than assets and one more, or an asset that never moves.
    """
    days, assets = returns.shape
    if assets < 2:
        raise InputError(f"the returns have {assets} asset; a portfolio takes two or more, a column each")
    if days < assets + 2:
        raise InputError(
            f"the returns have {days} days of {assets} assets, and their covariance is singular; give "
            f"{assets + 2} days or more"
        )
    still = np.flatnonzero(np.ptp(returns, axis=0) == 0.0)
    if still.size:
        raise InputError(
            f"asset {still[0]}, counted from 0, never moves, and its variance is 0; leave it out"
        )
    return np.asarray(np.cov(returns.T) * DAYS), np.asarray(returns.mean(axis=0) * DAYS)


MOST_ASSETS = 1022

FRONTIER = Table(
    "frontier",
    (
        Column("volatility", description="standard deviation of a year's return"),
        Column("chip", description="wanted return of the portfolio"),
        Column("closed_form", description="return on the closed form's frontier"),
        Column("assets", description="mean return of each asset alone"),
    ),
)
WEIGHTS = Table(
    "weights",
    (Column("asset", dtype="u4"), Column("wanted", description="wanted return"), Column("weight")),
    series="asset",
)
FIGURES = (
    Figure("frontier", table="frontier", x="volatility", y=("closed_form", "chip", "assets"), kind="scatter",
           title="Return over volatility: frontier and assets"),
    Figure("weights", table="weights", x="wanted", y="weight", by="asset",
           title="Weights along the frontier"),
)  # fmt: skip


@dataclass(frozen=True)
class Market:
    """Covariance (assets, assets) and means (assets,) of a year's returns, and of how many days they are."""

    covariance: Floats
    means: Floats
    days: int


class Portfolio(Application[ApplicationResult]):
    """Find the portfolios of least variance for a range of wanted returns."""

    title: ClassVar[str] = "Portfolios of least variance"
    leading: ClassVar[tuple[str, ...]] = ("returns", "assets", "points", "bits")

    returns = Parameter("File of daily returns, a column an asset, else a made market")
    assets = IntegerParameter("Assets of a made market", minimum=2, maximum=MOST_ASSETS, default=12)
    days = IntegerParameter("Days of a made market", minimum=4, maximum=100_000, default=2520)
    points = IntegerParameter("Portfolios along the frontier", minimum=2, maximum=1000, default=24)

    def check(self) -> Market:
        """Read or make the returns."""
        super().check()
        if is_blank(self.returns):
            daily = made_market(self.assets, self.days, np.random.default_rng(int(self.seed)))
        else:
            daily = real_matrix(self.returns, "the returns are complex; give real numbers")
        if daily.shape[1] > MOST_ASSETS:
            raise InputError(
                f"the returns have {daily.shape[1]} assets, and {MOST_ASSETS} are the most: choose among them"
            )
        market = Market(*moments(daily), len(daily))
        conditions(market.covariance, market.means)
        return market

    def matrices(self, given: Market) -> tuple[Floats, ...]:
        """Return the matrix of the optimality conditions."""
        return (conditions(given.covariance, given.means),)

    def layout(self, plan: Prepared) -> Layout:
        """Declare frontier and weights."""
        arrays = (
            Array("covariance", plan.given.covariance, "", "of a year's returns"),
            Array("means", plan.given.means, "", "of a year's returns"),
        )
        return Layout((FRONTIER, WEIGHTS, MATRICES), arrays=arrays, default="frontier", figures=FIGURES)

    def run_title(self) -> str:
        """Return whose returns they are."""
        made = f"{self.assets} assets"
        return f"Portfolio, {made if is_blank(self.returns) else name_of(self.returns, made)}"

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> ApplicationResult:
        """Hold the optimality conditions, answer all wanted returns at once, compare."""
        market: Market = plan.given
        covariance, means = market.covariance, market.means
        targets = np.linspace(means.min(), means.max(), self.points)
        matrix, sides = conditions(covariance, means), right_sides(targets, means)
        with self.holding(plan, bench, stream) as chip:
            chip_matrix = chip.hold(matrix)
            answer = chip_matrix.solve(sides)
            chip.beside.digital["beside"] += market.days * len(means) * (len(means) + 1) // 2  # covariance
            costs, encoding = chip.costs(), chip_matrix.summary()["encoding"]
        short = int((~answer.converged).sum())
        self.say_short(stream, short, self.points, "portfolios", answer.reason)
        weights, exact = answer.solutions[:-2], digital_solution(matrix, sides)[:-2]
        spread, known = variances(weights, covariance), frontier(targets, covariance, means)
        _record(market, targets, weights, spread, known, stream)
        least = int(spread.argmin())
        return ApplicationResult.of({
            "assets": len(means), "condition": float(np.linalg.cond(matrix)), "converged": not short,
            "portfolios_short_of_bits": short, "cycles": int(answer.cycles.max()),
            "error_to_digital": relative_error(weights, exact),
            "error_to_closed_form": relative_error(spread, known),
            "digital_error_to_closed_form": relative_error(variances(exact, covariance), known),
            "least_volatility": float(np.sqrt(spread[least])),
            "return_of_least_volatility": float(targets[least]),
            "budget_error": float(np.abs(weights.sum(axis=0) - 1.0).max()), "encoding": encoding, **costs,
        })  # fmt: skip


def _record(
    market: Market, targets: Floats, weights: Floats, spread: Floats, known: Floats, stream: Stream
) -> None:
    curves = {
        "closed_form": (np.sqrt(known), targets),
        "chip": (np.sqrt(spread), targets),
        "assets": (np.sqrt(np.diag(market.covariance)), market.means),
    }
    for name, (volatility, mean) in curves.items():
        columns = dict.fromkeys(curves, np.nan) | {name: mean}
        record_rows(stream, "frontier", volatility=volatility, **columns)
    for asset, row in enumerate(weights):
        record_rows(stream, "weights", asset=asset, wanted=targets, weight=row)
