"""Which networks we convert, and how; every other file is taken from its package as it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from blinkd.models.equalise import Exponents
from blinkd.models.sface import read_sface
from blinkd.models.tflite import read_mobilefacenet

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, slots=True)
class Conversion:
    """read: the published bytes as an ONNX network of Conv, PRelu, Add and Flatten; raises ModelError.

    float_nodes: so many nodes at the beginning of the INT8 form stay in FP32; exponents: how far its channels
    are equalised.
    """

    read: "Callable[[bytes], ModelProto]"
    float_nodes: int
    exponents: Exponents


CONVERSIONS: Mapping[str, Conversion] = MappingProxyType(
    {
        # The first two convolutions, each with its PReLU, stay in FP32: three channels fill no INT8 vector, and on the widest planes INT8
        # is no faster, so it would round for nothing: with all of SFace in INT8 (but Sub and Mul) its embeddings have a cosine of 0.9888
        # to those of FP32, so 0.9923 (mean over 512 LFW crops); MobileFaceNet's 0.9906 and 0.9920. (All with
        # RANGE_SHARE 1.)
        "mobilefacenet": Conversion(read_mobilefacenet, float_nodes=4, exponents=Exponents(0.5, 0.25)),
        # Its channels come alike out of the training: equalised as above, the cosine falls from 0.9923 to 0.9898
        "sface": Conversion(read_sface, float_nodes=6, exponents=Exponents(0, 0)),
    }
)
