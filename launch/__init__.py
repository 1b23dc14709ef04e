"""The launcher: one process per GPU or CPU rank, started together and ended together.

`ringgrad-run` and `python -m ringgrad.launch` take torchrun's flags. The launcher knows the standard library only and meets
`ringgrad.distributed` through environment variables: torchrun's contract (`plan.rank_environment`) and three of our own.

| variable | holds |
|---|---|
| `RINGGRAD_STORE_FD` | in rank 0 only: file descriptor of a socket that already listens on `MASTER_PORT`; the store accepts on it |
| `RINGGRAD_STORE_TOKEN` | a secret shared by all ranks, with which the store knows its clients |
| `RINGGRAD_ERROR_FILE` | where a rank leaves its traceback (written by `_worker.py`, read by the launcher) |

| file | part |
|---|---|
| `cli.py`, `_flags.py`, `_parse.py`, `_program.py` | command line -> a checked `Job` |
| `plan.py` | pure functions: which rank, which environment, which command line, which stream goes where |
| `elastic.py` | the whole run: one attempt after another |
| `spawn.py`, `_rank.py`, `_signals.py` | one attempt: start, watch, stop, collect; signals passed on |
| `_worker.py` | runs inside each Python rank: the user's program as `__main__`, its traceback into the error file |
| `_mpirun.py`, `_seat.py` | MPI's side: mpirun gives the places, the launcher starts the ranks on them |
| `_logs.py` | whole lines with a prefix, log files |
| `_report.py` | which rank failed first, and what to say about it |
| `_guardian.py`, `_process.py` | nothing outlives the launcher |
| `_machine.py`, `_ports.py` | questions to this machine: GPUs, cores, mpirun, a listening socket |
"""
