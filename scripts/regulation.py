"""Makes docs/regulation.md: each article, what the software does, and where it is tested.

Run with `--check` to fail when the page is not what it would be made into now.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "regulation.md"
HEADING = """# The regulation, article by article

Made by `make docs` from `docs/articles.toml` and from the `article` marks of the tests; do not
edit. An article that no test names, and that asks something of software, says so.

| Article | Subject | What the software does | Tests |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    articles = tomllib.loads((ROOT / "docs" / "articles.toml").read_text("utf-8"))
    tests = _tests_by_article()
    unknown = set(tests) - {int(number) for number in articles}
    if unknown:
        raise SystemExit(f"tests name articles that do not exist: {sorted(unknown)}")
    rows = (_row(int(number), article, tests[int(number)]) for number, article in articles.items())
    return HEADING + "".join(rows)


def _row(number: int, article: dict[str, Any], tests: list[str]) -> str:
    if not article.get("software", True):
        return f"| {number} | {article['title']} | Concerns no software. | |\n"
    where = "<br>".join(tests) or "none yet"
    return f"| {number} | {article['title']} | {article['does']} | {where} |\n"


def _tests_by_article() -> defaultdict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                for number in _articles(node):
                    found[number].append(f"`{file.relative_to(ROOT).as_posix()}::{node.name}`")
    return found


def _articles(node: ast.FunctionDef | ast.ClassDef) -> Iterator[int]:
    """The numbers in any `pytest.mark.article(n)` on `node`, also inside parametrize marks."""
    numbers = {
        argument.value
        for decorator in node.decorator_list
        for call in ast.walk(decorator)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "article"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, int)
    }
    return iter(sorted(numbers))


def main() -> None:
    """Write the page, or with `--check` compare it."""
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text("utf-8") != text:
            raise SystemExit("docs/regulation.md is not up to date: run `make docs`")
        return
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
