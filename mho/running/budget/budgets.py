"""The error budget of a run: what each cause has in the error that was measured, and which one to mend first."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.confidence import repetition_interval
from mho.errors import Aborted, InputError, MhoError
from mho.instruments.arrays import Cause, Causes, SwitchedCircuits, as_arrays
from mho.instruments.simulated import Cells, cell_preset
from mho.running.budget import replaying
from mho.running.budget.conductances import FEWEST_REDRAWN, CellErrors
from mho.running.budget.questions import Question
from mho.running.budget.shares import Decomposition, Moments, StageProgress, decompose, moved_values
from mho.running.recipe import RunRecipe, read_recipe
from mho.running.trust import Trust, code_of, deny_all, foreign
from mho.runs import RunFile, Status

DRAWS = 16
MOST_DRAWS = 1000
# Of the squared error, within which a twin has a run's own, as wires of products are evaluated
REPEATED = 1e-3
CHIPS = 4  # that stand for a real one
TOO_FEW = "no intervals: these are {} cells, and from {} on they tell of the shares of others"
NOT_AGAIN = (
    "read noise counts as it acted on the last reads and on the answers: what it did to the programming before is among "
    "the others here, as the run cannot be programmed again without it"
)
ROUNDED = 5e-4  # of a share, below which it is shown as 0
# What read noise acts through: write-verify is misled by it, and wears cells out
THROUGH = ("programming", "stuck cells")
CAUSED = 0.9  # of the gain of what it acts through, from which read noise is the one to mend
TOGETHER = 0.15  # of the squared error, by which a gain differs from a share where causes act together


@dataclass(frozen=True)
class CauseShare:
    """One cause in a budget."""

    cause: Cause
    share: float  # of the measured squared error; below 0 for a cause that makes up for others
    low: float  # of its interval of 95 %, see `Budget.drawn`
    high: float
    alone: float  # relative error if there were only this cause
    mended: float  # relative error if there were all but this cause
    mended_low: float  # where that is in 95 % of the moments of `Budget.drawn`
    mended_high: float
    gain: float  # what mending it alone takes off the measured squared error; below 0 where that adds to it
    acts: str  # how it acts with others, in words; "" for a cause that acts by itself


@dataclass(frozen=True)
class Budget:
    """An error and what it is made of. Errors are relative, root mean squares over the answers."""

    path: Path  # the run
    title: str
    procedure: str
    bench: str
    preset: str
    status: Status  # how the run ended
    error: str  # which error this is
    answers: int  # of how many answers; `counted` is what they are called
    counted: str
    drawn: str  # what is drawn anew for the intervals
    measured: float  # as the run measured it
    twin: float  # as its twin gives it with all causes on
    again: tuple[float, float]  # where the twin's error is in 95 % of repetitions, as the shares are
    shares: tuple[CauseShare, ...]  # the largest first; with `rest` and `unexplained` they add up to 1
    rest: float  # share with all causes off: what the encoding cannot hold, as the shift of a loop
    unexplained: float  # share that the twin does not have; below 0 where it has more error than was measured
    orders: int  # orders of causes that were sampled; 0 where all sets of them were computed
    draws: int  # moments behind the intervals
    seed: int  # of these and of the orders
    remarks: tuple[str, ...]

    @property
    def first(self) -> CauseShare | None:
        """The cause to mend first: without it alone the error falls most. None where no cause alone lowers it.

        What read noise makes of programming is mended with it: where nearly all that cells missed is its work, it is the
        one, and not what it acts through.
        """
        best = min(self.shares, key=lambda one: one.mended)
        if best.cause in THROUGH:
            noise = next(one for one in self.shares if one.cause == "read noise")
            if noise.gain >= CAUSED * best.gain:
                best = noise
        return best if best.mended < self.twin else None

    @property
    def as_good(self) -> tuple[CauseShare, ...]:
        """Causes whose mending comes to as little as that of `first`, in some of the moments."""
        first = self.first
        if first is None or not self.draws:
            return ()
        return tuple(
            one
            for one in self.shares
            if one is not first and one.mended < self.twin and one.mended_low <= first.mended_high
        )

    @property
    def advice(self) -> str:
        """One sentence: what to mend first, and what that alone would come to."""
        first = self.first
        if first is None:
            return "no single cause lowers the error when it is mended"
        gain = f"{100 * (1 - first.mended / self.twin):.0f} %"
        ends = f" (95 %: {first.mended_low:.3g} to {first.mended_high:.3g})" if self.draws else ""
        said = (
            f"mend {first.cause} first: that alone would take {gain} off the error, from {self.twin:.3g} to "
            f"{first.mended:.3g}{ends}"
        )
        if self.as_good:
            said += f"; {' or '.join(one.cause for one in self.as_good)} may do as much"
        return said

    def plain(self) -> dict[str, Any]:
        """Return all of it as numbers and texts, for JSON."""
        first = self.first
        return {
            **asdict(self), "path": str(self.path), "status": str(self.status),
            "first": None if first is None else first.cause, "advice": self.advice,
        }  # fmt: skip


def budget(
    path: str | os.PathLike[str],
    *,
    preset: Cells | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    trust: Trust = deny_all,
    progress: StageProgress = lambda stage, done, total: None,
) -> Budget:
    """Explain the error of the run in the file at `path`, cause by cause.

    The run is repeated on its own twin, with the same seed, as far as its answers. Every answer is then given again with
    causes switched off, one by one and together, on the same cells with the same noise. The cells of a run on real
    instruments are not known: it is carried out on a few chips that are drawn, on the twin of its bench.

    Parameters
    ----------
    path : path
        A run of `invert`, `solve`, `multiply` or `program`.
    preset : str or object, optional
        Cells of the twins of a run on real instruments; "pku" unless given.
    draws : int
        Moments at which noise is drawn anew for the intervals, 0 for none.
    seed : int
        Of these, and of the orders in which causes are switched where there are too many sets of them.
    trust : callable
        As for `rerun`.
    progress : callable
        Called with the stage, and how much of it is done.

    Returns
    -------
    Budget
        The error, the share of it that each cause has, and what remains; errors are relative.

    Raises
    ------
    RunFileError
        The file cannot be read, or is not as its run wrote it.
    InputError
        The run is of a kind without such an error, holds none, or cannot be repeated; or `draws` or `seed` cannot be.

    Examples
    --------
    >>> with mho.open_bench("arrays", seed=1) as bench:
    ...     result = mho.run(mho.Program(digits=np.array([[1, 2], [3, 4]])), bench, seed=1)
    >>> mho.budget(result.path, draws=0).first.cause
    'programming'
    """
    if not 0 <= draws <= MOST_DRAWS:
        raise InputError(f"draws is {draws}; give 0 to {MOST_DRAWS}")
    if seed < 0:
        raise InputError(f"seed is {seed}; give one from 0 up")
    recipe = _recipe_of(Path(path), trust)
    twins = _twins_of(recipe, preset, seed)
    with RunFile(recipe.path) as file:
        replays = [replaying.replay(one, file, trust, progress) for one in twins]
        silent = _silent_replays(twins, file, trust, progress)
        title, status = file.title, file.status
    remarks = (*twins[0].remarks, *replays[0].remarks, *(() if silent else (NOT_AGAIN,)))
    cells, quiet_cells = (
        [one.errors for one in some if isinstance(one, replaying.ReplayedCells)] for some in (replays, silent)
    )
    if cells:
        errors = _joined(cells, quiet_cells)
        if draws and errors.cells < FEWEST_REDRAWN:
            draws, remarks = 0, (*remarks, TOO_FEW.format(errors.cells, FEWEST_REDRAWN))
        moved = errors.redrawn(draws, np.random.default_rng(seed))
        explained = _Explained(errors.decomposed(), moved, cells[0].cells, errors.measured)
    else:
        answers, quiet = (
            [one for one in some if isinstance(one, replaying.Replayed)] for some in (replays, silent)
        )
        explained = _explain(answers, quiet or answers, draws, seed, progress)
    off = abs(explained.measured - explained.decomposition.whole)
    if twins[0] is recipe and off > REPEATED * explained.measured:
        remarks += (
            "the twin does not repeat this run, so that its shares are those of another one: mho, a package or the file "
            "has changed since; `mho rerun` says what",
        )
    recipe = replace(twins[0], remarks=remarks)
    return _as_budget(explained, replays[0].kind, recipe, title, status, draws, seed)


@dataclass(frozen=True)
class _Explained:
    """A decomposition, the same at other moments, and of how many answers, with the measured error."""

    decomposition: Decomposition
    moved: Moments
    answers: int
    measured: float


def _joined(cells: Sequence[CellErrors], quiet: Sequence[CellErrors]) -> CellErrors:
    """Return the errors of the cells of several chips; `quiet` are theirs, programmed without read noise."""
    parts, silent = (
        np.concatenate([one.parts for one in some], axis=1) if some else None for some in (cells, quiet)
    )
    assert parts is not None
    return CellErrors(parts, cells[0].measured, silent)


def _silent_replays(
    twins: Sequence[RunRecipe], file: RunFile, trust: Trust, progress: StageProgress
) -> list[replaying.Replayed | replaying.ReplayedCells]:
    """Return what the same chips come to when they are programmed without read noise; nothing where that cannot be."""
    recipes = [quiet for one in twins if (quiet := replaying.without_read_noise(one)) is not None]
    try:
        return [replaying.replay(one, file, trust, progress) for one in recipes]
    except Aborted:
        raise
    except MhoError:  # it may come to no answer
        return []


def _explain(
    replays: Sequence[replaying.Replayed],
    silent: Sequence[replaying.Replayed],
    draws: int,
    seed: int,
    progress: StageProgress,
) -> _Explained:
    """Decompose the error of a run's answers, of its twin or of several; `silent` are programmed without read noise."""
    asked, quiet = (
        [(one.circuits, question) for one in some for question in one.questions] for some in (replays, silent)
    )
    orders_rng, order_rng = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(2))
    moments = np.random.SeedSequence(seed).generate_state(draws, np.uint64).tolist()
    effort = sum(one.effort for _, one in asked)
    own = partial(_mean_error, asked, quiet)
    result = decompose(own, effort, orders_rng, progress)
    redrawn = [
        partial(_mean_error, _at_moment(asked, moment), _at_moment(quiet, moment)) for moment in moments
    ]
    moved = moved_values(own, redrawn, result, order_rng, progress)
    measured = float(np.mean([one.measured for _, one in asked]))
    return _Explained(result, moved, len(replays[0].questions), measured)


def _as_budget(
    explained: _Explained,
    kind: replaying.AnswerKind,
    recipe: RunRecipe,
    title: str,
    status: Status,
    draws: int,
    seed: int,
) -> Budget:
    """Return shares of the measured error, the largest first."""
    result, measured = explained.decomposition, explained.measured
    low, high = _intervals(result.values, explained.moved.values, result.errors)
    low_mended, high_mended = _intervals(result.mended, explained.moved.mended)
    whole = np.append(explained.moved.values.sum(axis=1) + result.rest, result.whole)
    low_again, high_again = repetition_interval(whole) if draws else (result.whole, result.whole)
    again = math.sqrt(max(float(low_again), 0.0)), math.sqrt(float(high_again))
    scale = 1.0 / measured if measured > 0.0 else math.nan
    gains = scale * (result.whole - result.mended)
    shares = [
        CauseShare(
            cause, share=float(scale * result.values[i]), low=float(scale * low[i]),
            high=float(scale * high[i]), alone=math.sqrt(result.alone[i]), mended=math.sqrt(result.mended[i]),
            mended_low=math.sqrt(max(low_mended[i], 0.0)), mended_high=math.sqrt(high_mended[i]),
            gain=float(gains[i]), acts=acting(cause, float(scale * result.values[i]), float(gains[i])),
        )
        for i, cause in enumerate(result.causes)
    ]  # fmt: skip
    return Budget(
        path=recipe.path, title=title, procedure=recipe.kind.__name__, bench=recipe.source.bench.name,
        preset=recipe.provenance.get("preset", ""), status=status, error=kind.error,
        answers=explained.answers, counted=kind.counted[explained.answers != 1], drawn=kind.drawn,
        measured=math.sqrt(measured), twin=math.sqrt(result.whole), again=again,
        shares=tuple(sorted(shares, key=lambda one: -one.share)), rest=scale * result.rest,
        unexplained=scale * (measured - result.whole), orders=result.orders, draws=draws, seed=seed,
        remarks=recipe.remarks,
    )  # fmt: skip


def _twins_of(recipe: RunRecipe, preset: Cells | None, seed: int) -> list[RunRecipe]:
    """Return what repeats a run: on its own twin, or on chips that stand for real ones."""
    if recipe.source.bench.simulation is not None:
        if preset is not None:
            raise InputError(
                f"{recipe.path} was made on a simulated bench, whose cells are known; leave out the preset {preset!r}"
            )
        return [recipe]
    if recipe.kind.cell_record and recipe.status is not Status.FINISHED:
        raise InputError(
            f"{recipe.path} is {recipe.status}, and was made on real instruments: what a twin's cells held when "
            "it stopped is not known; resume it to its end, and give that run"
        )
    source = as_arrays(recipe.source, preset)
    kind = cell_preset(source.kind_of_cells)  # refused now where there is no such one
    cells = source.kind_of_cells if isinstance(source.kind_of_cells, str) else kind.name
    remark = (
        f"{recipe.source.bench.name} is a bench of real instruments: its twin has cells of preset {cells}, on {CHIPS} "
        "chips that are drawn, not the run's own; `mho calibrate` makes a preset of a chip's own runs"
    )
    return [
        replace(
            recipe, source=source, preset=source.kind_of_cells, chip_seed=chip, after=None,
            remarks=(*recipe.remarks, remark), provenance=recipe.provenance | {"preset": cells},
        )
        for chip in np.random.SeedSequence([seed, 1]).generate_state(CHIPS).tolist()
    ]  # fmt: skip


def _recipe_of(path: Path, trust: Trust) -> RunRecipe:
    """Return what repeats a run of a kind that has an error to explain; other code than mho's is not imported for that."""
    known = {one.__name__: one for one in replaying.KINDS}
    kinds = ", ".join(name.lower() for name in known)
    with RunFile(path) as file:
        kind = file.procedure
        of_procedure = kind in known or bool(file.provenance.get("procedure", ""))
        named = code_of(file).procedure if of_procedure else ""  # not so the run of `mho published`
    if foreign(named, "", str(path)):
        raise InputError(
            f"{path} was made by a procedure of one's own, {named}; the budget knows how mho's own procedures come to "
            f"their answers only: give a run of {kinds}"
        )
    if kind not in known:
        raise InputError(
            f"{path} is a run of {kind.lower()}, which has no error of an answer to explain; give one of {kinds}"
        )
    recipe = read_recipe(path, trust, real=True)
    earlier = recipe.resume_of
    if earlier is None:
        return recipe
    if not earlier.is_file():
        raise InputError(f"{path} went on with the run in {earlier}, and that file is gone; put it back")
    return replace(recipe, remarks=(*recipe.remarks, _taken_over(path, earlier)))


def _taken_over(path: Path, earlier: Path) -> str:
    with RunFile(path) as file:
        if "answers" not in file.tables:
            return f"it went on with the cells as {earlier.name} left them"
        taken = int(file.column("answers", "taken_over").sum())
    return f"{taken} answers were taken over from {earlier.name}, whose own budget has them: these are the others"


def _intervals(own: Floats, moved: Floats, errors: Floats | None = None) -> tuple[Floats, Floats]:
    """Return the ends of the intervals of values, from those at other moments and from how they were sampled."""
    if not len(moved):
        return own, own
    known = np.vstack([own, moved]).T
    low, high = repetition_interval(known, np.zeros(len(own)) if errors is None else errors)
    return np.minimum(low, own), np.maximum(high, own)


Exchanges = Sequence[tuple[SwitchedCircuits, Question]]


def _mean_error(asked: Exchanges, quiet: Exchanges, causes: Causes) -> float:
    """Return the mean squared error with only `causes`; without read noise, of what was programmed without it."""
    some = asked if "read noise" in causes else quiet
    return float(np.mean([one.error(circuits, causes) for circuits, one in some]))


def _at_moment(asked: Exchanges, moment: int) -> Exchanges:
    return [(circuits, one.redrawn(moment, number)) for number, (circuits, one) in enumerate(asked)]


def acting(cause: Cause, share: float, gain: float) -> str:
    """Return how a cause acts with others, in words, from its share and the gain of mending it alone."""
    if share < -ROUNDED:
        return "makes up for others"
    if share > 1.0 + ROUNDED:
        return "others make up for it"
    if gain - share > TOGETHER:
        return "acts through programming" if cause == "read noise" else "acts with others"
    return "gains less alone" if share - gain > TOGETHER else ""
