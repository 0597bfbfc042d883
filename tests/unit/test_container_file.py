"""The relay's container file, read without an engine: what it copies exists, what it installs is enough, and nothing in it is careless."""

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from blinkd.settings import RelaySettings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "config" / "relay"
INSTRUCTIONS = {"ARG", "FROM", "SHELL", "RUN", "WORKDIR", "COPY", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
SECRETS = re.compile(r"password|secret|token|DATABASE_URL\s*=|PRIVATE KEY", re.IGNORECASE)
RELAY_ROOTS = ("blinkd/relay", "blinkd/cli/relay.py", "blinkd/sync/messages.py", "blinkd/settings.py")


def instructions() -> list[tuple[str, str]]:
    """(instruction, the rest) of each, with continued lines joined and comments left out."""
    lines = [line for line in (FOLDER / "Dockerfile").read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(words[0], words[2]) for line in joined.splitlines() if (words := line.partition(" "))[0]]


def of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def names(text: str) -> set[str]:
    return {line for line in text.splitlines() if line and not line.startswith("#")}


def listed() -> set[str]:
    return names((FOLDER / "packages.txt").read_text(encoding="utf-8"))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_line_is_an_instruction_that_exists() -> None:
    assert {name for name, _ in instructions()} <= INSTRUCTIONS
    assert instructions()[0][0] == "ARG"
    assert len(of("FROM")) == 2


def test_everything_it_copies_exists_and_reaches_the_builder() -> None:
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    allowed = {line[1:] for line in ignored.splitlines() if line.startswith("!")}
    copied = set()
    for rest in of("COPY"):
        if not rest.startswith("--from="):
            copied |= set(rest.split()[:-1])
    assert copied == allowed
    for path in copied:
        assert (ROOT / path).exists(), path


def test_the_last_stage_runs_as_a_user_without_rights_and_holds_no_tools_of_the_first() -> None:
    last = instructions()[max(number for number, (name, _) in enumerate(instructions()) if name == "FROM") :]
    assert [rest for name, rest in last if name == "USER"] == ["10001:10001"]
    assert any("useradd" in rest and "--uid 10001" in rest for name, rest in last if name == "RUN")
    after_user = [name for name, _ in last[[name for name, _ in last].index("USER") :]]
    assert "RUN" not in after_user and "COPY" not in after_user
    assert not any("venv" in rest or " pip " in rest for name, rest in last if name == "RUN")


def test_no_secret_is_in_a_layer() -> None:
    for name, rest in instructions():
        assert not SECRETS.search(rest), (name, rest)
    assert not any(name == "ADD" for name, _ in instructions())


def test_packages_come_by_hash_and_debians_without_what_is_only_recommended() -> None:
    runs = of("RUN")
    installs = [run for run in runs if "pip install" in run]
    assert len(installs) == 1
    assert all(option in installs[0] for option in ("--require-hashes", "--no-deps", "--only-binary :all:", "--no-cache-dir"))
    for run in runs:
        if "apt-get" in run:
            assert run.startswith("apt-get update") and "--no-install-recommends" in run and "rm -rf /var/lib/apt/lists/*" in run
            assert "apt-get upgrade" not in run and "sudo" not in run


def test_what_it_starts_and_its_health_check_are_in_the_exec_form_and_do_something(tmp_path: Path) -> None:
    entry, command = json.loads(of("ENTRYPOINT")[0]), json.loads(of("CMD")[0])
    assert entry[:2] == ["python", "-m"] and command == ["relay", "run"]
    health = json.loads(of("HEALTHCHECK")[0].partition("CMD ")[2])
    assert health == [*entry, "relay", "check"]
    program, *arguments = [*health, "--json"]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL" and not name.startswith("BLINKD_")}
    assert program == "python"
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert json.loads(done.stdout)["database"], done.stderr


def test_it_exposes_the_port_at_which_the_http_api_listens() -> None:
    assert of("EXPOSE") == [str(RelaySettings().http_port)]


def chosen(lock: str) -> str:
    """What the Dockerfile's own program takes from a lock file."""
    run = next(run for run in of("RUN") if "awk" in run and "relay.lock" in run)
    program = re.search(r"awk '(.*?)'", run)
    assert program is not None
    done = subprocess.run(
        ["awk", program[1], FOLDER / "packages.txt", "-"], input=lock, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_it_takes_exactly_the_listed_packages_from_the_lock_file_each_with_its_hashes() -> None:
    taken = chosen((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    entries = re.split(r"\n(?=[a-z0-9])", taken.strip())
    assert {entry.partition("==")[0] for entry in entries} == listed()
    assert all("--hash=sha256:" in entry and "#:" not in entry for entry in entries)


def closure(wanted: list[str]) -> set[str]:
    """Names of what these need, by what is installed here."""
    found: set[str] = set()
    todo = [Requirement(one) for one in wanted]
    while todo:
        one = todo.pop()
        found.add(normal(one.name))
        for line in importlib.metadata.requires(one.name) or []:
            needed = Requirement(line)
            wanted_here = needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in one.extras or {""})
            if wanted_here and normal(needed.name) not in found:
                todo.append(needed)
    return found


def test_the_list_has_all_that_the_extra_relay_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["optional-dependencies"]["relay"] + sorted(listed())
    assert closure(wanted) <= listed()


def imports(path: Path) -> Iterator[str]:
    """Modules that are imported when this one is, but for those in functions."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_of(module: str) -> list[Path]:
    base = ROOT.joinpath(*module.split("."))
    parts = [ROOT.joinpath(*module.split(".")[:end], "__init__.py") for end in range(1, module.count(".") + 2)]
    return [path for path in (*parts, base.with_suffix(".py")) if path.is_file()]


def test_the_list_has_all_that_the_relays_modules_import() -> None:
    roots = [ROOT / root for root in RELAY_ROOTS if (ROOT / root).exists()]
    todo = [path for root in roots for path in ([root] if root.is_file() else sorted(root.rglob("*.py")))]
    seen: set[Path] = set()
    outside: set[str] = set()
    while todo:
        if (path := todo.pop()) in seen:
            continue
        seen.add(path)
        for module in imports(path):
            if module.split(".")[0] == "blinkd":
                todo += files_of(module)
            else:
                outside.add(module.split(".")[0])
    providers = importlib.metadata.packages_distributions()
    for module in sorted(outside - sys.stdlib_module_names):
        assert {normal(name) for name in providers[module]} & listed(), f"packages.txt lacks what provides {module}"


# --- the example of a clustered broker ---


def mosquitto_rules() -> set[tuple[str, str, str]]:
    """(who, access, topic) of mosquitto.acl."""
    rules, who = set(), "terminal"
    for line in (ROOT / "config" / "mosquitto.acl").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "user":
            who = words[1]
        else:
            rules.add((who, {"write": "publish", "read": "subscribe"}[words[1]], words[2].replace("%u", "${username}")))
    return rules


def emqx_rules() -> set[tuple[str, str, str]]:
    """(who, access, topic) of what emqx-acl.conf allows."""
    text = re.sub(r"%%.*", "", (FOLDER / "emqx-acl.conf").read_text(encoding="utf-8"))
    rules = set()
    for who, access, topics in re.findall(r"\{allow, \{username, (.*?)\}, (publish|subscribe), \[(.*?)\]\}\.", text, re.DOTALL):
        name = "relay" if who == '"relay"' else "terminal"
        rules |= {(name, access, topic) for topic in re.findall(r'"([^"]*)"', topics)}
    return rules


def test_the_cluster_allows_what_mosquitto_allows_and_ends_by_denying_the_rest() -> None:
    assert emqx_rules() == mosquitto_rules()
    assert (FOLDER / "emqx-acl.conf").read_text(encoding="utf-8").rstrip().endswith("{deny, all}.")
    assert len(emqx_rules()) == 14


@pytest.mark.parametrize(("ours", "theirs"), [("max_packet_size", "max_packet_size"), ("max_queued_messages", "max_mqueue_len"), ("max_inflight_messages", "max_inflight")])  # fmt: skip
def test_the_cluster_has_the_same_limits(ours: str, theirs: str) -> None:
    one = re.search(rf"^{ours} (\d+)$", (ROOT / "config" / "mosquitto.conf").read_text(encoding="utf-8"), re.MULTILINE)
    other = re.search(rf"^\s*{theirs} = (\d+)$", (FOLDER / "emqx.conf").read_text(encoding="utf-8"), re.MULTILINE)
    assert one is not None and other is not None
    assert one[1] == other[1]


def test_every_door_of_the_cluster_wants_a_certificate() -> None:
    text = (FOLDER / "emqx.conf").read_text(encoding="utf-8")
    doors = re.findall(r"^listeners\.ssl\.\w+ \{(.*?)^\}", text, re.DOTALL | re.MULTILINE)
    assert len(doors) == 2
    for door in doors:
        assert "verify = verify_peer" in door and "fail_if_no_peer_cert = true" in door and '["tlsv1.3", "tlsv1.2"]' in door
    for kind in ("tcp", "ws", "wss", "ssl"):
        assert f"listeners.{kind}.default.enable = false" in text
