#!/bin/bash
# One run on several nodes, one worker each; the folder it is started in must be shared by all.
#
#     sbatch slurm.sh recipe.json
#
# Before its time is up, or when it has to make room, a job saves its state, ends with code 75 and
# waits in the queue to go on.
#SBATCH --job-name=easymft
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --time=12:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append

hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed 's/.*/"&:2222"/' | paste -sd ,)
export hosts

# shellcheck disable=SC2016 # expanded on each node
srun bash -c '
    export TF_CONFIG="{\"cluster\": {\"worker\": [$hosts]},
        \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
    exec python -m easymft.run --config "$0"
' "${1:?name a recipe}"
code=$?

if [ "$code" -eq 75 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
