//! Integration tests, one module for each subject, in one binary.

mod access;
mod architecture;
mod board;
mod browser;
mod catalog;
mod config;
mod daemon;
mod decode;
mod detect;
mod doctor;
mod engine_cache;
mod eval;
mod fake;
mod http;
mod import;
mod import_onnx;
mod infer;
mod last_good;
mod preprocess;
mod program;
mod runtimes;
mod source;
mod support;
mod swap;
mod telemetry;
mod units;
