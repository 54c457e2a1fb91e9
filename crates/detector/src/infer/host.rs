//! What inference must know of the host it runs on.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    thread,
};

/// The files through which Linux tells about the host.
pub(super) struct Host {
    root: PathBuf,
}

impl Host {
    /// The one we run on.
    pub(super) fn this() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// How many threads work on one run when the configuration does not say: one for each physical core this process
    /// may use; on a board one less, which is left for the pictures.
    pub(super) fn default_threads(&self) -> usize {
        let allowed = thread::available_parallelism().map_or(1, Into::into);
        self.threads(allowed)
    }

    fn threads(&self, allowed: usize) -> usize {
        let cores = self.physical_cores().map_or(allowed, |cores| cores.min(allowed));
        if self.board().is_some() { cores.saturating_sub(1).max(1) } else { cores.max(1) }
    }

    /// Counts CPUs that share a core once.
    fn physical_cores(&self) -> Option<usize> {
        let siblings: BTreeSet<String> = fs::read_dir(self.root.join("sys/devices/system/cpu"))
            .ok()?
            .flatten()
            .filter_map(|cpu| fs::read_to_string(cpu.path().join("topology/thread_siblings_list")).ok())
            .collect();
        Some(siblings.len()).filter(|cores| *cores > 0)
    }

    /// The board's name from the device tree, for example `NVIDIA Jetson Nano Developer Kit`; a PC has none.
    fn board(&self) -> Option<String> {
        let name = fs::read_to_string(self.root.join("proc/device-tree/model")).ok()?;
        Some(name.trim_end_matches(['\0', '\n']).to_owned())
    }

    /// What engines are built for: the board, else the NVIDIA GPUs, else only the kind of processor.
    pub(super) fn target(&self) -> String {
        self.board().or_else(|| self.gpus()).unwrap_or_else(|| env::consts::ARCH.to_owned())
    }

    /// The models of the GPUs, as NVIDIA's driver for PCs names them.
    fn gpus(&self) -> Option<String> {
        let mut models: Vec<String> = fs::read_dir(self.root.join("proc/driver/nvidia/gpus"))
            .ok()?
            .flatten()
            .filter_map(|gpu| fs::read_to_string(gpu.path().join("information")).ok())
            .filter_map(|text| text.lines().find_map(|line| Some(line.strip_prefix("Model:")?.trim().to_owned())))
            .collect();
        models.sort();
        Some(models.join(", ")).filter(|models| !models.is_empty())
    }

    /// How much the GPU may take where it shares the board's memory: half of what is free now, in bytes. A GPU with
    /// memory of its own may take all of that.
    pub(super) fn gpu_memory_limit(&self) -> Option<u64> {
        self.board()?;
        let text = fs::read_to_string(self.root.join("proc/meminfo")).ok()?;
        let available = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        let kib: u64 = available.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024 / 2)
    }

    /// The version of the TensorRT that this process has loaded, from the name of its file.
    pub(super) fn tensorrt(&self) -> Option<String> {
        let maps = fs::read_to_string(self.root.join("proc/self/maps")).ok()?;
        maps.lines().find_map(|line| {
            let file = Path::new(line.split_whitespace().nth(5)?).file_name()?.to_str()?;
            Some(file.strip_prefix("libnvinfer.so.")?.to_owned())
        })
    }
}

/// Where caches belong: systemd's folder, else the user's, else the system's.
pub(super) fn cache_dir() -> PathBuf {
    cache_dir_from(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}

fn cache_dir_from(variable: impl Fn(&str) -> Option<String>) -> PathBuf {
    if let Some(first) = variable("CACHE_DIRECTORY").as_deref().and_then(|folders| folders.split(':').next()) {
        return PathBuf::from(first);
    }
    let user = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")));
    user.unwrap_or_else(|| PathBuf::from("/var/cache")).join("sightd")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A host made of files.
    fn host(files: &[(&str, &str)]) -> (TempDir, Host) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = folder.path().to_owned();
        (folder, Host { root })
    }

    const CORE: &str = "topology/thread_siblings_list";

    #[test]
    fn a_nano_keeps_one_core_for_the_pictures() {
        let cpu = |n: u32| (format!("sys/devices/system/cpu/cpu{n}/{CORE}"), format!("{n}\n"));
        let cpus: Vec<(String, String)> = (0..4).map(cpu).collect();
        let mut files: Vec<(&str, &str)> = cpus.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        files.push(("proc/device-tree/model", "NVIDIA Jetson Nano Developer Kit\0"));
        files.push(("proc/meminfo", "MemTotal:        4059216 kB\nMemAvailable:    3000000 kB\n"));
        let (_folder, nano) = host(&files);
        assert_eq!(nano.threads(4), 3);
        assert_eq!(nano.threads(2), 1); // the 5 W mode
        assert_eq!(nano.threads(1), 1);
        assert_eq!(nano.target(), "NVIDIA Jetson Nano Developer Kit");
        assert_eq!(nano.gpu_memory_limit(), Some(1_536_000_000));
    }

    #[test]
    fn a_pc_uses_its_cores_and_not_their_threads() {
        let (_folder, pc) = host(&[
            (&format!("sys/devices/system/cpu/cpu0/{CORE}"), "0-1"),
            (&format!("sys/devices/system/cpu/cpu1/{CORE}"), "0-1"),
            (&format!("sys/devices/system/cpu/cpu2/{CORE}"), "2-3"),
            (&format!("sys/devices/system/cpu/cpu3/{CORE}"), "2-3"),
            ("proc/meminfo", "MemAvailable:    3000000 kB\n"),
            ("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA GeForce RTX 3060\nIRQ: 1\n"),
            (
                "proc/self/maps",
                "7f00-7f10 r-xp 00000000 08:01 5   /usr/lib/libc.so.6\n\
                 7f10-7f20 r-xp 00000000 08:01 6   /usr/lib/x86_64-linux-gnu/libnvinfer.so.8.2.1\n",
            ),
        ]);
        assert_eq!(pc.threads(4), 2);
        assert_eq!(pc.gpu_memory_limit(), None);
        assert_eq!(pc.target(), "NVIDIA GeForce RTX 3060");
        assert_eq!(pc.tensorrt().as_deref(), Some("8.2.1"));
    }

    #[test]
    fn a_machine_that_tells_nothing_still_works() {
        let (_folder, bare) = host(&[]);
        assert_eq!(bare.threads(3), 3);
        assert_eq!(bare.target(), env::consts::ARCH);
        assert_eq!(bare.tensorrt(), None);
    }

    #[test]
    fn caches_go_to_the_folder_the_system_names() {
        let from = |set: &[(&str, &str)]| {
            let set: Vec<(String, String)> = set.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            cache_dir_from(|name| set.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()))
        };
        assert_eq!(
            from(&[("CACHE_DIRECTORY", "/var/cache/sightd:/x"), ("HOME", "/h")]),
            Path::new("/var/cache/sightd")
        );
        assert_eq!(from(&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")]), Path::new("/c/sightd"));
        assert_eq!(from(&[("HOME", "/h")]), Path::new("/h/.cache/sightd"));
        assert_eq!(from(&[]), Path::new("/var/cache/sightd"));
    }
}
