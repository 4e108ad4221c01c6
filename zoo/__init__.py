"""gan-zoo: generative adversarial networks as YAML specs, trained with Keras, shipped as checked ONNX files.

The folders are the road of the data, from a YAML file to the images of a program that has never heard of Keras:

    core/       errors, registry, files, host, arrays, images, pictures, progress     stdlib, NumPy, Pillow, tqdm
    spec/       YAML -> a checked Spec with plans of its networks                     + yaml
    data/       real examples: catalogue, fetch, Dataset, Batches                     NumPy
    nn/         a plan -> Keras networks: layers, losses, optimizers, gradients       + keras
    train/      a spec -> a trained run: algorithms/ (one file a game), loop          + keras
    export/     a run -> exported/<name>/: ONNX, folded, cleaned, checked             + tensorflow, tf2onnx, onnx
    artifact/   the records in exported/<name>/: manifest, scores, claims, header     stdlib
    runtime/    an artifact -> images: load, session, inputs, priors, generator       NumPy, ONNX Runtime
    serve/      the runtime over HTTP, and its page/                                  + fastapi
    deploy/     files for Triton, KServe, Ray                                         + yaml
    metrics/    FID, KID, PRDC, SWD, SSIM, modes; networks/ that make features        NumPy, ONNX Runtime, onnx
    evaluate/   an artifact -> metrics.json                                           + yaml
    report/     cards, gallery, tables, comparison                                    + matplotlib
    claims/     claims of the papers, one file each                                   all of the above
    cli/        `zoo COMMAND`, one file a command                                     nothing heavy at the top

A user of a generator installs core, artifact, runtime, serve and deploy: none of them names keras, tensorflow, jax or
torch. Importing this package imports nothing heavy. ARCHITECTURE.md has the road to read and the checklists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.runtime.generator import Generator
    from zoo.runtime.load import Source

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(
    source: Source,
    *,
    network: str | None = None,
    precision: str | None = None,
    provider: str = "cpu",
    threads: int | None = None,
    verify: bool = True,
    sha256: str | None = None,
) -> Generator:
    """Load an exported generator. It needs NumPy and ONNX Runtime, neither Keras nor TensorFlow.

    A generator may be pickled, copied and sent to other processes, and used after a fork: it opens its file again there
    (with the same SHA-256, else ServeError), or the bytes that it was loaded from.

    Example:
        >>> import zoo
        >>> generator = zoo.load("exported/dcgan")
        >>> generator
        <Generator dcgan: z float32 [batch, 100] -> image float32 [batch, 32, 32, 1] in [-1, 1]>
        >>> images = generator.sample(16, seed=0)
        >>> images.shape, images.dtype
        ((16, 32, 32, 1), dtype('uint8'))

    Args:
        source: The folder of an artifact such as `exported/dcgan`, an .onnx file of this zoo, the bytes of one, or a
            file open for binary reading. A file is read once: the bytes that were checked are those that run.
        network: The network to load where the artifact has several, such as "b_to_a".
        precision: "float32", or a variant that the folder has, such as "fp16". None is float32 for a folder, and for a
            lone file its own.
        provider: "cpu", or "cuda" for NVIDIA GPUs. Another one never takes its place.
        threads: Cores of one call, 1 or more; None uses all.
        verify: Check the file against the SHA-256 in the manifest, and the manifest against its copy in the file.
        sha256: The SHA-256 that the .onnx file must have, 64 hexadecimal digits. A lone file has no manifest beside it
            that states one, so damage to its weights cannot be detected without this: it would draw something else.

    Returns:
        The generator; threads may share it.

    Raises:
        ServeError: Nothing can be loaded: a wrong path or name, a damaged, changed or foreign file, a provider that is
            not available, ONNX Runtime is missing. The message is one line.
    """
    from zoo.runtime.load import load as load_generator

    return load_generator(
        source, network=network, precision=precision, provider=provider, threads=threads, verify=verify, sha256=sha256
    )
