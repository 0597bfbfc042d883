"""Who gets a connection at all, on the real broker with the shipped configuration."""

import datetime as dt
import os
import signal
import socket
import ssl
from pathlib import Path

import pytest

from tests.integration.broker.conftest import Site
from tests.integration.broker.hello import ALERT, HANDSHAKE, PROTOCOL_VERSION, TLS_1_0, TLS_1_1, TLS_1_2, answer_to_hello
from tests.services.certificates import Authority
from tests.services.mqtt import Peer, Refused, context

CONNECT = bytes([0x10, 16, 0, 4, *b"MQTT", 5, 2, 0, 60, 0, 0, 3, *b"abc"])
CONNACK = 0x20
DAY = dt.timedelta(days=1)


def doors(site: Site) -> tuple[int, int]:
    return site.broker.port, site.broker.relay_port


def assert_shut_out(site: Site, files: tuple[Path, Path] | None) -> None:
    for port in doors(site):
        before = len(site.broker.log)
        with pytest.raises(Refused), Peer(port, site.broker.ca, files, "stranger"):
            pass
        assert not any("New client connected" in line for line in site.broker.log[before:])


def test_a_certificate_of_the_authority_gets_in(site: Site) -> None:
    for port in doors(site):
        with site.terminal("door", port=port) as door:
            assert not door.publish("blink/v1/acme/door/status").is_failure


def test_without_a_certificate_there_is_no_connection(site: Site) -> None:
    assert_shut_out(site, None)


def test_a_certificate_that_has_expired_is_refused(site: Site) -> None:
    assert_shut_out(site, site.authority.terminal("late", begins=-2 * DAY, ends=-DAY).write(site.folder, "late"))


def test_a_certificate_that_is_not_yet_valid_is_refused(site: Site) -> None:
    assert_shut_out(site, site.authority.terminal("early", begins=DAY, ends=2 * DAY).write(site.folder, "early"))


def test_a_certificate_of_another_authority_is_refused_though_all_names_in_it_are_right(site: Site) -> None:
    assert_shut_out(site, Authority("acme").terminal("door").write(site.folder, "foreign"))


def test_a_brokers_certificate_is_none_for_a_client(site: Site) -> None:
    assert_shut_out(site, site.authority.broker().write(site.folder, "another-broker"))


def test_a_terminal_does_not_trust_a_broker_of_another_authority(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Authority("acme").pem)
    with socket.create_connection(("127.0.0.1", site.broker.port), 20) as plain, pytest.raises(ssl.SSLCertVerificationError):
        context(other, site.files("door")).wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_terminal_does_not_take_another_terminal_for_the_broker(site: Site) -> None:
    """Its certificate is good for clients only, so a stolen terminal cannot stand between others and the broker."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*site.files("rogue"))
    ready, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context(site.broker.ca, None).wrap_bio(theirs, ready, server_hostname="127.0.0.1")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    served = server.wrap_bio(incoming, outgoing, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    incoming.write(ready.read())
    with pytest.raises(ssl.SSLWantReadError):
        served.do_handshake()
    theirs.write(outgoing.read())
    with pytest.raises(ssl.SSLCertVerificationError):
        client.do_handshake()


def test_a_revoked_certificate_is_shut_out_by_a_reload_and_its_open_connection_by_a_restart(own: Site) -> None:
    stolen = own.authority.terminal("stolen")
    files = stolen.write(own.folder, "stolen")
    inside = own.connected(Peer(own.broker.port, own.broker.ca, files, "stolen"))
    own.authority.revoke(stolen)
    own.broker.write_revocations()
    os.kill(own.broker.pid, signal.SIGHUP)
    own.broker.wait_for("Reloading config")
    door = own.connected(own.terminal("door"))  # by now it has reloaded: the same thread takes connections
    assert not door.publish("blink/v1/acme/door/status").is_failure
    assert_shut_out(own, files)
    assert not inside.publish("blink/v1/acme/stolen/status").is_failure  # a reload leaves it alone
    own.broker.stop()
    inside.wait_until_gone()
    own.broker.start()
    assert_shut_out(own, files)
    with own.terminal("gate"):
        pass


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_revoked_terminal_cannot_resume_a_session_of_tls_that_it_had_before(own: Site, version: ssl.TLSVersion) -> None:
    stolen = own.authority.terminal("stolen")
    made = context(own.broker.ca, stolen.write(own.folder, "stolen"))
    made.minimum_version = made.maximum_version = version

    def visit(session: ssl.SSLSession | None) -> tuple[int, ssl.SSLSession | None, bool | None]:
        with (
            socket.create_connection(("127.0.0.1", own.broker.port), 20) as plain,
            made.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as secure,
        ):
            secure.sendall(CONNECT)
            return secure.recv(1)[0], secure.session, secure.session_reused  # with the answer a ticket has come too

    _, session, _ = visit(None)
    answer, session, resumed = visit(session)
    assert answer == CONNACK and resumed
    own.authority.revoke(stolen)
    own.broker.write_revocations()
    os.kill(own.broker.pid, signal.SIGHUP)
    own.broker.wait_for("Reloading config")
    with own.terminal("door"):
        pass
    with pytest.raises((ssl.SSLError, ConnectionError, IndexError)):
        visit(session)
    own.broker.stop()
    own.broker.start()
    with pytest.raises((ssl.SSLError, ConnectionError, IndexError)):
        visit(session)


@pytest.mark.parametrize("version", [TLS_1_0, TLS_1_1])
def test_old_versions_of_tls_are_refused(site: Site, version: int) -> None:
    for port in doors(site):
        kind, what = answer_to_hello(port, version)
        assert (kind, what) == (ALERT, PROTOCOL_VERSION)


def test_the_same_hello_with_tls_1_2_is_answered(site: Site) -> None:
    for port in doors(site):
        assert answer_to_hello(port, TLS_1_2)[0] == HANDSHAKE


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_versions_of_today_work(site: Site, version: ssl.TLSVersion) -> None:
    def only(made: ssl.SSLContext) -> None:
        made.minimum_version = made.maximum_version = version

    with site.terminal("door", tls=only) as door:
        assert not door.publish("blink/v1/acme/door/status").is_failure
