"""Turns conversations in any usual format into rows: roles, context, learned turns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_registry.errors import BadFile
from rows.columns import CHECKS, TABLES
from rows.encoding import nfc, refuse_error_of_excel, refuse_nul
from rows.json_records import CONTENT_KEYS, NO_TURNS, ROLE_KEYS
from rows.row import LeftOut, Row, left_out

_NO_HISTORY = (
    "history is no JSON list of [question, answer]",
    "이전 대화가 [질문, 답변]의 JSON 목록이 아닙니다",
)
_KNOWN = {name: role for role, names in TABLES["roles"].items() for name in names}

#: How chat templates write a turn: (role, content).
_MARKED = {
    "<|im_start|>": re.compile(
        r"<\|im_start\|>[ \t]*(\w+)[ \t]*\r?\n(.*?)(?:<\|im_end\|>|(?=<\|im_start\|>)|\Z)", re.S
    ),
    "<|start_header_id|>": re.compile(
        r"<\|start_header_id\|>\s*(\w+)\s*<\|end_header_id\|>(.*?)"
        r"(?:<\|eot_id\|>|<\|end_of_text\|>|(?=<\|start_header_id\|>)|\Z)",
        re.S,
    ),
    "<start_of_turn>": re.compile(
        r"<start_of_turn>[ \t]*(\w+)[ \t]*\r?\n(.*?)(?:<end_of_turn>|(?=<start_of_turn>)|\Z)", re.S
    ),
}


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn. `learn` is for answers; earlier ones may be context alone."""

    role: str  # as the file names it, until `Roles` has read all of them
    content: str
    learn: bool = True
    problem: str = ""  # a code: what keeps this turn from being learned or stood before another
    checks: object = None  # as declared beside a question


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles in a file: one unknown name is the side that no known name takes."""

    names: Mapping[str, str]

    @classmethod
    def read(cls, path: Path, turns: Iterable[tuple[int | None, Turn]]) -> Roles:
        """The roles of all turns of a file.

        Raises:
            BadFile: names that can't be told apart.
        """
        names: dict[str, str] = {}
        unknown: dict[str, int | None] = {}
        for line, turn in turns:
            role = _KNOWN.get(_folded(turn.role))
            if role is None:
                unknown.setdefault(turn.role, line)
            else:
                names[turn.role] = role
        open_sides = {"user", "assistant"} - set(names.values())
        if len(unknown) > 1 or (unknown and len(open_sides) != 1):
            name, line = next(iter(unknown.items()))
            raise BadFile(
                path,
                line,
                f"who is {name}? the roles are system, user and assistant (or human and gpt)",
                f"{name}이(가) 누구인지 알 수 없습니다. 역할은 system, user, assistant(또는 human, "
                "gpt)로 적으세요",
            )
        return cls({**names, **dict.fromkeys(unknown, "".join(open_sides))})

    def of(self, turn: Turn) -> str:
        """system, user, assistant or tool."""
        return self.names[turn.role]


def _folded(role: str) -> str:
    return nfc(role).strip().casefold()


def turns_of(path: Path, line: int | None, value: object) -> list[Turn]:
    """The turns of a cell: a list of objects, such a list as JSON text, or a chat template's text.

    Raises:
        BadFile: it is none of them.
    """
    if isinstance(value, str):
        marked = marked_turns(path, line, value)
        if marked:
            return marked
        try:
            value = json.loads(value)
        except ValueError:
            raise BadFile(
                path,
                line,
                "its turns are neither JSON nor a chat template's",
                "턴이 JSON도 아니고 대화 템플릿 형식도 아닙니다",
            ) from None
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
        raise BadFile(path, line, *NO_TURNS)
    return [_turn(path, line, turn) for turn in value]


def marked_turns(path: Path, line: int | None, text: str) -> list[Turn]:
    """The turns of a text that some chat template wrote (ChatML, Llama 3, Gemma); else none."""
    for mark, pattern in _MARKED.items():
        if mark in text:
            return [
                Turn(role, clean(path, line, content)) for role, content in pattern.findall(text)
            ]
    return []


def _turn(path: Path, line: int | None, turn: Mapping[str, object]) -> Turn:
    role = next((said for key in ROLE_KEYS if isinstance(said := turn.get(key), str)), None)
    if role is None:
        raise BadFile(
            path,
            line,
            'not a JSON list of {"role", "content"} turns: one has no role',
            "role이 없는 턴이 있습니다",
        )
    content = next((turn[key] for key in CONTENT_KEYS if turn.get(key) is not None), None)
    learn = turn.get("weight") != 0 and turn.get("train") is not False
    if turn.get("tool_calls") or turn.get("function_call"):
        return Turn(role, "", learn, "tool_turn")
    if isinstance(content, list):  # OpenAI's parts
        if not all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in content):
            return Turn(role, "", learn, "not_text")
        content = "".join(part["text"] for part in content)
    if content is None:
        return Turn(role, "", learn)
    if not isinstance(content, str):
        raise BadFile(
            path,
            line,
            f"content must be text, not {content!r}",
            f"content는 글자여야 합니다({content!r}은(는) 안 됩니다)",
        )
    return Turn(role, clean(path, line, content), learn, checks=turn.get(CHECKS))


def clean(path: Path, line: int | None, text: str) -> str:
    """A text as rows hold it: NFC, no blanks around.

    Raises:
        BadFile: it holds NUL, or is a spreadsheet's error.
    """
    refuse_nul(path, text, line or 1)
    refuse_error_of_excel(path, text, line)
    return nfc(text).strip()


def history_turns(path: Path, line: int | None, value: Any) -> list[Turn]:
    """Earlier turns from a `history` cell: pairs of question and answer, or turns; not learned."""
    if isinstance(value, str):
        if not value.strip():
            return []
        try:
            value = json.loads(value)
        except ValueError:
            raise BadFile(path, line, *_NO_HISTORY) from None
    if value and all(isinstance(turn, dict) for turn in value):
        turns = turns_of(path, line, value)
        return [Turn(turn.role, turn.content, False, turn.problem) for turn in turns]
    pairs = value or []
    if not all(isinstance(p, list) and len(p) == 2 and all(map(_is_text, p)) for p in pairs):
        raise BadFile(path, line, *_NO_HISTORY)
    return [
        Turn(role, clean(path, line, text), learn=False)
        for pair in pairs
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def rows_of_turns(
    turns: Sequence[Turn], roles: Roles, split: str, line: int | None, *, ask_last: bool = True
) -> tuple[list[Row], list[LeftOut]]:
    """A row for each answer to be learned, with all turns before its question.

    What pairs with nothing is left out, of what stands before later turns too: templates want
    user and assistant in turn. Nothing after a tool's turn is taken: it answers what no row holds.
    With `ask_last` a last question without an answer is a row to ask, not to learn.
    """
    rows: list[Row] = []
    out: list[LeftOut] = []
    before: list[Mapping[str, str]] = []
    waiting: str | None = None
    checks: object = None
    for turn in turns:
        role = roles.of(turn)
        problem = turn.problem or ("tool_turn" if role == "tool" else "")
        if role == "system" and not (rows or waiting or len(before) > 1):
            before = _with_system(before, turn.content)
            continue
        if role == "system" and turn.content:
            problem = problem or "system_inside"
        if problem:
            out.append(left_out(problem, line, split))
            return rows, out
        if role == "user":
            if waiting is not None:
                out.append(left_out("unanswered_turn", line, split))
            waiting, checks = turn.content or None, turn.checks
        elif role == "assistant" and waiting is None:
            out.append(left_out("unasked_turn", line, split))
        elif role == "assistant" and waiting is not None:
            if turn.learn and turn.content:
                rows.append(Row(waiting, turn.content, split, tuple(before), line, checks))
            elif turn.learn:
                out.append(left_out("unanswered_turn", line, split))
            if turn.content:
                before += [
                    {"role": "user", "content": waiting},
                    {"role": "assistant", "content": turn.content},
                ]
            waiting = None
    if waiting is not None:
        if ask_last:
            rows.append(Row(waiting, "", split, tuple(before), line, checks))
        out.append(left_out("no_answer" if ask_last else "unanswered_turn", line, split))
    if not rows and not out:
        out.append(left_out("nothing_to_learn", line, split))
    return rows, out


def _with_system(before: Sequence[Mapping[str, str]], content: str) -> list[Mapping[str, str]]:
    texts = [turn["content"] for turn in before] + ([content] if content else [])
    return [{"role": "system", "content": "\n\n".join(texts)}] if texts else []
