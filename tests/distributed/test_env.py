"""Every launcher's variables, their order of precedence, and what contradictions say."""

import pytest

from ringgrad.distributed.env import Environment, first_host, read

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "node1", "MASTER_PORT": "4711"}
OPENMPI = {
    "OMPI_COMM_WORLD_RANK": "5",
    "OMPI_COMM_WORLD_SIZE": "8",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "4",
}
MPICH = {"PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "2"}
MVAPICH = {
    "MV2_COMM_WORLD_RANK": "2",
    "MV2_COMM_WORLD_SIZE": "3",
    "MV2_COMM_WORLD_LOCAL_RANK": "2",
    "MV2_COMM_WORLD_LOCAL_SIZE": "3",
}
SLURM = {
    "SLURM_PROCID": "6",
    "SLURM_NTASKS": "8",
    "SLURM_LOCALID": "2",
    "SLURM_STEP_TASKS_PER_NODE": "4(x2)",
    "SLURM_STEP_NODELIST": "node[03-05,9]",
    "SLURM_JOB_ID": "100",
    "SLURM_STEP_ID": "1",
}


ROWS = {
    # environment, arguments -> the fields that must come out
    "plain python": ({}, {}, {"rank": 0, "world_size": 1, "started_by": "python", "mpi_world_size": None}),
    "torchrun": (
        TORCHRUN,
        {},
        {
            "rank": 3,
            "world_size": 4,
            "local_rank": 1,
            "local_world_size": 2,
            "master_addr": "node1",
            "master_port": 4711,
            "started_by": "torchrun",
        },
    ),
    "open mpi": (
        OPENMPI,
        {},
        {"rank": 5, "world_size": 8, "local_rank": 1, "local_world_size": 4, "started_by": "openmpi", "mpi_world_size": 8},
    ),
    "mpich": (MPICH, {}, {"rank": 1, "world_size": 2, "local_rank": 1, "local_world_size": 2, "started_by": "mpich", "mpi_world_size": 2}),
    "mvapich": (MVAPICH, {}, {"rank": 2, "world_size": 3, "local_rank": 2, "local_world_size": 3, "started_by": "mvapich"}),
    "mvapich sets PMI too": ({**MVAPICH, **MPICH}, {}, {"rank": 2, "world_size": 3, "started_by": "mvapich"}),
    "slurm": (
        SLURM,
        {},
        {
            "rank": 6,
            "world_size": 8,
            "local_rank": 2,
            "local_world_size": 4,
            "master_addr": "node03",
            "master_port": 10701,
            "started_by": "slurm",
        },
    ),
    "slurm with MASTER_ADDR and MASTER_PORT": (
        {**SLURM, "MASTER_ADDR": "head", "MASTER_PORT": "1"},
        {},
        {"master_addr": "head", "master_port": 1},
    ),
    "sbatch script without srun is one rank": (
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_LOCALID": "0"},
        {},
        {"rank": 0, "world_size": 1},
    ),
    "torchrun beats slurm": ({**SLURM, **TORCHRUN}, {}, {"rank": 3, "world_size": 4, "started_by": "torchrun", "master_addr": "node1"}),
    "mpi beats slurm": ({**SLURM, **OPENMPI}, {}, {"rank": 5, "started_by": "openmpi"}),
    "torchrun that agrees with mpirun": (
        {"RANK": "1", "WORLD_SIZE": "2", **MPICH},
        {},
        {"rank": 1, "world_size": 2, "started_by": "torchrun", "mpi_world_size": 2},
    ),
    "a launcher inside an mpi job": ({**TORCHRUN, "TORCHELASTIC_RUN_ID": "7", **MPICH}, {}, {"rank": 3, "world_size": 4}),
    "arguments beat everything": ({**TORCHRUN, **OPENMPI}, {"rank": 0, "world_size": 2}, {"rank": 0, "world_size": 2}),
    "arguments alone": ({}, {"rank": 1, "world_size": 2}, {"rank": 1, "world_size": 2, "started_by": "arguments"}),
    "one argument, the other from the environment": ({"WORLD_SIZE": "4"}, {"rank": 2}, {"rank": 2, "world_size": 4}),
    "no local variables: one machine": (
        {"RANK": "1", "WORLD_SIZE": "4"},
        {},
        {"local_rank": 1, "local_world_size": 4},
    ),
    "an empty variable is no variable": ({"RANK": "", "WORLD_SIZE": ""}, {}, {"rank": 0, "world_size": 1}),
    "one machine on localhost": (
        {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "1234"},
        {},
        {"master_addr": "localhost", "master_port": 1234},
    ),
}


@pytest.mark.parametrize(("environ", "arguments", "expected"), ROWS.values(), ids=ROWS)
def test_translation(environ, arguments, expected):
    found = read(environ=environ, **arguments)
    assert {name: getattr(found, name) for name in expected} == expected


WRONG = {
    "RANK missing": ({"WORLD_SIZE": "2"}, {}, "environment variable RANK expected, but not set"),
    "WORLD_SIZE missing": ({"RANK": "0"}, {}, "environment variable WORLD_SIZE expected, but not set"),
    "world size argument without rank": ({}, {"world_size": 2}, "environment variable RANK expected, but not set.*init_process_group"),
    "OMPI size missing": ({"OMPI_COMM_WORLD_RANK": "0"}, {}, "OMPI_COMM_WORLD_SIZE expected, but not set"),
    "PMI rank missing": ({"PMI_SIZE": "2"}, {}, "PMI_RANK expected, but not set"),
    "no integer": ({"RANK": "one", "WORLD_SIZE": "2"}, {}, "RANK must be an integer, but is 'one'"),
    "negative": ({"RANK": "-1", "WORLD_SIZE": "2"}, {}, "RANK must not be negative"),
    "rank too large": ({"RANK": "2", "WORLD_SIZE": "2"}, {}, "RANK is 2 but WORLD_SIZE is 2: ranks go from 0 to 1"),
    "rank argument too large": ({}, {"rank": 3, "world_size": 2}, "rank is 3 but world_size is 2"),
    "no ranks at all": ({"RANK": "0", "WORLD_SIZE": "0"}, {}, "WORLD_SIZE must be at least 1"),
    "local rank too large": ({**TORCHRUN, "LOCAL_RANK": "2"}, {}, "LOCAL_RANK is 2 but LOCAL_WORLD_SIZE is 2"),
    "port out of range": ({**TORCHRUN, "MASTER_PORT": "70000"}, {}, "MASTER_PORT must be from 1 to 65535, but is 70000"),
    "port 0, which nobody else can know": ({**TORCHRUN, "MASTER_PORT": "0"}, {}, "MASTER_PORT must be from 1 to 65535, but is 0"),
    "port no number": ({**TORCHRUN, "MASTER_PORT": "http"}, {}, "MASTER_PORT must be an integer"),
    "localhost on several machines": (
        {**TORCHRUN, "MASTER_ADDR": "localhost"},
        {},
        "MASTER_ADDR is 'localhost'.*4 ranks.*2 run on this machine",
    ),
    "127.0.0.1 on several machines": ({**TORCHRUN, "MASTER_ADDR": "127.0.0.1"}, {}, "set MASTER_ADDR to the host name"),
    "variables left over under mpirun": (
        {"RANK": "0", "WORLD_SIZE": "1", **MPICH},
        {},
        "RANK=0 and WORLD_SIZE=1.*PMI_RANK=1 and PMI_SIZE=2",
    ),
    "broken node list": ({**SLURM, "SLURM_STEP_NODELIST": "[1-2"}, {}, "cannot read the first host"),
}


@pytest.mark.parametrize(("environ", "arguments", "words"), WRONG.values(), ids=WRONG)
def test_wrong_environment_says_which_variable(environ, arguments, words):
    with pytest.raises(ValueError, match=words):
        read(environ=environ, **arguments)


@pytest.mark.parametrize(
    ("nodelist", "host"),
    [
        ("node1", "node1"),
        ("node1,node2", "node1"),
        ("node[03-05,9]", "node03"),
        ("node[7,9-12]", "node7"),
        ("gpu[1-2]-ib", "gpu1-ib"),
        ("rack[1-2]node[03-04]", "rack1node03"),
        ("a-b[10-12],c3", "a-b10"),
        ("node-2.cluster.example,node[1-2]", "node-2.cluster.example"),
    ],
)
def test_first_host_of_a_slurm_list(nodelist, host):
    assert first_host(nodelist) == host


@pytest.mark.parametrize("nodelist", ["", " ", "node[", "node[1-2", "[]"])
def test_broken_slurm_list(nodelist):
    with pytest.raises(ValueError, match="MASTER_ADDR"):
        first_host(nodelist)


def test_the_environment_is_a_value():
    with pytest.raises(AttributeError):
        Environment().rank = 1
