"""The policy that `mho optimise` finds on the fitted preset, beside the strategies as they are, and beside both searches.

The policy is found on chips of its own. It and the peers then program the same digits on the same 20 chips, which the
search has not seen: success, pulses and reads of each, and the share saved of the best peer's with its interval (over
chips, in pairs). The peers are as `python -m benchmarks strategies` has them: with the response measured, and the ramp
of the measured chips. That interval is of one search: what searches of other seeds save, on other chips, is another figure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks._solves import threads
from benchmarks.registry import Figure, installed
from benchmarks.strategies import ALIKE, CASES, LESS, PEERS, _settings
from mho.confidence import mean_interval
from mho.extensions.optimise import PolicySearch, ProgrammingPolicy, Twin, optimise
from mho.extensions.optimise.predictions import GainEstimate, saving, success_of
from mho.extensions.optimise.twin import VALIDATED, Programming
from mho.procedures import find_strategy

PRESETS = ("stanford", "stanford35")
BEST = "asap"  # of the peers, at equal success
STRATEGY, SUCCESS = "model", 0.99
CHIPS, CELLS, BUDGET = 20, 400, 100
SEARCHES = {"evolution": None, "bayesian": "optuna"}  # and the package that each needs
SEEDS = 8  # searches of which the mean is told


def run(repeat: int) -> list[Figure]:
    """Find a policy for each preset, and hold it to the peers; with more than one repeat by both searches."""
    figures = []
    for preset in PRESETS:
        for search, package in SEARCHES.items():
            if search == "evolution" or (repeat > 1 and package and installed(package)):
                figures.append(_figure(preset, search))
        figures.append(_over_seeds(preset))
    return figures


def _found(preset: str, search: str, seed: int) -> ProgrammingPolicy:
    wanted = PolicySearch(SUCCESS, evaluations=BUDGET, seconds=None, chips=CHIPS, cells=CELLS, search=search)
    return optimise(STRATEGY, Twin(CASES[preset][0], seed=seed), wanted)


def _over_seeds(preset: str) -> Figure:
    """Search with `SEEDS` seeds, each on chips of its own: the mean share saved, and its 95 % interval over seeds."""
    saved = []
    successes = []
    for seed in range(SEEDS):
        policy = _found(preset, "evolution", seed)
        saved.append(
            (policy.saved("both").mean, _saved(_as_it_is(policy, BEST, preset), policy, "both").mean)
        )
        successes.append(policy.success().mean)
    own, peer = (100.0 * np.array(one) for one in zip(*saved, strict=True))
    return Figure(
        f"{preset}, {STRATEGY}: pulses and reads saved of its own as it is, mean of {SEEDS} searches",
        float(own.mean()),
        "%",
        detail={
            "95 % over seeds": _ends(own),
            "each": np.round(own, 1).tolist(),
            f"saved of {BEST}'s": f"{peer.mean():.1f} ({_ends(peer)})",
            "success, lowest": round(100.0 * min(successes), 2),
        },
        threads=threads(),
    )


def _ends(values: Any) -> str:
    low, high = mean_interval(values)
    return f"{float(low):.1f} to {float(high):.1f}"


def _figure(preset: str, search: str) -> Figure:
    policy = _found(preset, search, 0)
    peers = {name: _as_it_is(policy, name, preset) for name in PEERS}
    found = policy.success().mean
    success = {name: float(np.mean([chip.success for chip in some])) for name, some in peers.items()}
    alike = [name for name in PEERS if success[name] >= found - ALIKE] or list(PEERS)
    best = min(alike, key=lambda name: _mean(peers[name], "both"))
    saved = {cost: _saved(peers[best], policy, cost) for cost in ("pulses", "reads", "both")}
    value, peer = _mean(policy.after, "both"), _mean(peers[best], "both")
    return Figure(
        f"{preset}, {STRATEGY} by {search}: pulses and reads a cell",
        value,
        "1",
        best,
        peer,
        target=f"<= {LESS:g} of the best peer's pulses and reads at equal success",
        met=bool(saved["pulses"].mean >= 1.0 - LESS and saved["reads"].mean >= 1.0 - LESS),
        detail={
            **{f"{cost} saved of {best}'s, %": _in_words(one, 100.0) for cost, one in saved.items()},
            **{
                f"{cost} saved of {STRATEGY}'s as it is, %": _in_words(policy.saved(cost), 100.0)
                for cost in saved
            },
            "found": _row(policy.after),
            f"{STRATEGY} as it is": _row(policy.before),
            **{name: _row(some) for name, some in peers.items()},
            "settings": {k: v for k, v in policy.settings if v != dict(policy.present).get(k)},
            "chips": len(policy.after),
        },
        threads=threads(),
    )


def _as_it_is(policy: ProgrammingPolicy, name: str, preset: str) -> list[Programming]:
    """Program the chips of a policy with a strategy as the other benchmark has it."""
    settings = _settings(preset, policy.twin.source, policy.twin.preset)
    settings = settings.model_copy(update={"strategy": name})
    kind = find_strategy(name)
    return [
        policy.twin.program(kind, settings, VALIDATED, number, CELLS, each=True) for number in range(CHIPS)
    ]


def _saved(peer: list[Programming], policy: ProgrammingPolicy, cost: str) -> GainEstimate:
    before, after = ([one.cost(cost) for one in some] for some in (peer, policy.after))
    return saving(before, after)


def _mean(chips: Any, cost: str) -> float:
    return float(np.mean([one.cost(cost) for one in chips]))


def _row(chips: Any) -> str:
    success = success_of([one.lasting.sum() for one in chips], [one.lasting.size for one in chips])
    return (
        f"pulses {_mean(chips, 'pulses'):.2f}, reads {_mean(chips, 'reads'):.2f}, success "
        f"{_in_words(success, 100.0)} %, an hour later {100 * np.mean([one.held for one in chips]):.1f} %"
    )


def _in_words(one: GainEstimate, scale: float) -> str:
    return f"{scale * one.mean:.2f} ({scale * one.low:.2f} to {scale * one.high:.2f})"
