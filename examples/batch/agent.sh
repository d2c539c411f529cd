#!/bin/bash
# One agent, as a job of any batch scheduler:  agent.sh SWEEP [OPTION ...]
#
#   LUTHIER_SERVER    the server's URL
#   LUTHIER_KEY_FILE  a file with its key, that you alone can read; not needed after `luthier login` in a shared home
set -euo pipefail

# By its name on the server's pages the job is found again: squeue -j, qstat, bjobs.
if [[ -n ${SLURM_ARRAY_JOB_ID:-} ]]; then
    job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
else
    job=${SLURM_JOB_ID:-${PBS_JOBID:-${LSB_JOBID:-${JOB_ID:-$$}}}}
fi

# A key is no argument: those everybody on the machine can see.
if [[ -n ${LUTHIER_KEY_FILE:-} ]]; then
    LUTHIER_API_KEY=$(<"$LUTHIER_KEY_FILE")
    export LUTHIER_API_KEY
fi

# A job's GPUs are its own, and in many clusters called 0, 1, ... in each job: it shares them with no agent beside it.
if [[ -n ${CUDA_VISIBLE_DEVICES:-} ]]; then
    XDG_RUNTIME_DIR=$(mktemp -d)
    export XDG_RUNTIME_DIR
fi

exec luthier agent "$@" --name "$job" --grace 30
