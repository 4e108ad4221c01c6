"""Serve the exported generators of a folder: the same as `zoo serve`. See --help."""

from command import run

if __name__ == "__main__":
    run("serve", extras="cpu,serve")
