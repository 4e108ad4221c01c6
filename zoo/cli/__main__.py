"""`python -m zoo.cli` is the same as `zoo`."""

from zoo.cli import run

if __name__ == "__main__":
    run()
