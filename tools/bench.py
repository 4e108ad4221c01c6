"""Measure the speed of training, sampling or serving: the same as `zoo bench`. See --help."""

from command import run

if __name__ == "__main__":
    run("bench", extras="train")
