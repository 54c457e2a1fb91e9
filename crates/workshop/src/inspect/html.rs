//! The inspection as one HTML page with plots: no script, nothing from elsewhere.

use super::layer::{Kind, Layer};
use super::report::{Inspection, bound, millions, shortened};
use super::roofline;
use std::fmt::Write;

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
///
/// # Errors
/// None in practice: writing to a text does not fail.
pub fn page(inspection: &Inspection) -> Result<String, std::fmt::Error> {
    let mut html = String::new();
    let name = escape(&inspection.name);
    let head = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">";
    write!(html, "{head}<title>{name}</title><style>{STYLE}</style>")?;
    let totals = inspection.totals;
    let roof = inspection.roofline;
    write!(
        html,
        "<h1>{name}</h1><p>{} parameters, {} multiply-adds, {} activations; a value sees at most {} pixels of the \
         input. On the Jetson Nano in fp16 at least {:.2} ms ({:.2} ms of arithmetic at 472 GFLOPS, {:.2} ms of memory \
         at 25.6 GB/s), bound by {}.</p>",
        millions(totals.parameters),
        millions(totals.multiply_adds),
        millions(totals.activations),
        inspection.receptive_field_px,
        roof.time_ms,
        roof.compute_ms,
        roof.memory_ms,
        bound(roof.bound)
    )?;
    for note in inspection.notes() {
        write!(html, "<p>{}</p>", escape(&note))?;
    }
    kinds(&mut html, inspection)?;
    let layers: Vec<&Layer> = inspection.layers.iter().filter(|l| l.kind != Kind::Other).collect();
    plot(&mut html, "Multiply-adds by layer, in millions", &layers, |l| l.multiply_adds as f64 / 1e6)?;
    plot(&mut html, "Parameters by layer, in thousands", &layers, |l| l.parameters as f64 / 1e3)?;
    plot(&mut html, "Least time by layer on the Nano, in microseconds", &layers, |l| {
        roofline::of_layer(l).time_ms * 1e3
    })?;
    table(&mut html, &layers)?;
    html.push_str("</html>\n");
    Ok(html)
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

fn kinds(html: &mut String, inspection: &Inspection) -> std::fmt::Result {
    html.push_str("<table><tr><th>Kind<th>Cost<th>Layers<th>Parameters<th>Multiply-adds<th>Share</tr>");
    for (kind, totals) in &inspection.kinds {
        let share = 100.0 * totals.multiply_adds as f64 / inspection.totals.multiply_adds.max(1) as f64;
        write!(
            html,
            "<tr><td><span style=\"color:{}\">■</span> {}<td>{}<td>{}<td>{}<td>{}<td>{share:.2} %</tr>",
            colour(*kind),
            kind.name(),
            kind.formula(),
            totals.layers,
            grouped(totals.parameters),
            grouped(totals.multiply_adds)
        )?;
    }
    html.push_str("</table><p>Layers stand from the input to the outputs; point at a bar for its name.</p>");
    Ok(())
}

fn plot(html: &mut String, title: &str, layers: &[&Layer], value: impl Fn(&Layer) -> f64) -> std::fmt::Result {
    let most = layers.iter().map(|l| value(l)).fold(0.0, f64::max);
    if most <= 0.0 {
        return Ok(());
    }
    let step = WIDTH / layers.len() as f64;
    write!(html, "<h2>{title}</h2><svg role=img aria-label=\"{title}\" viewBox=\"0 0 {WIDTH} {:.0}\">", HEIGHT + 16.0)?;
    for (i, layer) in layers.iter().enumerate() {
        let height = value(layer) / most * HEIGHT;
        write!(
            html,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{}\"><title>{}: {:.3}</title></rect>",
            i as f64 * step,
            16.0 + HEIGHT - height,
            (step * 0.85).max(0.5),
            colour(layer.kind),
            escape(&layer.name),
            value(layer)
        )?;
    }
    write!(html, "<text x=0 y=11>{most:.1}</text></svg>")
}

fn table(html: &mut String, layers: &[&Layer]) -> std::fmt::Result {
    html.push_str(
        "<h2>Layers</h2><div class=wide><table><tr><th>Layer<th>Kind<th>Output<th>Parameters<th>Multiply-adds<th>Sees<th>Bound</tr>",
    );
    for layer in layers {
        write!(
            html,
            "<tr><td title=\"{}\">{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
            escape(&layer.name),
            escape(&shortened(&layer.name, NAME)),
            layer.kind.name(),
            layer.output.map_or("?".into(), |f| f.to_string()),
            grouped(layer.parameters),
            grouped(layer.multiply_adds),
            layer.field.size_px,
            bound(roofline::of_layer(layer).bound)
        )?;
    }
    html.push_str("</table></div>");
    Ok(())
}

/// The number with a thin space between each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|three| str::from_utf8(three).ok()).collect();
    groups.join("\u{202f}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::arch::{Architecture, Scaling};
    use super::*;

    #[test]
    fn the_page_has_its_plots_and_no_markup_of_others() {
        let layers = Architecture::MobilenetV1.layers(Scaling { alpha: 1.0, size: 224 });
        let html = page(&Inspection::new("<script>".into(), layers)).unwrap();
        assert_eq!(html.matches("<svg").count(), 3);
        assert!(html.contains("568.740 M multiply-adds") && !html.contains("<script>"));
    }
}
