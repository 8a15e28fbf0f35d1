"""What the house must not grow: import circles, and functions that take too much."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent / "edgekd"
MOST_PARAMETERS = 8


@cache
def modules():
    """The syntax tree of every module, by its name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(
            path.read_text(encoding="utf-8")
        )
    return found


def imported_at_once(body):
    """Yield what a module imports when it is imported itself."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in modules() else node.module
        elif isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            yield from imported_at_once(node.orelse)
        elif isinstance(node, ast.If | ast.With | ast.Try | ast.ClassDef):
            rest = [*getattr(node, "orelse", []), *getattr(node, "finalbody", [])]
            rest += [line for handler in getattr(node, "handlers", []) for line in handler.body]
            yield from imported_at_once([*node.body, *rest])


def find_circle(graph):
    """Return the modules of one circle; nothing where there is none."""
    state, path = {}, []

    def visit(name):
        state[name] = "open"
        path.append(name)
        for other in sorted(graph[name]):
            if state.get(other) == "open":
                return path[path.index(other) :]
            if other not in state and (circle := visit(other)):
                return circle
        state[name] = "done"
        path.pop()
        return []

    return next((circle for name in graph if name not in state and (circle := visit(name))), [])


def test_no_module_imports_itself_by_a_detour():
    graph = {
        name: {other for other in imported_at_once(tree.body) if other in modules() and other != name}
        for name, tree in modules().items()
    }
    assert sum(map(len, graph.values())) > 1000
    assert find_circle(graph) == []
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]


def test_no_function_takes_more_than_eight_parameters():
    """What belongs together is passed as one value; data types may have any number of fields."""
    found = {}
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                count = sum(one.arg not in ("self", "cls") for one in given)
                if count > MOST_PARAMETERS:
                    found[f"{name}.{node.name}"] = count
    assert found == {}


VOCABULARY = {"intent", "accuracy", "recall", "alarm", "escalation", "confusion", "confusions", "rerank"} | {
    "logit",
    "logits",
    "ndcg",
    "mrr",
}
"""Words of single tasks, which no identifier of a tier that serves all of them holds."""
ALLOWED = {
    "tasks/": "where a task's own words meet",
    "serving/heads/": "one module per kind of answer",
    "distill/losses/": "one function per loss",
    "distill/learners/": "one module per kind of answer that is learned",
    "evaluate/classify/": "quality where answers are classes",
    "evaluate/rank/": "quality where answers are orders of candidates",
    "data/mangaassist/": "the built-in rows of the intent task",
    "serving/calibrate.py": "a label of its logits: the head of classes alone imports it",
    "config/distillation.py": "the key `logits`: a loss of classes",
    "distill/labels/kept.py": "the bound on what is kept of logits of many classes",
    "distill/teacher.py": "the name that transformers gives the outputs of every head",
    "distill/eager.py": "the same name",
    "distill/training/inner.py": "the same name",
    "config/slices.py": "keys of the project file: which classes a slice is of",
    "evaluate/result.py": "evidence that ledgers keep: fields that are empty for other kinds of answer",
    "evaluate/scorer.py": "the same fields, as a scorer fills them in",
    "evaluate/judge.py": "the same fields, handed on",
    "distill/logs/training_events.py": "names of the log's fields, which dashboards read",
    "distill/logs/live_events.py": "the same names",
    "distill/logs/class_slices.py": "the event per class, told by the learner of classes alone",
    "health/from_events.py": "reads the log's fields by their names",
    "distill/diagnosis/": "reads the log's fields by their names",
    "cli/diagnosing.py": "prints the log's fields by their names",
    "gate/provable.py": "rates that earlier studies of classifiers support",
    "pipeline/preflight.py": "the same rates",
    "pipeline/biasing.py": "the bias per class, which scorers of classes alone ask for",
    "pipeline/class_view.py": "the report's section per class",
    "pipeline/variant_view.py": "the report's section per class",
    "report/": "the section per class, which is left out where there are no classes",
    "compile/int4_products.py": "an attribute of ONNX Runtime's operator",
}


def words_of(name):
    """Split an identifier into its words."""
    plain = "".join(f"_{one.lower()}" if one.isupper() else one for one in name)
    return {word for word in plain.split("_") if word}


def identifiers(tree):
    """Yield every name that a module defines or uses."""
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                yield value


def files():
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def test_no_tier_that_serves_all_tasks_speaks_of_one():
    found, used = {}, set()
    for name, tree in files():
        spoken = {word for one in identifiers(tree) for word in words_of(one)} & VOCABULARY
        place = next((prefix for prefix in ALLOWED if name.startswith(prefix)), None)
        if spoken and place is None:
            found[name] = sorted(spoken)
        elif spoken:
            used.add(place)
    assert found == {}
    by_design = {"tasks/", "serving/heads/", "distill/losses/", "distill/learners/"}
    assert used - by_design == set(ALLOWED) - by_design, "an exception that nothing needs any more"


def test_nothing_branches_on_a_tasks_name():
    found = []
    for name, tree in files():
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                of_task = any("task" in ast.unparse(side).lower() for side in sides)
                if of_task and any(isinstance(getattr(side, "value", None), str) for side in sides):
                    found.append(f"{name}:{node.lineno}")
            elif isinstance(node, ast.Match) and "task" in ast.unparse(node.subject).lower():
                found.append(f"{name}:{node.lineno}")
    assert found == []
