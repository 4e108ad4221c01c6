"""Layers that Keras has and the language has not, and what to write instead."""

from __future__ import annotations

_CONVOLUTIONS = "Convolutions are Conv1D, Conv2D, Conv1DTranspose, Conv2DTranspose, DepthwiseConv2D, SeparableConv2D"
_POOLS = "Pools are AveragePooling2D, MaxPooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D and those of 1D"
_RECURRENT = "The recurrent layer is LSTM"
_ATTENTION = "SelfAttention is the block of Zhang et al. 2018; Dot and Softmax make others"
_AUGMENTATION = "Augmentation belongs to the game: the function `augmented`, or `data.flip` and `data.jitter_from`"
_TEXT = "Data come as numbers: OneHot and Embedding take class ids"
_CODE = "A spec holds no code: a layer of your own is a class that is registered, see ARCHITECTURE.md"
_NORMS = "Norms are BatchNormalization, GroupNormalization (groups: -1 is instance norm), LayerNormalization, PixelNorm"

# the same layers by Keras's second names
_ALIASES = {
    **{f"Convolution{kind}": f"Conv{kind}" for kind in ("1D", "2D", "1DTranspose", "2DTranspose")},
    **{f"SeparableConvolution{n}D": f"SeparableConv{n}D" for n in (1, 2)},
    **{f"{short}Pool{n}D": f"{long}Pooling{n}D"
       for short, long in (("Avg", "Average"), ("GlobalAvg", "GlobalAverage"), ("Max", "Max"),
                           ("GlobalMax", "GlobalMax"))
       for n in (1, 2)},
}  # fmt: skip

_HINTS: dict[str, str] = {
    **dict.fromkeys(("Conv3D", "Conv3DTranspose", "Convolution3D", "Convolution3DTranspose", "DepthwiseConv1D",
                     "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), _CONVOLUTIONS),
    **dict.fromkeys(("UpSampling3D", "ZeroPadding3D", "Cropping3D", "SpatialDropout3D"), "Data are vectors, sequences "
                    "or images"),
    **dict.fromkeys((*(f"{kind}{n}D" for kind in ("AdaptiveAveragePooling", "AdaptiveMaxPooling") for n in (1, 2, 3)),
                     *(f"{kind}3D" for kind in ("AveragePooling", "MaxPooling", "GlobalAveragePooling",
                       "GlobalMaxPooling", "AvgPool", "MaxPool", "GlobalAvgPool", "GlobalMaxPool"))), _POOLS),
    **dict.fromkeys(("GRU", "RNN", "SimpleRNN", "Bidirectional", "TimeDistributed", "StackedRNNCells", "GRUCell",
                     "LSTMCell", "SimpleRNNCell"), _RECURRENT),
    **dict.fromkeys(("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"), _ATTENTION),
    **dict.fromkeys(("RandomBrightness", "RandomContrast", "RandomCrop", "RandomErasing", "RandomFlip", "RandomHue",
                     "RandomRotation", "RandomSaturation", "RandomTranslation", "RandomZoom", "RandomShear", "CutMix",
                     "MixUp", "RandAugment", "AugMix", "CenterCrop", "RandomGrayscale", "RandomGaussianBlur",
                     "RandomColorJitter", "RandomPerspective", "RandomElasticTransform", "RandomSharpness",
                     "RandomColorDegeneration", "RandomInvert", "RandomPosterization", "AutoContrast", "Equalization",
                     "ContrastLimitedAdaptiveHistogramEqualization", "Solarization"),
                    _AUGMENTATION),
    **dict.fromkeys(("CategoryEncoding", "StringLookup", "IntegerLookup", "TextVectorization", "Hashing",
                     "Discretization", "HashedCrossing", "ReversibleEmbedding"), _TEXT),
    **dict.fromkeys(("Lambda", "Layer", "Wrapper", "FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper",
                     "Pipeline"), _CODE),
    **dict.fromkeys(("RMSNormalization", "Normalization"), _NORMS),
    **dict.fromkeys(("Input", "InputLayer"), "Inputs are named in `inputs` of the network, and taken by `from: name`"),
    "SpectralNormalization": "Layers with spectral norm are SpectralDense, SpectralConv2D and SpectralEmbedding",
    "Resizing": "UpSampling2D, with `interpolation: bilinear` too, and pools change the size by whole factors",
    "EinsumDense": "Dense works along the last axis of any shape, Dot multiplies two tensors",
    "AlphaDropout": "Dropout, SpatialDropout2D, GaussianDropout, or NoiseDropout, whose noise is an input",
    "ActivityRegularization": "Penalties belong to the game",
    "Masking": "Sequences of a spec have one length",
    "InputSpec": "Shapes follow from the layers",
    "MaxNumBoundingBoxes": "Data have no boxes",
    **dict.fromkeys(("MelSpectrogram", "STFTSpectrogram"), "Waves come as sequences [steps, features]"),
}  # fmt: skip


def elsewhere(name: str) -> str:
    """Return the message for a layer of Keras that specs do not have; an empty string for a name that Keras has not.

    Args:
        name: The name of a layer.

    Returns:
        What is wrong, and what may stand instead.
    """
    if name in _ALIASES:
        return f"'{name}' is {_ALIASES[name]} in a spec: every layer has one name"
    return f"'{name}' is a layer of Keras that specs do not have. {_HINTS[name]}" if name in _HINTS else ""
