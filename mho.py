"""The command line: each verb is a few lines that call a package below."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mho_errors import Aborted, MhoError

if TYPE_CHECKING:
    from procedures import Solution

EXIT_USER, EXIT_UNFINISHED, EXIT_ABORTED = 2, 1, 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Analogue matrix computing on RRAM chips: program, invert, refine, record, analyse, simulate.",
)

bench_app = typer.Typer(no_args_is_help=True, help="Check and serve benches.")
app.add_typer(bench_app, name="bench")

Run = Annotated[Path, typer.Argument(help="a run file (.h5)", show_default=False)]


@app.command()
def solve(
    matrix: Annotated[
        Path, typer.Argument(help="A: .npy, .csv or .mtx, real or complex", show_default=False)
    ],
    rhs: Annotated[str, typer.Option(help="b: a file, 'ones', or 'random' (seeded)")] = "random",
    bits: Annotated[int, typer.Option(help="precision of the solution, in bits")] = 24,
    tolerance: Annotated[
        float | None, typer.Option(help="relative residual to stop at, instead of one that gives --bits")
    ] = None,
    max_cycles: Annotated[int, typer.Option(help="give up after so many refinement cycles")] = 50,
    encoding: Annotated[str, typer.Option(help="how INV holds signs: auto, bias, differential")] = "auto",
    bench: Annotated[str, typer.Option(help="a packaged bench or a bench file")] = "simulated",
    preset: Annotated[str | None, typer.Option(help="simulated cells: ideal, quiet, pku, relaxing")] = None,
    seed: Annotated[int | None, typer.Option(help="of everything random; fresh when left out")] = None,
    output: Annotated[Path | None, typer.Option(help="run file (.h5) or folder, default data/runs")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print a summary for machines instead")] = False,
) -> None:
    """Solve A x = b on the chip: program it, invert, multiply and refine, into one run file."""
    from procedures import Solve, run
    from procedures.terminal import RunDisplay, print_solution

    procedure = Solve(
        matrix=str(matrix),
        rhs=rhs,
        bits=bits,
        tolerance=tolerance or 0.0,
        max_cycles=max_cycles,
        encoding=encoding,
        seed=seed or 0,
    )
    with RunDisplay(quiet=as_json) as display:
        result: Solution = run(
            procedure, bench, seed=seed, preset=preset, output=output, observers=[display.observe]
        )
    if as_json:
        typer.echo(json.dumps(result.summary))
    else:
        print_solution(result)
    if not result.converged:
        raise typer.Exit(EXIT_UNFINISHED)


@app.command()
def show(run: Run) -> None:
    """Print what a run file holds."""
    from rich.console import Console

    import analysis

    analysis.show(run, Console())


@app.command()
def plot(
    run: Run,
    output: Annotated[
        Path | None, typer.Option(help="figure (.png, .svg), default beside the run file")
    ] = None,
) -> None:
    """Draw convergence, level histogram and error map of a run."""
    import analysis

    typer.echo(analysis.plot(run, output))


@app.command()
def gui(run: Run) -> None:
    """Open a window on a run file, finished or still being written."""
    from gui import show_run

    raise typer.Exit(show_run(run))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def rehearse(
    context: typer.Context,
    bench: Annotated[str, typer.Argument(help="a bench file", show_default=False)],
    procedure: Annotated[str, typer.Argument(help="solve, …, and its arguments", show_default=False)],
    preset: Annotated[str | None, typer.Option(help="simulated cells: ideal, quiet, pku, relaxing")] = None,
    seed: Annotated[int | None, typer.Option(help="of everything random; fresh when left out")] = None,
    output: Annotated[Path | None, typer.Option(help="leave the run file (.h5) here")] = None,
) -> None:
    """Run a procedure on the simulated twins of a real bench, and report what it would do there."""
    from procedures.arguments import procedure_from_arguments
    from procedures.rehearsal import rehearse as carry_out
    from procedures.rehearsal_table import print_rehearsal
    from procedures.terminal import RunDisplay

    made = procedure_from_arguments(procedure, context.args, seed=seed, program=f"mho rehearse {bench}")
    with RunDisplay() as display:
        result = carry_out(made, bench, seed=seed, preset=preset, output=output, observers=[display.observe])
    print_rehearsal(result)
    if not result.passed:
        raise typer.Exit(EXIT_UNFINISHED)


@bench_app.command("check")
def bench_check(
    bench: Annotated[str, typer.Argument(help="a packaged bench or a bench file")] = "simulated",
) -> None:
    """Open every instrument of a bench and say what is wrong with it and what to do."""
    from rich.console import Console

    from instruments.checking import check_bench, print_report

    report = check_bench(bench)
    print_report(report, Console())
    if not report.ok:
        raise typer.Exit(EXIT_UNFINISHED)


@bench_app.command("serve")
def bench_serve(
    bench: Annotated[str, typer.Argument(help="a packaged bench or a bench file")] = "simulated",
    port: Annotated[int, typer.Option(help="of the first instrument; 0 takes any that are free")] = 5025,
) -> None:
    """Offer the instruments of a bench, simulated, on loopback sockets until Ctrl-C."""
    from instruments.simulated.serving import serve_bench

    serve_bench(bench, port, lambda ends: typer.echo("\n".join(f"{e.address}  {e.resource}" for e in ends)))


def main() -> NoReturn:
    """Run the command line; what a user did wrong is answered in one line, without a traceback."""
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        app(prog_name="mho")
    except Aborted as error:
        _complain(error, EXIT_ABORTED)
    except MhoError as error:
        _complain(error, EXIT_USER)
    except KeyboardInterrupt:
        _complain(MhoError("interrupted; the bench was made safe"), EXIT_ABORTED)
    sys.exit(0)


def _complain(error: MhoError, code: int) -> NoReturn:
    sys.stderr.write(f"mho: {error}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
