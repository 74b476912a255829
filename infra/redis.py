"""Redis connections. A command is never sent twice behind the caller's back."""

from __future__ import annotations

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infra.reach import until_reachable


def connect(url: str, timeout_s: float = 60.0) -> Redis:
    """A connection to the server at `url`, once it answers; replies are bytes.

    A write whose reply is lost may have been made: the connection raises rather than repeats it, and the caller
    restores from what is stored.

    Raises:
        Unreachable: no answer within `timeout_s`.
    """
    client = Redis.from_url(
        url,
        socket_connect_timeout=5,
        socket_timeout=30,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
    )
    until_reachable(f"Redis at {without_password(url)}", client.ping, timeout_s)
    return client


def without_password(url: str) -> str:
    """`url` as it may be shown: user and password left out."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
