"""Draws with NumPy and ONNX Runtime alone, and checks that the images are those of golden.npz.

python python_onnxruntime.py exported/dcgan --out .
"""

import argparse
import hashlib
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import onnxruntime

TOLERANCE = 1e-4  # between processors; on one machine the same call gives the same bits


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path, help="a folder with manifest.json")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder for NAME.png (default: here)")
    options = parser.parse_args()
    manifest = json.loads((options.artifact / "manifest.json").read_text("utf-8"))
    networks = manifest.get("networks", [manifest])  # a translator and its way back are two in one folder
    return max(draw(facts, options.artifact, options.out) for facts in networks)


def draw(facts, folder, out):
    """One network: its golden inputs through ONNX Runtime, the result as a PNG. Returns the exit code."""
    network = facts.get("network", "")
    model = (folder / (f"{network}.onnx" if network else "generator.onnx")).read_bytes()
    if hashlib.sha256(model).hexdigest() not in facts["files"].values():
        sys.exit(f"{folder}: the model is not the one that its manifest states")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    golden = np.load(folder / (f"golden_{network}.npz" if network else "golden.npz"))
    output = facts["outputs"][0]
    # An image of your own: z = np.random.default_rng(0).standard_normal((1, 100), np.float32), where the prior of
    # inputs[0] in the manifest is {"normal": {}}; a label is the place of its class in "classes", as int64.
    made, differences = output["name"], []
    sizes = [key.removeprefix(made) for key in golden.files if key.split("/")[0] == made]  # "", "/160x192", ...
    for size in sorted(sizes, reverse=True):
        inputs = {tensor["name"]: golden[tensor["name"] + size] for tensor in facts["inputs"]}
        (result,) = session.run([made], inputs)
        differences.append(np.abs(result - golden[made + size]).max())
    difference = max(differences)
    name = f"{facts['name']}_{network}" if network else facts["name"]
    print(f"{name}: {output['name']} {list(result.shape)}, largest difference to golden.npz {difference:.1e}")
    if output["layout"] == "NHWC":
        strip = np.concatenate(list(pixels(result, *output["range"])), axis=1)  # [H, n W, C]
        (out / f"{name}.png").write_bytes(png(strip))
    return 0 if difference <= TOLERANCE else 1


def pixels(raw, low, high):
    """The output's range onto 0..255."""
    return np.rint(np.clip((raw.astype(np.float64) - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def png(image):
    """uint8 [H, W, 1 or 3] as the bytes of a PNG file."""
    height, width, channels = image.shape
    rows = np.pad(image.reshape(height, -1), ((0, 0), (1, 0)))  # every row begins with its filter, 0: none
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    body = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


if __name__ == "__main__":
    sys.exit(main())
