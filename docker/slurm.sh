#!/bin/bash
# One study as a SLURM job on whole nodes: see docs/cluster/slurm.md.
#   sbatch --nodes=4 docker/slurm.sh GRID OUT
#SBATCH --job-name=latentgrid
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@180
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=latentgrid-%j.log
set -euo pipefail
grid=$1 out=$2

# Whoever reaches a node can reach Ray's ports: they ask for the token in your home.
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=600
[[ -s ~/.ray/auth_token ]] || (umask 077 && ray get-auth-token --generate >/dev/null)
export LATENTGRID_AGAIN="the same sbatch, unless the job goes back to the queue by itself"

# This script runs on the first node, which becomes the head: so the driver is a process of this
# machine, and a signal reaches it alone. One to the whole step would end Ray, too, before trials
# have written their checkpoints. The file holds the driver's pid; without it none starts any more.
head=$(hostname -I | cut --delimiter=' ' --fields=1):6379
driver=$(mktemp)
stopped=
# shellcheck disable=SC2329  # by the traps
stop() {
  local pid
  stopped=$1
  pid=$(cat "$driver" 2>/dev/null) || return 0 # told before
  rm "$driver"
  [[ -z $pid ]] || kill -TERM "$pid" || true
}
trap 'stop "at the time limit"' USR1
trap 'stop "when told to"' TERM

# shellcheck disable=SC2016  # the inner shell's own words
srun --cpu-bind=none ray symmetric-run --address "$head" --min-nodes "$SLURM_NNODES" -- \
  bash -c '[[ -e $1 ]] && echo $$ >"$1" && exec latentgrid run "$2" --address "$3" --out "$4"' \
  driver "$driver" "$grid" "$head" "$out" &
step=$!
while kill -0 "$step" 2>/dev/null; do
  code=0
  wait "$step" || code=$? # a signal ends the waiting, too
done
rm -f "$driver"

[[ -z $stopped ]] || echo "stopped $stopped"
if [[ $stopped == "at the time limit" ]]; then
  scontrol requeue "$SLURM_JOB_ID" # to go on in a job of the same id
fi
exit "$code"
