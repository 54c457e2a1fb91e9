//! TensorFlow.js and face-api: JSON, a zero byte, and the bytes of every shard.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|&b| b == 0).unwrap_or(input.len());
    let (json, shard) = input.split_at(end);
    sightd_fuzz::check(json, shard.get(1..).unwrap_or_default());
});
