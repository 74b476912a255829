"""Every command that a guide shows exists, with the options that it is shown with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from keypulse import build

ROOT = Path(__file__).parents[2]
SHOWN = re.compile(r"(?:^(?: {4}|export \S+ && )?|`(?:\S*/)?)keypulse ((?:[^`#\n|]|\|(?=\w))+)", re.MULTILINE)
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = get_command(build())


def problem(words: list[str]) -> str | None:
    """What is wrong with a command line, None when nothing is."""
    command: Any = COMMAND
    path = "keypulse"
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        word, *words = words
        if word not in command.commands:
            return f"{path} has no command {word}"
        command, path = command.commands[word], f"{path} {word}"
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in re.findall(r"--[a-z][a-z-]*", " ".join(words)) if word not in options | {"--help"}]
    return f"{path} has no option {unknown[0]}" if unknown else None


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_guide_exist(guide: Path) -> None:
    lines = [line for shown in SHOWN.findall(guide.read_text()) for line in re.split(r"\s&&\skeypulse\s", shown)]
    assert [found for line in lines if (found := problem(line.split()))] == []


def test_a_command_that_does_not_exist_is_found() -> None:
    assert problem("streams walk".split()) == "keypulse streams has no command walk"
    assert problem("streams run --fast".split()) == "keypulse streams run has no option --fast"
    assert problem("streams run --instance a".split()) is None


@pytest.mark.parametrize("parent", ["scorers", "tests"])
def test_the_map_names_every_folder(parent: str) -> None:
    row = re.search(rf"^{parent} .*(?:\n +\S.*)*", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert row
    folders = {path.name for path in (ROOT / parent).iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert folders - set(re.findall(r"\w+", row[0])) == set()
