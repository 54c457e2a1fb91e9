//! A network's raw output, as the engine hands it to the decoder.

/// One output of the network: borrowed from the engine's own buffer, valid until its next run.
#[derive(Clone, Copy, Debug)]
pub struct RawTensor<'a> {
    /// Its dimensions, outermost first.
    pub shape: &'a [usize],
    /// Its values in row-major order: as many as the product of `shape`.
    pub data: &'a [f32],
}

/// The outputs of the last run, by their names in the graph.
pub trait RawOutputs {
    /// The output called `name`, if the network has one.
    fn output(&self, name: &str) -> Option<RawTensor<'_>>;
}
