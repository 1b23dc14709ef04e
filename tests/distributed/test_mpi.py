"""The contract over MPI, on real processes; and the ends that MPI jobs come to."""

import json
from pathlib import Path

import pytest
from contract import CollectiveContract

HERE = Path(__file__).parent
pytestmark = pytest.mark.mpi


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """(size) -> {rule: error texts of the ranks on which it failed}; all rules of one size run in one mpirun, once."""
    done = {}

    def of(world, size):
        if size not in done:
            folder = tmp_path_factory.mktemp(f"contract{size}")
            script = (
                f"import runpy, sys; sys.argv[0] = {str(HERE / 'contract_runner.py')!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
            )
            ran = world(size).run(script, "mpi", "cpu", folder, timeout_s=180, check=False)
            done[size] = collect(folder, size, ran)
        return done[size]

    return of


def collect(folder, size, ran):
    """{rule: {rank: error}} from the ranks' reports; a rule that a rank did not report has the run's outputs as its error."""
    reports = [folder / f"rank{rank}.jsonl" for rank in range(size)]
    lines = [[json.loads(line) for line in report.read_text().splitlines()] if report.exists() else [] for report in reports]
    rules = dict.fromkeys(line["rule"] for rank in lines for line in rank)
    found = {name: {} for name in rules}
    for rank, own in enumerate(lines):
        for line in own:
            if not line["ok"]:
                found[line["rule"]][rank] = line["error"]
        for name in rules.keys() - {line["rule"] for line in own}:
            found[name][rank] = f"rank {rank} did not get to the end of it"
    return {"rules": found, "ran": ran}


class TestMpiContract(CollectiveContract):
    backend = "mpi"

    @pytest.fixture(autouse=True)
    def _world(self, world, outcomes):
        self._world_of, self._outcomes = world, outcomes

    def run(self, rule, size):
        outcome = self._outcomes(self._world_of, size)
        errors = outcome["rules"].get(rule)
        if errors is None:
            pytest.fail(f"the ranks never came to {rule}: {outcome['ran']}", pytrace=False)
        if errors:
            pytest.fail("\n".join(f"--- rank {rank} ---\n{text}" for rank, text in sorted(errors.items())), pytrace=False)
        assert outcome["ran"].returncode == 0, outcome["ran"]
