"""A script can tell by the exit code whose turn it is. The command line's help says what each code means."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from keypulse import EXIT_CODES, FLOORS

ROOT = Path(__file__).parents[2]

NOT_THE_INPUT = {
    # A check failed, or a step before this one is missing.
    "UnknownEntity": 1,
    "IndexBroken": 1,
    "NotPromoted": 1,
    "Tampered": 1,
    "Refused": 1,
    "TopicMissing": 1,
    "IndexMissing": 1,
    "NoFeatureLog": 1,
    "NotEmpty": 1,
    "StillRunning": 1,
    "InUse": 1,
    "IncompleteDictionary": 1,
    "OtherDictionary": 1,
    # An error that is no fault of the user's.
    "Failure": 1,
    "Fenced": 1,
    "UnexpectedBytes": 1,
    "CheckpointLost": 1,
    "ForeignArchive": 1,
    "TooManyBadRecords": 1,
    "Ended": 1,
    "ProcessDied": 1,
    "ProcessFailed": 1,
    "LexiconMissing": 1,
    "RegistryError": 1,
    "SparkFailed": 1,
    # A server does not answer.
    "Unreachable": 3,
    "NotAcknowledged": 3,
    # A local server cannot be had or did not start.
    "Unavailable": 4,
    "StackError": 4,
}
WRONG_INPUT = 2
"""Of all other failures: something else has to be given, a setting, an argument, a file."""


def classes() -> dict[str, ast.ClassDef]:
    """All classes of the program by name; nothing is imported for it, which would take half a minute."""
    return {
        node.name: node
        for floor in FLOORS
        for path in (ROOT / floor).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }


CLASSES = classes()


def exit_code(name: str) -> int | None:
    """What the class says or inherits; None when it is no `Failure`."""
    if name not in CLASSES:
        return None
    inherited = [code for base in CLASSES[name].bases if (code := exit_code(ast.unparse(base).rpartition(".")[2]))]
    for line in CLASSES[name].body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "exit_code":
            inherited.insert(0, ast.literal_eval(line.value))
    return inherited[0] if inherited else None


FAILURES = sorted(name for name in CLASSES if exit_code(name))


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_has_the_exit_code_of_its_meaning(name: str) -> None:
    assert exit_code(name) == NOT_THE_INPUT.get(name, WRONG_INPUT)


def test_every_exit_code_is_explained() -> None:
    explained = {int(code) for code in re.findall(r"[:;] (\d) ", EXIT_CODES)}
    assert explained == {0, *(exit_code(name) for name in FAILURES)}
