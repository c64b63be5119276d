"""Whole files: what a good one gives, and the one line that each bad one gives."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import grids.load
from grids.blocks import BLOCKS
from grids.load import Grid, load_grid
from grids.metrics import METRICS
from grids.parts import DATASETS, FRAMEWORKS, MODELS
from grids.trial import GridError

Load = Callable[[str], Grid]
ROOT = Path(grids.load.__file__).parents[1]

GOOD = """\
study: s
source: a paper
trial:
  dataset: {name: xysquares, grid_size: 4}
  framework: beta_vae
  model: conv64
  latents: 9
  beta: 1e-3
  steps: 100
grid:
  seed: [0, 1]
evaluate: {metrics: [mig], every: 50, representations: [mean, sampled]}
resources: {gpus: 0.25, cpus: 2, memory: 2GiB}
budget: {gpu_hours: 10}
"""


def test_a_grid_file_as_a_whole(load: Load) -> None:
    grid = load(GOOD)
    assert (grid.study, grid.source, grid.text) == ("s", "a paper", GOOD)
    assert grid.report == "generic"
    assert [trial.seed for trial in grid.trials] == [0, 1]
    assert grid.trials[0].beta == 0.001
    assert [resources.memory_bytes for resources in grid.resources] == [2**31, 2**31]
    assert grid.evaluate.metrics == ("mig",) and grid.evaluate.every == 50
    assert grid.evaluate.representations == ("mean", "sampled")
    assert grid.budget.gpu_hours == 10.0 and grid.budget.cpu_hours is None


def test_a_grid_names_the_paper_that_its_report_draws(load: Load) -> None:
    assert load(GOOD.replace("trial:", "report: song2018\ntrial:", 1)).report == "song2018"


def test_quickstart_is_eight_trials() -> None:
    grid = load_grid(ROOT / "grids" / "quickstart.yaml")
    assert grid.study == "quickstart"
    assert len({trial.trial_id for trial in grid.trials}) == len(grid.trials) == 8
    cells = [(t.dataset.spacing, t.framework.name, t.seed) for t in grid.trials]
    assert cells == [(s, f, n) for s in (16, 3) for f in ("beta_vae", "ada_gvae") for n in (0, 1)]
    assert {trial.dataset.positions for trial in grid.trials} == {4}
    assert {trial.beta for trial in grid.trials} == {0.001}
    assert grid.evaluate.metrics == ("mig", "factor_vae")


def test_the_text_is_kept_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_bytes(GOOD.replace("\n", "\r\n").encode())
    assert load_grid(path).text.encode() == path.read_bytes()


PART_NAMES = f"valid: {', '.join(FRAMEWORKS)}"
STUDY_RULE = "valid: 1 to 100 letters, digits, '-', '_' and '.', not starting with '.'"

# (what stands in GOOD, what stands there instead, the message after the file's name)
BAD = {
    "unknown block": (
        "trial:",
        "trail:",
        "3:1: unknown block 'trail'; did you mean trial? valid: ",
    ),
    "unknown report": (
        "trial:",
        "report: michlo2032\ntrial:",
        "3:9: report is 'michlo2032'; did you mean michlo2023? valid: michlo2023, locatello2019, ",
    ),
    "unknown key": ("latents:", "latens:", "7:3: unknown key 'latens'; did you mean latents? "),
    "unknown framework": (
        "beta_vae",
        "beta_vea",
        f"5:14: framework is 'beta_vea'; did you mean beta_vae? {PART_NAMES}",
    ),
    "unknown dataset": (
        "name: xysquares",
        "name: dsprits",
        f"4:19: dataset is 'dsprits'; did you mean dsprites? valid: {', '.join(DATASETS)}",
    ),
    "unknown model": (
        "conv64",
        "conv46",
        f"6:10: model is 'conv46'; did you mean conv64? valid: {', '.join(MODELS)}",
    ),
    "unknown metric": (
        "[mig]",
        "[mig, migg]",
        f"12:27: metrics is 'migg'; did you mean mig? valid: {', '.join(METRICS)}",
    ),
    "unknown optimiser": (
        "  beta: 1e-3",
        "  beta: 1e-3\n  optimizer: {name: sgd}",
        "9:21: optimizer is 'sgd'; valid: adam, adagrad",
    ),
    "unknown reconstruction": (
        "  beta: 1e-3",
        "  beta: 1e-3\n  reconstruction: msse",
        "9:19: reconstruction is 'msse'; did you mean mse? valid: mse, bernoulli, gaussian",
    ),
    "parameter of another framework": (
        "framework: beta_vae",
        "framework: {name: beta_vae, k_rule: orig}",
        "5:31: framework.k_rule is not a parameter of beta_vae (but of ada_gvae, ada_ml_vae); "
        "valid: none",
    ),
    "averaging that is a framework now": (
        "framework: beta_vae",
        "framework: {name: ada_gvae, averaging: ml_vae}",
        "5:42: framework.averaging is 'ml_vae'; did you mean gvae? valid: gvae, gvae_std, ",
    ),
    "beta of a framework without one": (
        "framework: beta_vae",
        "framework: vae",
        "8:9: beta is 0.001; valid: null, its default, as vae has no beta (a case may set it)",
    ),
    "convention that is left out": (
        "framework: beta_vae",
        "framework: beta_tc_vae",
        "3:1: beta_convention is mean; valid: sum, as framework is beta_tc_vae",
    ),
    "convention of another framework": (
        "framework: beta_vae",
        "beta_convention: mean\n  framework: beta_tc_vae",
        "5:20: beta_convention is mean; valid: sum, as framework is beta_tc_vae",
    ),
    "latents above the network's": (
        "latents: 9",
        "latents: 300",
        "7:12: latents is 300; valid: at most 256, as model is conv64",
    ),
    "schedule longer than the training": (
        "  beta: 1e-3",
        "  beta: 1e-3\n  beta_schedule: {name: linear, steps: 101}",
        "9:40: beta_schedule.steps is 101; valid: at most 100, the steps of the training",
    ),
    "annealing longer than the training": (
        "  framework: beta_vae\n  model: conv64\n  latents: 9\n  beta: 1e-3\n",
        "  framework: annealed_vae\n  model: conv64\n  latents: 9\n",
        "5:14: framework.anneal_steps is 100000; valid: at most 100, the steps of the training",
    ),
    "optimiser of a baseline": (
        "  framework: beta_vae\n  model: conv64\n  latents: 9\n  beta: 1e-3\n  steps: 100\n",
        "  framework: pca\n  model: linear\n  latents: 9\n  optimizer.lr: 1e-4\n  steps: 1\n",
        "8:17: optimizer is {name: adam, lr: 0.0001}; valid: {name: adam, lr: 0.001}, its default, "
        "as pca is not trained by gradients (a case may set it)",
    ),
    "parameter of the other variant": (
        "  framework: beta_vae\n  model: conv64\n  latents: 9\n  beta: 1e-3\n",
        "  framework: capacity_vae\n  model: conv64\n  latents: 9\n"
        "  framework.window_steps: 5\n  framework.anneal_steps: 5\n",
        "8:27: framework.window_steps is 5; valid: leave it out, as variant is spread",
    ),
    "unknown parameter": (
        "grid_size",
        "grid_sizes",
        "4:30: unknown parameter 'grid_sizes' of dataset; did you mean grid_size? valid: name, ",
    ),
    "wrong type": (
        "latents: 9",
        "latents: nine",
        "7:12: latents is 'nine'; valid: an integer of at least 1 and at most 1000",
    ),
    "number as text": (
        "1e-3",
        "'1e-3'",
        "8:9: beta is '1e-3'; valid: a number of at least 0, or null",
    ),
    "whole float": (
        "latents: 9",
        "latents: 9.0",
        "7:12: latents is 9.0; valid: an integer of at least 1 and at most 1000",
    ),
    "yes is text": (
        "grid_size: 4",
        "rgb: yes",
        "4:35: dataset.rgb is 'yes'; valid: true or false",
    ),
    "list in trial": ("latents: 9", "latents: [9]", "7:12: latents is a list; valid: one value ("),
    "empty list": ("[0, 1]", "[]", "11:9: seed is an empty list; valid: at least one value"),
    "duplicate trials": (
        "[0, 1]",
        "[0, 1, 0]",
        "11:16: two trials are the same: {seed: 0} (line 11) and {seed: 0}; valid: each trial once",
    ),
    "negative beta": ("1e-3", "-1", "8:9: beta is -1; valid: a number of at least 0, or null"),
    "not a number": ("1e-3", ".nan", "8:9: beta is nan; valid: a number of at least 0, or null"),
    "infinite": ("1e-3", "1e999", "8:9: beta is inf; valid: a number of at least 0, or null"),
    "latents 0": (
        "latents: 9",
        "latents: 0",
        "7:12: latents is 0; valid: an integer of at least 1 and at most 1000",
    ),
    "missing value": ("  latents: 9\n", "", "3:1: latents is missing; valid: an integer of at "),
    "missing part": (
        "  model: conv64\n",
        "",
        f"3:1: model is missing; valid: {', '.join(MODELS)}",
    ),
    "missing beta": ("  beta: 1e-3\n", "", "3:1: beta is missing; valid: a number, as beta_vae "),
    "missing study": ("study: s\n", "", "1:1: study is missing; valid: a name for the study"),
    "part without name": (
        "name: xysquares, ",
        "",
        "4:12: dataset has no name; valid: name: and one of dsprites, ",
    ),
    "duplicate keys": (
        "  latents: 9",
        "  latents: 9\n  latents: 10",
        "8:3: 'latents' stands here and on line 7; valid: each key once",
    ),
    "unequal zip": (
        "grid:",
        "zip: {latents: [1, 2], steps: [60]}\ngrid:",
        "10:31: steps has 1 values and latents has 2; valid: lists of one length in zip",
    ),
    "exclude without match": (
        "grid:",
        "exclude: [{seed: 7}]\ngrid:",
        "10:11: this matches no trial; valid: values of the grid",
    ),
    "exclude of everything": (
        "grid:",
        "exclude: [{beta: 0.001}]\ngrid:",
        "10:1: no trial is left; valid: at least one",
    ),
    "every 0": (
        "every: 50",
        "every: 0",
        "12:35: every is 0; valid: an integer of at least 1, or n",
    ),
    "every beyond steps": (
        "every: 50",
        "every: 101",
        "12:35: every is 101, and a trial has 100 steps; valid: 1 to 100",
    ),
    "every 0 of a metric": (
        "every: 50",
        "every: {mig: 0}",
        "12:35: every of mig is 0; valid: an integer of at least 1",
    ),
    "every list of a metric": (
        "every: 50",
        "every: {mig: [1, 2]}",
        "12:41: every of mig is a list; valid: an integer of at least 1",
    ),
    "every a list": (
        "every: 50",
        "every: [1, 2]",
        "12:35: every is a list; valid: an integer of at least 1, or null, or a mapping of "
        "metrics to such, as in {mig: 2400}",
    ),
    "every of what is scored once": (
        "metrics: [mig], every: 50",
        "metrics: [mig, udr], every: {udr: 20}",
        "12:40: every names udr, which is scored once all seeds are done; valid: without",
    ),
    "cells of one seed": (
        "seed: [0, 1]\nevaluate: {metrics: [mig]",
        "seed: [0]\nevaluate: {metrics: [udr]",
        "12:21: udr compares trials that differ by their seed alone, and no two of these do; "
        "valid: two seeds, or more",
    ),
    "metrics not a list": ("[mig]", "mig", "12:21: metrics is 'mig'; valid: a list, [...]"),
    "metric twice": ("[mig]", "[mig, mig]", "12:21: metrics is ['mig', 'mig']; valid: each value"),
    "unknown setting": (
        "cpus: 2",
        "cpu: 2",
        "13:25: unknown key of resources 'cpu'; did you mean cpus? valid: gpus, cpus, memory, pack",
    ),
    "pack of none": (
        "memory: 2GiB",
        "pack: 0",
        "13:40: pack is 0; valid: auto, or an integer of at least 1 and at most 16",
    ),
    "memory without unit": (
        "2GiB",
        "2GB",
        "13:42: memory is '2GB'; valid: a number and one of KiB, MiB, GiB, TiB, as in 2GiB",
    ),
    "one and a half GPUs": (
        "0.25",
        "1.5",
        "13:19: gpus is 1.5; valid: a fraction of one, or whole",
    ),
    "negative budget": ("10}", "-1}", "14:21: gpu_hours is -1; valid: a number above 0, or null"),
    "block of the wrong type": (
        "budget: {gpu_hours: 10}",
        "budget: 10",
        "14:9: budget is 10; valid: a mapping of keys",
    ),
    "source not text": ("a paper", "2023", "2:9: source is 2023; valid: text"),
    "anchor": ("[0, 1]", "&seeds [0, 1]", "11:9: an anchor (&seeds); valid: values without "),
    "alias": ("[0, 1]", "*seeds", "11:9: an alias (*seeds); valid: the value written out"),
    "tag": ("[0, 1]", "!!set [0, 1]", "11:9: a tag (!); valid: values without tags"),
    "deep nesting": ("[0, 1]", "[" * 5000, "11:18: nested too deeply; valid: at most 10 levels"),
    "not YAML": ("[0, 1]", "[0, 1", "12:9: this is not YAML: "),
    "study above the folder": (
        "study: s",
        "study: ../../x",
        f"1:8: study is '../../x'; {STUDY_RULE}",
    ),
    "study absolute": ("study: s", "study: /tmp/x", f"1:8: study is '/tmp/x'; {STUDY_RULE}"),
    "study empty": ("study: s", "study: ''", f"1:8: study is ''; {STUDY_RULE}"),
    "study hidden": ("study: s", "study: .x", f"1:8: study is '.x'; {STUDY_RULE}"),
    "study this folder": ("study: s", "study: .", f"1:8: study is '.'; {STUDY_RULE}"),
    "study a number": ("study: s", "study: 7", f"1:8: study is 7; {STUDY_RULE}"),
    "study over-long": ("study: s", "study: " + "x" * 101, "1:8: study is 'xxx"),
    "study with a line break": ("study: s", 'study: "s\\n"', f"1:8: study is 's\\n'; {STUDY_RULE}"),
    "study not ASCII": ("study: s", "study: é", f"1:8: study is 'é'; {STUDY_RULE}"),
}


@pytest.mark.parametrize(("good", "bad", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_dies_with_one_line(load: Load, good: str, bad: str, message: str) -> None:
    assert GOOD.count(good) >= 1
    with pytest.raises(GridError) as caught:
        load(GOOD.replace(good, bad, 1))
    said = str(caught.value)
    assert said.partition("grid.yaml:")[2].startswith(message)
    assert len(said.splitlines()) == 1 and len(said) < 1000


def test_every_is_at_most_the_steps_of_the_shortest_trial(load: Load) -> None:
    with pytest.raises(GridError, match="every is 50, and a trial has 40 steps; valid: 1 to 40"):
        load(GOOD.replace("seed: [0, 1]", "steps: [40, 100]"))


def test_every_is_about_what_is_trained_in_steps(load: Load) -> None:
    cases = "cases:\n  - {framework: beta_vae, beta: 1e-3}\n"
    cases += "  - {framework: pca, model: linear, steps: 1}\n"
    good = GOOD.replace("  beta: 1e-3\n", "").replace("[mean, sampled]", "[mean]")
    grid = load(good + cases)
    assert [trial.steps for trial in grid.trials] == [100, 100, 1, 1]
    alone = good.replace("steps: 100", "steps: 1")
    with pytest.raises(GridError, match="every is 50, and a trial has 1 steps; valid: 1 to 1"):
        load(alone.replace("framework: beta_vae", "framework: ica").replace("conv64", "linear"))


def test_too_many_trials_are_refused_by_counting(load: Load) -> None:
    hundred_and_one = str(list(range(1, 102)))
    keys = ("latents", "batch_size", "dataset.spacing")
    grid = "".join(f"  {key}: {hundred_and_one}\n" for key in keys)
    text = GOOD.replace("  seed: [0, 1]\n", grid)
    with pytest.raises(
        GridError, match=r":10:1: the grid has 1,030,301 trials; valid: at most 100,000"
    ):
        load(text)


def message_of(path: Path) -> str:
    with pytest.raises(GridError) as caught:
        load_grid(path)
    return str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "missing.yaml"
    assert message_of(missing) == (
        f"{missing}: No such file or directory; valid: a file that can be read"
    )
    assert message_of(tmp_path) == f"{tmp_path}:1:1: this is not a file; valid: a grid file"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert message_of(pipe) == f"{pipe}:1:1: this is not a file; valid: a grid file"

    locked = tmp_path / "locked.yaml"
    locked.write_text(GOOD)

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read a file of any mode
    assert message_of(locked) == f"{locked}: Permission denied; valid: a file that can be read"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "1:1: the file is empty; valid: a mapping of blocks"),
        (b"study: s\nsource: \xff\n", "2:9: this is not UTF-8; valid: UTF-8 text"),
        (b"#" * (2**20 + 1), "1:1: this file is too large; valid: at most 1 MiB"),
        (b"\x89PNG\r\n", "1:1: this is not UTF-8; valid: UTF-8 text"),
        (b"\x00\x00", "1:1: this is not YAML: a control character"),
        (b"just words\n", "1:1: the file holds 'just words'; valid: a mapping of blocks"),
        (b"[1, 2]\n", "1:1: the file holds a list; valid: a mapping of blocks"),
    ],
)
def test_bytes_that_are_no_grid(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "grid.yaml"
    path.write_bytes(data)
    assert message_of(path) == f"{path}:{message}"


def test_the_name_of_the_file_stays_on_the_line(tmp_path: Path) -> None:
    assert len(message_of(tmp_path / "a\nb.yaml").splitlines()) == 1


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["xysquares", "beta_vae", "ada_gvae", "conv64", "mig", "2GiB", "\u2028", ""])
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "dataset", "dataset.spacing", "framework", "framework.k", "beta", "seed"]
                + [
                    "grid",
                    "zip",
                    "resources",
                    "latents",
                    "model",
                    "steps",
                    "metrics",
                    "every",
                    "\n",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
FILES = st.dictionaries(st.sampled_from([*BLOCKS, "x"]), VALUES, max_size=6)


def flow(value: Any) -> str:
    """A value as YAML in flow style, which spells NaN its own way."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    return str(value).replace("inf", ".inf").replace("nan", ".nan")


def edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    for start, length, more in edits:
        start %= len(text) + 1
        text = text[:start] + more + text[start + length :]
    return text


EDITS = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.integers(0, 12),
        st.sampled_from(
            ["", " ", "\n", ":", "[", "]", "{", "}", ",", "-", "0", "~", "\t", "a", "'"]
        ),
    ),
    min_size=1,
    max_size=4,
)


def is_loaded_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grid.yaml"
        path.write_bytes(data)
        try:
            grid = load_grid(path)
        except GridError as error:
            assert len(str(error).splitlines()) == 1
        else:
            assert len(grid.trials) == len(grid.resources) >= 1


@settings(max_examples=200)
@given(st.binary(max_size=80))
def test_any_bytes_are_a_grid_or_a_grid_error(data: bytes) -> None:
    is_loaded_or_refused(data)


@settings(max_examples=300)
@given(FILES)
def test_any_structure_is_a_grid_or_a_grid_error(values: dict[str, Any]) -> None:
    is_loaded_or_refused(flow({"study": "s"} | values).encode("utf-8", "surrogatepass"))


@settings(max_examples=300)
@given(EDITS)
def test_any_slip_in_a_good_file_is_a_grid_or_a_grid_error(
    edits: list[tuple[int, int, str]],
) -> None:
    is_loaded_or_refused(edited(GOOD, edits).encode())


def test_the_loader_stays_light() -> None:
    heavy = "{'torch', 'ray', 'numpy', 'pandas', 'pyarrow'}"
    code = f"import sys, grids.load; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["grids.trial", "grids.settings"])
def test_trials_and_settings_need_the_standard_library_only(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = ['.']; import {module}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_sampled_codes_are_refused_of_a_framework_without_a_posterior(load: Load) -> None:
    text = """study: s
trial: {dataset: xysquares, framework: autoencoder, model: conv64, latents: 2, steps: 1}
evaluate: {metrics: [mig], representations: [mean, sampled]}
"""
    with pytest.raises(GridError, match="3:45: sampled codes are of a posterior, and autoencoder"):
        load(text)
    load(text.replace("[mean, sampled]", "[mean]"))
