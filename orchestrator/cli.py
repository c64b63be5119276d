"""The command line: verbs and paths. What a verb does lives in the module that it calls."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from grids.data_folder import DataError
from grids.document import one_line
from grids.load import Grid, load_grid
from grids.trial import GridError
from orchestrator.data_cli import DataDir, Name, Options, check_picture, data_folder
from orchestrator.data_cli import app as data_app
from orchestrator.data_sets import dataset_named
from orchestrator.errors import Exit, InputError, first_line
from orchestrator.terminal import Terminal
from orchestrator.token_source import offer_token
from results.files import Location, is_url, location, on_disk
from results.lease import Fenced, LeaseHeld
from results.schema import SchemaError
from results.store import StudyFolder

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run whole hyperparameter grids of VAE disentanglement studies, into Parquet tables.",
)
app.add_typer(data_app, name="data")
console = Terminal()

GridFile = Annotated[
    str, typer.Argument(help="The grid file (YAML), or the URL of one.", metavar="GRID")
]
StudyDir = Annotated[
    str, typer.Argument(help="A study's folder or URL, <out>/<study>.", metavar="STUDY_DIR")
]
Out = Annotated[
    str,
    typer.Option(
        help="The folder that studies are kept in, or s3://BUCKET/PREFIX (gs://, az://).",
        metavar="DIR",
    ),
]
DASHBOARD_URL = re.compile(r"https?://[^/\s]\S*")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def main() -> None:
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        sys.exit(app(prog_name="latentgrid", standalone_mode=False))
    except typer.TyperException as error:
        sys.exit(_refused(error))
    except (GridError, SchemaError, LeaseHeld, Fenced, InputError, DataError) as error:
        _say(one_line(f"latentgrid: {error}"))  # a file's name may be of several lines
        sys.exit(Exit.WRONG_INPUT)
    except (PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        _say(one_line(f"latentgrid: {error.filename}: {error.strerror}"))
        sys.exit(Exit.WRONG_INPUT)
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            _say(one_line(f"latentgrid: {error.filename}: {error.strerror}"))
            sys.exit(Exit.WRONG_INPUT)
        if error.errno is None:
            raise
        _say(one_line(f"latentgrid: {error.filename or 'writing'}: {error.strerror}"))
        sys.exit(Exit.FAILED)
    finally:
        # Where a KeyboardInterrupt has passed through code that C runs, as while numba compiles,
        # Python ends its process by SIGINT, whatever the exit code. Running such code forgets it.
        exec("")


def _refused(error: typer.TyperException) -> int:
    """Says in one line what was wrong with a command line; the help page, where there was none."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return Exit.WRONG_INPUT  # the help page has been shown
    said = " ".join(error.format_message().split()).rstrip(".")
    more = f"; `{context.command_path} --help` says what is valid" if context is not None else ""
    typer.echo(f"latentgrid: {said}{more}", err=True)
    return Exit.WRONG_INPUT


def _say(line: str) -> None:
    typer.echo(line, err=True)


@app.command(epilog="Example: latentgrid plan grids/quickstart.yaml --out runs")
def plan(
    grid_file: GridFile,
    out: Out = "runs",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check a grid file and say what a run would do. Starts nothing."""
    from orchestrator.plan import make_plan
    from orchestrator.show import plan_view

    made = make_plan(_grid(grid_file), _place(out, "--out "), data_folder(data_dir))
    if as_json:
        typer.echo(json.dumps(made.as_json()))
    else:
        console.print(plan_view(made))
        for command in made.missing_datasets:
            console.print(f"get its data with: {command}", soft_wrap=True, highlight=False)


@app.command(epilog="Example: latentgrid run grids/quickstart.yaml --out runs")
def run(
    grid_file: GridFile,
    out: Out = "runs",
    data_dir: DataDir = None,
    address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster; else RAY_ADDRESS, else one is started here."),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="In this process, one trial at a time, without Ray.")
    ] = False,
) -> None:
    """Run what is missing of a study. Run it again to go on after any interruption."""
    from orchestrator import machine
    from orchestrator.run import run_study

    if local and address:
        raise InputError("--local and --address: valid: one of them")
    options = ["--local"] * local + ["--address", address or ""] * (address is not None)
    options += ["--data-dir", str(data_dir)] * (data_dir is not None)
    command = ["latentgrid", "run", grid_file, "--out", str(out), *options]
    ended = run_study(
        _grid(grid_file),
        _place(out, "--out "),
        data_folder(data_dir),
        address=address,
        local=local,
        command=os.environ.get(machine.AGAIN_VARIABLE) or shlex.join(command),
    )
    sys.exit(ended)


@app.command(
    epilog="Example: latentgrid submit grids/quickstart.yaml --address http://head:8265 "
    "--out /mnt/shared/runs"
)
def submit(
    grid_file: GridFile,
    address: Annotated[str, typer.Option(help="The cluster's dashboard, http://HEAD:8265.")],
    out: Annotated[
        str,
        typer.Option(
            help="A folder that every node sees, as an absolute path, or s3://BUCKET/PREFIX."
        ),
    ],
    data_dir: Annotated[
        str | None,
        typer.Option(
            help="The data directory, as an absolute path that every node sees; else what "
            "LATENTGRID_DATA says on the cluster."
        ),
    ] = None,
) -> None:
    """Run a study as a Ray job and follow its log; Ctrl-C detaches, the job goes on.

    The token of a cluster that asks for one is found as Ray finds it: RAY_AUTH_TOKEN, the file
    RAY_AUTH_TOKEN_PATH, ~/.ray/auth_token.
    """
    token = offer_token()
    import asyncio

    from orchestrator.submit import JobRunning, TokenRefused, follow, rays_own
    from orchestrator.submit import submit as submit_job

    grid = _grid(grid_file)
    if not DASHBOARD_URL.fullmatch(address):  # Ray would import what stands before another `://`
        raise InputError(f"--address {address!r}: no URL of a dashboard; valid: http://HEAD:8265")
    for option, path in (("--out", out), ("--data-dir", data_dir)):
        if path is not None and not os.path.isabs(path) and not (path is out and is_url(path)):
            raise InputError(
                f"{option} {path}: a job runs in a folder of its own; "
                "give an absolute path that every node sees"
            )
    try:
        location(out)  # whether it can be reached, the cluster finds out
    except ValueError as error:
        raise InputError(f"--out {error}") from None
    try:
        client, job = submit_job(grid, address, out, data_dir, token)
    except (JobRunning, TokenRefused, OSError, RuntimeError) as error:
        raise InputError(first_line(error)) from None
    again = rays_own("logs -f", job, address, token)
    _say(f"submitted {job}; Ctrl-C detaches, and `{again}` follows again")
    try:
        code = asyncio.run(follow(client, job))
    except KeyboardInterrupt:
        _say(f"detached; {job} goes on")
        sys.exit(Exit.DONE)
    except Exception as error:  # whatever the client's web library raises
        _say(f"lost the connection ({first_line(error)}); the job may go on: {job}")
        sys.exit(Exit.FAILED)
    sys.exit(code)


@app.command(epilog="Example: latentgrid status runs/quickstart --watch")
def status(
    study_dir: StudyDir,
    watch: Annotated[
        bool, typer.Option("--watch", help="Redraw while the study is being run.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say how a study stands, from its files alone, while it runs or afterwards."""
    from rich.console import Group
    from rich.live import Live

    from orchestrator.garbage import uncollected
    from orchestrator.show import results_view, status_view
    from orchestrator.status import read_status
    from results import lease

    study = _study(study_dir)
    with uncollected():
        now, grid, frames = read_status(study)
        if as_json:
            typer.echo(json.dumps(now.as_json()))
            return
        if not watch:
            console.print(status_view(now, frames), "", results_view(grid, frames, study), sep="\n")
            return
    with contextlib.suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as live:
        while True:
            view = Group(status_view(now, frames), "", results_view(grid, frames, study))
            live.update(view, refresh=True)
            if lease.held_epoch(StudyFolder(study)) is None:
                break
            time.sleep(2)
            now, grid, frames = read_status(study)
    if now.done < now.trials or now.scores < now.scores_wanted:
        _say("nobody runs this study now; `latentgrid run` with its grid file goes on")


@app.command(epilog="Example: latentgrid dashboard runs --port 8280")
def dashboard(
    folder: Annotated[
        str,
        typer.Argument(
            help="A study's folder or URL, or the one that studies are kept in.",
            metavar="STUDY_DIR_OR_OUT",
        ),
    ],
    host: Annotated[
        str,
        typer.Option(
            help="Where to listen; 0.0.0.0 lets other machines in, if they have the token that "
            "LATENTGRID_DASHBOARD_TOKEN holds here."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any free one.", min=0, max=65535)] = 8280,
) -> None:
    """Serve a page to watch studies in a browser, from their files alone; Ctrl-C ends it."""
    import asyncio

    from orchestrator.dashboard.serve import serve

    root = _place(folder)
    if not root.is_dir():
        raise InputError(f"{folder}: not a folder; valid: a study's folder, or one of studies")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(root, host, port, lambda url: _say(f"dashboard: {url}")))


@app.command(epilog="Example: latentgrid score codes.npz --metric mig --metric factor_vae --seed 0")
def score(
    file: Annotated[
        Path,
        typer.Argument(
            help="codes float [N, Z], row i = factor index i, last factor fastest; "
            "factor_sizes int [F]; optional logvar, for --representation sampled. Or votes float "
            "[V, I, Z], the images of a vote sharing a factor; labels int [V], which one, from 0; "
            "optional codes float [G, Z], of images of all kinds.",
            metavar="FILE.npz",
        ),
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="A metric; repeat for more. Default: all that the file can have "
            "and that take a minute at most."
        ),
    ] = None,
    representation: Annotated[
        Literal["mean", "sampled"],
        typer.Option(help="The codes as they are, or drawn from the posteriors, by logvar."),
    ] = "mean",
    seed: Annotated[int, typer.Option(help="Seed of what the metrics draw.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Score a representation that was made elsewhere, at full size."""
    from rich.progress import Progress, SpinnerColumn, TextColumn
    from rich.table import Table

    from orchestrator.score import score_file

    scores = []
    bar = Progress(SpinnerColumn(), TextColumn("{task.description}"), console=Terminal(stderr=True))
    with bar if bar.console.is_terminal else contextlib.nullcontext():
        said = bar.add_task("scoring")
        for row in score_file(file, metric or [], representation=representation, seed=seed):
            scores.append(row)
            bar.update(said, description=f"scoring: {row.metric} is done")
    if as_json:
        made_of = {"file": str(file), "representation": representation, "size": "full"}
        typer.echo(
            json.dumps({**made_of, "seed": seed, "scores": [row._asdict() for row in scores]})
        )
        return
    shown = Table(box=None)
    shown.add_column("score", overflow="fold")
    shown.add_column("value", justify="right", no_wrap=True)
    for row in scores:
        shown.add_row(row.score, f"{row.value:.6f}")
    console.print(shown)


@app.command(epilog="Example: latentgrid importance xysquares --set spacing=4")
def importance(
    name: Name,
    options: Options = None,
    reconstruction: Annotated[
        str, typer.Option(help="The loss that tells distances: mse, mse_boxblur or bernoulli.")
    ] = "mse",
    pairs: Annotated[int, typer.Option(help="Pairs a factor, at least.", min=1)] = 50_000,
    seed: Annotated[int, typer.Option(help="Seed of the pairs.", min=0)] = 777,
    out: Out = "runs",
    data_dir: DataDir = None,
    figure: Annotated[
        Path | None,
        typer.Option(help="Also draw cumulative curves and matrices here.", metavar="FILE.png"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How far apart images look along each factor: which ones a VAE learns first.

    Michlo et al. 2023, supplement, equations 1 and 2. Kept in the study `importance`.
    """
    from orchestrator.importance import STUDY, importance_of
    from orchestrator.show import distances_table, title_of
    from results.distances import as_json as distances_as_json
    from results.distances import draw, read_distances

    if figure is not None:
        check_picture(figure)
    dataset = dataset_named(name, options or [])
    measurement, ended = importance_of(
        dataset, reconstruction, pairs, seed, _place(out, "--out "), data_folder(data_dir)
    )
    if ended is not Exit.DONE:
        sys.exit(ended)
    distances = read_distances(_place(out) / STUDY, measurement.trial_id)
    if as_json:
        typer.echo(json.dumps(distances_as_json(distances)))
    else:
        console.print(distances_table(measurement, distances))
    if figure is not None:
        draw(distances, dataset.cyclic, figure, title_of(measurement))
        _say(f"drawn: {figure}")


@app.command(epilog="Example: latentgrid datasets --json")
def datasets(as_json: AsJson = False) -> None:
    """Every dataset: its factors and images, its parameters, and where it is published."""
    _list("datasets", as_json)


@app.command(epilog="Example: latentgrid frameworks --json")
def frameworks(as_json: AsJson = False) -> None:
    """Every framework: what it is, its parameters, and where it is published."""
    _list("frameworks", as_json)


@app.command(epilog="Example: latentgrid models --json")
def models(as_json: AsJson = False) -> None:
    """Every network: what it is, the images that it takes, and where it is published."""
    _list("models", as_json)


@app.command(epilog="Example: latentgrid parameters --json")
def parameters(as_json: AsJson = False) -> None:
    """Every other parameter: a trial's own, of reconstructions, optimisers and schedules."""
    _list("parameters", as_json)


@app.command(epilog="Example: latentgrid metrics dci")
def metrics(
    name: Annotated[
        str | None, typer.Argument(help="A metric: its definition too.", metavar="[NAME]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Every metric by the name that `evaluate: {metrics: [...]}` of a grid file takes.

    What it is computed from, range and direction of its own value, which is the first of its
    scores, its cost and its source. With NAME: how all its scores are defined.
    """
    from orchestrator.catalogue import metric_view

    if name is None:
        _list("metrics", as_json)
    elif as_json:
        raise InputError("metrics NAME --json: valid: one of them; --json has all metrics")
    else:
        console.print(metric_view(name))


def _list(what: str, as_json: bool) -> None:
    from orchestrator.catalogue import catalogue_view, listed

    if as_json:
        typer.echo(json.dumps({what: listed(what)}))
    else:
        console.print(catalogue_view(what))


@app.command(epilog="Example: latentgrid report runs/quickstart --out report")
def report(
    study_dirs: Annotated[
        list[str],
        typer.Argument(
            help="Folders or URLs of studies, <out>/<study>; several are shown together.",
            metavar="STUDY_DIR...",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder to write to; by default <study>-report beside the first study.",
            metavar="DIR",
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Draw figures and tables, the published numbers beside ours, as one page of HTML.

    From the tables alone, of a study that is done or still runs.
    """
    from orchestrator.report import make_report

    studies = [_study(study_dir) for study_dir in study_dirs]
    page = make_report(studies, out or _beside(studies[0], "-report"))
    _say(f"written: {page}")


@app.command(epilog="Example: latentgrid traversals runs/quickstart 1a2b3c")
def traversals(
    study_dir: StudyDir,
    trial_id: Annotated[str, typer.Argument(help="A trial, or the beginning of its id.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="The picture; by default <study>-<TRIAL_ID>.png beside the study.",
            metavar="FILE.png",
        ),
    ] = None,
) -> None:
    """Draw what each latent of a trial does, and what it reconstructs."""
    from orchestrator.report import draw_traversals

    out = out or _beside(_place(study_dir), f"-{trial_id}.png")
    check_picture(out)
    draw_traversals(_study(study_dir), trial_id, out)
    _say(f"drawn: {out}")


@app.command(epilog="Example: latentgrid export runs/quickstart --tensorboard events")
def export(
    study_dir: StudyDir,
    csv: Annotated[
        Path | None,
        typer.Option(help="Write the tables here as CSV files.", metavar="DIR", file_okay=False),
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(
            help="Write curves and scores here, a TensorBoard run a trial.",
            metavar="DIR",
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Write a study's tables for other programs; a study that runs gives what is there."""
    from results.export import export_csv, export_tensorboard
    from results.tables import load

    if csv is None and tensorboard is None:
        raise InputError(
            "export: nothing to write was named; valid: --csv DIR, --tensorboard DIR, both"
        )
    frames = load(_study(study_dir))
    if csv is not None:
        for path in export_csv(frames, csv):
            _say(f"written: {path}")
    if tensorboard is not None:
        _say(f"written: {export_tensorboard(frames, tensorboard):,} runs below {tensorboard}")


@app.command(epilog="Example: latentgrid environment runs/quickstart > constraints.txt")
def environment(study_dir: StudyDir) -> None:
    """Print what was installed when a study last ran, as a constraints file for pip."""
    from orchestrator.manifest import constraints

    typer.echo(constraints(StudyFolder(_study(study_dir))), nl=False)


@app.command(epilog="Example: latentgrid compact runs/quickstart")
def compact(study_dir: StudyDir) -> None:
    """Merge a finished study's many small files into its tables; readers notice nothing."""
    from results import lease
    from results.tables import compact as compact_tables

    held = lease.acquire(StudyFolder(_study(study_dir)), waiting=_say)
    with lease.Beating(held):
        merged = compact_tables(held.folder)
    _say(f"merged {merged:,} small files")


def _grid(given: str) -> Grid:
    """Of a file, or of the URL of one. GridError, InputError."""
    if not is_url(given):
        return load_grid(Path(given))
    try:
        with on_disk(location(given)) as copy:
            return load_grid(copy)
    except GridError as error:
        raise GridError(f"{given}: {str(error).removeprefix(str(copy)).lstrip(':')}") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{given}: {getattr(error, 'strerror', None) or error}") from None


def _place(given: str, option: str = "") -> Location:
    """A folder as an absolute path, or the URL of one. InputError if it is none."""
    try:
        place = location(given)
    except ValueError as error:
        raise InputError(str(error)) from None
    if isinstance(place, Path):
        place = Path(os.path.abspath(place))
        if place.exists() and not place.is_dir():
            raise InputError(f"{option}{given}: is a file; valid: a folder")
        return place
    try:
        place.reach()
    except OSError as error:
        raise InputError(f"{option}{given}: {error.strerror}") from None
    return place


def _study(study_dir: str) -> Location:
    """The folder of a study that this version can read; InputError, SchemaError."""
    folder = StudyFolder(_place(study_dir))
    if not folder.manifest.exists():
        raise InputError(f"{study_dir}: not a study's folder (it has no manifest.json)")
    folder.check()
    return folder.root


def _beside(study: Location, ending: str) -> Path:
    """What is drawn of a study in an object store goes where the command was given."""
    parent = study.parent if isinstance(study, Path) else Path()
    return parent / f"{study.name}{ending}"
