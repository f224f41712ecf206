"""The rules: what each checkable instruction asks of a reply. Pure functions of its text.

A rule gives "" where the reply keeps it, else what is wrong. Texts come folded (`folded`): in NFC,
with full-width signs as plain ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evaluators.checks.politeness import NO_LEVEL, PLAIN, POLITE, SENTENCE_END, TAIL
from evaluators.korean_text import EMOJI, LATIN, OTHER_SCRIPT_RUN, count_hangul, normal
from model_registry.files.json_values import JsonObject

#: The parameters of a check, by name.
Values = JsonObject

#: Full-width ！ to ～ as ! to ~, and the stops of Chinese and Japanese.
_WIDE: dict[int, int | None] = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_WIDE |= {ord("。"): ord("."), ord("、"): ord(","), 0x3000: ord(" "), 0x200B: None, 0xFEFF: None}

ITEM = re.compile(
    r"([ \t]*)(?:(?P<bullet>[-*+•·‣▪■□◦–—○●▶])"
    r"|(?P<number>\(?\d{1,3}[.)]|[①-⑳]|[㉠-㉻]|[가나다라마바사아자차카타파하][.)]))"
    r"(?:(?<=[①-⑳㉠-㉻])|[ \t]+)(?=\S)"
)
_HEADING = re.compile(r"#{1,6}[ \t]+(?=\S)")
#: Ends of sentences within a line: marks with a blank behind them, or between Hangul.
_SENTENCE = re.compile(
    r"""(?<=[.!?…])(?<!\d\.)["'”’」』)\]]*\s+|(?<=[가-힣][.!?])(?=[가-힣])""", re.X
)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*")
_FENCE = re.compile(r"```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```", re.S)
_QUOTES = ('""', "''", "“”", "‘’", "「」", "『』", "《》", "〈〉")
_CELLS = re.compile(r"(?<!\\)\|")
_RULE_LINE = re.compile(r"\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?")
_LATIN_RUN = re.compile(f"[{LATIN}]+")
_END_SIGNS = " .!?~…\"'”’」』)*"


def folded(text: str) -> str:
    """A reply as rules read it, without blanks around."""
    return normal(text).translate(_WIDE).strip()


def filled_lines(text: str) -> list[str]:
    """The lines that are not blank."""
    return [line for line in text.splitlines() if line.strip()]


def without_marker(line: str) -> str:
    """A line without the sign of a list item or heading before it."""
    line = line.strip()
    found = ITEM.match(line) or _HEADING.match(line)
    return line[found.end() :] if found else line


def sentences_of(text: str) -> list[str]:
    """The sentences: every line is at least one; 3.5 and the 1. of a list end none."""
    pieces = (part for line in text.splitlines() for part in _SENTENCE.split(without_marker(line)))
    return [piece.strip() for piece in pieces if any(map(str.isalnum, piece))]


def _in_range(count: int, values: Values) -> str:
    least, most = values.get("min"), values.get("max")
    if least is not None and count < least:
        return f"{count}, wanted {'exactly' if least == most else 'at least'} {least}"
    if most is not None and count > most:
        return f"{count}, wanted {'exactly' if least == most else 'at most'} {most}"
    return ""


def _counted(count: Callable[[str], int]) -> Callable[[str, Values], str]:
    return lambda text, values: _in_range(count(text), values)


def characters(text: str, values: Values) -> str:
    """How many characters; line breaks count as blanks, which `spaces` = false leaves out."""
    kept = text if values.get("spaces", True) else re.sub(r"\s+", "", text)
    return _in_range(len(kept), values)


def words(text: str) -> int:
    """How many 어절: parts between blanks that hold a letter or digit."""
    return sum(any(map(str.isalnum, part)) for part in text.split())


def items(text: str, values: Values) -> str:
    """How many items of a list, those under other items left out."""
    wanted = values.get("style", "any")
    found = [match for line in text.splitlines() if (match := ITEM.match(line))]
    found = [match for match in found if wanted == "any" or match.lastgroup == wanted]
    outermost = min((len(match[1]) for match in found), default=0)
    return _in_range(sum(len(match[1]) == outermost for match in found), values)


def include(text: str, values: Values) -> str:
    """All of some words."""
    missing = [word for word in values["words"] if not _holds(text, word)]
    return f"without {', '.join(missing)}" if missing else ""


def include_any(text: str, values: Values) -> str:
    """One of some words at least."""
    if any(_holds(text, word) for word in values["words"]):
        return ""
    return f"none of {', '.join(values['words'])}"


def exclude(text: str, values: Values) -> str:
    """None of some words or signs."""
    said = [word for word in values["words"] if _holds(text, word)]
    return f"says {', '.join(said)}" if said else ""


def _holds(text: str, word: str) -> bool:
    return folded(word).casefold() in text.casefold()


def mentions(text: str, values: Values) -> str:
    """How often a word stands there."""
    return _in_range(text.casefold().count(folded(values["word"]).casefold()), values)


def starts(text: str, values: Values) -> str:
    """What a reply begins with."""
    return "" if text.startswith(folded(values["text"])) else f"begins {text[:12]!r}"


def ends(text: str, values: Values) -> str:
    """What a reply ends with; a stop or quote behind counts only where it is asked for."""
    wanted = folded(values["text"])
    kept = text if wanted[-1] in _END_SIGNS else text.rstrip(_END_SIGNS)
    return "" if kept.endswith(wanted) else f"ends {text[-12:]!r}"


def is_json(text: str, values: Values) -> str:
    """JSON and nothing else, but for a code fence; its keys, or the length of its list."""
    fenced = _FENCE.fullmatch(text)
    try:
        document = json.loads(fenced[1] if fenced else text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return f"does not parse ({str(error)[:60]})"
    return _list_problem(document, values) or _key_problem(document, values)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _list_problem(document: object, values: Values) -> str:
    if values.get("min") is None and values.get("max") is None:
        return ""
    return _in_range(len(document), values) if isinstance(document, list) else "no list"


def _key_problem(document: object, values: Values) -> str:
    keys = [folded(key) for key in values.get("keys", ())]
    for each in document if isinstance(document, list) else [document]:
        if not isinstance(each, dict):
            return "no object with keys" if keys else ""
        found = {folded(key) for key in each}
        if missing := [key for key in keys if key not in found]:
            return f"without the keys {', '.join(missing)}"
        if values.get("only") and (more := found - set(keys)):
            return f"has other keys: {', '.join(sorted(more))}"
    return ""


def table(text: str, values: Values) -> str:
    """A Markdown table: names of its columns, and how many rows below them."""
    lines = [line.strip() for line in text.splitlines()]
    at = next(
        (i for i, line in enumerate(lines) if i and "|" in line and _RULE_LINE.fullmatch(line)), 0
    )
    if not at or "|" not in lines[at - 1]:
        return "no table"
    names = [cell.strip() for cell in _CELLS.split(lines[at - 1].strip("|"))]
    if missing := [name for name in values.get("columns", ()) if folded(name) not in names]:
        return f"without the columns {', '.join(missing)}"
    rows = 0
    while at + 1 + rows < len(lines) and "|" in lines[at + 1 + rows]:
        rows += 1
    return _in_range(rows, values)


def korean_only(text: str, values: Values) -> str:
    """Hangul and no letter of another script, but for words that are allowed."""
    for word in values.get("allow", ()):
        text = re.sub(re.escape(folded(word)), " ", text, flags=re.I)
    foreign = _LATIN_RUN.findall(text) + OTHER_SCRIPT_RUN.findall(text)
    if foreign:
        return f"says {', '.join(dict.fromkeys(foreign[:3]))}"
    return "" if count_hangul(text) else "no Hangul"


_LEVELS: Mapping[str, re.Pattern[str]] = {
    "polite": POLITE,
    "plain": PLAIN,
    "hapsyo": re.compile("(?:니다|니까|시오)$"),
    "haeyo": re.compile("[요죠]$"),
}


def speech(text: str, values: Values) -> str:
    """The level of every sentence that shows one; one at least has to."""
    wanted, kept = _LEVELS[values["level"]], 0
    for sentence in SENTENCE_END.split(text):
        tail = TAIL.search(sentence)
        if tail is None or NO_LEVEL.search(tail[1]):
            continue
        polite = bool(POLITE.search(tail[1]))
        if not polite and not PLAIN.search(tail[1]):
            continue
        if not wanted.search(tail[1]) or (polite and values["level"] == "plain"):
            return f"…{tail[1][-6:]}"
        kept += 1
    return "" if kept else "no sentence shows its level"


def quoted(text: str, values: Values) -> str:
    """The whole reply within one pair of quotation marks."""
    del values
    kept = len(text) > 2 and text[0] + text[-1] in _QUOTES and text[-1] not in text[1:-1]
    return "" if kept else "not within quotation marks"


def acrostic(text: str, values: Values) -> str:
    """One line for each syllable of a word, and beginning with it: 삼행시."""
    firsts = [
        next((sign for sign in without_marker(line) if sign.isalnum()), "")
        for line in filled_lines(text)
    ]
    wanted = folded(values["word"])
    return "" if "".join(firsts) == wanted else f"lines begin {''.join(firsts)[:12] or 'nowhere'}"


def paragraphs(text: str) -> int:
    """How many blocks between blank lines."""
    return sum(bool(block.strip()) for block in re.split(r"\n[ \t]*\n", text))


def questions(text: str) -> int:
    """How many sentences end with a question mark, whatever quote stands behind it."""
    return sum(one.rstrip("\"'”’」』)*").endswith("?") for one in sentences_of(text))


@dataclass(frozen=True, slots=True)
class Rule:
    """One checkable instruction: its function, and its parameters by kind.

    Kinds: count (a whole number), words (a list), text, flag, or the choices themselves. A rule
    with min and max needs one of them; `needs` are those that it can't do without.
    """

    failure: Callable[[str, Values], str]
    parameters: Mapping[str, str | tuple[str, ...]]
    needs: tuple[str, ...] = ()
    needs_range: bool = False


_RANGE = {"min": "count", "max": "count"}


def _range(failure: Callable[[str, Values], str], **more: str | tuple[str, ...]) -> Rule:
    return Rule(failure, _RANGE | more, needs_range=True)


#: By the code that stands in a declaration.
RULES: Mapping[str, Rule] = {
    "speech": Rule(speech, {"level": tuple(_LEVELS)}, ("level",)),
    "characters": _range(characters, spaces="flag"),
    "words": _range(_counted(words)),
    "sentences": _range(_counted(lambda text: len(sentences_of(text)))),
    "lines": _range(_counted(lambda text: len(filled_lines(text)))),
    "paragraphs": _range(_counted(paragraphs)),
    "items": _range(items, style=("any", "bullet", "number")),
    "include": Rule(include, {"words": "words"}, ("words",)),
    "include_any": Rule(include_any, {"words": "words"}, ("words",)),
    "exclude": Rule(exclude, {"words": "words"}, ("words",)),
    "mentions": Rule(mentions, _RANGE | {"word": "text"}, ("word",), needs_range=True),
    "starts": Rule(starts, {"text": "text"}, ("text",)),
    "ends": Rule(ends, {"text": "text"}, ("text",)),
    "json": Rule(is_json, _RANGE | {"keys": "words", "only": "flag"}),
    "table": Rule(table, _RANGE | {"columns": "words"}),
    "korean_only": Rule(korean_only, {"allow": "words"}),
    "digits": _range(_counted(lambda text: sum(map(str.isdigit, text)))),
    "emoji": _range(_counted(lambda text: len(EMOJI.findall(text)))),
    "headings": _range(
        _counted(lambda text: sum(bool(_HEADING.match(line)) for line in filled_lines(text)))
    ),
    "bold": _range(_counted(lambda text: len(_BOLD.findall(text)))),
    "questions": _range(_counted(questions)),
    "quoted": Rule(quoted, {}),
    "acrostic": Rule(acrostic, {"word": "text"}, ("word",)),
}  # fmt: skip
