//! `sightd doctor cameras`, on whatever machine this is.

use crate::program::run_to_end;
use serde_json::Value;

#[test]
fn cameras_are_listed_for_people_and_for_programs() {
    let (code, text) = run_to_end(&["doctor", "cameras"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, json) = run_to_end(&["doctor", "cameras", "--json"]);
    assert_eq!(code, Some(0), "{json}");
    let cameras: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(cameras.is_empty(), text.starts_with("no camera is plugged in"), "{text}");
    for camera in cameras {
        assert!(text.contains(&format!("source = {}", camera["source"])), "{text}");
    }
}
