//! The last lines of the log, for those who cannot see the journal: the page, a support bundle.

use detector::sync;
use jiff::Timestamp;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

/// How many lines are kept; an older one goes when a new one comes.
pub const KEPT: usize = 1000;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its number, counted from 1 since the start of the process.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// How grave it is.
    pub level: LogLevel,
    /// The part of the program that wrote it.
    pub target: String,
    /// What it says, its fields behind it as `name=value`; without secrets.
    pub message: String,
}

/// How grave a line is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something works less well than it could.
    Warn,
    /// What the daemon does.
    Info,
    /// How it does it.
    Debug,
    /// Every step.
    Trace,
}

/// The buffer. Shared behind an `Arc`; writing never waits for a reader for longer than the copy of some lines takes.
#[derive(Debug, Default)]
pub struct LogBuffer {
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<LogLine>,
    /// The number of the last line.
    last: u64,
}

impl LogBuffer {
    /// Writes a line under the next number.
    pub fn write(&self, at: Timestamp, level: LogLevel, target: String, message: String) {
        let mut lines = self.locked();
        lines.last += 1;
        let line = LogLine { seq: lines.last, at, level, target, message };
        if lines.lines.len() == KEPT {
            lines.lines.pop_front();
        }
        lines.lines.push_back(line);
    }

    /// The newest lines after line `since` that are at least as grave as `level`, oldest first, at most `limit`.
    pub fn read(&self, since: u64, level: LogLevel, limit: usize) -> Vec<LogLine> {
        let lines = self.locked();
        let fits = |line: &&LogLine| line.seq > since && line.level <= level;
        let mut lines: Vec<_> = lines.lines.iter().rev().filter(fits).take(limit).cloned().collect();
        lines.reverse();
        lines
    }

    /// The number of the last line; 0 before the first.
    pub fn last(&self) -> u64 {
        self.locked().last
    }

    fn locked(&self) -> MutexGuard<'_, Lines> {
        sync::lock(&self.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(lines: usize) -> LogBuffer {
        let buffer = LogBuffer::default();
        for number in 1..=lines {
            let level = if number % 10 == 0 { LogLevel::Warn } else { LogLevel::Info };
            buffer.write(Timestamp::UNIX_EPOCH, level, "sightd".into(), format!("line {number}"));
        }
        buffer
    }

    fn numbers(lines: &[LogLine]) -> Vec<u64> {
        lines.iter().map(|line| line.seq).collect()
    }

    #[test]
    fn the_newest_lines_are_given_in_order() {
        let buffer = buffer(30);
        assert_eq!(numbers(&buffer.read(0, LogLevel::Info, 3)), [28, 29, 30]);
        assert_eq!(numbers(&buffer.read(28, LogLevel::Info, 100)), [29, 30]);
        assert_eq!(numbers(&buffer.read(5, LogLevel::Warn, 100)), [10, 20, 30]);
        assert_eq!(numbers(&buffer.read(30, LogLevel::Trace, 100)), [0; 0]);
    }

    #[test]
    fn old_lines_go_and_numbers_stay() {
        let buffer = buffer(KEPT + 5);
        let lines = buffer.read(0, LogLevel::Trace, usize::MAX);
        assert_eq!((lines.len(), lines[0].seq, buffer.last()), (KEPT, 6, KEPT as u64 + 5));
        assert_eq!(lines[0].message, "line 6");
    }
}
