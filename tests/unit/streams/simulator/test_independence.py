"""The simulator cannot agree with our models by construction: it imports none of them."""

from __future__ import annotations

import ast
from pathlib import Path

import streams.simulator

ALLOWED = ("infra", "streams.contracts.events", "streams.contracts.messages", "streams.simulator")


def test_of_ours_it_imports_contracts_and_infra_only() -> None:
    folder = Path(streams.simulator.__file__).parent
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                ours = name.split(".")[0] in ("infra", "feature_repo", "streams", "scorers", "keypulse")
                assert not ours or name.startswith(ALLOWED), f"{file.name} imports {name}"
