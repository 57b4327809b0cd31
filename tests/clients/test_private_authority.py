"""A GitHub behind a certificate of one's own, or behind a proxy: one variable is enough for each client."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from modelwatch.clients.environment import CA_VARIABLES, proxy_url, share_ca_file
from modelwatch.clients.github import GitHubClient
from modelwatch.clients.pagerduty import EventsApi
from modelwatch.clients.retry import RetryPolicy
from modelwatch.errors import ServiceError
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server

from ..relay.world import RelayProcess, github_server, ids, incident

READ = """
import os, sys
from modelwatch.clients.environment import share_ca_file
from modelwatch.clients.github import GitHubClient
from modelwatch.clients.retry import RetryPolicy
share_ca_file(os.environ)
github = GitHubClient(sys.argv[1], sys.argv[2], RetryPolicy(max_attempts=1))
print(github.get("/repos/acme/churn-model", "read it")["full_name"])
"""


def certificate(folder: Path) -> ssl.SSLContext:
    """A server's context; its certificate, which is its own authority, lies in ``ca.pem``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "modelwatch test")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


def pipe(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        sink.close()


class Forwarder:
    """Forwards connections to a server, from TLS where ``context`` is given; remembers how each began."""

    def __init__(self, url: str, context: ssl.SSLContext | None = None) -> None:
        self.target = (urlsplit(url).hostname, urlsplit(url).port)
        self.context = context
        self.beginnings: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.forward, args=(raw,), daemon=True).start()

    def forward(self, raw: socket.socket) -> None:
        try:
            caller = self.context.wrap_socket(raw, server_side=True) if self.context else raw
            server = socket.create_connection(self.target)
            first = caller.recv(65536)
        except OSError:
            raw.close()
            return
        self.beginnings.append(first)
        server.sendall(first)
        threading.Thread(target=pipe, args=(server, caller), daemon=True).start()
        pipe(caller, server)


@pytest.fixture
def github() -> Iterator[tuple[Server[GitHubStandIn], str]]:
    server, token = github_server()
    with server:
        yield server, token


@pytest.mark.parametrize("variable", CA_VARIABLES)
def test_either_variable_suffices_for_all_clients(
    github: tuple[Server[GitHubStandIn], str], tmp_path: Path, variable: str
) -> None:
    server, token = github
    behind = Forwarder(server.url, certificate(tmp_path))
    address = f"https://localhost:{behind.port}"
    env = {variable: str(tmp_path / "ca.pem")}
    command = [sys.executable, "-c", READ, address, token]
    assert "full_name" not in subprocess.run(command, env={}, capture_output=True, text=True, check=False).stdout
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "acme/churn-model\n", done.stderr
    with RelayProcess(tmp_path / "relay", address, token, env=env) as relay:
        assert relay.send(incident("T1")).body["outcome"] == "accepted"
    assert ids(server) == ["T1"]
    with RelayProcess(tmp_path / "other", address, token) as relay:
        assert relay.send(incident("T2")).body["outcome"] == "unreachable"


def test_the_relay_uses_the_proxy(github: tuple[Server[GitHubStandIn], str], tmp_path: Path) -> None:
    server, token = github
    proxy = Forwarder(server.url)
    with RelayProcess(tmp_path, server.url, token, env={"http_proxy": f"http://127.0.0.1:{proxy.port}"}) as relay:
        relay.send(incident("T1"))
    assert proxy.beginnings[0].startswith(f"POST {server.url}/repos/acme/churn-model/dispatches ".encode())


@pytest.mark.parametrize(
    ("env", "proxy"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "http://p:1"),
        ({"http_proxy": "http://p:1"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.com,github.com"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "hub.com"}, "http://p:1"),
        ({"HTTPS_PROXY": " p.example:1 "}, "http://p.example:1"),
        ({"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "https_proxy": "http://q:1"}, "http://q:1"),
    ],
)
def test_the_proxy_is_that_of_the_address(env: dict[str, str], proxy: str) -> None:
    assert proxy_url("https://api.github.com", env) == proxy


@pytest.mark.parametrize(
    ("networks", "used"),
    [("10.0.0.0/8", False), ("fd00::/8, 10.1.0.0/16", False), ("10.1.2.3", False), ("192.168.0.0/16,x/y", True)],
)
def test_a_network_needs_no_proxy(networks: str, used: bool) -> None:
    """As requests, and W&B's client, read it: a relay behind a proxy has to reach the GitHub Enterprise Server, too."""
    env = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": networks}
    assert bool(proxy_url("https://10.1.2.3/api/v3", env)) is used
    assert bool(proxy_url("https://[fd00::1]/api/v3", env)) is ("fd00" not in networks)
    assert proxy_url("https://ghe.example/api/v3", env) == "http://p:1"


def test_certificates_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    retry = RetryPolicy(max_attempts=1, timeout=1.0)
    with pytest.raises(ServiceError, match=r"/nowhere/ca\.pem"):
        GitHubClient("https://127.0.0.1:9", "token", retry).get("/repos/acme/churn", "read it")
    with pytest.raises(ServiceError, match="could not resolve the alert"):
        EventsApi("k" * 32, "https://127.0.0.1:9", retry).resolve("key")


def test_what_is_set_already_stays() -> None:
    env = {"REQUESTS_CA_BUNDLE": "one", "SSL_CERT_FILE": "two"}
    share_ca_file(env)
    assert env == {"REQUESTS_CA_BUNDLE": "one", "SSL_CERT_FILE": "two"}
    nothing: dict[str, str] = {}
    share_ca_file(nothing)
    assert nothing == {}
