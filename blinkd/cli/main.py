"""The command `blinkd`: options that all verbs share, errors in words, exit codes 0, 1 and 2."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

import blinkd
from blinkd.cli.becoming import owner_of, relay_folder, run_as, run_for_relay
from blinkd.cli.verbs import ARGUMENTS, Verbs
from blinkd.errors import BlinkdError
from blinkd.settings_file import load_settings

app = typer.Typer(
    name="blinkd",
    cls=Verbs,
    help="Offline-first face-recognition attendance terminal.",
    epilog="Every command also takes --config FILE. Settings can be given as BLINKD_* variables too; config/blinkd.toml lists them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"blinkd {blinkd.__version__}")
        raise typer.Exit


@app.callback()
def _shared(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings file (default: /etc/blinkd/blinkd.toml).")
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,  # noqa: ARG001
) -> None:
    context.obj = settings = load_settings(config)
    given: list[str] = context.meta[ARGUMENTS]
    verb = given.index(str(context.invoked_subcommand)) if context.invoked_subcommand in given else len(given)
    if "--help" in given:
        return
    if (uid := owner_of(settings.state_dir, given[verb:], os.geteuid())) is not None:
        raise typer.Exit(run_as(uid, settings.state_dir, given[:verb], given[verb:]))
    if (folder := relay_folder(given[verb:], os.geteuid(), os.environ)) is not None:
        raise typer.Exit(run_for_relay(folder, given[:verb], given[verb:]))


def config_first(arguments: list[str]) -> list[str]:
    """Move `--config FILE` to the front, so that it may stand after the verb, where people type it."""
    found: list[str] = []
    rest: list[str] = []
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        if argument == "--":
            rest += arguments[position:]
            break
        if argument == "--config" and position + 1 < len(arguments):
            found = [argument, arguments[position + 1]]
            position += 2
            continue
        if argument.startswith("--config="):
            found = [argument]
        else:
            rest.append(argument)
        position += 1
    return found + rest


def main() -> None:
    """Entry point. Exit code 0 done, 1 refused or failed, 2 wrong usage."""
    try:
        app(args=config_first(sys.argv[1:]), prog_name="blinkd")
    except BlinkdError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "blinkd":
            raise
        sys.stderr.write(f"error: this needs the package {package}, which is not installed here; ./install.sh setup installs all of them\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # the reader of our output has gone (| head); nothing is left to say, not even at interpreter exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
