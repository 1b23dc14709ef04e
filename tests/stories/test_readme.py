"""README.md says what is so: its programs run, and what it names is there."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
TIMEOUT_S = 120
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
PROGRAMS = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [line.split("#")[0].split() for language, text in BLOCKS if language != "python" for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda text: text.splitlines()[0])
def test_a_program_runs(program, run_command, rank_environment, tmp_path):
    (tmp_path / "program.py").write_text(program)
    code, output = run_command([sys.executable, "-W", "error", "program.py"], TIMEOUT_S, rank_environment, cwd=tmp_path)
    assert code == 0, output


def test_its_commands_can_be_typed():
    """Every target of make exists, and every script with a folder in its name."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    made = [words[1] for words in COMMANDS if words[0] == "make"] + re.findall(r"`make ([a-z-]+)`", README)
    scripts = [word for command in COMMANDS for word in command if word.endswith(".py") and "/" in word]
    assert made and [target for target in made if target not in targets] == []
    assert scripts and [path for path in scripts if not (ROOT / path).exists()] == []


def test_its_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    assert links and [path for path in links if not (ROOT / path).exists()] == []


def test_its_extras_are_those_of_the_package():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {extra for group in re.findall(r"\.\[([a-z0-9,-]+)\]", README) for extra in group.split(",")}
    assert named and named <= extras.keys()


def test_its_flags_are_the_launchers(run_command, rank_environment):
    code, output = run_command([sys.executable, "-m", "ringgrad.launch", "--help"], TIMEOUT_S, rank_environment)
    assert code == 0, output
    flags = {word for command in COMMANDS if command[0] == "ringgrad-run" for word in command[:command.index(_script(command))]
             if word.startswith("--")}
    assert flags and [flag for flag in flags if flag not in output] == []


def _script(command):
    """The training script of a launcher's command line: what comes after it is the script's own."""
    return next(word for word in command if word.endswith(".py"))
