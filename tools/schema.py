"""Write specs/schema.json anew from the signatures of layers, losses, optimizers, sources and algorithms."""

from __future__ import annotations

from zoo import guards
from zoo.manifest import write_whole
from zoo.spec.schema import specs_folder

if __name__ == "__main__":
    guards.silence()  # before the frameworks' greetings, which the import brings
    from zoo.spec.generate import dumps, generate

    print(f"wrote {write_whole(specs_folder() / 'schema.json', dumps(generate()).encode())}")
