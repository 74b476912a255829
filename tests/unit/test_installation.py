"""What is installed: locked by hash, from no named registry; the workers' set a part of the whole, without torch."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FLOORS = ("infra", "feature_repo", "streams", "scorers")


def locked(name: str) -> dict[str, str]:
    """Packages and versions of a lock file."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", (ROOT / name).read_text(), re.MULTILINE))


ALL, WORKERS = locked("requirements.lock"), locked("requirements-workers.lock")


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-workers.lock"])
def test_locks_name_no_registry_and_hash_everything(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    blocks = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if block.strip())


def test_locks_hold_every_direct_dependency() -> None:
    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[^A-Za-z0-9-]", requirement)[0].lower() for requirement in requirements}

    direct = names(PROJECT["dependencies"])
    extras = names([line for extra in PROJECT["optional-dependencies"].values() for line in extra])
    assert direct <= WORKERS.keys()
    assert direct | extras <= ALL.keys()


def test_workers_install_a_part_of_the_whole_and_no_torch() -> None:
    assert WORKERS.items() <= ALL.items()
    assert not WORKERS.keys() & {"torch", "sentence-transformers", "pytest"}


def test_every_direct_dependency_gives_its_reason() -> None:
    dependencies = (ROOT / "pyproject.toml").read_text().split("[project.scripts]")[0]
    lines = re.findall(r'^    "[a-zA-Z].*$', dependencies, re.MULTILINE)
    assert lines
    assert [line for line in lines if not re.search(r'",\s+# \S', line)] == []


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_data_file(tmp_path: Path) -> None:
    program = f"from setuptools import build_meta; build_meta.build_wheel({str(tmp_path)!r})"
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=copy(tmp_path), capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT)) for floor in FLOORS for path in (ROOT / floor).rglob("*.py")}
    data = {"infra/stack/pom.xml", "infra/stack/log4j2.xml", "feature_repo/feature_store.yaml"}
    assert modules | data | {"keypulse.py"} <= held


def copy(to: Path) -> Path:
    """A copy of what is packaged, so that building leaves nothing in the tree."""
    source = to / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "keypulse.py"):
        shutil.copy(ROOT / name, source)
    for floor in FLOORS:
        shutil.copytree(ROOT / floor, source / floor, ignore=shutil.ignore_patterns("__pycache__"))
    return source
