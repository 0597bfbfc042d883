"""The verbs and where each of them lives: a module is loaded when its verb is called, so that a relay needs no network's packages to run."""

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

from blinkd.errors import ConfigError

VERBS = {  # in the order of the help: name, module of blinkd.cli
    "run": "run",
    "demo": "demo",
    "replay": "replay",
    "enroll": "enrol",
    "import": "enrol",
    "identify": "recognise",
    "embed": "recognise",
    "people": "people",
    "log": "log",
    "shifts": "shifts",
    "report": "report",
    "stats": "stats",
    "export": "export",
    "watermark": "watermark",
    "upkeep": "upkeep",
    "backup": "backup",
    "evaluate": "evaluate",
    "models": "models",
    "keys": "keys",
    "sync": "sync",
    "fleet": "fleet",
    "web": "web",
    "relay": "relay",
    "doctor": "checks",
    "bench": "checks",
}


ARGUMENTS = "blinkd.arguments"  # in the context's meta: the whole command line, --config first


class Verbs(TyperGroup):
    """The group of all verbs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  its context
        """Note the command line before it is taken apart."""
        ctx.meta[ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002  the command line library's own context
        """Their names, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002  its context and command
        """Load a verb; None for one that there is not. Where packages are missing that it needs, it says so when it is called."""
        if (name := VERBS.get(cmd_name)) is None:
            return None
        holder = typer.Typer()
        holder.callback()(lambda: None)  # so that it is a group, however many verbs the module has
        try:
            module = importlib.import_module(f"blinkd.cli.{name}")
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package == "blinkd":
                raise
            _lacking(holder, cmd_name, package)
        else:
            if hasattr(module, "app"):
                holder.add_typer(module.app, name=cmd_name)
            else:
                module.register(holder)
        return typer.main.get_group(holder).commands[cmd_name]


def _lacking(holder: typer.Typer, verb: str, package: str) -> None:
    def refuse() -> None:
        raise ConfigError(
            f"`blinkd {verb}` needs the package {package}, which is not installed here; ./install.sh setup installs all of them"
        )

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    holder.command(verb, context_settings=settings, help=f"Not installed here: needs the package {package}.")(refuse)
