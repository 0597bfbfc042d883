"""Root's commands on an installed terminal are done as the daemon's user and with its key, so that nothing of root's is left in the state folder.

Whoever may use sudo types `sudo blinkd enroll …`. The state folder is another user's, and the key of the templates is a credential that systemd
hands to the daemon only: so the command is run again as that user, with the credential unsealed into memory for as long as it takes. It keeps
root's way past the modes of files, for pictures and reports that lie in somebody's home.

Likewise `sudo blinkd relay …` where a relay is installed: as the relay's user, and on the relay's database, not on one in the folder where root stands.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from blinkd.crypto.keyfile import CREDENTIALS_VARIABLE, TEMPLATE_CREDENTIAL
from blinkd.errors import KeyMissing
from blinkd.ourselves import COMMAND

SEALED_KEY = Path("/etc/credstore.encrypted/blinkd.template-key")  # as in systemd/blinkd.service
RUNTIME = Path("/run")  # in memory
RELAY_STATE, RELAY_VARIABLES = Path("/var/lib/blinkd-relay"), Path("/etc/blinkd/relay.env")  # as in systemd/blinkd-relay.service
# Of the verbs those that work on the state folder; None: all of their own verbs do
VERBS: dict[str, frozenset[str] | None] = {
    **dict.fromkeys(("run", "replay", "enroll", "import", "identify", "people", "log", "shifts", "report", "stats", "export"), None),
    **dict.fromkeys(("watermark", "upkeep", "backup", "keys", "sync", "doctor"), None),
    "web": None,
    "models": frozenset({"bench"}),
    "fleet": frozenset({"request"}),  # claim and renew may write settings, which are root's, and hand the daemon what is the daemon's
}
STRICT = frozenset({"doctor", "run"})  # see what the daemon sees: no way past the modes of files


def owner_of(state_dir: Path, arguments: Sequence[str], me: int) -> int | None:
    """The user as whom a command is to be run, None: as whoever runs it. arguments: the command line from the verb on; me: who runs it."""
    if me != 0 or not arguments or not state_dir.is_dir():
        return None
    verb, *rest = arguments
    if verb not in VERBS or ((own := VERBS[verb]) is not None and not (rest and rest[0] in own)):
        return None
    uid = state_dir.stat().st_uid
    return uid or None


def run_as(uid: int, state_dir: Path, options: Sequence[str], arguments: Sequence[str]) -> int:
    """Run `blinkd` as a user; returns its exit code. options: before the verb; arguments: from the verb on. Raises KeyMissing."""
    strict = arguments[0] in STRICT
    with _credentials(uid, state_dir) as folder:
        command = [*_privileges(uid, state_dir.stat().st_gid, strict=strict), *COMMAND, *options, *arguments]
        environment = os.environ | ({} if folder is None else {CREDENTIALS_VARIABLE: str(folder)})
        return _run(command, environment, None)


def relay_folder(arguments: Sequence[str], me: int, environ: Mapping[str, str], state: Path = RELAY_STATE) -> Path | None:
    """The folder of an installed relay for which a command is meant; None: for whatever the caller names, or has before him."""
    if me != 0 or list(arguments[:1]) != ["relay"] or not state.is_dir():
        return None
    from blinkd.relay.opening import DATABASE_VARIABLE, SQLITE_FILE  # noqa: PLC0415  no other command needs it

    if DATABASE_VARIABLE in environ or (SQLITE_FILE.exists() and Path.cwd() != state):
        return None
    return state if state.stat().st_uid else None


def run_for_relay(folder: Path, options: Sequence[str], arguments: Sequence[str], variables: Path = RELAY_VARIABLES) -> int:
    """Run `blinkd relay …` as the relay's service runs; returns its exit code. variables: the service's own, with the database's address."""
    from dotenv import dotenv_values  # noqa: PLC0415  no other command needs it

    found = folder.stat()
    own = {name: value for name, value in dotenv_values(variables, interpolate=False).items() if value is not None}
    command = [*_privileges(found.st_uid, found.st_gid, strict=True), *COMMAND, *options, *arguments]
    return _run(command, os.environ | own, folder)


def _run(command: Sequence[str], environment: Mapping[str, str], folder: Path | None) -> int:
    # descriptors stay open: a password may come by one
    with subprocess.Popen(command, env=environment, cwd=folder, close_fds=False) as child:  # noqa: S603  ourselves
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _frame: child.send_signal(number))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's own goes to the child too
        return child.wait()


def _privileges(uid: int, gid: int, *, strict: bool) -> list[str]:
    try:
        pwd.getpwuid(uid)
        groups = "--init-groups"
    except KeyError:  # a user without a name
        groups = "--clear-groups"
    # with the secure bit access(2) too reckons with the capability; setpriv's own exec takes all others away
    past_modes = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"]
    if strict:
        past_modes = []
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", groups, "--no-new-privs", *past_modes, "--"]


@contextlib.contextmanager
def _credentials(uid: int, state_dir: Path) -> Iterator[Path | None]:
    if os.environ.get(CREDENTIALS_VARIABLE) or not SEALED_KEY.exists():
        yield None
        return
    opened = subprocess.run(  # noqa: S603
        ["systemd-creds", "decrypt", f"--name={TEMPLATE_CREDENTIAL}", str(SEALED_KEY), "-"],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if opened.returncode != 0:
        why = opened.stderr.decode(errors="replace").strip()
        raise KeyMissing(f"{SEALED_KEY}: systemd-creds does not open it ({why}); it was sealed on another machine: put the right one back")
    folder = Path(tempfile.mkdtemp(prefix="blinkd-", dir=RUNTIME))
    try:
        path = folder / TEMPLATE_CREDENTIAL
        path.touch(0o400)
        path.write_bytes(opened.stdout)
        for one in (path, folder):
            os.chown(one, uid, state_dir.stat().st_gid)
        yield folder
    finally:
        shutil.rmtree(folder)
