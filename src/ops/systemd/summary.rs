//! The one line that `systemctl status` shows.

use super::View;
use crate::camera::CameraState;
use detector::status::EnginePhase;
use std::time::Instant;

/// What the daemon does, in one line; `provider` is what the network runs on.
pub fn summary(at: Instant, view: &View, provider: Option<&str>) -> String {
    let running: Vec<_> = view.cameras.iter().filter(|camera| camera.state == CameraState::Running).collect();
    let fps: f32 = running.iter().map(|camera| camera.fps).sum();
    let engine = match &view.phase {
        EnginePhase::LoadingRuntime => "loading ONNX Runtime".into(),
        EnginePhase::Building { since, .. } => {
            format!("building the engine for {} s", at.saturating_duration_since(*since).as_secs())
        }
        EnginePhase::WarmingUp => "warming up".into(),
        EnginePhase::Ready => format!("{fps:.1} fps on {}", provider.unwrap_or("an unknown provider")),
        EnginePhase::Failed { reason } => format!("no engine: {reason}"),
    };
    let mut text = format!("{engine}; {} of {} cameras running", running.len(), view.cameras.len());
    if let Some(camera) = view.cameras.iter().find(|camera| camera.state != CameraState::Running) {
        let state = format!("{:?}", camera.state).to_lowercase();
        text.push_str(&format!("; {} is {state}", camera.name));
        if let Some(error) = &camera.last_error {
            text.push_str(&format!(": {error}"));
        }
    }
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::systemd::CameraView;
    use std::time::Duration;

    fn camera(name: &str, state: CameraState) -> CameraView {
        CameraView {
            name: name.parse().unwrap(),
            state,
            frames: 1,
            restarts: 0,
            fps: 14.95,
            last_error: None,
            stall_after: Duration::ZERO,
        }
    }

    #[test]
    fn it_says_rate_provider_and_who_is_missing() {
        let mut gate = camera("gate", CameraState::Retrying);
        gate.last_error = Some("no route\nto host".into());
        let view =
            View { phase: EnginePhase::Ready, scenes: 3, cameras: vec![camera("front", CameraState::Running), gate] };
        assert_eq!(
            summary(Instant::now(), &view, Some("tensorrt")),
            "14.9 fps on tensorrt; 1 of 2 cameras running; gate is retrying: no route to host"
        );
    }

    #[test]
    fn it_says_how_long_a_build_has_taken() {
        let since = Instant::now();
        let view = View { phase: EnginePhase::Building { since, usual: None }, scenes: 0, cameras: Vec::new() };
        let text = summary(since + Duration::from_secs(42), &view, None);
        assert_eq!(text, "building the engine for 42 s; 0 of 0 cameras running");
    }
}
