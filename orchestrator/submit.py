"""A study as a Ray job: the same run, on a cluster, with nothing of ours installed there."""

from __future__ import annotations

import secrets
import shlex
import shutil
from pathlib import Path

from ray.exceptions import AuthenticationError
from ray.job_submission import JobStatus, JobSubmissionClient

from grids.load import Grid
from orchestrator import machine, token_source
from orchestrator.errors import Exit
from results.scratch import scratch

PACKAGES = ("grids", "metrics", "orchestrator", "results", "trainers")


class JobRunning(Exception):
    """The study has a job that has not ended; one line with its id."""


class TokenRefused(Exception):
    """The cluster wants another token, or any; one line that does not hold it."""


def submission_id(study: str) -> str:
    return f"latentgrid-{study}"


def submit(
    grid: Grid, address: str, out: str, data_dir: str | None = None, token: str | None = None
) -> tuple[JobSubmissionClient, str]:
    """Submits the study and returns the client and the job's id. `token` is where Ray's token is.

    Raises JobRunning where the study is running there already, OSError where nothing answers at
    `address` or it cannot be one, TokenRefused.
    """
    job = submission_id(grid.study)
    try:
        client = JobSubmissionClient(address)
        _clear_ended(client, job, rays_own("stop", job, address, token))
    except AuthenticationError:
        said = f"refuses the token of {token}" if token else "asks for a token, and none was sent"
        raise TokenRefused(f"{address} {said}; valid: {token_source.PLACES}") from None
    commit = machine.code_version()
    command = ["python", "-m", "orchestrator", "run", "grid.yaml", "--out", out]
    command += ["--data-dir", data_dir] if data_dir else []
    with scratch() as working_dir:
        _stage(working_dir, grid)
        client.submit_job(
            entrypoint=shlex.join(command),
            submission_id=job,
            runtime_env={
                "working_dir": str(working_dir),
                "env_vars": {
                    machine.COMMIT_VARIABLE: commit,
                    machine.AGAIN_VARIABLE: "the same submit as before",
                    # Long enough for trainers to write checkpoints when the job is stopped.
                    "RAY_JOB_STOP_WAIT_TIME_S": "30",
                },
            },
            metadata={"study": grid.study, "commit": commit},
        )
    return client, job


def rays_own(verb: str, job: str, address: str, token: str | None) -> str:
    """The command of Ray's command line, as it reaches the same cluster from here."""
    mode = "RAY_AUTH_MODE=token " if token else ""
    return f"{mode}ray job {verb} {job} --address {shlex.quote(address)}"


def _clear_ended(client: JobSubmissionClient, job: str, stop: str) -> None:
    """An id is used once in Ray: an ended job of the study makes room for the next."""
    for known in client.list_jobs():
        if known.submission_id == job:
            if not known.status.is_terminal():
                raise JobRunning(
                    f"the study has a job that is {known.status.value.lower()}: {job}; "
                    f"stop it with: {stop}"
                )
            client.delete_job(job)


def _stage(folder: Path, grid: Grid) -> None:
    """Our packages and the grid file, as the job's working directory."""
    source = Path(__file__).resolve().parent.parent
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(source / package, folder / package, ignore=ignored)
    (folder / "grid.yaml").write_text(grid.text, encoding="utf-8")
    # Ray deletes a package some time after its last job has ended, also under a new job that
    # carries the very same files: so no two submissions do.
    (folder / "submission.txt").write_text(secrets.token_hex(16))


async def follow(client: JobSubmissionClient, job: str) -> int:
    """Prints the job's log until it ends; its exit code, 1 where it was killed."""
    async for text in client.tail_job_logs(job):
        print(text, end="", flush=True)
    ended = client.get_job_info(job)
    if ended.status == JobStatus.STOPPED:  # Ray keeps no code then
        return Exit.INTERRUPTED
    code = ended.driver_exit_code
    return Exit.FAILED if code is None or code < 0 else code
