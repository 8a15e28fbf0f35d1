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
