"""What is shown of a Redis URL."""

from __future__ import annotations

import pytest

from infra.redis import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("rediss://user:p@ss@host:6379/0", "rediss://host:6379/0"),
        ("127.0.0.1:9092", "127.0.0.1:9092"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
