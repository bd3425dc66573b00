"""Finds a programming policy on the twin of a chip: the strategy's settings with the least cost at a required success.

Settings are tried in batches. All of a batch program 64 cells, the best third of them 256, the best of those 1024
(successive halving), each time the same cells and digits, so that what differs is the settings. The best few program
chips that the search has not seen, one is chosen, and it is held to the present settings on others again: a gain that is
told is not that of the luckiest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from mho.chip_maps import WriteVerifySettings
from mho.confidence import mean_interval
from mho.errors import InputError
from mho.extensions.optimise.predictions import GainEstimate, saving, success_of
from mho.extensions.optimise.search_space import SEARCHES, SearchSpace, search_space, watched
from mho.extensions.optimise.twin import CHOSEN, SEARCHED, VALIDATED, Programming, Twin
from mho.procedures import Strategy, find_strategy, known_strategies, settings_in_use

Progress = Callable[[str, int, int, str], None]

ALL = "all"
COSTS = ("both", "pulses", "reads", "time")
BATCH = 12
RUNGS = ((64, (0,)), (256, (1,)), (256, (1, 2, 3, 4)))  # cells of a chip, and which chips
KEPT = (4, 2)  # of a batch, that reach the next rung
FINALISTS, CHOOSING = 4, 8  # settings, and chips on which one of them is chosen
SHORT = 30.0  # by so much of itself a cost grows for each unit that the success is short
FEWEST_CHIPS = 5  # for an interval


def quietly(stage: str, done: int, total: int, best: str) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class Trial:
    """Settings that were tried."""

    strategy: str  # name
    settings: WriteVerifySettings
    evaluation: int  # how many had been tried with it
    cells: int  # on which it was tried, all together
    cost: float
    success: float
    objective: float  # the cost, and more where the success is short


@dataclass(frozen=True)
class ProgrammingPolicy:
    """The settings found, and what they take beside the present ones."""

    # strategy, present_strategy: names
    strategy: str
    present_strategy: str
    settings: WriteVerifySettings
    present: WriteVerifySettings
    cost: str  # what was minimised
    wanted: float  # required success
    twin: Twin = field(repr=False)
    # after, before: on the same chips, with the settings found and with the present ones
    after: tuple[Programming, ...] = field(repr=False)
    before: tuple[Programming, ...] = field(repr=False)
    trials: tuple[Trial, ...] = field(repr=False)  # all that was tried, in order
    ended: str = "budget"  # why the search ended: ``budget``, ``time`` or ``interrupted``
    searched: tuple[str, ...] = ()  # settings that were searched

    @property
    def reached(self) -> bool:
        """Whether the required success lies within or below the interval of the one found."""
        return self.success().high >= self.wanted

    def success(self) -> GainEstimate:
        """Return the mean success of the settings found, 95 %."""
        return success_of(
            [int(one.lasting.sum()) for one in self.after], [one.lasting.size for one in self.after]
        )

    def saved(self, cost: str) -> GainEstimate:
        """Return the share of a cost that the settings found save of the present ones', 95 %, in pairs."""
        before, after = ([one.cost(cost) for one in some] for some in (self.before, self.after))
        return saving(before, after)


@dataclass(frozen=True)
class PolicySearch:
    """What is searched for, how long, and on how many chips the answer is held to the present settings.

    Raises `InputError`: for a value that cannot be used.
    """

    success: float = 0.99  # share of the cells that must be in their windows
    cost: str = "both"  # of `COSTS`
    evaluations: int = 120  # settings to try, of all strategies together
    # Of searching, on this machine's clock; the comparison with the present settings comes after it
    seconds: float | None = 600.0
    # chips, cells: of that comparison, and cells of each
    chips: int = 20
    cells: int = 400
    search: str = "evolution"  # of `SEARCHES`
    write_verify: str | None = (
        None  # the present settings, as for `mho run program`; the chip map's unless given
    )
    # Settings to search instead of all that the strategy reads, with bounds or None
    vary: Mapping[str, tuple[float, float] | None] | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.success <= 1.0:
            raise InputError(
                f"the required success is {self.success:g}; give a share above 0 and up to 1, as 0.99"
            )
        if self.cost not in COSTS:
            raise InputError(f"there is no cost {self.cost!r}; there are {', '.join(COSTS)}")
        if self.search not in SEARCHES:
            raise InputError(f"there is no search {self.search!r}; there are {', '.join(SEARCHES)}")
        if self.evaluations < 1:
            raise InputError(f"a budget of {self.evaluations} evaluations tries nothing; give at least 1")
        if self.seconds is not None and not self.seconds > 0.0:
            raise InputError(
                f"a search of {self.seconds:g} s tries nothing; give more, or leave the limit out"
            )
        if self.chips < FEWEST_CHIPS:
            raise InputError(
                f"{self.chips} chips hold no interval of the gain; give at least {FEWEST_CHIPS}, better "
                f"{PolicySearch.chips}"
            )
        if self.cells < RUNGS[0][0]:
            raise InputError(
                f"{self.cells} cells a chip are too few to tell a success; give at least {RUNGS[0][0]}"
            )


def optimise(
    strategy: str, twin: Twin, search: PolicySearch | None = None, progress: Progress = quietly
) -> ProgrammingPolicy:
    """Find the settings of a strategy that take the least at a required success, on the twin of a chip.

    The same arguments give the same answer, unless the time ends or a user interrupts; then it is the best so far.

    Parameters
    ----------
    strategy : str
        As for `mho run program --strategy`, or ``all``: the strategy is then found, too.
    twin : Twin
        The chips.
    search : PolicySearch, optional
        What is searched for, and how long.
    progress : callable
        Called with a stage, what is done of it and of how many, and the best so far in words.

    Raises
    ------
    MhoError
        For anything that cannot be used as given, before anything is tried.
    """
    search = search or PolicySearch()
    every = strategy.lower() == ALL
    strategies = {name: find_strategy(name) for name in (known_strategies() if every else [strategy])}
    present = _present(twin, None if every else strategy, search.write_verify)
    present_name = present.strategy if every else strategy
    twin.check(find_strategy(present_name), present)
    tried, ended, searched = _tried(twin, strategies, present, search, progress)
    chosen = _chosen(twin, _finalists(tried), strategies, search, progress)
    sides = (strategies[chosen.strategy], chosen.settings), (find_strategy(present_name), present)
    pairs = []
    for number in range(search.chips):
        pairs.append([twin.program(*side, VALIDATED, number, search.cells, each=True) for side in sides])
        progress("comparing with the present settings", number + 1, search.chips, "")
    policy, old = zip(*pairs, strict=True)
    return ProgrammingPolicy(
        chosen.strategy, present_name, chosen.settings, present, search.cost, search.success, twin, policy, old,
        tuple(tried), ended, tuple(searched),
    )  # fmt: skip


def _tried(
    twin: Twin, strategies: Mapping[str, type[Strategy]], present: WriteVerifySettings, search: PolicySearch,
    progress: Progress,
) -> tuple[list[Trial], str, list[str]]:  # fmt: skip
    """Search the settings of each strategy; return the trials, why the search ended, and which settings were searched."""
    tried, ended, searched = [], "budget", []
    last = np.inf if search.seconds is None else time.monotonic() + search.seconds
    shares = [len(part) for part in np.array_split(np.arange(search.evaluations), len(strategies))]
    for number, ((name, kind), share) in enumerate(zip(strategies.items(), shares, strict=True)):
        if not share or ended == "interrupted":
            break
        now = time.monotonic()
        until = now + (last - now) / (len(strategies) - number)  # the time that is left is shared, too
        one = _StrategySearch(twin, name, kind, _named(present, name, kind), search)
        searched += [dim for dim in one.searched if dim not in searched]
        how = one.run(share, until, partial(progress, f"searching {name}"))
        ended = ended if how == "budget" else how
        tried += one.trials
    return tried, ended, searched


def _present(twin: Twin, strategy: str | None, text: str | None) -> WriteVerifySettings:
    on_chip = twin.chip.write_verify
    if strategy is None:
        return settings_in_use(on_chip, text)
    kind = find_strategy(strategy)
    return settings_in_use(on_chip, text, kind.settings_type, short_name(strategy, kind))


def short_name(strategy: str, kind: type[Strategy]) -> str:
    """Return the name that settings say: of a strategy of one's own that of its class."""
    return kind.__name__ if ":" in strategy else strategy.lower()


def _named(present: WriteVerifySettings, name: str, kind: type[Strategy]) -> WriteVerifySettings:
    """Return the present settings with the name and the type of another strategy."""
    return kind.settings_type(**{**dict(present), "strategy": short_name(name, kind)})


class _StrategySearch:
    """The search of one strategy's settings."""

    def __init__(
        self, twin: Twin, name: str, kind: type[Strategy], present: WriteVerifySettings, search: PolicySearch
    ) -> None:
        self._twin, self._name, self._kind, self._present = twin, name, kind, present
        self._search = search
        seen: set[str] = set()
        twin.program(kind, watched(present, seen), SEARCHED, 0, RUNGS[0][0])
        about = present
        if "response_gates" in seen and not present.response_gates:
            gates, levels = twin.response(present)
            if levels[0] < levels[-1]:  # otherwise no gate voltage reaches a level, and the curve is none
                about = present.model_copy(update={"response_gates": gates, "response_levels": levels})
                seen.clear()
                twin.program(kind, watched(about, seen), SEARCHED, 0, RUNGS[0][0])
        self._space: SearchSpace = search_space(about, seen, partial(twin.check, kind), search.vary)
        self.searched = list(dict.fromkeys(one.name for one in self._space.dimensions))
        self.trials: list[Trial] = []
        self._known: dict[tuple[str, int, int], Programming] = {}

    def run(self, evaluations: int, until: float, progress: Callable[[int, int, str], None]) -> str:
        """Try so many settings; return why it ended. The present ones are always tried."""
        proposing = SEARCHES[self._search.search](self._space.start, self._twin.seed)
        try:
            self._tried(self._present, 1, len(RUNGS) - 1)
            done = 1
            progress(done, evaluations, self._in_words())
            while done < evaluations:
                points = proposing.ask(min(BATCH, evaluations - done))
                settings = [self._space.settings(point) for point in points]
                values = np.full(len(points), np.nan)
                going = np.arange(len(points))
                for rung in range(len(RUNGS)):
                    for number in going.tolist():
                        if time.monotonic() > until:
                            return "time"
                        trial = self._tried(settings[number], done + number + 1, rung)
                        values[number] = trial.objective
                        if rung == 0:
                            progress(done + number + 1, evaluations, self._in_words())
                    if rung < len(KEPT):
                        going = going[np.argsort(values[going], kind="stable")[: KEPT[rung]]]
                proposing.tell(points, values.tolist())
                done += len(points)
        except KeyboardInterrupt:
            if not self.trials:
                raise
            return "interrupted"
        return "budget"

    def _tried(self, settings: WriteVerifySettings, evaluation: int, rung: int) -> Trial:
        """Program the chips of a rung with some settings."""
        cells, chips = RUNGS[rung]
        programmings = [self._programmed(settings, number, cells) for number in chips]
        cost = float(np.mean([one.cost(self._search.cost) for one in programmings]))
        success = float(np.mean([one.success for one in programmings]))
        count = sum(len(one.digits) for one in programmings)
        trial = Trial(
            self._name, settings, evaluation, count, cost, success,
            objective(cost, success, self._search.success, count),
        )  # fmt: skip
        self.trials.append(trial)
        return trial

    def _programmed(self, settings: WriteVerifySettings, number: int, cells: int) -> Programming:
        key = settings.model_dump_json(), number, cells
        if key not in self._known:
            self._known[key] = self._twin.program(self._kind, settings, SEARCHED, number, cells)
        return self._known[key]

    def _in_words(self) -> str:
        best = min(self._whole(), key=lambda one: one.objective)
        return f"best so far {best.cost:.3g} {UNITS[self._search.cost]}, success {best.success:.1%}"

    def _whole(self) -> Sequence[Trial]:
        most = max(one.cells for one in self.trials)
        return [one for one in self.trials if one.cells == most]


UNITS = {
    "both": "pulses and reads a cell", "pulses": "pulses a cell", "reads": "reads a cell", "time": "s a cell",
}  # fmt: skip


def objective(cost: float, success: float, goal: float, cells: int) -> float:
    """Return what is minimised: the cost, and more as the success is short by more than its standard error."""
    error = np.sqrt(max(goal * (1.0 - goal), 1.0 / cells) / cells)
    return float(cost * (1.0 + SHORT * max(0.0, goal - success - error)))


def _finalists(trials: Sequence[Trial]) -> list[Trial]:
    """Return the best of those that were tried on most cells, each settings once."""
    most = max(one.cells for one in trials)
    best = sorted((one for one in trials if one.cells == most), key=lambda one: one.objective)
    unlike: dict[Any, Trial] = {}
    for one in best:
        unlike.setdefault((one.strategy, one.settings.model_dump_json()), one)
    return list(unlike.values())[:FINALISTS]


def _chosen(
    twin: Twin, finalists: Sequence[Trial], kinds: Mapping[str, type[Strategy]], search: PolicySearch,
    progress: Progress,
) -> Trial:  # fmt: skip
    """Return the cheapest finalist that is as successful as wanted on other chips, or the most successful one."""
    if len(finalists) == 1:
        return finalists[0]
    costs, means, errors, total = [], [], [], len(finalists) * CHOOSING
    for place, one in enumerate(finalists):
        some = []
        for number in range(CHOOSING):
            some.append(twin.program(kinds[one.strategy], one.settings, CHOSEN, number, search.cells))
            progress("choosing", place * CHOOSING + number + 1, total, "")
        costs.append(float(np.mean([chip.cost(search.cost) for chip in some])))
        successes = [chip.success for chip in some]
        means.append(float(np.mean(successes)))
        errors.append(float(mean_interval(successes)[1] - means[-1]) / 2.0)  # about one standard error
    for enough in (np.array(means) - errors >= search.success, np.array(means) >= search.success):
        if enough.any():
            return finalists[int(np.argmin(np.where(enough, costs, np.inf)))]
    return finalists[int(np.argmax(means))]
