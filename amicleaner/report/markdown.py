"""A run as Markdown for a pull request or a job's summary page: a headline, what is deleted, and what is kept as counts.

GitHub takes at most 1 MiB for a summary, so that of many AMIs only the oldest are listed.
"""

import re
from collections.abc import Iterable, Sequence

from ..decisions import Decision
from ..models import Target
from ..plan import Plan, oldest_first
from ..result import Result
from . import result_sentences
from .sanitize import escape_control
from .sentences import REASON_WORDS, cautions, orphans_sentence, plan_notes, plan_sentence, uncapitalized
from .tables import cells

ROWS = 500
"""AMIs that are listed, in all targets together."""

COLUMNS = {"AMI": "AMI Name", "id": "AMI ID", "group": "Group", "age": "Age", "GiB": "GiB", "action": "Action"}
"""The heads of the columns, each with that of the screen's tables."""

# What CommonMark and GitHub's extensions would read as markup: also `$` (mathematics), `~` (struck out) and bare addresses.
_MARKUP = re.compile(r"[\\`*_<>\[\]|&~$#]|:(?=//)|(?<=www)\.|@", re.IGNORECASE)


def to_markdown(result: Result, price_per_gib: float) -> str:
    """The whole page, with a newline at its end."""
    plan = result.plan
    parts = [f"**{escape_markup(headline(result))}**"]
    notes = plan_notes(plan) if plan and not result.amis else result_sentences.undo_notes(result)
    parts += [escape_markup(note) for note in notes]
    for title, texts in (
        ("Problems", [*result.problems, *result_sentences.failure_errors(result)]),
        ("Warnings", list(dict.fromkeys([*result.warnings, *(cautions(plan) if plan else ())]))),
    ):
        if texts:
            parts.append(f"{title}:\n\n" + "\n".join(f"- {escape_markup(text.replace(chr(10), ' '))}" for text in texts))
    if plan:
        parts += _changes(plan, result)
        if plan.kept:
            rows = [(REASON_WORDS[reason], reason, str(count)) for reason, count in plan.kept_by_reason]
            parts.append("Kept:\n\n" + _table(("kept because", "reason", "AMIs"), rows))
    if result.orphans:
        deleted = f" Deleted: {result.orphans_deleted}." if result.orphans_deleted else ""
        parts.append(escape_markup(f"{orphans_sentence(result.orphans, price_per_gib)}{deleted}"))
    if result.restored:
        lines = map(result_sentences.restore_line, result.restored)
        parts.append("\n".join(f"- {escape_markup(line)}" for line in lines))
    return "\n\n".join(parts) + "\n"


def headline(result: Result) -> str:
    """The run in one sentence."""
    if result.interrupted is not None:
        return f"Interrupted. {result_sentences.interrupted_sentence(result)}"
    if result.restored:
        return result_sentences.restore_sentence(result)
    if result.plan is None:
        return "amicleaner failed before there was a plan." if result.exit_status else "amicleaner has nothing to report."
    if result.declined:
        return f"Not confirmed: {uncapitalized(result_sentences.nothing_deleted(result))} {plan_sentence(result.plan)}"
    return result_sentences.final_sentence(result) if result.amis else plan_sentence(result.plan)


def _changes(plan: Plan, result: Result) -> Iterable[str]:
    """A table for each target of what the plan changes, oldest first."""
    left = ROWS
    by_target: dict[Target, list[Decision]] = {}
    for decision in oldest_first(plan.changes):
        by_target.setdefault(decision.target, []).append(decision)
    for target, decisions in sorted(by_target.items()):
        outcomes = {key: done.outcome for key, done in result.amis.items()}
        columns = COLUMNS | ({"outcome": "Outcome"} if outcomes else {})
        shown = [cells(decision, plan) | {"Outcome": outcomes.get(decision.key, "")} for decision in decisions[:left]]
        rows = [[found[title] for title in columns.values()] for found in shown]
        yield f"### {escape_markup(str(target)[:1].upper() + str(target)[1:])}"
        if rows:
            yield _table(list(columns), rows)
        if len(rows) < len(decisions):
            yield f"… {len(decisions) - len(rows)} more."
        left -= len(rows)


def escape_markup(text: str) -> str:
    """Text on one line that Markdown shows as it is."""
    visible = _MARKUP.sub(r"\\\g<0>", escape_control(text))
    # Spaces at the ends of a cell would be taken for its padding.
    inner = visible.strip(" ")
    if not inner:
        return "&#32;" * len(visible)
    before, after = visible[: visible.index(inner[0])], visible[len(visible.rstrip(" ")) :]
    return "&#32;" * len(before) + inner + "&#32;" * len(after)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([escape_markup(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)
