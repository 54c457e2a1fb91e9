//! The inspection as one HTML page with plots: no script, nothing from elsewhere.

use super::layer::{Kind, Layer};
use super::report::{Inspection, bound, millions, shortened};
use super::roofline;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;\
    color-scheme:light dark}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
    td,th{padding:.15rem .6rem;text-align:right;border-bottom:1px solid #8884;white-space:nowrap}\
    td:nth-child(-n+2),th:nth-child(-n+2){text-align:left}.wide{overflow-x:auto}h1{overflow-wrap:anywhere}\
    svg{width:100%;height:auto;border-bottom:1px solid #8888}text{fill:currentColor;font-size:11px}";

/// How much of a layer's name the table shows; all of it is in the tooltip.
const NAME: usize = 48;

/// Width of a plot in its own units.
const WIDTH: f64 = 960.0;
/// Height of a plot's bars in its own units.
const HEIGHT: f64 = 220.0;

/// The page.
pub(super) fn page(inspection: &Inspection) -> String {
    let layers: Vec<&Layer> = inspection.layers.iter().filter(|l| l.kind != Kind::Other).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (inspection.name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (inspection.name) }
                (summary(inspection))
                @for note in inspection.notes() { p { (note) } }
                (kinds(inspection))
                (plot("Multiply-adds by layer, in millions", &layers, |l| l.multiply_adds as f64 / 1e6))
                (plot("Parameters by layer, in thousands", &layers, |l| l.parameters as f64 / 1e3))
                (plot("Lower bound of the time by layer on the Nano, in microseconds", &layers, |l| {
                    roofline::of_layer(l).time_ms * 1e3
                }))
                (table(&layers))
            }
        }
    };
    page.into_string()
}

fn summary(inspection: &Inspection) -> Markup {
    let totals = inspection.totals;
    let roof = inspection.roofline;
    html! {
        p {
            (millions(totals.parameters)) " parameters, " (millions(totals.multiply_adds)) " multiply-adds, "
            (millions(totals.activations)) " activations; the largest receptive field has "
            (inspection.receptive_field_px) " pixels of the input. On the Jetson Nano in fp16 at least "
            (format!("{:.2} ms ({:.2} ms of arithmetic at 472 GFLOPS, ", roof.time_ms, roof.compute_ms))
            (format!("{:.2} ms of memory at 25.6 GB/s), bound by {}.", roof.memory_ms, bound(roof.bound)))
        }
    }
}

fn colour(kind: Kind) -> &'static str {
    match kind {
        Kind::Standard => "#4477aa",
        Kind::Depthwise => "#ee6677",
        Kind::Pointwise => "#228833",
        Kind::Grouped => "#ccbb44",
        Kind::FullyConnected => "#aa3377",
        Kind::Other => "#bbbbbb",
    }
}

fn kinds(inspection: &Inspection) -> Markup {
    let share = |adds: u64| 100.0 * adds as f64 / inspection.totals.multiply_adds.max(1) as f64;
    html! {
        table {
            tr { th { "Kind" } th { "Cost" } th { "Layers" } th { "Parameters" } th { "Multiply-adds" } th { "Share" } }
            @for (kind, totals) in &inspection.kinds {
                tr {
                    td { span style={ "color:" (colour(*kind)) } { "■" } " " (kind.name()) }
                    td { (kind.formula()) }
                    td { (totals.layers) }
                    td { (grouped(totals.parameters)) }
                    td { (grouped(totals.multiply_adds)) }
                    td { (format!("{:.2} %", share(totals.multiply_adds))) }
                }
            }
        }
        p { "Layers are in the order from input to output; hover over a bar for its name and value." }
    }
}

fn plot(title: &str, layers: &[&Layer], value: impl Fn(&Layer) -> f64) -> Markup {
    let most = layers.iter().map(|l| value(l)).fold(0.0, f64::max);
    if most <= 0.0 {
        return html! {};
    }
    let step = WIDTH / layers.len() as f64;
    let tenths = |length: f64| format!("{length:.1}");
    html! {
        h2 { (title) }
        svg role="img" aria-label=(title) viewBox={ "0 0 " (WIDTH) " " (HEIGHT + 16.0) } {
            @for (i, layer) in layers.iter().enumerate() {
                @let height = value(layer) / most * HEIGHT;
                rect x=(tenths(i as f64 * step)) y=(tenths(16.0 + HEIGHT - height))
                    width=(tenths((step * 0.85).max(0.5))) height=(tenths(height)) fill=(colour(layer.kind)) {
                    title { (layer.name) ": " (format!("{:.3}", value(layer))) }
                }
            }
            text x="0" y="11" { (tenths(most)) }
        }
    }
}

fn table(layers: &[&Layer]) -> Markup {
    html! {
        h2 { "Layers" }
        div class="wide" {
            table {
                tr {
                    th { "Layer" } th { "Kind" } th { "Output" } th { "Parameters" } th { "Multiply-adds" }
                    th { "Receptive field" } th { "Bound" }
                }
                @for layer in layers {
                    tr {
                        td title=(layer.name) { (shortened(&layer.name, NAME)) }
                        td { (layer.kind.name()) }
                        td { (layer.output.map_or("?".into(), |f| f.to_string())) }
                        td { (grouped(layer.parameters)) }
                        td { (grouped(layer.multiply_adds)) }
                        td { (layer.field.size_px) }
                        td { (bound(roofline::of_layer(layer).bound)) }
                    }
                }
            }
        }
    }
}

/// The number with a thin space between each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|three| str::from_utf8(three).ok()).collect();
    groups.join("\u{202f}")
}

#[cfg(test)]
mod tests {
    use super::super::arch::{Architecture, Scaling};
    use super::*;

    #[test]
    fn the_page_has_its_plots_and_no_markup_of_others() {
        let layers = Architecture::MobilenetV1.layers(Scaling { alpha: 1.0, size: 224 });
        let html = page(&Inspection::new("<script>".into(), layers));
        assert_eq!(html.matches("<svg").count(), 3);
        assert!(html.contains("568.740 M multiply-adds") && !html.contains("<script>"));
    }
}
