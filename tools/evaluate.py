"""Measure an exported model: the same as `zoo evaluate`. See --help."""

from command import run

if __name__ == "__main__":
    run("evaluate", extras="cpu,evaluate")
