"""``python -m rmaudit``."""

from rmaudit.cli.main import main

main()
