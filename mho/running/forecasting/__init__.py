"""Forecast of a run before anything is programmed: what it would come to, and what would help."""

from mho.running.forecasting.forecasts import Forecast, forecast

__all__ = ["Forecast", "forecast"]
