//! Integration tests, one module for each subject.

mod decode;
mod support;
