"""Write the item files of the shipped suites anew: ``python -m builders.items [SUITE …]``."""

from __future__ import annotations

import sys

from rmaudit.generate.draw import Draw
from rmaudit.generate.items import item_file
from rmaudit.generate.recipe import generated_suites, recipes
from rmaudit.resources import probes_dir


def main(suites: list[str]) -> None:
    """Write every item file of the named suites, or of all."""
    for suite in suites or generated_suites():
        for file, recipe in recipes(suite).items():
            (probes_dir() / suite / file).write_bytes(item_file(recipe.make(Draw()), Draw()))


if __name__ == "__main__":
    main(sys.argv[1:])
