"""Write specs/schema.json anew from the signatures of layers, losses, optimizers, sources and algorithms."""

from __future__ import annotations

from zoo.spec.generate import dumps, generate
from zoo.spec.schema import specs_folder

if __name__ == "__main__":
    path = specs_folder() / "schema.json"
    path.write_text(dumps(generate()), "utf-8")
    print(f"wrote {path}")
