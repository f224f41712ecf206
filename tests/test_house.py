"""The house keeps its order: who imports whom, what lies where, what the README says of it."""

from __future__ import annotations

import ast
import builtins
import re
import subprocess
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests import folder_readmes

ROOT = Path(__file__).resolve().parent.parent

#: Each imports only from those before it (and from itself).
LAYERS = ("model_registry", "rows", "diagrams", "evaluators", "benchmarks", "pages", "commands")


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


@cache
def modules() -> dict[str, Path]:
    """The product's modules by their full names."""
    paths = [path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")]
    paths += [ROOT / "ohlora_app.py", ROOT / "ohlora_cli.py"]
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths)
    return {name.removesuffix(".__init__"): path for name, path in zip(names, paths, strict=True)}


def own_imports(
    node: ast.AST, inside: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, list[str], bool]]:
    """Statements that import modules of ours, those for type checkers left out.

    Each with the modules and whether it stands inside a function.
    """
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Import | ast.ImportFrom):
        if isinstance(node, ast.ImportFrom):
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            named = [name if name in modules() else node.module or "" for name in whole]
        else:
            named = [alias.name for alias in node.names]
        if ours := [name for name in dict.fromkeys(named) if name in modules()]:
            yield node, ours, inside
    inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    for child in ast.iter_child_nodes(node):
        yield from own_imports(child, inside)


def test_no_modules_import_each_other_in_a_circle_not_even_inside_functions() -> None:
    graph = {
        name: {
            target
            for _, targets, _ in own_imports(ast.parse(path.read_text(encoding="utf-8")))
            for target in targets
            if target != name
        }
        for name, path in modules().items()
    }
    TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_an_import_of_ours_inside_a_function_is_rare_and_has_its_reason() -> None:
    found, silent = 0, []
    for path in modules().values():
        source = path.read_text(encoding="utf-8")
        lines = ["", *source.splitlines()]
        for node, _, inside in own_imports(ast.parse(source)):
            if not inside:
                continue
            found += 1
            above = node.lineno - 1
            while lines[above].strip().startswith(("from ", "import ")):
                above -= 1  # one reason may stand above several
            reasons = (lines[above].strip(), lines[node.lineno].partition("  # ")[2])
            said = reasons[0].startswith("#") or reasons[1].replace("noqa: F401", "").strip()
            silent += [] if said else [f"{path.relative_to(ROOT)}:{node.lineno}"]
    assert not silent
    assert found < 40


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("layer", LAYERS)
def test_a_package_imports_only_from_those_above_it(layer: str) -> None:
    below = set(LAYERS[LAYERS.index(layer) + 1 :]) | {"ohlora_app", "ohlora_cli", "tests"}
    for path in sorted((ROOT / layer).rglob("*.py")):
        wrong = below & set(imports_of(path))
        if "tests" in wrong and path.name in ("conftest.py",):
            wrong.discard("tests")
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_datasets_holds_no_python_or_hugging_face_s_package_would_not_be_found() -> None:
    assert not list((ROOT / "datasets").rglob("*.py"))


def test_the_package_lists_every_folder_that_holds_modules() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(settings["tool"]["setuptools"]["packages"])
    there = {
        str(path.parent.relative_to(ROOT)).replace("/", ".")
        for layer in LAYERS
        for path in (ROOT / layer).rglob("__init__.py")
    }
    assert listed == there


def test_every_module_of_ours_that_is_imported_is_there() -> None:
    """Imports inside functions are met by users first; mypy lets missing modules pass."""
    sources = [path for path in tracked_files() if path.suffix == ".py" and path.exists()]
    ours = {p.relative_to(ROOT).parts[0] for p in sources if len(p.relative_to(ROOT).parts) > 1}
    named = {
        (path, node.module)
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    missing = [
        f"{path.relative_to(ROOT)}: {module}"
        for path, module in sorted(named)
        if module.partition(".")[0] in ours
        and not (ROOT / module.replace(".", "/")).with_suffix(".py").exists()
        and not (ROOT / module.replace(".", "/") / "__init__.py").exists()
    ]
    assert missing == []


def test_a_docstring_names_only_exceptions_that_are_there() -> None:
    trees = {name: ast.parse(p.read_text(encoding="utf-8")) for name, p in modules().items()}
    nodes = [(name, node) for name, tree in trees.items() for node in ast.walk(tree)]
    known = {node.name for _, node in nodes if isinstance(node, ast.ClassDef)} | set(dir(builtins))
    for _, node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            known |= {alias.asname or alias.name for alias in node.names}
    unknown = [
        f"{module}.{node.name}: {word}"
        for module, node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for _, _, raised in [(ast.get_docstring(node) or "").partition("Raises:\n")]
        for names in re.findall(r"^    ([A-Z]\w+(?:, [A-Z]\w+)*):", raised, re.MULTILINE)
        for word in names.split(", ")
        if word not in known
    ]
    assert unknown == []


#: Recipes and checks of ours: no command and no page runs them.
ASIDE = re.compile(
    r"(?:benchmarks|diagrams|evaluators)[./](?:training|selfchecks)\b"
    r"|model_registry[./]bundled[./](?:assessment|bundled_training|card|train_bundled|variation)\b"
)


def modules_named_in(path: Path) -> set[str]:
    """Modules that a file imports, and those that it names in strings for a late import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module}
    imported |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    texts = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    return imported | {t for t in texts if isinstance(t, str) and re.fullmatch(r"[\w.]+", t)}


def test_no_way_of_a_user_runs_through_recipes_or_selfchecks() -> None:
    """How models were trained, and our figures beside peers, are for who maintains this."""
    sources = [p for layer in LAYERS for p in (ROOT / layer).rglob("*.py")]
    sources += [ROOT / "ohlora_app.py", ROOT / "ohlora_cli.py"]
    wrong = {
        path.relative_to(ROOT).as_posix(): named
        for path in sources
        if not ASIDE.search(path.relative_to(ROOT).as_posix())
        and (named := {name for name in modules_named_in(path) if ASIDE.search(name)})
    }
    assert not wrong


DOCUMENTS = sorted([ROOT / "README.md", ROOT / "README.ko.md", *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_names_only_paths_and_modules_that_are_there(document: Path) -> None:
    """In backticks and in links: `rows/overlap.py`, `python -m evaluators.evaluator_docs`."""
    written = document.read_text(encoding="utf-8")
    words = {
        w.strip("()[];:,") for code in re.findall(r"`([^`\n]+)`", written) for w in code.split()
    }
    words |= set(re.findall(r"^ {4}.*?-m ([\w.]+)", written, re.MULTILINE))
    tops = (*LAYERS, "datasets", "docs", "notebooks", "tests")
    ours = {word for word in words if re.match(rf"(?:{'|'.join(tops)})[./]\w", word)}
    links = re.findall(r"\]\(([^)#:]+)\)", written)
    missing = [word for word in ours if "<" not in word and not names_something(word)]
    missing += [link for link in links if not (document.parent / link).exists()]
    assert not missing


def names_something(word: str) -> bool:
    """Whether a path exists, or a dotted name's module does."""
    if "/" in word or (ROOT / word).exists():
        return bool(list(ROOT.glob(word.rstrip("/"))))
    parts = word.split(".")
    wholes = ("/".join(parts[:count]) for count in range(len(parts), 1, -1))
    return any((ROOT / f"{whole}.py").exists() or (ROOT / whole).is_dir() for whole in wholes)


def test_the_readmes_say_what_lies_where() -> None:
    stale = [
        path.relative_to(ROOT).as_posix()
        for path, text in folder_readmes.documents().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert not stale, "run `make readmes`"


def test_every_file_says_what_it_is() -> None:
    silent = [
        path.relative_to(ROOT).as_posix()
        for folder in folder_readmes.folders()
        for path in folder_readmes.files_of(folder)
        if not folder_readmes.first_line(path)
    ]
    silent += [str(room) for room in folder_readmes.folders() if not folder_readmes.describe(room)]
    assert not silent


def test_no_folder_holds_more_than_fifteen_modules() -> None:
    modules = Counter(p.parent for p in tracked_files() if p.suffix == ".py" and p.exists())
    crowded = {str(folder.relative_to(ROOT)): n for folder, n in modules.items() if n > 15}
    assert not crowded


#: Modules that are longer than a person reads at a sitting, each until it is cut at its seam.
LONG = {"model_registry/memory/fit.py"}


def test_no_module_of_the_product_is_longer_than_three_hundred_lines() -> None:
    lines = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in modules().values()}
    long = {path.relative_to(ROOT).as_posix() for path, count in lines.items() if count > 300}
    assert long == LONG


def test_cuda_is_called_in_one_module() -> None:
    def calls_cuda(path: Path) -> bool:
        source = path.read_text(encoding="utf-8")
        if "torch.cuda" not in source:
            return False
        nodes = ast.walk(ast.parse(source))
        return any(ast.unparse(n) == "torch.cuda" for n in nodes if isinstance(n, ast.Attribute))

    assert [name for name, path in modules().items() if calls_cuda(path)] == ["model_registry.cuda"]


def test_no_two_modules_of_the_product_have_one_name() -> None:
    names = Counter(
        path.name
        for path in tracked_files()
        if path.suffix == ".py"
        and path.exists()
        and path.name != "__init__.py"
        and path.relative_to(ROOT).parts[0] in LAYERS
    )
    assert not {name for name, times in names.items() if times > 1}


def test_no_file_names_a_path_of_somebody_s_machine() -> None:
    pattern = re.compile(rb"/(?:home|Users)/\w+/|/(?:root|work)/")
    for path in tracked_files():
        if (
            path.is_file()
            and path.suffix not in (".safetensors", ".png")
            and path != Path(__file__)
        ):
            found = pattern.search(path.read_bytes())
            assert not found, f"{path.relative_to(ROOT)}: {found and found.group()!r}"


def test_no_module_is_called_utils() -> None:
    assert not [path for path in tracked_files() if path.name in ("utils.py", "helpers.py")]


#: Files that ask an object of somebody else's what it has: a model, a configuration, Python's os.
PROBES = {
    "commands/shared/stopping.py",
    "evaluators/time_limit.py",
    "model_registry/machine.py",
    "model_registry/prompting/chat_template.py",
    "model_registry/prompting/context.py",
    "model_registry/weights/gptq.py",
    "model_registry/weights/lora.py",
    "model_registry/weights/rwkv.py",
}


def test_no_object_of_ours_is_asked_what_it_has_and_no_exception_what_it_is_called() -> None:
    found: dict[str, set[str]] = {"hasattr(": set(), "__mro__": set()}
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            for probe, files in found.items():
                files |= {path.relative_to(ROOT).as_posix()} if probe in source else set()
    assert found["hasattr("] <= PROBES, "give it a type: a protocol, a base class"
    assert not found["__mro__"], "isinstance tells a class"


def lines_with(names: set[str]) -> list[str]:
    """The product's lines of code that hold one of these names; comments and texts don't count."""
    found = []
    for path in tracked_files():
        place = path.relative_to(ROOT)
        if path.suffix != ".py" or not path.exists() or place.parts[0] in ("tests", "notebooks"):
            continue
        with path.open("rb") as file:
            tokens = list(tokenize.tokenize(file.readline))
        numbers = {t.start[0] for t in tokens if t.type == tokenize.NAME and t.string in names}
        found += [f"{place}:{number}" for number in sorted(numbers)]
    return found


def test_few_values_have_no_type() -> None:
    """Imports count too. A ratchet: lower the number where it falls, and never raise it."""
    assert len(lines_with({"Any"})) <= 130


def test_few_places_read_json_by_its_keys() -> None:
    """A document is read at one edge into a dataclass; what reads its keys is counted."""
    assert len(lines_with({"JsonObject", "JsonDict"})) <= 240
