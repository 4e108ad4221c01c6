"""`python -m zoo.cli` is the same as `zoo`."""

from zoo.__main__ import run

if __name__ == "__main__":
    run()
