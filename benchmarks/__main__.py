"""`python -m benchmarks [NAME ...]`: run all benchmarks, or those named, and print tables."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks
from benchmarks.table import Table


def main(wanted: list[str]) -> int:
    """Run the modules named in `wanted`, all of them without a name; 2 for an unknown name."""
    names = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]
    modules = {
        name: importlib.import_module(f"benchmarks.{name}") for name in names if name[0] != "_"
    }
    measuring = {name: module for name, module in modules.items() if hasattr(module, "tables")}
    unknown = [name for name in wanted if name not in measuring]
    if unknown:
        print(f"no benchmark called {', '.join(unknown)}; there are {', '.join(measuring)}")
        return 2
    for name in wanted or measuring:
        print(f"... {name}", file=sys.stderr, flush=True)
        tables: list[Table] = measuring[name].tables()
        for table in tables:
            print(table.render(), end="\n\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
