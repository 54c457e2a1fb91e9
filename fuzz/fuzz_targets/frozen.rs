//! TensorFlow frozen graphs. What begins otherwise is given the first byte of one.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let mut file = file.to_vec();
    if let Some(first) = file.first_mut() {
        *first = 0x0a;
    }
    sightd_fuzz::check(&file, &[]);
});
