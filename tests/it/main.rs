//! Integration tests, one module for each subject, in one binary.

mod architecture;
mod board;
mod browser;
mod catalog;
mod decode;
mod detect;
mod engine_cache;
mod eval;
mod fake;
mod http;
mod import;
mod infer;
mod last_good;
mod preprocess;
mod runtimes;
mod source;
mod support;
mod telemetry;
mod units;
