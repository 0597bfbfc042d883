"""The commands web …: the code of the first run, operators, and the audit."""

from pathlib import Path

from tests.integration.faces.commands import blinkd
from tests.unit.cli.passwords import OTHER, PASSWORD, with_passwords


def test_operators_are_added_reset_shut_out_and_listed_and_the_audit_tells_of_it(tmp_path: Path) -> None:
    added = with_passwords("web", "operators", "add", "Ann", "--role", "hr", "--role", "supervisor", "--json", state=tmp_path)
    assert added.code == 0, added.err
    assert added.json["roles"] == ["hr", "supervisor"]
    assert added.json["temporary"] is True
    with_passwords("web", "operators", "add", "Bob", "--role", "supervisor", state=tmp_path)
    assert blinkd("web", "operators", "disable", "bob", state=tmp_path).code == 0
    refused = blinkd("web", "operators", "disable", "Ann", state=tmp_path)
    assert (refused.code, "no supervisor would be left" in refused.err) == (1, True)
    reset = with_passwords("web", "operators", "reset", "BOB", "--json", state=tmp_path, lines=(OTHER,))
    assert (reset.code, reset.json["disabled"]) == (0, False)
    listed = blinkd("web", "operators", "list", "--json", state=tmp_path).json
    assert [(one["id"], one["name"], one["disabled"]) for one in listed] == [(1, "Ann", False), (2, "Bob", False)]
    acts = blinkd("web", "audit", "--json", state=tmp_path).lines
    assert [(act["action"], act["target"]) for act in acts] == [
        ("operators.add", "operator 1"),
        ("operators.add", "operator 2"),
        ("operators.disable", "operator 2"),
        ("operators.reset", "operator 2"),
    ]
    assert all(act["reason"].startswith("by command, user ") for act in acts)
    assert len(blinkd("web", "audit", "--most", "2", state=tmp_path).out.splitlines()) == 2


def test_what_is_wrong_is_said_and_nothing_is_done(tmp_path: Path) -> None:
    weak = with_passwords("web", "operators", "add", "Ann", "--role", "hr", state=tmp_path, lines=("password1234",))
    assert (weak.code, "would be guessed" in weak.err) == (1, True)
    unknown = with_passwords("web", "operators", "reset", "Nobody", state=tmp_path)
    assert (unknown.code, "operators list" in unknown.err) == (1, True)
    assert with_passwords("web", "operators", "add", "Ann", "--role", "root", state=tmp_path).code == 2
    assert with_passwords("web", "operators", "add", "Ann", state=tmp_path).code == 2
    assert blinkd("web", "operators", "list", "--json", state=tmp_path).json == []


def test_a_code_is_printed_while_there_is_nobody(tmp_path: Path) -> None:
    made = blinkd("web", "setup-code", "--json", state=tmp_path).json
    assert made["valid_s"] == 3600
    assert made["code"].count("-") == 4
    assert all(made["code"].encode() not in file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    with_passwords("web", "operators", "add", "Ann", "--role", "hr", state=tmp_path, lines=(PASSWORD,))
    refused = blinkd("web", "setup-code", state=tmp_path)
    assert (refused.code, "operators reset" in refused.err) == (1, True)
