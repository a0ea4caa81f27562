"""The command: parses, calls, prints.  The only module that knows click."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import IO, Any

import click
from click.core import ParameterSource

from . import __version__
from .clock import SYSTEM_CLOCK
from .config import BY_FLAG, BY_NAME, OPTIONS, Config, check_combination
from .errors import AmicleanerError, UsageError
from .interrupts import Interrupted, Interrupts
from .options import SECTIONS, Option
from .settings import from_environment, from_file

COMPLETE = "_AMICLEANER_COMPLETE"
"""click's variable: a shell's completion sets it."""

BARE = "\0"
"""What stands for the value of an option that was given without one; no argument of a command can hold it."""

INTRODUCTION = """Remove old Amazon Machine Images (AMIs) and their snapshots.

AMIs are grouped by tags or by name. In each group the newest unused ones stay, the older ones go; whatever is in use
stays in any case. The plan is shown first, and nothing is removed without a yes."""


class Command(click.Command):
    """A command whose options take several values behind one flag: `--mapping-values environment role`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrites `--flag A B` to `--flag=A --flag=B` before click parses; wrong use raises click's UsageError."""
        return super().parse_args(ctx, list(_one_value_a_flag(args, ctx)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options in their sections; those that are click's own (help, version) last."""
        records = {parameter.name: parameter.get_help_record(ctx) for parameter in self.get_params(ctx)}
        for section in SECTIONS:
            rows = [records.pop(option.name) for option in OPTIONS if option.section == section]
            if section == SECTIONS[-1]:
                rows += records.values()
            with formatter.section(section):
                formatter.write_dl([row for row in rows if row], col_max=26)


def _one_value_a_flag(args: Sequence[str], ctx: click.Context) -> Iterator[str]:
    words = list(args)
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        option = BY_FLAG.get(word)
        if word == "--":
            yield from words[position - 1 :]
            return
        if option is None or option.kind == "flag":
            yield word
            continue
        if option.kind in ("integer", "number"):
            # -1 is a value here, and click takes the next word whatever it is: a flag must not be swallowed.
            if position == len(words) or words[position].startswith("--"):
                raise click.UsageError(f"Option '{word}' needs a number.", ctx)
            yield f"{word}={words[position]}"
            position += 1
            continue
        values = []
        while position < len(words) and not words[position].startswith("-"):
            values.append(words[position])
            position += 1
            if option.kind == "string":
                break
        if not values and option.bare is not None:
            yield f"{word}={BARE}"
            continue
        if not values:
            hint = f" (for a value that starts with a dash write {word}={words[position]})" if position < len(words) else ""
            raise click.UsageError(f"Option '{word}' needs a value{hint}.", ctx)
        yield from (f"{word}={value}" for value in values)


def _parameter(option: Option) -> click.Option:
    """click's form of one option.  Files and the environment come in through `settings`, as a default map."""
    declarations = [option.flag, option.name, *option.aliases]
    if option.kind == "flag":
        return click.Option(declarations, is_flag=True, default=False, help=option.help)
    types = {"integer": click.INT, "number": click.FLOAT}
    choices = (*option.choices, BARE) if option.bare is not None else option.choices
    return click.Option(
        declarations,
        type=click.Choice(choices) if option.choices else types.get(option.kind, click.STRING),
        multiple=option.kind == "strings",
        default=option.default,
        metavar=f"{option.metavar} ..." if option.kind == "strings" else option.metavar or None,
        help=f"{option.help}  [default: {option.shown}]" if option.shown else option.help,
        is_eager=option.name == "config",
        callback=_load_settings if option.name == "config" else None,
    )


def _load_settings(ctx: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    """Puts the file and the environment behind the command line."""
    if ctx.resilient_parsing:
        return path
    environment = from_environment(os.environ)
    if path is None:
        path = environment.get("config")
    if path == "":
        raise UsageError("--config: an empty value is none: leave the option out, or give it a value.")
    file = from_file(path) if path is not None else {}
    if "mapping_key" in environment:
        file.pop("mapping_values", None)
    ctx.default_map = {**file, **environment}
    return path


def _config(ctx: click.Context, values: dict[str, Any]) -> Config:
    """The `Config` of what was said.  With `--from-ids` and `--apply-plan` a file's or the environment's choices of AMIs
    count for nothing; on the command line they are a misunderstanding, and an error."""
    given = {name for name in values if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    for option in OPTIONS:
        # click turns "none given" of a list into an empty one, which means something else for --explain.
        if option.bare is not None and option.kind == "strings":
            found = tuple(value for value in values[option.name] or () if value != BARE)
            values[option.name] = found if option.name in given or found else option.default
        elif option.bare is not None and values[option.name] == BARE:
            values[option.name] = option.bare
    if values["from_ids"]:
        values = {name: value for name, value in values.items() if name in given or not BY_NAME[name].selects}
    if values["apply_plan"] is not None:
        values = {name: value for name, value in values.items() if name in given or BY_NAME[name].with_apply_plan}
    if "mapping_key" in values and _lacks_mapping_values(ctx):
        raise UsageError("--mapping-key needs --mapping-values beside it: the tag keys, or the parts of names.")
    config = Config(**values)
    check_combination(config, given)
    return config


def _lacks_mapping_values(ctx: click.Context) -> bool:
    """Tag keys are no parts of names: values that were said further back than the key (file, environment, command line)
    were meant for another key."""
    key, values = (ctx.get_parameter_source(name) for name in ("mapping_key", "mapping_values"))
    if key is ParameterSource.COMMANDLINE:
        return values is not ParameterSource.COMMANDLINE
    return key is not ParameterSource.DEFAULT and values is ParameterSource.DEFAULT


def _run(**values: Any) -> None:
    ctx = click.get_current_context()
    config = _config(ctx, values)
    if config.iam_policy:
        click.echo(json.dumps(_policy(config), indent=2))
        return
    # Loading boto3 takes longer than all the rest: --help and --version do without.
    from .report.console import Console
    from .run import clean

    console = Console(
        config,
        stdout=sys.stdout,
        stderr=sys.stderr,
        stdin=sys.stdin,
        environ=os.environ,
        clock=SYSTEM_CLOCK,
        version=__version__,
    )
    # Thousands of AMIs are no garbage: to look for some among them over and over takes a tenth of the time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    interrupts = Interrupts()
    with interrupts.signals():
        result = clean(config, view=console, interrupts=interrupts)
    ctx.exit(result.exit_status)


def _policy(config: Config) -> dict[str, Any]:
    from .aws.iam import policy

    return policy(
        skip=config.skip_check,
        deletes=not (config.dry_run or config.save_plan),
        include_shared=config.include_shared,
        check_orphans=config.check_orphans,
        regions=bool(config.region or config.exclude_region or config.used_by_profile or config.used_by_role_arn)
        or len(config.profile) > 1,
        roles=(*config.role_arn, *config.used_by_role_arn),
        organization_role=config.organization_role or "",
    )


command = Command(
    "amicleaner",
    callback=_run,
    params=[_parameter(option) for option in OPTIONS],
    help=INTRODUCTION,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
click.version_option(__version__, "-v", "--version", message="%(version)s", help="Print the version and exit.")(command)


def register_completion() -> None:
    """Puts our suggestions behind click's completion, which knows no option with several values behind one flag."""
    from click import shell_completion as shells

    from .completion import suggest

    class Suggesting(shells.ShellComplete):
        def get_completions(self, args: list[str], incomplete: str) -> list[shells.CompletionItem[str]]:
            return [shells.CompletionItem(found.text, found.kind, found.help) for found in suggest(args, incomplete)]

    class Bash(Suggesting, shells.BashComplete):
        pass

    class Zsh(Suggesting, shells.ZshComplete):
        pass

    class Fish(Suggesting, shells.FishComplete):
        pass

    for shell in (Bash, Zsh, Fish):
        shells.add_completion_class(shell)


def main(args: Sequence[str] | None = None) -> None:
    """The command `amicleaner`; ends in SystemExit with the exit status of the contract.

    Without `args` the process is the command's own: it ends at once, also where a call to AWS still waits for its answer.
    """
    status = _status(args)
    silence_broken_pipe(sys.stdout)
    silence_broken_pipe(sys.stderr)
    if args is None and status and threading.active_count() > 1:
        # Python would wait for the threads of a reading that was given up, until the last of them has its answer.
        os._exit(status)
    sys.exit(status)


def _status(args: Sequence[str] | None) -> int:
    try:
        if COMPLETE in os.environ:
            register_completion()
        status = command.main(args=args, prog_name="amicleaner", standalone_mode=False)
        if sys.stdout is not None:  # there is none after `>&-`
            sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.ClickException as error:
        echo_error(f"Error: {error.format_message()}\nTry 'amicleaner --help'.")
        return error.exit_code
    except AmicleanerError as error:
        echo_error(f"Error: {error}")
        return error.exit_status
    except (KeyboardInterrupt, click.Abort):
        echo_error("Interrupted.")
        return 130
    except Interrupted as interrupted:
        echo_error("Interrupted.")
        return interrupted.status
    except BrokenPipeError:
        return 1
    except OSError as error:
        echo_error(f"Error: The output can't be written: {error.strerror or error}.")
        return 1
    except Exception as error:
        # A fault of this program.  Whatever it is, it ends the run, and a traceback helps nobody who cleans AMIs.
        if "--debug" in (sys.argv[1:] if args is None else args):
            raise
        echo_error(
            f"Error: {type(error).__name__}: {error}\nThis is a fault of amicleaner: --debug shows where; please report it."
        )
        return 1


def echo_error(text: str) -> None:
    """On standard error, where one can be written to.  What AWS and files say is in it: nothing of that moves the cursor."""
    from .report.sanitize import escape_control_lines

    with contextlib.suppress(OSError):
        click.echo(escape_control_lines(text), err=True)


def silence_broken_pipe(stream: IO[str] | None) -> None:
    """What can't be written goes nowhere: Python would complain of it once more when it flushes at its end."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
