//! The figures that papers and libraries print for the reference architectures.

use super::arch::{Architecture, Scaling};
use serde::Serialize;

/// A printed figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Published {
    /// Multiply-adds in millions.
    pub multiply_adds_m: f64,
    /// Parameters in millions; `None` where the source has none.
    pub parameters_m: Option<f64>,
    /// Digits behind the point of the first figure.
    pub digits: u8,
    /// Digits behind the point of the second.
    pub parameters_digits: u8,
    /// Where it is printed.
    pub source: &'static str,
    /// Convention, and where ours does not round to it: why.
    pub remark: &'static str,
}

/// What is published of `architecture` at `scaling`.
pub(super) fn published(architecture: Architecture, scaling: Scaling) -> Option<Published> {
    ENTRIES.iter().find(|e| e.is(architecture, scaling)).map(|e| e.figure)
}

struct Entry {
    architecture: Architecture,
    alpha: f64,
    size: u64,
    figure: Published,
}

impl Entry {
    fn is(&self, architecture: Architecture, scaling: Scaling) -> bool {
        self.architecture == architecture && (self.alpha - scaling.alpha).abs() < 1e-9 && self.size == scaling.size
    }
}

const fn mobilenet(
    alpha: f64,
    size: u64,
    adds: f64,
    parameters: f64,
    source: &'static str,
    remark: &'static str,
) -> Entry {
    let figure = Published {
        multiply_adds_m: adds,
        parameters_m: Some(parameters),
        digits: 0,
        parameters_digits: 1,
        source,
        remark,
    };
    Entry { architecture: Architecture::MobilenetV1, alpha, size, figure }
}

const fn other(architecture: Architecture, figure: Published) -> Entry {
    Entry { architecture, alpha: 1.0, size: 224, figure }
}

const TABLE_4: &str = "Howard et al. 2017, Table 4";
const TABLE_6: &str = "Howard et al. 2017, Table 6";
const TABLE_7: &str = "Howard et al. 2017, Table 7";
const NORMS: &str = "parameters with batch normalisation's scales and shifts";

const ENTRIES: &[Entry] = &[
    mobilenet(1.0, 224, 569.0, 4.2, TABLE_4, NORMS),
    mobilenet(0.75, 224, 325.0, 2.6, TABLE_6, NORMS),
    mobilenet(0.5, 224, 149.0, 1.3, TABLE_6, NORMS),
    mobilenet(0.25, 224, 41.0, 0.5, TABLE_6, "0.470 M with, 0.465 M without batch normalisation: both print 0.5"),
    mobilenet(1.0, 192, 418.0, 4.2, TABLE_7, NORMS),
    mobilenet(
        1.0,
        160,
        290.0,
        4.2,
        TABLE_7,
        "290.7 M: the paper cuts the fraction off here, TensorFlow's list prints 291",
    ),
    mobilenet(1.0, 128, 186.0, 4.2, TABLE_7, NORMS),
    other(
        Architecture::MobilenetV1Standard,
        Published {
            multiply_adds_m: 4866.0,
            parameters_m: Some(29.3),
            digits: 0,
            parameters_digits: 1,
            source: TABLE_4,
            remark: "4867.3 M with the classifier's 1.0 M, 4866.3 M without: the printed figure fits the latter",
        },
    ),
    other(
        Architecture::MobilenetV2,
        Published {
            multiply_adds_m: 300.0,
            parameters_m: Some(3.4),
            digits: 0,
            parameters_digits: 1,
            source: "Sandler et al. 2018, Table 4",
            remark: "300.8 M; 3.505 M with batch normalisation's scales and shifts, as torchvision counts (3,504,872), \
                     3.471 M without, as TensorFlow's list prints (3.47): the paper cuts both fractions off",
        },
    ),
    other(
        Architecture::Resnet50,
        Published {
            multiply_adds_m: 3800.0,
            parameters_m: Some(25.6),
            digits: 0,
            parameters_digits: 1,
            source: "He et al. 2015, Table 1; parameters: torchvision (25,557,032)",
            remark: "v1; the paper prints 3.8e9 for 3.86e9: it cuts the fraction off",
        },
    ),
    other(
        Architecture::Resnet50V15,
        Published {
            multiply_adds_m: 4089.0,
            parameters_m: Some(25.6),
            digits: 0,
            parameters_digits: 1,
            source: "torchvision, resnet50",
            remark: "v1.5: stride in the 3x3 convolution",
        },
    ),
    other(
        Architecture::Densenet121,
        Published {
            multiply_adds_m: 2834.0,
            parameters_m: Some(8.0),
            digits: 0,
            parameters_digits: 1,
            source: "torchvision, densenet121 (7,978,856 parameters)",
            remark: NORMS,
        },
    ),
    other(
        Architecture::Squeezenet10,
        Published {
            multiply_adds_m: 819.0,
            parameters_m: Some(1.248),
            digits: 0,
            parameters_digits: 3,
            source: "Iandola et al. 2016, Table 1 (1,248,424 parameters); multiply-adds: torchvision, squeezenet1_0",
            remark: "no batch normalisation; 7x7 convolution without padding",
        },
    ),
    other(
        Architecture::ShufflenetV1,
        Published {
            multiply_adds_m: 137.0,
            parameters_m: None,
            digits: 0,
            parameters_digits: 1,
            source: "Zhang et al. 2017, Table 2 (3 groups)",
            remark: "the paper prints no parameters for it, and 140 M in Table 8",
        },
    ),
    other(
        Architecture::ShufflenetV2,
        Published {
            multiply_adds_m: 146.0,
            parameters_m: Some(2.3),
            digits: 0,
            parameters_digits: 1,
            source: "Ma et al. 2018, Table 8; parameters: torchvision (2,278,604)",
            remark: "144.9 M counting convolutions and classifier, as torchvision prints it (145 M); the paper counts more",
        },
    ),
    other(
        Architecture::MnasnetA1,
        Published {
            multiply_adds_m: 312.0,
            parameters_m: Some(3.9),
            digits: 0,
            parameters_digits: 1,
            source: "Tan et al. 2018, Table 1",
            remark: "with squeeze and excitation",
        },
    ),
];

#[cfg(test)]
mod tests {
    use super::super::layer::Totals;
    use super::*;

    fn rounds_to(count: u64, printed: f64, digits: u8) -> bool {
        let factor = 10_f64.powi(i32::from(digits));
        ((count as f64 / 1e6 * factor).round() - printed * factor).abs() < 1e-6
    }

    #[test]
    fn ours_round_to_the_printed_figures_but_for_the_stated_reasons() {
        let mut differ = Vec::new();
        for &Entry { architecture, alpha, size, figure } in ENTRIES {
            let scaling = Scaling { alpha, size };
            let totals = Totals::of(&architecture.layers(scaling));
            let adds = rounds_to(totals.multiply_adds, figure.multiply_adds_m, figure.digits);
            let parameters =
                figure.parameters_m.is_none_or(|p| rounds_to(totals.parameters, p, figure.parameters_digits));
            if !adds || !parameters {
                differ.push((architecture, scaling.size));
            }
        }
        let reasons = [
            (Architecture::MobilenetV1, 160),
            (Architecture::MobilenetV1Standard, 224),
            (Architecture::MobilenetV2, 224),
            (Architecture::Resnet50, 224),
            (Architecture::ShufflenetV2, 224),
        ];
        assert_eq!(differ, reasons);
    }

    #[test]
    fn counts_are_exact_where_libraries_print_every_digit() {
        for (architecture, parameters, multiply_adds) in [
            (Architecture::Resnet50V15, 25_557_032, 4_089_184_256),
            (Architecture::Densenet121, 7_978_856, 2_834_161_664),
            (Architecture::Squeezenet10, 1_248_424, 818_924_576),
            (Architecture::MobilenetV2, 3_504_872, 300_774_272),
        ] {
            let totals = Totals::of(&architecture.layers(Scaling { alpha: 1.0, size: 224 }));
            assert_eq!((totals.parameters, totals.multiply_adds), (parameters, multiply_adds), "{architecture:?}");
        }
    }
}
