"""Asks a server of the Open Inference Protocol for the images of golden.npz: `zoo serve`, Triton, KServe alike.

    python triton_client.py 127.0.0.1:8000 exported/dcgan

pip install "tritonclient[http]"
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

TOLERANCE = 1e-4  # between processors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="HOST:PORT")
    parser.add_argument("artifact", type=Path, help="a folder with manifest.json and golden.npz")
    parser.add_argument("--json", action="store_true", help="numbers as JSON, instead of binary: several times slower")
    parser.add_argument("--out", type=Path, help="folder for NAME.npy, the numbers as they came")
    options = parser.parse_args()
    manifest = json.loads((options.artifact / "manifest.json").read_text("utf-8"))
    client = InferenceServerClient(options.server)
    try:
        return max(ask(client, facts, options) for facts in manifest.get("networks", [manifest]))
    except (InferenceServerException, OSError) as error:
        sys.exit(f"{options.server}: {error}")


def ask(client, facts, options):
    """The golden inputs of one network to the server, the difference of what comes back. Returns the exit code."""
    network = facts.get("network", "")
    name = f"{facts['name']}_{network}" if network else facts["name"]
    golden = np.load(options.artifact / (f"golden_{network}.npz" if network else "golden.npz"))
    about = client.get_model_metadata(name)
    output, differences = about["outputs"][0]["name"], []
    sizes = [key.removeprefix(output) for key in golden.files if key.split("/")[0] == output]  # "", "/160x192", ...
    for size in sorted(sizes, reverse=True):
        arrays = {tensor["name"]: golden[tensor["name"] + size] for tensor in about["inputs"]}
        result = infer(client, name, about, arrays, options.json)
        differences.append(np.abs(result - golden[output + size]).max())
    difference = max(differences)
    print(f"{name}: {output} {list(result.shape)}, largest difference to golden.npz {difference:.1e}")
    if options.out:
        np.save(options.out / f"{name}.npy", result)
    return 0 if difference <= TOLERANCE else 1


def infer(client, name, about, arrays, as_json):
    """Send arrays by name to a model. Returns its output."""
    inputs = []
    for tensor in about["inputs"]:
        array = arrays[tensor["name"]]
        if array.ndim != len(tensor["shape"]):  # Triton has no tensors of shape [batch]: labels are [batch, 1] there
            array = array.reshape(len(array), *tensor["shape"][1:])
        inputs.append(InferInput(tensor["name"], array.shape, tensor["datatype"]))
        inputs[-1].set_data_from_numpy(array, binary_data=not as_json)
    output = about["outputs"][0]["name"]
    wanted = [InferRequestedOutput(output, binary_data=not as_json)]
    return client.infer(name, inputs, outputs=wanted).as_numpy(output)


if __name__ == "__main__":
    sys.exit(main())
