"""`python -m earmark` is the console script."""

from earmark.cli import entry

if __name__ == "__main__":
    entry()
