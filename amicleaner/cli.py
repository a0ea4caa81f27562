"""The command: parses, calls, prints.  Except for the completion, the only module that knows click."""

import contextlib
import gc
import json
import os
import sys
import threading
from collections.abc import Sequence
from typing import IO, Any

import click
from click.core import ParameterSource

from .arguments import BARE, one_value_per_flag
from .clock import SYSTEM_CLOCK
from .config import BY_NAME, OPTIONS, SECTIONS, Config
from .errors import AmicleanerError, describe
from .interrupts import Interrupted, Interrupts
from .options import OWN, Option
from .settings import combine, from_environment, suspicious
from .version import __version__

INTRODUCTION = """Delete old Amazon Machine Images (AMIs) and their snapshots.

Keeps the newest unused AMIs in each group and deletes the rest. AMIs that are in use are always kept. Shows a plan and
asks for confirmation before deleting anything (except with --force-delete or --from-ids).

Options that take several values accept them separated by spaces."""

EXAMPLES = (
    ("amicleaner --dry-run", "Show what would be deleted, with the default settings."),
    (
        "amicleaner --mapping-key family --keep-previous 3 --quarantine 14",
        "Group AMIs by name, disable all but the 3 newest of each group, and delete them in a later run after 14 days.",
    ),
)

DOCUMENTATION = "README.md, and docs/options.md for every option, in the repository of amicleaner."


class Command(click.Command):
    """A command whose options take several values after one flag: `--mapping-values environment role`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Passes click one value per flag.  Raises UsageError for words that are neither options nor values."""
        return super().parse_args(ctx, list(one_value_per_flag(args)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options in their sections, those of click (help, version) last."""
        for section in SECTIONS:
            rows = []
            for option in OPTIONS:
                if option.section == section:
                    default = f"  [default: {option.shown}]" if option.shown else ""
                    rows.append((option.usage, f"{option.help}{default}"))
            if section == SECTIONS[-1]:
                rows += [("-v, --version", OWN["--version"]), ("-h, --help", OWN["--help"])]
            with formatter.section(section):
                formatter.write_dl(rows, col_max=26)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Two examples, and where to read on."""
        with formatter.section("Examples"):
            for line, text in EXAMPLES:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")
                with formatter.indentation():
                    formatter.write_text(text)
        with formatter.section("Documentation"):
            formatter.write_text(DOCUMENTATION)


def _parameter(option: Option) -> click.Option:
    """click's form of one option.  Values stay strings: `Option.parse` converts them, `Config` checks them."""
    # To click, `is_flag=False` is an option whose value may be missing.
    is_flag = True if option.kind == "flag" else None
    return click.Option([*option.flags, option.name], is_flag=is_flag, multiple=option.kind == "strings")


def _value(option: Option, given: Any) -> Any:
    """The value of an option that is on the command line."""
    if option.kind == "flag":
        return given
    if option.kind == "strings":
        return tuple(value for value in given if value != BARE)
    return option.bare if given == BARE else option.parse(given)


def _run(**given: Any) -> None:
    ctx = click.get_current_context()
    on_line = [name for name in given if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    line = {name: _value(BY_NAME[name], given[name]) for name in on_line}
    environment, warnings = from_environment(os.environ)
    config = combine(line, environment)
    if config.demo is not None:
        echo_error("Demo: a simulated account in memory. Nothing real is touched.")
    for warning in (*warnings, *suspicious(config)):
        echo_error(f"Warning: {warning}")
    if config.iam_policy:
        from .aws.iam import policy

        click.echo(json.dumps(policy(config), indent=2))
        return
    ctx.exit(_carry_out(config))


def _carry_out(config: Config) -> int:
    """The run; returns its exit status."""
    # boto3 takes longer to load than everything else: --help and --version do without it.
    from .report.console import Console
    from .run import clean

    console = Console(config, stdout=sys.stdout, stderr=sys.stderr, stdin=sys.stdin, environ=os.environ, clock=SYSTEM_CLOCK)
    # Looking for garbage among thousands of AMIs, again and again, takes a tenth of the time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    interrupts = Interrupts()
    with interrupts.signals():
        return clean(config, view=console, interrupts=interrupts).exit_status


command = Command(
    "amicleaner",
    callback=_run,
    params=[_parameter(option) for option in OPTIONS],
    help=INTRODUCTION,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
click.version_option(__version__, "-v", "--version", message="%(version)s", help=OWN["--version"])(command)


def main(args: Sequence[str] | None = None) -> None:
    """The command `amicleaner`; ends in SystemExit with the exit status (`docs/options.md`).

    Without `args` the process is the command's own: it ends at once, even where a call to AWS still waits for its response.
    """
    status = _status(args)
    silence_broken_pipe(sys.stdout)
    silence_broken_pipe(sys.stderr)
    if args is None and status and threading.active_count() > 1:
        # Python would wait for the threads of a scan that was given up, until the last of them has its response.
        os._exit(status)
    sys.exit(status)


def _status(args: Sequence[str] | None) -> int:
    try:
        if "_AMICLEANER_COMPLETE" in os.environ:  # click's variable, which a shell's completion sets
            from .completion import register

            register()
        status = command.main(args=args, prog_name="amicleaner", standalone_mode=False)
        status = status if isinstance(status, int) else 0
        # There is no stream after `>&-`.  A run that failed has said why.
        if sys.stdout is not None and status in (0, 3):
            sys.stdout.flush()
        return status
    except click.ClickException as error:
        echo_error(f"Error: {error.format_message()}\nHint: Run 'amicleaner --help' for all options.")
        return error.exit_code
    except AmicleanerError as error:
        echo_error(f"Error: {describe(error)}")
        return error.exit_status
    except (KeyboardInterrupt, click.Abort, Interrupted) as interrupted:
        echo_error("Interrupted.")
        return interrupted.status if isinstance(interrupted, Interrupted) else 130
    except BrokenPipeError:
        echo_error("Error: Standard output was closed.")
        return 1
    except Exception as error:
        # A bug, unless the system ran out of something.  Only who asks for it gets a traceback.
        if "--debug" in (sys.argv[1:] if args is None else args) and not isinstance(error, OSError):
            raise
        echo_error(f"Error: {describe(error)}")
        return 1


def echo_error(text: str) -> None:
    """Prints to standard error, if it can be written to, wrapped between words on a terminal.  Text from AWS and from files
    can't move the cursor."""
    from .report.sanitize import safe_lines
    from .report.terminal import width_of

    with contextlib.suppress(OSError):
        click.echo("\n".join(safe_lines(text, width_of(sys.stderr))), err=True)


def silence_broken_pipe(stream: IO[str] | None) -> None:
    """Discards what can't be written: Python would report it again when it flushes at exit."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
