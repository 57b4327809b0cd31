"""``python -m modelwatch``."""

from .cli import main

main()
