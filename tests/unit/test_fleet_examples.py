"""config/fleet: the first boot by cloud-init and the Ansible role, read as the programs read them that they are for.

ansible-lint, `ansible-playbook --syntax-check` and cloud-init's own schema are not among the development tools; these tests hold what would
break without anybody noticing: commands that there are not, variables that nobody sets, scripts that do not parse, settings that are refused.
"""

import configparser
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from blinkd.cli import fleet
from blinkd.fleet.fragment import parse_fragment
from blinkd.settings_file import load_settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "config" / "fleet"
CLOUD, ANSIBLE = FOLDER / "cloud-init", FOLDER / "ansible"
ROLE = ANSIBLE / "roles" / "blinkd"
USED = re.compile(r"\bblinkd_[a-z_]+")
# top-level keys of cloud-config that are used here, each in its schema of release 22.4 and of 25.1
CLOUD_CONFIG = {"timezone", "preserve_hostname", "ntp", "write_files", "runcmd"}
SECRETS = re.compile(r"PRIVATE KEY|passw(or)?d\s*[:=]\s*['\"]?\w", re.IGNORECASE)


def options() -> dict[str, set[str]]:
    """Every verb of fleet, and its options."""
    group: Any = typer.main.get_command(fleet.app)
    return {name: {option for one in command.params for option in one.opts} for name, command in group.commands.items()}


def tasks() -> Iterator[dict[str, Any]]:
    for path in sorted([*(ROLE / "tasks").iterdir(), *(ROLE / "handlers").iterdir()]):
        yield from yaml.safe_load(path.read_text())


def files() -> dict[str, str]:
    """What the first boot writes."""
    return {one["path"]: one["content"] for one in cloud()["write_files"]}


def cloud() -> dict[str, Any]:
    text = (CLOUD / "user-data").read_text()
    assert text.startswith("#cloud-config\n"), "cloud-init goes by the first line"
    value: dict[str, Any] = yaml.safe_load(text)
    return value


def unit_of(text: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    return unit


def test_the_first_boot_uses_only_what_cloud_init_knows() -> None:
    assert cloud().keys() == CLOUD_CONFIG
    for one in cloud()["write_files"]:
        assert one.keys() == {"path", "owner", "permissions", "content"}
        assert re.fullmatch(r"0[0-7]{3}", one["permissions"]), "as text, or YAML reads another number"
    assert all(isinstance(word, str) for command in cloud()["runcmd"] for word in command)
    assert yaml.safe_load((CLOUD / "meta-data").read_text()).keys() == {"instance-id"}


def test_its_script_parses_and_its_unit_starts_it(tmp_path: Path) -> None:
    written = files()
    (name,) = [path for path in written if path.endswith(".service")]
    unit = unit_of(written[name])
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    script = tmp_path / "script"
    script.write_text(written[unit["Service"]["ExecStart"]])
    subprocess.run(["bash", "-n", script], check=True, timeout=30)
    assert any(Path(name).name in command for command in cloud()["runcmd"])


@pytest.mark.parametrize("path", sorted(path for path in FOLDER.rglob("*") if path.is_file()), ids=lambda path: path.name)
def test_nothing_secret_is_in_the_examples(path: Path) -> None:
    assert not SECRETS.search(path.read_text().replace('password: ""', ""))


def test_every_command_that_is_called_exists_with_its_options() -> None:
    known = options()
    script = next(content for path, content in files().items() if path.startswith("/usr/local/sbin"))
    called = [line.split() for line in script.splitlines() if line.strip().startswith("blinkd fleet")]
    header = (CLOUD / "user-data").read_text()
    called += [line.strip("# ").split() for line in header.splitlines() if line.startswith("#     blinkd fleet")]
    called += [list(map(str, one["ansible.builtin.command"]["argv"])) for one in tasks() if "ansible.builtin.command" in one]
    commands = [words[words.index("fleet") + 1 :] for words in called if "fleet" in words]
    (renewing,) = re.findall(r"^ExecStart=(.*)$", (ROOT / "systemd" / "blinkd-renew.service").read_text(), re.M)
    renewing = renewing.split()
    commands.append(renewing[renewing.index("fleet") + 1 :])
    assert {words[0] for words in commands} == {"renew", "claim", "approve", "status", "request", "issue", "install"}
    for verb, *rest in commands:
        assert {word for word in rest if re.fullmatch("--[a-z-]+", word) and word != "--"} <= known[verb], (verb, rest)


def test_install_sh_has_the_verbs_and_options_that_are_asked_of_it() -> None:
    told = subprocess.run([ROOT / "install.sh", "help"], capture_output=True, text=True, check=True, timeout=30).stdout
    asked = next(content for path, content in files().items() if path.startswith("/usr/local/sbin"))
    role = (ROLE / "tasks" / "release.yml").read_text()
    for word in ("install", "upgrade", "wheelhouse", "--unattended", "--offline", "--arch", "--python"):
        assert word in told
        assert word in asked + role + (CLOUD / "user-data").read_text()
    assert set(re.findall(r"(?<= )--[a-z-]+\b", role + asked)) - {"--no-same-owner", "--relay", "--wait"} <= set(
        re.findall(r"--[a-z-]+", told)
    )


def test_the_renewals_timer_starts_the_renewals_service() -> None:
    timer = unit_of((ROOT / "systemd" / "blinkd-renew.timer").read_text())
    assert timer["Timer"]["OnCalendar"] == "daily"


def test_every_variable_of_the_role_is_set_somewhere_and_every_default_is_used() -> None:
    defaults = set(yaml.safe_load((ROLE / "defaults" / "main.yml").read_text()))
    registered = {one["register"] for one in tasks() if "register" in one}
    used = set(USED.findall("".join(path.read_text() for path in (ROLE / "tasks").iterdir())))
    assert used == defaults | registered


def test_every_task_has_a_name_and_says_whether_it_changes_anything() -> None:
    for one in tasks():
        assert one["name"][0].isupper()
        if "ansible.builtin.command" in one:
            assert "changed_when" in one, one["name"]


def test_passwords_reach_only_a_task_that_is_not_logged_and_never_a_command_line() -> None:
    (one,) = [task for task in tasks() if "password" in str({key: value for key, value in task.items() if key != "name"})]
    assert one["no_log"] is True
    command = one["ansible.builtin.command"]
    assert "password" in command["stdin"]
    assert not any("{{ blinkd" in word and "password" in word for word in command["argv"])


def test_the_play_and_its_inventory_fit_together() -> None:
    (play,) = yaml.safe_load((ANSIBLE / "site.yml").read_text())
    inventory = yaml.safe_load((ANSIBLE / "inventory.yml").read_text())
    assert play["hosts"] in inventory
    assert [one["role"] for one in play["roles"]] == [ROLE.name]
    assert yaml.safe_load((ROLE / "meta" / "main.yml").read_text())["galaxy_info"]["license"] == "Apache-2.0"
    notified = {one["notify"] for one in tasks() if "notify" in one}
    handlers = yaml.safe_load((ROLE / "handlers" / "main.yml").read_text())
    assert notified <= {one.get("listen", one["name"]) for one in handlers}


def test_the_sites_settings_can_be_put_into_a_bundle() -> None:
    assert parse_fragment((FOLDER / "site.toml").read_text())["sync"]["broker"] == "mqtt.example.org"
    assert load_settings(FOLDER / "site.toml", {}).liveness.fixed_camera is True
