"""Says what a measured process had imported before its subject."""

import sys


def modules(path):
    with open(path, "w") as file:  # noqa: PTH123
        file.write("\n".join(sorted(sys.modules)))
    return lambda text: text
