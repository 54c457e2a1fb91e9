//! An engine that plays prepared outputs, for tests of the other rooms.

use super::{Engine, InferError};
use crate::{
    geometry::Size,
    status::{EngineInfo, ProviderState, ProviderStatus},
    tensor::{RawOutputs, RawTensor},
};
use std::{path::PathBuf, sync::Arc, thread, time::Duration};

/// A tensor with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The output's name.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its values, as many as the product of `shape`.
    pub data: Vec<f32>,
}

/// What one run gives: all outputs, or an error's text.
pub type ReplayRun = Result<Vec<Prepared>, String>;

/// Plays its steps in order, and then again from the first.
#[derive(Debug)]
pub struct Replay {
    input: Vec<f32>,
    steps: Vec<ReplayRun>,
    runs: usize,
    pause: Duration,
    info: EngineInfo,
}

impl Replay {
    /// An engine called `model` with an input of `input_len` values. Without steps every run gives no outputs.
    pub fn new(model: &str, input_len: usize, steps: Vec<ReplayRun>) -> Self {
        let cpu = ProviderStatus { name: "cpu".to_owned(), state: ProviderState::Active, reason: None, nodes: Some(1) };
        let info = EngineInfo {
            model: model.into(),
            model_sha256: String::new(),
            licence: None,
            source: None,
            stands_in_for: None,
            labels: Arc::default(),
            input: Size::new(0, 0),
            runtime_version: "replay".to_owned(),
            runtime_api: 0,
            library: PathBuf::new(),
            providers: vec![cpu],
        };
        Self { input: vec![0.0; input_len], steps, runs: 0, pause: Duration::ZERO, info }
    }

    /// Lets every run take at least `pause`.
    #[must_use]
    pub fn taking(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The step of the last run.
    fn last(&self) -> Option<&ReplayRun> {
        let last = self.runs.checked_sub(1)?.checked_rem(self.steps.len())?;
        self.steps.get(last)
    }
}

impl Engine for Replay {
    fn input(&mut self) -> &mut [f32] {
        &mut self.input
    }

    fn run(&mut self) -> Result<(), InferError> {
        thread::sleep(self.pause);
        self.runs += 1;
        match self.last() {
            Some(Err(reason)) => Err(InferError::Run(reason.clone())),
            _ => Ok(()),
        }
    }

    fn info(&self) -> &EngineInfo {
        &self.info
    }
}

impl RawOutputs for Replay {
    fn output(&self, name: &str) -> Option<RawTensor<'_>> {
        let outputs = self.last()?.as_ref().ok()?;
        let found = outputs.iter().find(|output| output.name == name)?;
        Some(RawTensor { shape: &found.shape, data: &found.data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_played_in_a_circle() {
        let step = |value| Ok(vec![Prepared { name: "out".into(), shape: vec![1], data: vec![value] }]);
        let mut engine = Replay::new("test", 4, vec![step(1.0), Err("broken".into()), step(2.0)]);
        assert!(engine.output("out").is_none());
        let mut seen = Vec::new();
        for _ in 0..4 {
            let ran = engine.run();
            seen.push(engine.output("out").map(|tensor| tensor.data[0]));
            assert_eq!(ran.is_err(), seen.last() == Some(&None));
        }
        assert_eq!(seen, [Some(1.0), None, Some(2.0), Some(1.0)]);
        assert!(engine.output("another").is_none());
        assert_eq!(engine.input().len(), 4);
    }
}
