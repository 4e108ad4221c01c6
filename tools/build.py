"""Train a spec and export its generator: the same as `zoo build`. See --help."""

from command import run

if __name__ == "__main__":
    run("build", extras="train")
