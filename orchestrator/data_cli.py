"""`latentgrid data`: what datasets there are, and getting them ready."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

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
from rich.table import Table

from grids.data_folder import DATA_VARIABLE, DataFolder, default_data_dir
from grids.datasets import DATASETS, Images
from orchestrator.data_sets import as_named, dataset_named, missing_of, original_files
from orchestrator.errors import InputError

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
    table = Table("dataset", "images", "size", "factors", "state")
    for row in rows:
        factors = ", ".join(f"{name} {size}" for name, size in row["factors"].items())
        if row["continuous_factors"]:
            factors = f"{', '.join(row['continuous_factors'])} (continuous)"
        table.add_row(row["name"], row["shown_images"], row["shown_size"], factors, row["state"])
    console.print(table)
    console.print(f"data directory: {data.root}", soft_wrap=True)


def described(dataset: Images, data: DataFolder) -> dict[str, Any]:
    """A dataset with default parameters, as plain values."""
    channels, height, width = dataset.image_shape
    cells = math.prod(dataset.factor_sizes)
    redrawn = dataset.nuisances == 2**31
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
) -> None:
    """Download the original files of a dataset, or verify those that are there."""
    dataset = dataset_named(name)
    data = data_folder(data_dir)
    fetch_files(dataset, data, mirror or [])


def fetch_files(
    dataset: Images, data: DataFolder, mirrors: list[str], *, unverified: bool = False
) -> None:
    """`unverified` leaves a file that is there as it is, good or not."""
    from orchestrator.fetch import fetch as fetch_file

    files = original_files(dataset, data)
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
        if unverified and file.path(data.root).exists():
            typer.echo(f"{file.path(data.root)}: present, not verified", err=True)
            continue
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
    from trainers.datasets.prepared import DataError

    dataset = dataset_named(name, options or [])
    data = data_folder(data_dir)
    if missing := missing_of(dataset, data):
        raise InputError(f"{as_named(dataset)} is not below {data.root}: {missing}")
    try:
        draw_dataset(make_dataset(dataset, data), as_named(dataset), out)
    except DataError as error:
        raise InputError(str(error)) from None
    typer.echo(f"drawn: {out}", err=True)


@app.command(epilog="Example: latentgrid data prepare cars3d --set resize=antialias")
def prepare(
    name: Name,
    options: Options = None,
    data_dir: DataDir = None,
    unverified: Annotated[
        bool,
        typer.Option("--unverified", help="Take files that are there whatever their checksum."),
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
    from orchestrator.prepare import here
    from orchestrator.prepare import prepare as prepare_set
    from trainers.datasets.source import SourceError

    dataset = dataset_named(name, options or [])
    data = data_folder(data_dir)
    wanted = [stored for stored in dataset.stored if not data.is_prepared(stored)]
    if not wanted:
        how = "drawn when it is used" if not dataset.stored else "prepared already"
        typer.echo(f"{as_named(dataset)}: {how}", err=True)
        return
    if original_files(dataset, data):
        fetch_files(dataset, data, [], unverified=unverified)
    with on_cluster(address, local) as run_on_ray:
        for stored in wanted:
            try:
                made = image_set(stored, dataset, data)
            except SourceError as error:
                raise InputError(str(error)) from None
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            with Progress(*columns, console=progress_console, transient=True) as progress:
                task = progress.add_task(stored)

                def report(done: int, total: int) -> None:
                    progress.update(task, completed=done, total=total)  # noqa: B023

                prepare_set(made, data, run=run_on_ray or here, report=report)
            typer.echo(f"{data.info(stored).parent}: prepared", err=True)
