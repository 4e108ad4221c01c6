"""Draw pictures from an exported generator: the same as `zoo sample`. See --help."""

from command import run

if __name__ == "__main__":
    run("sample", extras="cpu")
