"""The allow-list: every name that may be *called* by a checkpoint without the file being named as dangerous.

Enters: a `Name`. Leaves: whether it is on the list. Single names, never rooms: a room of torch holds whatever its
files import, `reduce` and `eval` among them. What is on the list makes plain values, tensors, or an object of one of
torch's own layers, optimizers and distributions, whose construction touches nothing outside of itself.
"""

import re

from facette.checkpoint.foreign.inert import ITEM_BYTES, Name

STORAGE_DTYPES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": "uint8",
}
_PATHS = "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath"
_STANDARD = {
    "builtins": "set frozenset list dict tuple int float bool str bytes bytearray complex slice range object",
    "collections": "OrderedDict defaultdict Counter deque",
    "copyreg": "_reconstructor",
    "_codecs": "encode",
    "pathlib": _PATHS,
    "pathlib._local": _PATHS,
    "argparse": "Namespace",
    "types": "SimpleNamespace",
    "datetime": "datetime date time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "uuid": "UUID",
    "functools": "partial",
    "typing": "Any Union Optional List Dict Tuple",  # omegaconf, in Lightning's hyper-parameters
    "logging": "getLogger Logger",
}
_TORCH = {
    "torch": " ".join(["Size device Tensor strided contiguous_format", *STORAGE_DTYPES, *ITEM_BYTES]),
    "torch.cuda": " ".join(STORAGE_DTYPES),
    "torch.storage": "UntypedStorage",
    "torch._utils": "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter "
    "_rebuild_parameter_with_state",
    "torch._tensor": "_rebuild_from_type_v2 Tensor",
    "torch.tensor": "_rebuild_from_type_v2 Tensor",
    "torch.serialization": "_get_layout",
    "torch.torch_version": "TorchVersion",
    "torch.nn.parameter": "Parameter Buffer",
    "torch.nn.backends.thnn": "_get_thnn_function_backend",  # torch before 1.5 kept it in every layer
    "torch.nn.parallel.data_parallel": "DataParallel",
    "torch.nn.parallel.distributed": "DistributedDataParallel",
    "torch.nn.utils.weight_norm": "WeightNorm",
    "torch.nn.utils.spectral_norm": "SpectralNorm SpectralNormStateDictHook SpectralNormLoadStateDictPreHook",
}
_LAYERS = {  # of torch.nn.modules
    "activation": "Threshold ReLU RReLU Hardtanh ReLU6 Sigmoid Hardsigmoid Tanh SiLU Mish Hardswish ELU CELU SELU "
    "GLU GELU Hardshrink LeakyReLU LogSigmoid Softplus Softshrink MultiheadAttention PReLU Softsign "
    "Tanhshrink Softmin Softmax Softmax2d LogSoftmax",
    "adaptive": "AdaptiveLogSoftmaxWithLoss",
    "batchnorm": "BatchNorm1d LazyBatchNorm1d BatchNorm2d LazyBatchNorm2d BatchNorm3d LazyBatchNorm3d "
    "SyncBatchNorm",
    "channelshuffle": "ChannelShuffle",
    "container": "Container Sequential ModuleList ModuleDict ParameterList ParameterDict",
    "conv": "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LazyConv1d LazyConv2d "
    "LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d",
    "distance": "PairwiseDistance CosineSimilarity",
    "dropout": "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout",
    "flatten": "Flatten Unflatten",
    "fold": "Fold Unfold",
    "instancenorm": "InstanceNorm1d LazyInstanceNorm1d InstanceNorm2d LazyInstanceNorm2d InstanceNorm3d "
    "LazyInstanceNorm3d",
    "linear": "Identity Linear NonDynamicallyQuantizableLinear Bilinear LazyLinear _LinearWithBias",
    "loss": "L1Loss NLLLoss NLLLoss2d PoissonNLLLoss GaussianNLLLoss KLDivLoss MSELoss BCELoss "
    "BCEWithLogitsLoss HingeEmbeddingLoss MultiLabelMarginLoss SmoothL1Loss HuberLoss SoftMarginLoss "
    "CrossEntropyLoss LinearCrossEntropyLoss MultiLabelSoftMarginLoss CosineEmbeddingLoss "
    "MarginRankingLoss MultiMarginLoss TripletMarginLoss TripletMarginWithDistanceLoss CTCLoss",
    "module": "Module",
    "normalization": "LocalResponseNorm CrossMapLRN2d LayerNorm GroupNorm RMSNorm",
    "padding": "CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d "
    "ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d "
    "ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d",
    "pixelshuffle": "PixelShuffle PixelUnshuffle",
    "pooling": "MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d AvgPool1d AvgPool2d AvgPool3d "
    "FractionalMaxPool2d FractionalMaxPool3d LPPool1d LPPool2d LPPool3d AdaptiveMaxPool1d "
    "AdaptiveMaxPool2d AdaptiveMaxPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d",
    "rnn": "RNNBase RNN LSTM GRU RNNCellBase RNNCell LSTMCell GRUCell",
    "sparse": "Embedding EmbeddingBag",
    "transformer": "Transformer TransformerEncoder TransformerDecoder TransformerEncoderLayer "
    "TransformerDecoderLayer",
    "upsampling": "Upsample UpsamplingNearest2d UpsamplingBilinear2d",
}
_OPTIMIZERS = {  # of torch.optim
    "adadelta": "Adadelta",
    "adagrad": "Adagrad",
    "adam": "Adam",
    "adamax": "Adamax",
    "adamw": "AdamW",
    "asgd": "ASGD",
    "lbfgs": "LBFGS",
    "lr_scheduler": "LRScheduler LambdaLR MultiplicativeLR StepLR MultiStepLR ConstantLR LinearLR ExponentialLR "
    "SequentialLR PolynomialLR CosineAnnealingLR ChainedScheduler ReduceLROnPlateau CyclicLR "
    "CosineAnnealingWarmRestarts OneCycleLR",
    "nadam": "NAdam",
    "optimizer": "Optimizer",
    "radam": "RAdam",
    "rmsprop": "RMSprop",
    "rprop": "Rprop",
    "sgd": "SGD",
    "sparse_adam": "SparseAdam",
    "swa_utils": "AveragedModel SWALR",
}
_DISTRIBUTIONS = "Bernoulli Beta Categorical Gamma Laplace Normal Uniform MultivariateNormal Independent"
KNOWN: frozenset[str] = frozenset(
    [f"{module}.{name}" for module, names in (_STANDARD | _TORCH).items() for name in names.split()]
    + [f"torch.nn.modules.{room}.{name}" for room, names in _LAYERS.items() for name in names.split()]
    + [f"torch.optim.{room}.{name}" for room, names in _OPTIMIZERS.items() for name in names.split()]
    + [
        f"torch.distributions.{room}.{name}"
        for name in _DISTRIBUTIONS.split()
        for room in (name.lower(), "multivariate_normal")
    ]
)


_NUMPY = re.compile(
    r"numpy\.(ndarray|dtype|(_?core)\.multiarray\.(_reconstruct|scalar)|(u?int|float|complex|bool|str)_?\d*)"
)


def is_known(asked: Name) -> bool:
    """Whether the name is on the list, as written: not one reached through another module."""
    return "." not in asked.name and bool(asked.dotted in KNOWN or _NUMPY.fullmatch(asked.dotted))
