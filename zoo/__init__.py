"""gan-zoo: generative adversarial networks as YAML specs, trained with Keras, shipped as checked ONNX files.

The folders are the road of the data, from a YAML file to the images of a program that has never heard of Keras:

    core/       errors, registry, files, host, arrays, images, pictures, progress   stdlib, NumPy, Pillow, tqdm
    spec/       YAML -> a checked Spec with plans of its networks                     + yaml
    data/       real examples: catalogue, fetch, Dataset, Batches                     NumPy
    nn/         a plan -> Keras networks: layers, losses, optimizers, gradients       + keras
    train/      a spec -> a trained run: algorithms/ (one file a game), loop          + keras
    export/     a run -> exported/<name>/: ONNX, folded, cleaned, checked             + tensorflow, tf2onnx, onnx
    artifact/   what stands in exported/<name>/: manifest, scores, claims, header     stdlib
    runtime/    an artifact -> images: load, session, inputs, priors, generator       NumPy, ONNX Runtime
    serve/      the runtime over HTTP, and its page/                                  + fastapi
    deploy/     files for Triton, KServe, Ray                                         + yaml
    metrics/    FID, KID, PRDC, SWD, SSIM, modes; networks/ that they look through    NumPy, ONNX Runtime, onnx
    evaluate/   an artifact -> metrics.json                                           + yaml
    report/     cards, gallery, tables, comparison                                    + matplotlib
    claims/     claims of the papers, one file each                                   all of the above
    cli/        `zoo COMMAND`, one file a command                                     nothing heavy at the top

core, artifact, runtime, serve and deploy are what a user of a generator installs: none of them names keras, tensorflow,
jax or torch. Importing this package imports nothing heavy. ARCHITECTURE.md has the road to read and the checklists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.runtime.generator import Generator
    from zoo.runtime.load import Source

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(source: Source, **options: Any) -> Generator:
    """Load an exported generator: a folder such as `exported/dcgan`, a lone .onnx, its bytes, or an open file.

    Options: network, precision, provider, threads, verify. See `zoo.runtime.load.load`.
    """
    from zoo.runtime.load import load as load_generator

    return load_generator(source, **options)
