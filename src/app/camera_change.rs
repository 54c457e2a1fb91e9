//! What the HTTP API changes of a camera's settings.

use crate::{
    config::CameraConfig,
    publish::http::{CameraChange, CameraSettings},
};
use anyhow::Context;
use detector::decode;
use serde_json::{Map, Value};

/// The settings of `camera` that apply live.
pub(super) fn settings(camera: &CameraConfig) -> anyhow::Result<CameraSettings> {
    Ok(CameraSettings { enabled: camera.enabled, detection: serde_json::to_value(&camera.detection)? })
}

/// `camera` with `change` merged into it.
pub(super) fn changed(camera: &CameraConfig, change: CameraChange) -> anyhow::Result<CameraConfig> {
    let mut detection = serde_json::to_value(&camera.detection)?;
    merge(&mut detection, Value::Object(change.detection.unwrap_or_default()));
    let detection: decode::Config = serde_path_to_error::deserialize(detection).context("detection")?;
    Ok(CameraConfig { enabled: change.enabled.unwrap_or(camera.enabled), detection, ..camera.clone() })
}

/// Merges `patch` into `target` (JSON Merge Patch, RFC 7396).
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        match value {
            Value::Null => drop(target.remove(&key)),
            value => merge(target.entry(key).or_insert(Value::Null), value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(detection: Value) -> Result<Value, String> {
        let detection = serde_json::from_value(detection).unwrap();
        let change = CameraChange { detection, ..CameraChange::default() };
        let mut camera = CameraConfig::default();
        camera.detection.classes.insert("bird".into(), decode::ClassRule::Wanted(false));
        let changed = changed(&camera, change).map_err(|error| format!("{error:#}"))?;
        Ok(serde_json::to_value(changed.detection).unwrap())
    }

    #[test]
    fn what_is_absent_stays_and_null_removes() {
        let changed = change(json!({"score": 0.25, "classes": {"person": 0.75, "bird": null}})).unwrap();
        assert_eq!((&changed["score"], &changed["max_detections"]), (&json!(0.25), &json!(100)));
        assert_eq!(changed["classes"], json!({"person": 0.75}));
        let kept = change(json!({"classes": {"person": 0.75}})).unwrap();
        assert_eq!(kept["classes"], json!({"person": 0.75, "bird": false}));
    }

    #[test]
    fn mistakes_name_the_key() {
        for (detection, says) in [
            (json!({"score": 7}), "score: 7 is not between 0 and 1"),
            (json!({"scroe": 0.5}), "unknown field `scroe`"),
            (json!({"classes": {"person": "yes"}}), "classes.person: must be a score between 0 and 1"),
        ] {
            let error = change(detection).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
