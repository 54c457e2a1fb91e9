//! What last worked: version, configuration and model of a run that has proved itself, kept for a way back.
//!
//! ```text
//!  STATE_DIRECTORY/last-good/VERSION                          of the program
//!                            config.toml, conf.d/*.toml       as they were read
//!                            conf.d/zz-last-good.toml         names the copy of the model
//!                            began-with                       all of this in one text, to compare
//!                            model/NAME.onnx, NAME.toml       the model and its manifest
//! ```
//!
//! The folder is made beside its place and then put there in one step. `sightd run --last-good` reads it;
//! `deploy/deb/last-good` decides when.

use super::{failure::Failure, plan::data_folder, watchdog};
use crate::{
    camera::CameraState,
    config::Sources,
    ops::systemd::{CameraView, Progress, Verdict, View},
    state::DaemonState,
};
use anyhow::{Context, anyhow};
use detector::{files, infer, manifest::Model, status::EnginePhase};
use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::spawn_blocking;

/// The file by which it is known whether anything has changed.
const BEGAN_WITH: &str = "began-with";

/// How long a run must have worked before it is kept.
const PROOF: Duration = Duration::from_secs(20);

/// How often that is checked.
const INTERVAL: Duration = Duration::from_secs(1);

/// The configuration a run began with, to be kept once it has proved itself.
pub struct LastGood {
    folder: PathBuf,
    /// Each file's name below the folder, and its text.
    config: Vec<(PathBuf, String)>,
}

/// Where the configuration that last worked is read from.
///
/// # Errors
/// When none has worked yet.
pub fn sources() -> Result<Sources, Failure> {
    let folder = folder();
    let file = folder.join("config.toml");
    if file.exists() {
        Ok(Sources { file: Some(file), flags: Vec::new() })
    } else {
        Err(Failure::Config(anyhow!("--last-good: no run has proved itself yet, {} is not there", folder.display())))
    }
}

fn folder() -> PathBuf {
    data_folder().join("last-good")
}

impl LastGood {
    /// What a run began with: `files` as they are now.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn of(files: &[PathBuf]) -> io::Result<Self> {
        let in_parts = |file: &Path| file.parent().is_some_and(|folder| folder.ends_with("conf.d"));
        let read = |file: &PathBuf| {
            let name = match file.file_name() {
                Some(name) if in_parts(file) => Path::new("conf.d").join(name),
                _ => "config.toml".into(),
            };
            Ok((name, fs::read_to_string(file)?))
        };
        Ok(Self { folder: folder(), config: files.iter().map(read).collect::<io::Result<_>>()? })
    }

    /// Waits until the run has proved itself, then keeps what it began with and `model`. What goes wrong is logged.
    pub(super) async fn keep(self, state: Arc<DaemonState>, engine: infer::Config, model: Model) {
        wait_for_proof(&state, &engine).await;
        let kept = spawn_blocking(move || self.write(&model).map(|()| self.folder)).await;
        match kept {
            Ok(Ok(folder)) => tracing::info!(folder = %folder.display(), "this run works: kept as the last good one"),
            Ok(Err(error)) => tracing::warn!("this run cannot be kept as the last good one: {error:#}"),
            Err(error) => tracing::warn!("this run cannot be kept as the last good one: {error}"),
        }
    }

    /// All that is kept, to be compared: what has not changed is not written again, which spares the card.
    fn began_with(&self, model: &Model) -> String {
        format!("{}\n{}\n{:?}\n", env!("CARGO_PKG_VERSION"), model.sha256, self.config)
    }

    fn write(&self, model: &Model) -> anyhow::Result<()> {
        if fs::read_to_string(self.folder.join(BEGAN_WITH)).is_ok_and(|kept| kept == self.began_with(model)) {
            return Ok(());
        }
        let parent = self.folder.parent().context("the folder has no parent")?;
        // Addresses of cameras may hold passwords.
        let owner_only = fs::Permissions::from_mode(0o700);
        let new = tempfile::Builder::new().prefix(".last-good.").permissions(owner_only).tempdir_in(parent)?;
        self.fill(new.path(), model).with_context(|| format!("cannot write {}", new.path().display()))?;
        files::swap_folder(new.path(), &self.folder)
            .with_context(|| format!("cannot put {} in place", self.folder.display()))
    }

    fn fill(&self, new: &Path, model: &Model) -> anyhow::Result<()> {
        let (parts, models) = (new.join("conf.d"), new.join("model"));
        fs::create_dir(&parts)?;
        fs::create_dir(&models)?;
        fs::write(new.join("config.toml"), "")?;
        for (name, text) in &self.config {
            fs::write(new.join(name), text)?;
        }
        let file = model.path.file_name().context("the model's path names no file")?;
        fs::copy(&model.path, models.join(file))?;
        let manifest = model.path.with_extension("toml");
        if manifest.exists() {
            fs::copy(&manifest, models.join(file).with_extension("toml"))?;
        }
        let name = self.folder.join("model").join(file).display().to_string();
        let name = toml::Value::from(name);
        fs::write(parts.join("zz-last-good.toml"), format!("[model]\nname = {name}\n"))?;
        fs::write(new.join(BEGAN_WITH), self.began_with(model))?;
        fs::write(new.join("VERSION"), concat!(env!("CARGO_PKG_VERSION"), "\n"))?;
        Ok(())
    }
}

/// Returns once the run has worked for [`PROOF`] without a break.
async fn wait_for_proof(state: &DaemonState, engine: &infer::Config) {
    let mut progress = Progress::new(watchdog::deadlines(engine));
    let mut proved = Duration::ZERO;
    while proved < PROOF {
        tokio::time::sleep(INTERVAL).await;
        let view = watchdog::view(state);
        let alive = progress.judge(Instant::now(), &view) == Verdict::Alive;
        proved = if alive && works(&view) { proved + INTERVAL } else { Duration::ZERO };
    }
}

/// Whether the daemon does what it is there for: the engine is ready, and a camera has given a scene, however seldom it
/// gives one; or every camera is switched off.
fn works(view: &View) -> bool {
    let is_off = |camera: &CameraView| camera.state == CameraState::Disabled;
    matches!(view.phase, EnginePhase::Ready) && (view.scenes > 0 || view.cameras.iter().all(is_off))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::CameraName;

    fn view(phase: EnginePhase, scenes: u64, states: &[CameraState]) -> View {
        let camera = |state: &CameraState| CameraView {
            name: CameraName::default(),
            state: *state,
            frames: scenes,
            restarts: 0,
            fps: 0.01,
            last_error: None,
            stall_after: Duration::from_secs(400),
        };
        View { phase, scenes, cameras: states.iter().map(camera).collect() }
    }

    #[test]
    fn a_slow_camera_and_one_that_is_off_prove_themselves() {
        use CameraState::{Disabled, Retrying, Running, Starting};
        for (scenes, states, want) in [
            (1, &[Running][..], true),
            (0, &[Disabled], true),
            (0, &[Running], false),
            (0, &[Starting], false),
            (0, &[Disabled, Retrying], false),
            (5, &[Running, Retrying], true),
        ] {
            assert_eq!(works(&view(EnginePhase::Ready, scenes, states)), want, "{scenes} {states:?}");
        }
        assert!(!works(&view(EnginePhase::WarmingUp, 1, &[Running])));
    }
}
