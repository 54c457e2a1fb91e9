//! What the libraries' C and C++ code asks of the process as a whole.

use crate::infer::attempts;
use std::io::{self, Write};

/// Gives memory that is free, yet still held by the allocator, back to the system. Opening a model takes much more
/// than its session keeps, and glibc's heap, once grown, does not shrink by itself below what is still in use.
pub(in crate::infer) fn give_back_memory() {
    // SAFETY: malloc_trim only walks the allocator's own free lists, under its locks.
    unsafe { libc::malloc_trim(0) };
}

/// Switches off what ONNX Runtime for Linux reports to its makers (seen in 1.30: it looks up a host and writes below
/// `~/.cache`, also with telemetry off in its environment's options). For the first line of `main`: it sets
/// `ORT_DISABLE_TELEMETRY`, which the library reads when it is loaded, and no other thread may run.
pub fn disable_telemetry() {
    // SAFETY: the environment is changed before any other thread exists, as the caller is told.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}

/// Ends the process with `code`, without the exit handlers and destructors of the loaded libraries: where a thread is
/// still inside one of them, in a run or in a driver that does not answer, those crash or wait for ever. An engine build
/// that is going on does not count as one that failed when the code is 0.
pub fn end_process(code: u8) -> ! {
    if code == 0 {
        attempts::forgive_current();
    }
    let _ = io::stdout().flush(); // there is nobody left to tell
    // SAFETY: _exit takes any number and does not return.
    unsafe { libc::_exit(code.into()) }
}
