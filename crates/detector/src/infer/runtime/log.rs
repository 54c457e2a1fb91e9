//! The runtime's own words: what it logs while it works for one caller can be collected, so that an unavailable
//! provider is reported with the true reason. The name of a missing CUDA library, for example, is only logged.

use ort::logging::LogLevel;
use std::{cell::RefCell, sync::Arc};

/// One line of the runtime's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its severity.
    pub level: LogLevel,
    /// The line, without time and source position.
    pub text: String,
}

thread_local! {
    /// What is being collected on this thread. The runtime calls back on the thread that causes a message.
    static COLLECTED: RefCell<Option<Vec<Message>>> = const { RefCell::new(None) };
}

/// Runs `work` and gives what the runtime logged on this thread meanwhile, at any level its session was set to.
pub(crate) fn collect<T>(work: impl FnOnce() -> T) -> (T, Vec<Message>) {
    let outer = COLLECTED.replace(Some(Vec::new()));
    let result = work();
    let messages = COLLECTED.replace(outer).unwrap_or_default();
    (result, messages)
}

/// The callback of the one environment of this process. Never panics: it is called from C++.
pub(super) fn logger() -> ort::logging::LoggerFunction {
    Arc::new(|level, _category, id, _position, text| {
        let taken = COLLECTED.try_with(|collected| match collected.try_borrow_mut().as_deref_mut() {
            Ok(Some(messages)) => {
                messages.push(Message { level, text: text.to_owned() });
                true
            }
            _ => false,
        });
        if taken != Ok(true) {
            forward(level, id, text);
        }
    })
}

/// Passes a line on to our own log.
fn forward(level: LogLevel, id: &str, text: &str) {
    match level {
        LogLevel::Error | LogLevel::Fatal => tracing::error!(target: "onnxruntime", session = id, "{text}"),
        LogLevel::Warning => tracing::warn!(target: "onnxruntime", session = id, "{text}"),
        LogLevel::Info | LogLevel::Verbose => tracing::trace!(target: "onnxruntime", session = id, "{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_collects_its_own_lines_only() {
        let log = logger();
        let (_, messages) = collect(|| {
            log(LogLevel::Error, "", "sightd", "", "mine");
            let log = logger();
            std::thread::spawn(move || log(LogLevel::Error, "", "sightd", "", "another's")).join()
        });
        assert_eq!(messages, [Message { level: LogLevel::Error, text: "mine".into() }]);
        log(LogLevel::Info, "", "sightd", "", "to nobody");
        assert_eq!(collect(|| ()).1, []);
    }
}
