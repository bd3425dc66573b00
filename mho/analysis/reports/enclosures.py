"""What the enclosure of a solve proves, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def enclosure_sentence(told: Mapping[str, Any]) -> str:
    """Return what the enclosure in a solve's summary proves, in one line."""
    if not told.get("certified"):
        return f"cannot be certified: {told.get('reason') or 'no reason is known'}"
    error, own = (told.get(name) for name in ("relative_error", "componentwise_error"))
    by_itself = "" if own is None else f", and to within {own:.2e} of itself"
    return (
        f"enclosed: every element to within {error or 0.0:.2e} of the largest{by_itself} "
        f"({told.get('bits', 0.0):.1f} bits, {told.get('method')})"
    )
