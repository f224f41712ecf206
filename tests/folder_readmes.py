"""What lies where, written from the files themselves: `make readmes`, and a test that it was run.

README.md ends with the folders; each folder's own README lists its files by the first line that
they say of themselves; docs/runs.md lists the statuses of their table.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from model_registry.statuses import STATUSES

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("model_registry", "rows", "diagrams", "evaluators", "benchmarks", "pages", "commands")

#: Folders without modules, and files at the top: what they are can't be read from them.
BESIDE = {
    "model_registry/catalogs": "Candidates as data, one TOML file a catalog.",
    "benchmarks/studies": "The studies that come with it, one TOML file each.",
    "pages/assets/grade_tab": "The Grade tab in the browser: scripts that run as one, and style.",
    "pages/assets": "What runs in the browser: scripts and the style sheet.",
    "ohlora_cli.py": "The command line `ohlora`.",
    "ohlora_app.py": "The page: `python ohlora_app.py`, also what a Hugging Face Space starts.",
    "datasets": "Data only: rows, prompts and published figures, each folder with its origin.",
    "docs": "Pages for users, with the raw figures behind their tables.",
    "notebooks": "The Colab notebook.",
    "tests": "Tests, in the same folders as what they test; `support` is what they share.",
}
#: How a file says what it is, by its ending: the first comment.
_COMMENTS = {
    ".js": re.compile(r"(?://.*\n)+"),
    ".css": re.compile(r"/\*.*?\*/", re.DOTALL),
    ".jinja": re.compile(r"\{#.*?#\}|/\*.*?\*/", re.DOTALL),
    ".toml": re.compile(r"(?:#.*\n)+"),
}
_MARKS = re.compile(r"^\s*(?://|/\*|\{#|#)|(?:\*/|#\})\s*$", re.MULTILINE)
_BEGIN, _END = "<!-- {}: made by `make readmes` -->", "<!-- end of {} -->"


def first_line(path: Path) -> str:
    """The first sentence that a file says of itself; nothing where it says nothing."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return (ast.get_docstring(ast.parse(source)) or "").split("\n")[0]
    found = _COMMENTS[path.suffix].match(source)
    words = " ".join(_MARKS.sub("", found[0]).split()) if found else ""
    first = words.partition(". ")[0]
    return first if not first or first.endswith(("?", ".")) else f"{first}."


def folders() -> Iterator[Path]:
    """Every room of the product, and the folders of what stands beside modules."""
    for room in ROOMS:
        inside = (ROOT / room).rglob("*")
        kept = (p for p in inside if p.is_dir() and _is_a_room(p))
        yield from sorted([ROOT / room, *kept])


def _is_a_room(folder: Path) -> bool:
    if "migrations" in folder.parts:  # Alembic's own order of files
        return False
    return (folder / "__init__.py").exists() or folder.relative_to(ROOT).as_posix() in BESIDE


def files_of(folder: Path) -> list[Path]:
    """The files of a folder that its README lists."""
    endings = {".py", *_COMMENTS}
    listed = (p for p in folder.iterdir() if p.suffix in endings and p.name != "__init__.py")
    return sorted(listed)


def describe(folder: Path) -> str:
    """What a folder is, by its package's docstring or by the list above."""
    package = folder / "__init__.py"
    if package.exists():
        return first_line(package)
    return BESIDE[folder.relative_to(ROOT).as_posix()]


def folder_readme(folder: Path) -> str:
    """A folder's README: what it is, its folders, its files."""
    rows = [f"| [`{p.name}`]({p.name}) | {first_line(p)} |" for p in files_of(folder)]
    inner = [p for p in folders() if p.parent == folder]
    rows = [f"| [`{p.name}/`]({p.name}/README.md) | {describe(p)} |" for p in inner] + rows
    head = ["| | |", "|---|---|"]
    name = folder.relative_to(ROOT).as_posix()
    return "\n".join([f"# {name}", "", describe(folder), "", *head, *rows, ""])


def tree() -> str:
    """The folders of README.md: two levels, each with what it is."""
    lines = []
    for folder in folders():
        parts = folder.relative_to(ROOT).parts
        if len(parts) <= 2:
            name = f"[`{'/'.join(parts)}`]({'/'.join(parts)}/README.md)"
            lines.append(f"{'  ' * (len(parts) - 1)}- {name} {describe(folder)}")
    top = (name for name in BESIDE if "/" not in name)
    lines += [f"- [`{name}`]({name}) {BESIDE[name]}" for name in top]
    return "\n".join(lines)


def statuses() -> str:
    """The table of how a case can end."""
    rows = [f"| `{status.code}` | {status.en} |" for status in STATUSES.values()]
    return "\n".join(["| status | meaning |", "|---|---|", *rows])


def between_marks(page: Path, name: str, made: str) -> str:
    """A page with what stands between its two marks of that name as it is now."""
    text = page.read_text(encoding="utf-8")
    begin, end = _BEGIN.format(name), _END.format(name)
    before, after = text[: text.index(begin)], text[text.index(end) :]
    return f"{before}{begin}\n{made}\n{after}"


def documents() -> dict[Path, str]:
    """Every page that is made here, whole or in part, with what must stand in it."""
    made = {folder / "README.md": folder_readme(folder) for folder in folders()}
    for page, name, lines in (
        (ROOT / "README.md", "folders", tree()),
        (ROOT / "docs" / "runs.md", "statuses", statuses()),
    ):
        made[page] = between_marks(page, name, lines)
    return made


if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
