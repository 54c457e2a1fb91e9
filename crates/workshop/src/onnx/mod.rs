//! ONNX files: the schema, small constructors, and the manifest in the metadata.

mod build;
pub mod proto;
mod read;
mod shape;

pub use build::{IR_VERSION, MANIFEST_KEY, OPSET, floats, int, int64s, ints, model, node, value};
pub use read::{OnnxError, read};
pub use shape::{Shapes, declared};
