//! TensorFlow Lite. What has another identifier is given theirs.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let mut file = file.to_vec();
    if let Some(identifier) = file.get_mut(4..8) {
        identifier.copy_from_slice(b"TFL3");
    }
    sightd_fuzz::check(&file, &[]);
});
