"""The application behind a real socket."""

import datetime
import http.client
import ipaddress
import json
import logging
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from blinkd.errors import ConfigError
from blinkd.relay.api.server import HTTP_API, ApiServer
from blinkd.serving import patience
from blinkd.serving.server import Listen, check, is_loopback
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.records import user

USERS = "/api/v1/sync/users"


@contextmanager
def served(client: Client, listen: Listen) -> Iterator[ApiServer]:
    server = ApiServer(client.app, listen)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def call(url: str, token: str | None = None, body: bytes | None = None, context: ssl.SSLContext | None = None) -> tuple[int, Any, Any]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30, context=context) as answer:
            return answer.status, json.load(answer), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), error.headers


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return pem, secret


def test_a_client_is_served_over_a_socket_and_the_log_holds_no_token(
    connect: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = connect()
    with served(client, Listen(port=0)) as server:
        here = f"http://127.0.0.1:{server.port}"
        assert call(f"{here}/health")[:2] == (200, client.get("/health").json())
        status, answer, headers = call(here + USERS, client.token, json.dumps([user(1)]).encode())
        assert (status, answer["synced_ids"]) == (200, ["user-00001"])
        assert "Server" not in headers
        assert call(f"{here}{USERS}?cursor={client.token}", client.token)[0] == 422
        assert call(here + USERS)[0] == 401
    assert client.token is not None
    assert "POST /api/v1/sync/users 200" in caplog.text
    assert client.token[24:] not in caplog.text


def test_over_tls_too_and_in_nothing_older_than_1_2(connect: Callable[..., Client], certificate: tuple[Path, Path]) -> None:
    client, (pem, key) = connect(tls=True), certificate
    with served(client, Listen(port=0, certificate=pem, key=key)) as server:
        context = ssl.create_default_context(cafile=pem)
        status, _, headers = call(f"https://127.0.0.1:{server.port}{USERS}", client.token, context=context)
        assert (status, headers["Strict-Transport-Security"]) == (200, "max-age=31536000")
        with (
            socket.create_connection(("127.0.0.1", server.port), 30) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1") as secure,
        ):
            assert secure.version() in ("TLSv1.2", "TLSv1.3")
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.load_verify_locations(pem)
        with pytest.warns(DeprecationWarning):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", server.port), 30) as raw:
            old.wrap_socket(raw, server_hostname="127.0.0.1")


def test_a_body_beyond_the_limit_ends_the_connection(connect: Callable[..., Client]) -> None:
    client = connect()
    with served(client, Listen(port=0)) as server, socket.create_connection(("127.0.0.1", server.port), 30) as raw:
        head = f"POST {USERS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\nContent-Type: application/json\r\n"
        raw.sendall((head + "Content-Length: 99999999999\r\n\r\n").encode() + b"[" * 1000)
        answer = b""
        while chunk := raw.recv(65_536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"too_large"' in answer


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\nX: ", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP"])
def test_headers_that_do_not_come_end_the_connection(connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(patience, "HEADERS_S", 0.05)
    with served(connect(), Listen(port=0)) as server, socket.create_connection(("127.0.0.1", server.port), 30) as raw:
        raw.sendall(sent)
        answer = b""
        while chunk := raw.recv(65_536):
            answer += chunk
    assert answer.count(b"200 OK") == sent.count(b"Host")


def test_several_requests_in_one_connection_are_answered(connect: Callable[..., Client]) -> None:
    client = connect()
    with served(client, Listen(port=0)) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for number in range(5):
            headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
            connection.request("POST", USERS, json.dumps([user(number)]), headers)
            answer = connection.getresponse()
            assert (answer.status, json.load(answer)["synced_count"]) == (200, 1)
        connection.close()


def test_a_proxy_that_is_trusted_says_who_the_client_is_and_others_are_not_believed(connect: Callable[..., Client]) -> None:
    for proxies, second in [(("127.0.0.1",), 200), ((), 429)]:
        client = connect(address_rate=1)
        with served(client, Listen(port=0, proxies=proxies)) as server:
            for address, status in [("198.51.100.1", 200), ("198.51.100.2", second)]:
                request = urllib.request.Request(f"http://127.0.0.1:{server.port}/health", headers={"X-Forwarded-For": address})
                try:
                    with urllib.request.urlopen(request, timeout=30) as answer:
                        assert answer.status == status
                except urllib.error.HTTPError as error:
                    with error:
                        assert error.code == status


def test_tokens_in_clear_over_a_network_are_refused_at_the_start(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match=r"in clear at 0\.0\.0\.0"):
        check(Listen(host="0.0.0.0"), HTTP_API)
    with pytest.raises(ConfigError, match="certificate and its key"):
        check(Listen(certificate=certificate[0]), HTTP_API)
    with pytest.raises(ConfigError, match=r"missing\.pem: no such file"):
        check(Listen(certificate=tmp_path / "missing.pem", key=certificate[1]), HTTP_API)
    for fine in (
        Listen(),
        Listen(host="::1"),
        Listen(host="0.0.0.0", proxies=("10.0.0.1",)),
        Listen(host="0.0.0.0", certificate=certificate[0], key=certificate[1]),
    ):
        check(fine, HTTP_API)


def test_a_certificate_that_cannot_be_used_is_said_before_anything_is_served(
    connect: Callable[..., Client], certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    other = tmp_path / "other.key"
    for content in (b"no key", ec.generate_private_key(ec.SECP256R1()).private_bytes(*form)):
        other.write_bytes(content)
        with pytest.raises(ConfigError, match=r"other\.key cannot be used for TLS of the HTTP API.*belong together"):
            ApiServer(connect().app, Listen(port=0, certificate=certificate[0], key=other))


def test_an_address_that_is_taken_or_unknown_is_said_in_words(connect: Callable[..., Client]) -> None:
    app = connect().app
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="choose another"):
        ApiServer(app, Listen(port=taken.getsockname()[1]))
    with pytest.raises(ConfigError, match=r"relay\.http_host"):
        ApiServer(app, Listen(host="host.invalid", proxies=("x",)))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("relay", False), ("10.0.0.1", False)],
)
def test_loopback_is_known(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
