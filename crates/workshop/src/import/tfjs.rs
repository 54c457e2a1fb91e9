//! TensorFlow.js graph models: `model.json` with the topology and a list of weights, and shards with their bytes.

use super::constant::{Constant, Element, Quantisation};
use super::error::Fault;
use super::graph::{Attributes, Graph, Node};
use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::HashSet;
use std::path::Path;

/// The largest `model.json` accepted, in bytes; those of whole detectors have less than one megabyte.
const MAX_JSON: usize = 32 << 20;

/// The part of `model.json` that the importer reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModelJson {
    model_topology: Topology,
    weights_manifest: Vec<WeightGroup>,
}

#[derive(Deserialize)]
struct Topology {
    node: Vec<NodeJson>,
}

#[derive(Deserialize)]
struct NodeJson {
    name: String,
    op: String,
    #[serde(default)]
    input: Vec<String>,
    #[serde(default)]
    attr: Option<Box<AttrsJson>>,
}

/// The attributes in use; all others are skipped while parsing.
#[derive(Deserialize)]
struct AttrsJson {
    strides: Option<AttrJson>,
    dilations: Option<AttrJson>,
    ksize: Option<AttrJson>,
    padding: Option<AttrJson>,
    data_format: Option<AttrJson>,
    epsilon: Option<AttrJson>,
}

/// One attribute: protobuf's JSON form, except that texts may be lists of bytes.
#[derive(Deserialize)]
struct AttrJson {
    s: Option<TextJson>,
    f: Option<f32>,
    list: Option<ListJson>,
}

#[derive(Deserialize)]
struct ListJson {
    #[serde(default)]
    i: Vec<IntJson>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum IntJson {
    Number(i64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TextJson {
    Bytes(Vec<u8>),
    Base64(String),
}

/// One group of weights; face-api's manifest is a list of these too.
#[derive(Deserialize)]
pub(super) struct WeightGroup {
    /// Files of the group, relative to the manifest; their bytes follow each other.
    pub paths: Vec<String>,
    weights: Vec<WeightJson>,
}

impl WeightGroup {
    /// Names of its weights.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.weights.iter().map(|w| w.name.as_str())
    }
}

#[derive(Deserialize)]
struct WeightJson {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    quantization: Option<QuantizationJson>,
}

#[derive(Deserialize)]
struct QuantizationJson {
    dtype: String,
    scale: f32,
    min: f32,
}

/// What kinds of JSON the importer can tell apart, by the keys at the top.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    model_topology: Option<IgnoredAny>,
}

/// Whether `json` is an object with a model topology.
pub(super) fn recognises(json: &[u8]) -> bool {
    // A list would be taken for the struct's fields in their order.
    let object = json.trim_ascii_start().first() == Some(&b'{');
    object && serde_json::from_slice::<Probe>(json).is_ok_and(|p| p.model_topology.is_some())
}

/// Reads a TensorFlow.js graph model. `shard` gives the bytes of a file named in the weights manifest.
///
/// # Errors
/// [`Fault`] when the JSON is none of TensorFlow.js or does not fit its shards.
pub(super) fn read(json: &[u8], shard: &mut dyn FnMut(&str) -> Result<Bytes, Fault>) -> Result<Graph, Fault> {
    let model: ModelJson = parse_json(json)?;
    let mut graph = Graph::default();
    for node in model.model_topology.node {
        let attributes = node.attr.map(|a| Box::new(attributes(*a)));
        graph.add(Node { name: node.name, op: node.op, inputs: node.input, attributes })?;
    }
    for group in &model.weights_manifest {
        for (name, constant) in constants(group, shard)? {
            graph.add_constant(name, constant)?;
        }
    }
    Ok(graph)
}

/// Parses a JSON file of a model, of at most 32 MiB.
pub(super) fn parse_json<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Fault> {
    if json.len() > MAX_JSON {
        return Err(Fault::Malformed(format!("{} bytes of JSON; at most {MAX_JSON} are read", json.len())));
    }
    serde_json::from_slice(json).map_err(|e| Fault::Malformed(e.to_string()))
}

/// The constants of one group of weights.
pub(super) fn constants(
    group: &WeightGroup,
    shard: &mut dyn FnMut(&str) -> Result<Bytes, Fault>,
) -> Result<Vec<(String, Constant)>, Fault> {
    let mut bytes = join(&group.paths, shard)?;
    let whole = bytes.len();
    let mut constants = Vec::new();
    for weight in &group.weights {
        let mut constant = empty_constant(weight)?;
        let fault = |error| Fault::Constant { name: weight.name.clone(), error };
        let size = constant.count().map_err(fault)?.saturating_mul(constant.element.size());
        if size > bytes.len() {
            let (name, left) = (&weight.name, bytes.len());
            let what = format!("the weights end early: {name} needs {size} bytes, {left} of {whole} are left");
            return Err(Fault::Malformed(what));
        }
        constant.raw = bytes.split_to(size);
        constants.push((weight.name.clone(), constant));
    }
    if !bytes.is_empty() {
        let what = format!("{} of {whole} bytes of weights belong to no weight of the list", bytes.len());
        return Err(Fault::Malformed(what));
    }
    Ok(constants)
}

fn join(paths: &[String], shard: &mut dyn FnMut(&str) -> Result<Bytes, Fault>) -> Result<Bytes, Fault> {
    let mut shards = Vec::new();
    let mut seen = HashSet::new();
    for path in paths {
        // A hostile list must neither make us read files elsewhere nor fill the memory with one file many times.
        if Path::new(path).file_name().is_none_or(|name| name != path.as_str()) || !seen.insert(path) {
            return Err(Fault::Malformed(format!("shard {path:?} is not the name of another file beside the model")));
        }
        shards.push(shard(path)?);
    }
    if let [one] = shards.as_slice() {
        return Ok(one.clone());
    }
    // Of the right size from the start: growing it would take the memory of another copy.
    let mut joined = BytesMut::with_capacity(shards.iter().map(Bytes::len).sum());
    shards.iter().for_each(|shard| joined.extend_from_slice(shard));
    Ok(joined.freeze())
}

/// The constant without its bytes.
fn empty_constant(weight: &WeightJson) -> Result<Constant, Fault> {
    let (dtype, quantisation) = match &weight.quantization {
        Some(q) if matches!(weight.dtype.as_str(), "float32" | "int32") => {
            (q.dtype.as_str(), Quantisation::ScaleMin { scale: q.scale, min: q.min })
        }
        Some(_) => return Err(Fault::DataType { name: weight.name.clone(), found: weight.dtype.clone() }),
        None => (weight.dtype.as_str(), Quantisation::None),
    };
    let element = match dtype {
        "float32" => Element::F32,
        "int32" => Element::I32,
        "uint8" | "bool" => Element::U8,
        "uint16" => Element::U16,
        other => return Err(Fault::DataType { name: weight.name.clone(), found: other.to_owned() }),
    };
    Ok(Constant { shape: weight.shape.clone(), element, raw: Bytes::new(), quantisation })
}

fn attributes(json: AttrsJson) -> Attributes {
    let ints = |attr: Option<AttrJson>| {
        let list = attr.and_then(|a| a.list).map(|l| l.i).unwrap_or_default();
        list.into_iter().filter_map(IntJson::value).collect()
    };
    let text = |attr: Option<AttrJson>| attr.and_then(|a| a.s).map(TextJson::text);
    Attributes {
        strides: ints(json.strides),
        dilations: ints(json.dilations),
        window: ints(json.ksize),
        padding: text(json.padding),
        data_format: text(json.data_format),
        epsilon: json.epsilon.and_then(|a| a.f),
        ..Attributes::default()
    }
}

impl IntJson {
    fn value(self) -> Option<i64> {
        match self {
            Self::Number(n) => Some(n),
            Self::Text(t) => t.parse().ok(),
        }
    }
}

impl TextJson {
    fn text(self) -> String {
        let bytes = match self {
            Self::Bytes(bytes) => bytes,
            // The words in use (SAME, VALID, NHWC) are short; anything else is refused later, by this text.
            Self::Base64(text) => match text.as_str() {
                "U0FNRQ==" => b"SAME".to_vec(),
                "VkFMSUQ=" => b"VALID".to_vec(),
                "TkhXQw==" => b"NHWC".to_vec(),
                _ => text.into_bytes(),
            },
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
