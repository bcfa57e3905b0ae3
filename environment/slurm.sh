#!/bin/sh
# A batch job: sbatch environment/slurm.sh CASE, in the directory that holds the case.
# It needs a DOLFINx that was built with the cluster's own MPI: the cluster's module, or conda. The
# trees of ./with-env know one machine only. Not tested: see environment/README.md.
#SBATCH --job-name=fem-rd
#SBATCH --ntasks=64
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=2G
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
# Two minutes before the end every rank gets SIGTERM: the run saves its state and ends with
# status 4, and `fem-rd resume RESULTS` in the next job goes on.

set -eu
case=${1:?usage: sbatch environment/slurm.sh CASE}

# Here goes what makes `fem-rd` and `python3 -c "import dolfinx"` work, for example:
#   module load dolfinx
#   conda activate fem_rd

export OMP_NUM_THREADS=1 # one thread per rank: PETSc and DOLFINx work with ranks

srun fem-rd run "$case" --output "$case/results-$SLURM_JOB_ID"
