from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from model_registry import backends, hookspecs
from model_registry.candidate import Candidate
from model_registry.errors import BadFile, DuplicateName, UnknownName
from model_registry.plugins import HOOK_NAMES, PluginWarning, offered, plugin_manager
from model_registry.registry import Registry

CANDIDATE_PLUGIN = """
from model_registry.candidate import Candidate, License
from model_registry.hookspecs import hookimpl

@hookimpl
def register_candidates(register):
    register(Candidate("{name}", License("MIT", "yes"), catalog="{catalog}"))
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def plugin_file(folder: Path, name: str = "mine", catalog: str = "theirs") -> Path:
    return write(folder / f"{name}.py", CANDIDATE_PLUGIN.format(name=name, catalog=catalog))


def install(folder: Path, package: str, module: str, entries: str = "") -> None:
    """What pip leaves behind of a package with entry points: its module and its dist-info."""
    write(folder / f"{package}.py", module)
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    write(info / "METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    write(info / "entry_points.txt", f"[ohlora]\n{entries or f'main = {package}'}\n")


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    """A folder that Python takes for one of its places of installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def plugin_warnings(caught) -> list[str]:
    return [str(w.message) for w in caught if issubclass(w.category, PluginWarning)]


# Plugins that work


@pytest.mark.usefixtures("no_warning")
def test_a_plugin_file_brings_a_candidate(tmp_path):
    registry = Registry([plugin_file(tmp_path)])
    assert registry.candidate("mine").license.name == "MIT"
    assert [c.name for c in registry.candidates("theirs")] == ["mine"]


@pytest.mark.usefixtures("no_warning")
def test_a_candidate_of_a_plugin_can_join_a_catalog_of_ours(tmp_path):
    registry = Registry([plugin_file(tmp_path, catalog="korean-small")])
    assert [c.name for c in registry.candidates("korean-small")][-1] == "mine"


@pytest.mark.usefixtures("no_warning")
def test_an_installed_package_brings_a_candidate(site):
    install(site, "good_plugin", CANDIDATE_PLUGIN.format(name="installed", catalog="theirs"))
    assert Registry().candidate("installed").name == "installed"


@pytest.mark.usefixtures("no_warning")
def test_a_package_with_two_names_for_one_plugin_is_asked_once(site):
    module = CANDIDATE_PLUGIN.format(name="twice", catalog="theirs")
    install(site, "twice_plugin", module, "a = twice_plugin\nb = twice_plugin")
    assert [c.name for c in Registry().candidates("theirs")] == ["twice"]


@pytest.mark.usefixtures("no_warning")
def test_a_plugin_file_named_twice_is_asked_once(tmp_path):
    path = plugin_file(tmp_path)
    registry = Registry([path, str(path), tmp_path / ".." / tmp_path.name / "mine.py"])
    assert len(registry.candidates("theirs")) == 1


def test_each_manager_is_its_own(tmp_path):
    Registry([plugin_file(tmp_path)])
    with pytest.raises(UnknownName):
        Registry().candidate("mine")


def test_the_backends_of_the_house_come_through_the_hook():
    assert "transformers" in Registry().backends
    with pytest.raises(UnknownName, match=r"called transfomers\. Did you mean transformers"):
        Registry().backend("transfomers")


def test_a_plugin_may_implement_a_hook_of_another_package(tmp_path):
    """Our hooks live in two packages: the registry never calls register_evaluators."""
    path = write(
        tmp_path / "both.py",
        "from model_registry.hookspecs import hookimpl\n"
        "@hookimpl\ndef register_evaluators(register): raise RuntimeError\n",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Registry([path])


def test_every_hook_of_ours_is_known_by_name():
    from evaluators import evaluator_hooks as evaluator_hooks

    declared = {
        name
        for module in (hookspecs, evaluator_hooks)
        for name in dir(module)
        if name.startswith("register_")
    }
    assert set(HOOK_NAMES) == declared


def test_what_each_plugin_offers_can_be_listed(tmp_path):
    raising = write(
        tmp_path / "raising.py",
        "from model_registry.hookspecs import hookimpl\n"
        "@hookimpl\ndef register_candidates(register): raise KeyError('gone')\n",
    )
    mine = plugin_file(tmp_path)
    manager = plugin_manager([hookspecs], [backends], [mine, raising], entry_points=False)
    rows = {row["plugin"]: row for row in offered(manager, "register_candidates")}
    assert rows[str(mine)]["names"] == ["mine"]
    assert rows[str(mine)]["problem"] is None
    assert "gone" in rows[str(raising)]["problem"]
    [ours] = offered(manager, "register_backends")
    assert (ours["offers"], ours["names"][0]) == ("backends", "transformers")


# Plugins that don't


@pytest.mark.parametrize(
    "module, why",
    [
        ("import no_such_module_anywhere\n", "No module named 'no_such_module_anywhere'"),
        ("def broken(:\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "SystemExit"),
        (
            "from model_registry.hookspecs import hookimpl\n"
            "@hookimpl\ndef register_candidates(wrong): pass\n",
            "'wrong'",
        ),
    ],
)
def test_an_installed_plugin_that_fails_is_one_warning_that_names_it(site, module, why):
    install(site, "broken_plugin", module)
    with pytest.warns(PluginWarning) as caught:
        registry = Registry()
    [message] = plugin_warnings(caught)
    assert "broken_plugin" in message
    assert why in message
    assert registry.candidate("polyglot-ko-1.3b")


def test_a_broken_package_does_not_take_the_next_one_with_it(site):
    install(site, "a_broken_plugin", "raise ValueError('no')\n")
    install(site, "b_good_plugin", CANDIDATE_PLUGIN.format(name="installed", catalog="theirs"))
    with pytest.warns(PluginWarning, match="a_broken_plugin"):
        assert Registry().candidate("installed")


def test_a_plugin_file_that_does_not_import_is_an_error_with_its_line(tmp_path):
    path = write(tmp_path / "broken.py", "x = 1\n\nx.nothing\n")
    with pytest.raises(BadFile, match="AttributeError") as caught:
        Registry([path])
    assert (caught.value.path, caught.value.line) == (path, 3)


def test_a_plugin_file_with_a_syntax_error_is_an_error_with_its_line(tmp_path):
    path = write(tmp_path / "broken.py", "x = 1\ndef f(:\n")
    with pytest.raises(BadFile, match="SyntaxError") as caught:
        Registry([path])
    assert caught.value.line == 2


def test_a_plugin_file_whose_hook_has_a_wrong_argument_is_an_error(tmp_path):
    text = CANDIDATE_PLUGIN.format(name="mine", catalog="theirs").replace("register)", "add)", 1)
    with pytest.raises(BadFile, match="'add'"):
        Registry([write(tmp_path / "wrong.py", text)])


@pytest.mark.parametrize("name, why", [("none.py", "no such plugin file"), ("x.txt", "end in .py")])
def test_what_is_no_plugin_file_says_so(tmp_path, name, why):
    write(tmp_path / "x.txt", "")
    with pytest.raises(BadFile, match=why):
        Registry([tmp_path / name])


def test_a_misspelt_hook_is_a_warning_that_says_the_right_name(tmp_path):
    text = CANDIDATE_PLUGIN.format(name="mine", catalog="x")
    path = write(tmp_path / "odd.py", text.replace("register_candidates", "register_candidate"))
    with pytest.warns(PluginWarning, match="Did you mean register_candidates") as caught:
        registry = Registry([path])
    assert "odd.py" in plugin_warnings(caught)[0]
    assert "mine" not in {c.name for c in registry.candidates()}


def test_a_hook_that_raises_costs_only_its_own_plugin(tmp_path):
    raising = write(
        tmp_path / "raising.py",
        "from model_registry.hookspecs import hookimpl\n"
        "@hookimpl\ndef register_candidates(register): raise KeyError('gone')\n",
    )
    with pytest.warns(PluginWarning, match=r"raising\.py.*gone"):
        registry = Registry([raising, plugin_file(tmp_path)])
    assert registry.candidate("mine")


def test_a_plugin_that_registers_something_else_is_a_warning(tmp_path):
    path = write(
        tmp_path / "odd.py",
        "from model_registry.hookspecs import hookimpl\n"
        "@hookimpl\ndef register_candidates(register): register({'name': 'x'})\n",
    )
    with pytest.warns(PluginWarning, match="takes a Candidate, not a dict"):
        assert Registry([path]).candidates()


def test_two_candidates_of_one_name_are_refused(tmp_path):
    registry = Registry([plugin_file(tmp_path, name="polyglot-ko-1.3b")])
    with pytest.raises(DuplicateName, match=r"polyglot-ko-1.3b \(catalogs korean-small and theirs"):
        registry.candidates()


def test_two_backends_of_one_name_are_refused():
    class Second:
        @hookspecs.hookimpl
        def register_backends(self, register):
            register("transformers", lambda *_, **__: None)

    manager = plugin_manager([hookspecs], [backends], entry_points=False)
    manager.register(Second())
    with pytest.raises(DuplicateName, match="transformers"):
        Registry(manager=manager)


# Names


def test_an_unknown_name_suggests_the_near_one():
    with pytest.raises(UnknownName) as caught:
        Registry().candidate("gemma-2b")
    assert str(caught.value) == "No candidate is called gemma-2b. Did you mean gemma-2-2b-it?"


@pytest.mark.parametrize(
    "wanted, near",
    [
        ("POLYGLOT-KO", "polyglot-ko-1.3b"),
        ("gpt-4", "ChatGPT-4"),
        ("EleutherAI/polyglot-ko-1.3", "polyglot-ko-1.3b"),
    ],
)
def test_a_suggestion_looks_past_case_and_owner(wanted, near):
    with pytest.raises(UnknownName, match=f"Did you mean {near}"):
        Registry().candidate(wanted)


def test_a_name_like_no_other_lists_some_and_counts_the_rest():
    with pytest.raises(UnknownName, match=r"There are: .* and \d+ more\."):
        Registry().candidate("qqqqqq")


def test_a_candidate_is_found_by_its_hub_id_too():
    candidate = Registry().candidate("EleutherAI/polyglot-ko-1.3b")
    assert isinstance(candidate, Candidate)
    assert candidate.name == "polyglot-ko-1.3b"
