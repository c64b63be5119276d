"""`latentgrid data`: what datasets there are, and getting them ready."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from grids.data_folder import DATA_VARIABLE, DataError, DataFolder, default_data_dir
from grids.datasets import DATASETS, Images
from orchestrator.catalogue import contents, factors, image_count, image_size
from orchestrator.data_files import OriginalFile, files_of
from orchestrator.data_sets import as_named, dataset_named, incomplete, not_prepared, original_files
from orchestrator.errors import Exit, InputError
from orchestrator.terminal import Terminal

if TYPE_CHECKING:
    from orchestrator.image_sets import ImageSet
    from orchestrator.prepare import Run
    from trainers.datasets.prepared import Prepared

app = typer.Typer(
    no_args_is_help=True,
    help="List, fetch, prepare and look at datasets.",
)
console = Terminal()
progress_console = Terminal(stderr=True)

Name = Annotated[str, typer.Argument(help="A dataset; `data list` has them.", metavar="NAME")]
Options = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter of the dataset; repeat for more.", metavar="KEY=VALUE"),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="The folder of original files and prepared images; else a cache folder in your home.",
        envvar=DATA_VARIABLE,
        metavar="DIR",
    ),
]


Unverified = Annotated[
    bool,
    typer.Option("--unverified", help="Take files whatever their checksum and size are."),
]


def data_folder(data_dir: Path | None) -> DataFolder:
    return DataFolder(default_data_dir() if data_dir is None else data_dir.expanduser().absolute())


@app.command("list", epilog="Example: latentgrid data list")
def list_datasets(
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Every dataset: its factors, images, files, and whether it is ready."""
    data = data_folder(data_dir)
    prepared = prepared_sets(data)
    rows = [described(kind(), data, prepared) for kind in DATASETS.values()]
    if as_json:
        told = {"data_dir": str(data.root), "datasets": rows, "prepared": prepared}
        typer.echo(json.dumps(told))
        return
    for row in rows:
        line = f"{row['name']:<18}{image_count(row):>16}  {image_size(row):<8}  {row['state']}"
        console.print(Text(line, style="red" if row["problem"] else ""), soft_wrap=True)
        console.print(Padding(Text(factors(row), style="dim"), (0, 0, 0, 4), expand=False))
    problems = [*prepared.values(), *(row["problem"] for row in rows)]
    for problem in dict.fromkeys(filter(None, problems)):
        console.print(Text(f"damaged: {problem}", style="red"), soft_wrap=True)
    whole = [name for name, problem in prepared.items() if problem is None]
    console.print(f"prepared: {', '.join(whole) or 'none'}", soft_wrap=True)
    if taken := unverified_sets(data, whole):
        console.print(f"of files that were not verified: {', '.join(taken)}", soft_wrap=True)
    console.print(f"data directory: {data.root}", soft_wrap=True)


def prepared_sets(data: DataFolder) -> dict[str, str | None]:
    """By name of what has been prepared: what is wrong with it, as far as its size tells."""
    names = sorted(path.name for path in data.prepared.glob("[!.]*") if path.is_dir())
    if not names:
        return {}
    from trainers.datasets.prepared import read_prepared

    found: dict[str, str | None] = {}
    for name in names:
        if not data.is_prepared(name):
            found[name] = incomplete(data, name)
            continue
        try:
            read_prepared(data, name)
            found[name] = None
        except DataError as error:
            found[name] = str(error)
    return found


def unverified_sets(data: DataFolder, names: Sequence[str]) -> list[str]:
    """Those of the prepared sets whose original files were taken as they were."""
    if not names:
        return []
    from trainers.datasets.prepared import read_prepared

    return [name for name in names if not read_prepared(data, name).verified]


def described(
    dataset: Images, data: DataFolder, prepared: Mapping[str, str | None]
) -> dict[str, Any]:
    """A dataset with default parameters, as plain values."""
    state, problem = condition(dataset, data, prepared)
    return {
        "name": dataset.name,
        **contents(dataset),
        "state": state,
        "problem": problem,
        "files": [
            {
                "path": str(file.path(data.root)),
                "urls": list(file.urls),
                "size_bytes": file.size_bytes,
            }
            for file in original_files(dataset, data)
        ],
    }


def condition(
    dataset: Images, data: DataFolder, prepared: Mapping[str, str | None]
) -> tuple[str, str | None]:
    """drawn, prepared, damaged, or what there is to do; and what is damaged.

    As far as sizes tell: what the files hold is verified when they are fetched and prepared.
    """
    if not dataset.stored:
        return "drawn", None
    for name in dataset.stored:
        if problem := prepared.get(name):
            return "damaged", problem
    wanted = [name for name in dataset.stored if name not in prepared]
    if not wanted:
        return "prepared", None
    files, folders = original_files(dataset, data, wanted), []
    for file in files:
        path = file.path(data.root)
        if not path.exists():
            folders.append(f"{file.folder}/")
        elif wrong := file.wrong_size(path):
            return "damaged", f"{path}: {wrong}; move it away and fetch again"
    if folders:
        return f"to fetch into {', '.join(dict.fromkeys(folders))}", None
    return ("fetched, to prepare" if files else "to prepare"), None


@app.command(epilog="Example: latentgrid data fetch shapes3d")
def fetch(
    name: Name,
    mirror: Annotated[
        list[str] | None,
        typer.Option(help="An address to try first, as MIRROR/<file name>; repeat for more."),
    ] = None,
    data_dir: DataDir = None,
    unverified: Unverified = False,
) -> None:
    """Download the original files of a dataset, or verify those that are there.

    `inception` is the network of the FID.
    """
    data = data_folder(data_dir)
    if name == "inception":  # no dataset: the network of the FID
        files = files_of(name, data.root)
    else:
        files = original_files(dataset_named(name), data)
    try:
        fetch_files(name, files, data, mirror or [], unverified)
    except KeyboardInterrupt:
        say("interrupted; the same command goes on, where the server can")
        sys.exit(Exit.INTERRUPTED)


def fetch_files(
    name: str,
    files: Sequence[OriginalFile],
    data: DataFolder,
    mirrors: Sequence[str],
    unverified: bool,
) -> None:
    """Sees to files that something of that name needs; `unverified` takes them as they are."""
    from orchestrator.fetch import NotDownloaded
    from orchestrator.fetch import fetch as fetch_file

    if not files:
        typer.echo(f"{name}: made here, nothing to fetch", err=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    for number, file in enumerate(files):
        if unverified:
            file = dataclasses.replace(file, checksum=None, size_bytes=None)
        path = file.path(data.root)
        with shown_progress(*columns) as progress:
            task = progress.add_task(file.name)

            def report(done: int, total: int | None) -> None:
                progress.update(task, completed=done, total=total)  # noqa: B023

            try:
                outcome = fetch_file(file, data.root, mirrors=mirrors, report=report, waiting=say)
            except NotDownloaded as error:
                line = f"{error}; or place the file by hand: {path}"
                if others := [str(other.path(data.root)) for other in files[number + 1 :]]:
                    line += f"; {name} needs {', '.join(others)} too"
                raise InputError(line) from None
        checked = "not verified" if file.checksum is None else "verified"
        say(f"{path}: {outcome}, {checked}")


def say(line: str) -> None:
    """A line beside a progress bar, or in a log."""
    progress_console.print(Text(line), soft_wrap=True)


def shown_progress(*columns: ProgressColumn) -> Progress:
    """A progress bar on a terminal; nothing in a log, not even an empty line."""
    shown = progress_console.is_terminal
    return Progress(*columns, console=progress_console, transient=True, disable=not shown)


@app.command(epilog="Example: latentgrid data show dsprites --out factors.png")
def show(
    name: Name,
    out: Annotated[Path, typer.Option(help="The picture to draw.", metavar="FILE.png")],
    options: Options = None,
    data_dir: DataDir = None,
) -> None:
    """Draw a dataset: a row a factor, its traversal; a row of nuisance draws, if it has any."""
    from orchestrator.data_picture import draw_dataset
    from trainers import make_dataset

    check_picture(out)
    dataset = dataset_named(name, options or [])
    data = data_folder(data_dir)
    if missing := not_prepared([dataset], data):
        raise InputError(missing)
    draw_dataset(make_dataset(dataset, data), as_named(dataset), out)
    typer.echo(f"drawn: {out}", err=True)


@app.command(epilog="Example: latentgrid data prepare cars3d --set resize=antialias")
def prepare(
    name: Name,
    options: Options = None,
    data_dir: DataDir = None,
    unverified: Unverified = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Read what is prepared already, and check its fingerprint."),
    ] = False,
    local: Annotated[bool, typer.Option("--local", help="In this process, without Ray.")] = False,
    address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster; else RAY_ADDRESS, else one is started here."),
    ] = None,
) -> None:
    """Bring a dataset into standard form, once. Fetches what is missing."""
    from orchestrator.data_pipeline import on_cluster
    from orchestrator.image_sets import image_set
    from orchestrator.prepare import check_space, here
    from orchestrator.signals import interruptible, terminable
    from trainers.datasets.prepared import read_prepared
    from trainers.datasets.source import SourceError

    dataset = dataset_named(name, options or [])
    data = data_folder(data_dir)
    wanted = []
    for stored in dataset.stored:
        if data.is_prepared(stored):
            found = read_prepared(data, stored)  # complains if it is damaged
            if verify:
                _verify(found)
            if not found.verified and not unverified:
                say(f"{found.path.parent}: was prepared of files that were not verified")
        else:
            wanted.append(stored)
    if not wanted:
        how = "drawn when it is used" if not dataset.stored else "prepared already"
        typer.echo(f"{as_named(dataset)}: {how}", err=True)
        return
    if local and address:
        raise InputError("--local and --address: valid: one of them")
    if files := original_files(dataset, data, wanted):
        fetch_files(dataset.name, files, data, [], unverified)
    try:
        with on_cluster(address, local) as run_on_ray, terminable() as check:
            run = interruptible(run_on_ray or here, check)
            made = [image_set(stored, dataset, data) for stored in wanted]
            check_space(made, data)
            for images in made:
                _prepare_one(images, data, run, not unverified)
    except SourceError as error:
        raise InputError(str(error)) from None
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing half made was kept, the same command goes on", err=True)
        sys.exit(Exit.INTERRUPTED)


def _prepare_one(made: ImageSet, data: DataFolder, run: Run, verified: bool) -> None:
    from orchestrator.prepare import prepare as prepare_set

    with _images_progress(made.name) as report:
        prepare_set(made, data, run=run, report=report, verified=verified)
    say(f"{data.info(made.name).parent}: prepared")


def _verify(prepared: Prepared) -> None:
    from orchestrator.prepare import verify as verify_images

    folder = prepared.path.parent
    with _images_progress(folder.name) as report:
        verify_images(prepared, report)
    say(f"{folder}: verified")


@contextlib.contextmanager
def _images_progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """Gives what is to be told how many images are done, and how many there are."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with shown_progress(*columns) as progress:
        task = progress.add_task(name)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def check_picture(path: Path) -> None:
    """Raises InputError where a picture cannot be written: before the work, not after."""
    from results.pictures import check_png

    try:
        check_png(path)
    except ValueError as error:
        raise InputError(str(error)) from None
