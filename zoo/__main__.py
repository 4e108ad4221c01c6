"""`python -m zoo` is the same as `zoo`."""

from zoo.cli import run

if __name__ == "__main__":
    run()
