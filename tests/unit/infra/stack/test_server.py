"""Ports for local servers."""

from __future__ import annotations

import socket

import pytest

from infra.stack import server
from infra.stack.server import Unavailable, free_port, is_free


def test_ports_are_free_and_given_once_and_no_client_can_get_them() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == len(ports)
    assert all(map(is_free, ports))
    with socket.socket() as client:
        client.bind(("127.0.0.1", 0))
        assert client.getsockname()[1] not in server.PORTS


def test_a_port_that_somebody_listens_on_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        monkeypatch.setattr(server, "PORTS", range(port, port + 1))
        with pytest.raises(Unavailable, match="no port from"):
            free_port()
