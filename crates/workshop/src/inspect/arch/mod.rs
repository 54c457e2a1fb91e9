//! Reference architectures, built layer by layer from their papers and counted like any model.

mod builder;
mod densenet;
mod mnasnet;
mod mobilenet;
mod resnet;
mod shufflenet;
mod squeezenet;

pub(super) use mobilenet::Scaling;

use super::layer::Layer;
use clap::ValueEnum;

/// The architectures that can be counted without a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Architecture {
    /// MobileNet (Howard et al. 2017), with width and resolution multipliers
    MobilenetV1,
    /// MobileNet with standard convolutions in place of depthwise separable ones
    MobilenetV1Standard,
    /// MobileNetV2 (Sandler et al. 2018)
    MobilenetV2,
    /// ResNet-50 (He et al. 2015): the stride in the first convolution of a block
    #[value(name = "resnet-50")]
    Resnet50,
    /// ResNet-50 v1.5: the stride in the 3x3 convolution, as in torchvision
    #[value(name = "resnet-50-v1.5")]
    Resnet50V15,
    /// DenseNet-121 (Huang et al. 2016)
    #[value(name = "densenet-121")]
    Densenet121,
    /// SqueezeNet 1.0 (Iandola et al. 2016)
    #[value(name = "squeezenet-1.0")]
    Squeezenet10,
    /// ShuffleNet 1x with 3 groups (Zhang et al. 2017)
    ShufflenetV1,
    /// ShuffleNetV2 1x (Ma et al. 2018)
    ShufflenetV2,
    /// MnasNet-A1 (Tan et al. 2018), with squeeze and excitation
    MnasnetA1,
}

impl Architecture {
    /// Whether a width multiplier other than 1 has a meaning.
    pub fn has_width(self) -> bool {
        matches!(self, Self::MobilenetV1 | Self::MobilenetV1Standard)
    }

    /// Its layers, with a classifier of 1000 classes.
    pub fn layers(self, scaling: Scaling) -> Vec<Layer> {
        match self {
            Self::MobilenetV1 => mobilenet::v1(scaling, mobilenet::Separable::Yes),
            Self::MobilenetV1Standard => mobilenet::v1(scaling, mobilenet::Separable::No),
            Self::MobilenetV2 => mobilenet::v2(scaling.size),
            Self::Resnet50 => resnet::resnet_50(scaling.size, resnet::Stride::First),
            Self::Resnet50V15 => resnet::resnet_50(scaling.size, resnet::Stride::Second),
            Self::Densenet121 => densenet::densenet_121(scaling.size),
            Self::Squeezenet10 => squeezenet::squeezenet_10(scaling.size),
            Self::ShufflenetV1 => shufflenet::v1(scaling.size),
            Self::ShufflenetV2 => shufflenet::v2(scaling.size),
            Self::MnasnetA1 => mnasnet::a1(scaling.size),
        }
    }
}
