"""The house rules that a machine can check. A rule without a check is a wish; a check without a reason is a nuisance.

Every exception to a rule is a line in a table here, with its reason, so that a review sees the table grow. Doors are
in test_doors.py, locked dependencies in test_locks.py.
"""

import ast
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from io import StringIO

import pytest

from tests.house import PURE_ROOMS, ROOMS, ROOT, Source, imports, length, read, sources

EVERYWHERE = (*ROOMS, "tests", "bench")

MOST_LINES_OF_A_FUNCTION = 60
USUAL_LINES_OF_A_FUNCTION = 40
SHARE_ABOVE_USUAL = 0.05  # of all functions
MOST_LINES_OF_A_MODULE = 400
MOST_LINES_OF_TESTS = 800  # a module of tests is a list of requirements, and reads as one

LONG_FUNCTIONS: dict[str, str] = {}  # "vault/unit.py: Unit.commit" -> why it cannot be shorter
LONG_MODULES: dict[str, str] = {}  # "vault/unit.py" -> why it cannot be two
LOOSE_DATACLASSES: dict[str, str] = {  # "bot/app.py: Line" -> why it must be able to change
    "dialogs/drawing.py: _Sheet": "a pen: it moves down the sheet with every stroke, and lives for one drawing",
}
# Where a loop or a process ends, one poisoned item must not stop the rest. Place -> the test that shows that the
# failure is recorded and the work is still due: "bot/jobs.py: deliver" -> "test_jobs.py: test_a_failure_is_..."
LOOP_BOUNDARIES: dict[str, str] = {
    "bot/jobs.py: Jobs._one": "test_jobs.py: test_one_broken_alert_does_not_keep_the_others_from_being_looked_at",
    "bot/lookout.py: Lookout._one": "test_reached.py: test_a_broken_alert_keeps_no_other_from_being_watched",
    "channels/polling.py: Poller._forever": ("test_telegram.py: test_polling_passes_over_an_update_that_always_fails"),
    "channels/webhook.py: guarded.guard": (
        "test_channels.py: test_a_failure_of_our_own_is_counted_and_left_to_the_provider"
    ),
    "console/errors.py: calm": (
        "test_console.py: test_an_error_of_our_own_is_told_calmly_counted_and_leaves_the_work_undone"
    ),
}
LOGGERS: dict[str, str] = {
    "bot/logs.py": "the one place that writes a log",
    "vault/database.py": "silences a warning of the embedded server's about a folder it does not need",
    "channels/telegram.py": "silences the libraries whose logs hold the bot's token",
}

# Migrations are history: they are written once and never tidied, so their length is what it was.
HISTORY = "vault/migrations/versions/"


# Size -------------------------------------------------------------------------------------------------------------


def test_no_function_is_too_long_to_hold_in_the_head() -> None:
    long = {
        f"{source.path}: {name}": length(function)
        for source in living(*EVERYWHERE)
        for name, function in source.functions()
        if length(function) > MOST_LINES_OF_A_FUNCTION
    }
    assert set(long) == set(LONG_FUNCTIONS), f"split these, or name them with a reason: {long}"


def test_nearly_all_functions_are_short() -> None:
    lengths = sorted(length(function) for source in living(*ROOMS) for _, function in source.functions())
    longer = sum(lines > USUAL_LINES_OF_A_FUNCTION for lines in lengths)
    assert longer <= SHARE_ABOVE_USUAL * len(lengths), f"{longer} of {len(lengths)} functions have over 40 lines"


def test_no_module_has_two_subjects() -> None:
    long = {
        source.path: len(source.lines)
        for source in living(*EVERYWHERE)
        if len(source.lines) > (MOST_LINES_OF_TESTS if source.path.startswith("tests/") else MOST_LINES_OF_A_MODULE)
    }
    assert set(long) == set(LONG_MODULES), f"split these, or name them with a reason: {long}"


# Shape ------------------------------------------------------------------------------------------------------------


def test_every_module_says_what_it_is_for() -> None:
    silent = [source.path for source in sources(*EVERYWHERE) if len(ast.get_docstring(source.tree) or "") < 20]
    assert not silent, f"the first lines of a module say what it is for, and what may not live in it: {silent}"


def test_the_door_of_a_room_does_nothing_when_it_is_opened() -> None:
    """Importing `understanding.meaning` runs understanding/__init__.py: it must not bring a model with it."""
    busy = [
        source.path
        for source in sources(*ROOMS)
        if source.path.count("/") == 1 and source.path.endswith("__init__.py") and len(source.tree.body) > 1
    ]
    assert not busy, f"a room's __init__.py holds its docstring only: {busy}"


def test_there_is_no_folder_for_things_without_a_place() -> None:
    nameless = {"utils", "util", "common", "core", "helpers", "services", "models", "misc", "lib"}
    found = [
        path.relative_to(ROOT).as_posix()
        for room in EVERYWHERE
        for path in (ROOT / room).rglob("*")
        if path.stem in nameless and (path.is_dir() or path.suffix == ".py")
    ]
    assert not found, f"name these after what they are for: {found}"


def test_data_is_frozen_and_slotted() -> None:
    loose = {
        f"{source.path}: {node.name}"
        for source in sources(*ROOMS)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and is_loose(node)
    }
    assert loose == set(LOOSE_DATACLASSES), "write @dataclass(frozen=True, slots=True, kw_only=True)"


def is_loose(node: ast.ClassDef) -> bool:
    """True for a dataclass that can change, or that takes attributes it does not name."""
    for decorator in node.decorator_list:
        name = decorator.func if isinstance(decorator, ast.Call) else decorator
        if ast.unparse(name).split(".")[-1] == "dataclass":
            given = decorator.keywords if isinstance(decorator, ast.Call) else []
            return not {"frozen", "slots"} <= {k.arg for k in given if ast.unparse(k.value) == "True"}
    return False


# Behaviour --------------------------------------------------------------------------------------------------------


def test_everything_is_caught_only_where_a_loop_ends() -> None:
    found = {
        f"{source.path}: {name}"
        for source in sources(*ROOMS)
        for name, scope in [("the module", source.tree), *source.functions()]
        for node in own_nodes(scope)
        if catches_everything(node)
    }
    assert found == set(LOOP_BOUNDARIES), "catch what you can name, or name the loop boundary with its test"


def test_every_loop_boundary_has_a_test_of_its_failure() -> None:
    for place, test in LOOP_BOUNDARIES.items():
        file, _, name = test.partition(": ")
        path = ROOT / "tests" / file
        known = {function.name for _, function in read(path).functions()} if path.exists() else set()
        assert name in known, f"{place} is backed by {test}, which does not exist"


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function that are not in a function inside it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from own_nodes(child)


def catches_everything(node: ast.AST) -> bool:
    """True for `except:` and for `except` or `suppress` of Exception or BaseException, also among others."""
    if isinstance(node, ast.ExceptHandler):
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "suppress":
        kinds = node.args
    else:
        return False
    return any(kind is None or ast.unparse(kind) in {"Exception", "BaseException"} for kind in kinds)


def test_only_the_log_room_logs() -> None:
    found = {
        source.path
        for source in sources(*ROOMS)
        for line in imports(source)
        if line.top in {"logging", "syslog", "warnings"}
    }
    assert found == set(LOGGERS), "return what happened to bot, which logs it through bot/logs.py"


def test_what_decides_asks_no_clock() -> None:
    clocks = {"now", "utcnow", "today"}
    asked = [
        f"{source.path}:{node.lineno}"
        for source in sources(*PURE_ROOMS)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in clocks
        and ast.unparse(node.func.value).split(".")[-1] in {"datetime", "date"}
    ]
    assert not asked, f"time is an argument: {asked}"


def test_nothing_is_imported_by_a_name_made_at_run_time() -> None:
    """Or the doors could be walked round."""
    found = [
        f"{source.path}:{node.lineno}"
        for source in sources(*ROOMS)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"__import__", "import_module", "importlib.import_module"}
    ]
    assert not found, f"import by name: {found}"


# Comments ---------------------------------------------------------------------------------------------------------

EXEMPTION = re.compile(
    r"""\#\ noqa (?: :\s*[A-Z]+[0-9]+ (?:,\s*[A-Z]+[0-9]+)* )? (?P<lint>.*)
      | \#\ type:\ ignore (?: \[[a-z-]+(?:,\s*[a-z-]+)*\] )? (?P<type>.*)""",
    re.VERBOSE,
)


def test_every_exemption_in_the_code_has_its_reason_beside_it() -> None:
    bare = [
        f"{source.path}:{number}"
        for source in sources(*EVERYWHERE)
        for number, comment in comments(source)
        if is_bare_exemption(comment)
    ]
    assert not bare, f"say why, after the code: # noqa: S314 - no entities get here; # type: ignore[x]  # why: {bare}"


def is_bare_exemption(comment: str) -> bool:
    """True for a noqa or a type: ignore that nothing follows."""
    found = EXEMPTION.search(comment)
    return found is not None and not is_reason((found["lint"] or "") + (found["type"] or ""))


def test_every_exemption_in_the_settings_of_the_tools_has_its_reason_beside_it() -> None:
    bare = []
    section = ""
    inside = False
    for number, line in enumerate((ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("["):
            section = line
        if line.rstrip().endswith("= [") or line.strip() == "]":
            inside = exempts(section, line)
        elif inside and not is_reason(line.partition(" # ")[2]):
            bare.append(number)
    assert not bare, f"say why, beside it: pyproject.toml lines {bare}"


def exempts(section: str, line: str) -> bool:
    """True where a list of exemptions opens."""
    if section == "[tool.ruff.lint.per-file-ignores]":
        return line.rstrip().endswith("[")
    opening = {"[tool.ruff.lint]": "ignore", "[[tool.mypy.overrides]]": "module"}
    return line.startswith(f"{opening.get(section, 'no list')} = [")


def is_reason(text: str) -> bool:
    """True for at least two words."""
    return len(re.findall(r"\w{2,}", text)) >= 2


def test_nothing_is_left_for_later_in_a_comment() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    left = [
        f"{source.path}:{number}"
        for source in sources(*EVERYWHERE)
        for number, comment in comments(source)
        if marks.search(comment) and source.path != "tests/test_house.py"
    ]
    assert not left, f"finish it, or file an issue: {left}"


@cache
def comments(source: Source) -> tuple[tuple[int, str], ...]:
    """Every comment of a file with its line number; a string that looks like one is not."""
    tokens = tokenize.generate_tokens(StringIO("\n".join(source.lines) + "\n").readline)
    return tuple((token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT)


# The checks themselves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("snippet", "all_of_it"),
    [
        ("try: f()\nexcept: pass", True),
        ("try: f()\nexcept Exception as error: pass", True),
        ("try: f()\nexcept (OSError, BaseException): pass", True),
        ("with contextlib.suppress(Exception): f()", True),
        ("try: f()\nexcept (OSError, ValueError): pass", False),
        ("with suppress(OSError): f()", False),
    ],
)
def test_catching_everything_is_seen(snippet: str, all_of_it: bool) -> None:
    assert any(map(catches_everything, ast.walk(ast.parse(snippet)))) is all_of_it


@pytest.mark.parametrize(
    ("comment", "bare"),
    [
        ("# noqa", True),
        ("# noqa: S314", True),
        ("# noqa: S314, B007", True),
        ("# noqa: S314 - no entities get here", False),
        ("# type: ignore[attr-defined]", True),
        ("# type: ignore[attr-defined]  # aiohttp has no stub for it", False),
    ],
)
def test_an_exemption_without_a_reason_is_seen(comment: str, bare: bool) -> None:
    assert is_bare_exemption(comment) is bare


@pytest.mark.parametrize(
    ("decorator", "loose"),
    [
        ("@dataclass", True),
        ("@dataclasses.dataclass(frozen=True)", True),
        ("@dataclass(frozen=True, slots=False)", True),
        ("@dataclass(frozen=True, slots=True, kw_only=True)", False),
        ("@final", False),
    ],
)
def test_a_loose_dataclass_is_seen(decorator: str, loose: bool) -> None:
    (node,) = ast.parse(f"{decorator}\nclass Case: pass").body
    assert isinstance(node, ast.ClassDef)
    assert is_loose(node) is loose


def living(*folders: str) -> Iterator[Source]:
    """The sources that are still being written, which migrations are not."""
    return (source for source in sources(*folders) if not source.path.startswith(HISTORY))
