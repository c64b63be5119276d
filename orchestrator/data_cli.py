"""`latentgrid data`: what datasets there are, and getting them ready."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column, Table

from grids.data_folder import DATA_VARIABLE, DataFolder, default_data_dir
from grids.datasets import DATASETS, RANDOM_NUISANCES, Images
from orchestrator.data_sets import as_named, dataset_named, missing_of, original_files
from orchestrator.errors import Exit, InputError

if TYPE_CHECKING:
    from orchestrator.image_sets import ImageSet
    from orchestrator.prepare import Run

app = typer.Typer(
    no_args_is_help=True,
    help="List, fetch, prepare and look at datasets.",
)
console = Console()
progress_console = Console(stderr=True)

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
    rows = [described(kind(), data) for kind in DATASETS.values()]
    if as_json:
        typer.echo(json.dumps({"data_dir": str(data.root), "datasets": rows}))
        return
    table = Table(Column("dataset", no_wrap=True), "images", "size", "factors", "state")
    for row in rows:
        cyclic = row["cyclic_factors"]
        factors = ", ".join(
            f"{name} {size}{' cyclic' if name in cyclic else ''}"
            for name, size in row["factors"].items()
        )
        if row["continuous_factors"]:
            factors = f"{', '.join(row['continuous_factors'])} (continuous)"
        table.add_row(row["name"], row["shown_images"], row["shown_size"], factors, row["state"])
    console.print(table)
    names = sorted(path.parent.name for path in data.prepared.glob("[!.]*/info.json"))
    console.print(f"prepared: {', '.join(names) or 'none'}", soft_wrap=True)
    console.print(f"data directory: {data.root}", soft_wrap=True)


def described(dataset: Images, data: DataFolder) -> dict[str, Any]:
    """A dataset with default parameters, as plain values."""
    channels, height, width = dataset.image_shape
    cells = math.prod(dataset.factor_sizes)
    redrawn = dataset.nuisances == RANDOM_NUISANCES
    return {
        "name": dataset.name,
        "factors": dict(zip(dataset.factor_names, dataset.factor_sizes, strict=True)),
        "cyclic_factors": list(dataset.cyclic),
        "continuous_factors": list(dataset.continuous_factors),
        "images": cells if redrawn else cells * dataset.nuisances,
        "image_shape": [channels, height, width],
        "state": state(dataset, data),
        "files": [str(file.path(data.root)) for file in original_files(dataset, data)],
        "shown_images": f"{cells:,} x random" if redrawn else f"{cells * dataset.nuisances:,}",
        "shown_size": f"{height}x{width}x{channels}",
    }


def state(dataset: Images, data: DataFolder) -> str:
    """drawn, prepared, or what there is to do."""
    if not dataset.stored:
        return "drawn"
    if all(data.is_prepared(name) for name in dataset.stored):
        return "prepared"
    files = original_files(dataset, data)
    if not files:
        return "to prepare"
    there = all(file.path(data.root).exists() for file in files)
    return "fetched, to prepare" if there else f"to fetch into {files[0].folder}/"


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
    """Download the original files of a dataset, or verify those that are there."""
    dataset = dataset_named(name)
    fetch_files(dataset, data_folder(data_dir), dataset.stored, mirror or [], unverified)


def fetch_files(
    dataset: Images,
    data: DataFolder,
    names: Sequence[str],
    mirrors: Sequence[str],
    unverified: bool,
) -> None:
    """Sees to the files of some of what a dataset reads; `unverified` takes them as they are."""
    from orchestrator.fetch import fetch as fetch_file

    files = original_files(dataset, data, names)
    if not files:
        typer.echo(f"{dataset.name}: made here, nothing to fetch", err=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    for file in files:
        if unverified:
            file = dataclasses.replace(file, checksum=None, size_bytes=None)
        with Progress(*columns, console=progress_console, transient=True) as progress:
            task = progress.add_task(file.name)

            def report(done: int, total: int | None) -> None:
                progress.update(task, completed=done, total=total)  # noqa: B023

            outcome = fetch_file(file, data.root, mirrors=mirrors, report=report)
        checked = "not verified" if file.checksum is None else "verified"
        typer.echo(f"{file.path(data.root)}: {outcome}, {checked}", err=True)


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
    if missing := missing_of(dataset, data):
        raise InputError(f"{as_named(dataset)} is not prepared below {data.root}: {missing}")
    draw_dataset(make_dataset(dataset, data), as_named(dataset), out)
    typer.echo(f"drawn: {out}", err=True)


@app.command(epilog="Example: latentgrid data prepare cars3d --set resize=antialias")
def prepare(
    name: Name,
    options: Options = None,
    data_dir: DataDir = None,
    unverified: Unverified = False,
    local: Annotated[bool, typer.Option("--local", help="In this process, without Ray.")] = False,
    address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster; else RAY_ADDRESS, else one is started here."),
    ] = None,
) -> None:
    """Bring a dataset into standard form, once. Fetches what is missing."""
    from orchestrator.data_pipeline import on_cluster
    from orchestrator.image_sets import image_set
    from orchestrator.prepare import here
    from orchestrator.signals import interruptible, terminable
    from trainers.datasets.prepared import read_prepared
    from trainers.datasets.source import SourceError

    dataset = dataset_named(name, options or [])
    data = data_folder(data_dir)
    wanted = []
    for stored in dataset.stored:
        if data.is_prepared(stored):
            read_prepared(data, stored)  # complains if it is damaged
        else:
            wanted.append(stored)
    if not wanted:
        how = "drawn when it is used" if not dataset.stored else "prepared already"
        typer.echo(f"{as_named(dataset)}: {how}", err=True)
        return
    if local and address:
        raise InputError("--local and --address: valid: one of them")
    if original_files(dataset, data, wanted):
        fetch_files(dataset, data, wanted, [], unverified)
    try:
        with on_cluster(address, local) as run_on_ray, terminable() as check:
            run = interruptible(run_on_ray or here, check)
            for stored in wanted:
                _prepare_one(image_set(stored, dataset, data), data, run)
    except SourceError as error:
        raise InputError(str(error)) from None
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing half made was kept, the same command goes on", err=True)
        sys.exit(Exit.INTERRUPTED)


def _prepare_one(made: ImageSet, data: DataFolder, run: Run) -> None:
    from orchestrator.prepare import prepare as prepare_set

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=progress_console, transient=True) as progress:
        task = progress.add_task(made.name)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        prepare_set(made, data, run=run, report=report)
    typer.echo(f"{data.info(made.name).parent}: prepared", err=True)


def check_picture(path: Path) -> None:
    """Raises InputError where a picture cannot be written: before the work, not after."""
    from results.pictures import check_png

    try:
        check_png(path)
    except ValueError as error:
        raise InputError(str(error)) from None
