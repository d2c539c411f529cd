#!/bin/bash
# Agents on this machine, or in a job of any scheduler:  agents.sh COUNT SWEEP
# SIGTERM has all of them give back what they run.
here=$(dirname "$0")
count=$1
shift
job=${PBS_JOBID:-${LSB_JOBID:-${JOB_ID:-$(hostname)}}}
agents=()
trap 'kill -TERM "${agents[@]}"' TERM INT
for ((number = 1; number <= count; number++)); do
    JOB_ID=$job-$number PBS_JOBID= LSB_JOBID= bash "$here/agent.sh" "$@" &
    agents+=($!)
done
code=0
for agent in "${agents[@]}"; do
    while :; do
        wait "$agent"
        ended=$?
        kill -0 "$agent" 2>/dev/null || break  # else it was the wait that ended, by the trap
    done
    ((ended == 0)) || code=$ended
done
exit "$code"
