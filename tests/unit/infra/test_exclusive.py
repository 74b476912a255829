"""A folder that one process at a time works in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.exclusive import InUse, exclusive

_HOLD = """
import sys
from pathlib import Path
from infra.exclusive import exclusive
with exclusive(Path(sys.argv[1])):
    print("has it", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_refused_until_the_first_ends_however_it_does(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "demo"
    program = [sys.executable, "-c", _HOLD, str(folder)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "has it\n"
        refused = pytest.raises(InUse, match=r"demo: another run works there; wait .* or set KEYPULSE_HOME")
        with refused, exclusive(folder):
            pass
        other.kill()
    with exclusive(folder):
        pass
