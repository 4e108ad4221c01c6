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
    inputs = []
    for tensor in about["inputs"]:
        array = golden[tensor["name"]]
        if array.ndim != len(tensor["shape"]):  # Triton has no tensors of shape [batch]: labels are [batch, 1] there
            array = array.reshape(len(array), *tensor["shape"][1:])
        inputs.append(InferInput(tensor["name"], array.shape, tensor["datatype"]))
        inputs[-1].set_data_from_numpy(array, binary_data=not options.json)
    output = about["outputs"][0]["name"]
    wanted = [InferRequestedOutput(output, binary_data=not options.json)]
    result = client.infer(name, inputs, outputs=wanted).as_numpy(output)
    difference = np.abs(result - golden[output]).max()
    print(f"{name}: {output} {list(result.shape)}, largest difference to golden.npz {difference:.1e}")
    if options.out:
        np.save(options.out / f"{name}.npy", result)
    return 0 if difference <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
