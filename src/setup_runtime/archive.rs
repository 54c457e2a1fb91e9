//! Takes the libraries for this machine out of what people download: a library, a tar archive or a zip archive.

use super::place::STEM;
use anyhow::{Context, bail, ensure};
use flate2::read::GzDecoder;
use std::{
    collections::BTreeSet,
    fs::{self, File, Permissions},
    io::{self, Read, Seek},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The largest library that is taken out of an archive, in bytes; CUDA's provider has some hundred MiB.
const MAX_FILE: u64 = 2 << 30;

/// Length of the header of a 64-bit ELF file.
const HEADER: usize = 64;

/// The machine a library is for, as `e_machine` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ElfMachine(u16);

impl ElfMachine {
    const X86_64: Self = Self(62);
    const AARCH64: Self = Self(183);

    /// The one this program was built for.
    const THIS: Self = if cfg!(target_arch = "aarch64") { Self::AARCH64 } else { Self::X86_64 };

    fn name(self) -> String {
        match self {
            Self::X86_64 => "x86_64".to_owned(),
            Self::AARCH64 => "aarch64".to_owned(),
            Self(other) => format!("machine {other} of the ELF standard"),
        }
    }
}

/// What the header of a little-endian 64-bit ELF file says (System V ABI, "ELF header").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Elf {
    machine: ElfMachine,
    /// Where the table of sections ends, in bytes: the loader crashes on a file that is shorter.
    length: u64,
}

impl Elf {
    fn read(header: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER] = header.try_into().ok()?;
        let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let (entry_size, entries) = (u64::from(half(58)), u64::from(half(60)));
        let sections = u64::from_le_bytes(*header[40..].first_chunk()?);
        header
            .starts_with(b"\x7fELF\x02\x01")
            .then(|| Self { machine: ElfMachine(half(18)), length: sections.saturating_add(entry_size * entries) })
    }
}

/// What came of looking through an archive.
#[derive(Default)]
struct Taken {
    /// The archive's folders that held a library for this machine, in its order; the libraries of the n-th lie in the
    /// n-th folder of ours.
    folders: Vec<PathBuf>,
    /// Other machines that it has the library for.
    others: BTreeSet<ElfMachine>,
    /// Whether it has the module that ONNX Runtime is in Python.
    python: bool,
}

/// Puts the libraries for this machine that `file` holds into a folder under `into`, and gives that folder.
pub(super) fn take(file: &Path, into: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(into)?;
    let mut source = File::open(file).context("cannot be read")?;
    let mut magic = [0; 4];
    let length = source.read(&mut magic)?;
    source.rewind()?;
    let mut taken = Taken::default();
    match &magic[..length] {
        b"\x7fELF" => taken.offer(Path::new("libonnxruntime.so"), &mut source, into)?,
        [0x1f, 0x8b, ..] => taken.tar(GzDecoder::new(source), into).context("is a damaged archive")?,
        b"PK\x03\x04" => taken.zip(source, into).context("is a damaged archive")?,
        _ => bail!("is neither a library (ELF) nor a .tgz, .tar.gz, .whl or .zip archive"),
    }
    taken.main_folder(into)
}

impl Taken {
    fn tar(&mut self, archive: impl Read, into: &Path) -> anyhow::Result<()> {
        let mut archive = tar::Archive::new(archive);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.into_owned();
            if entry.header().entry_type().is_file() {
                self.offer(&path, &mut entry, into)?;
            }
        }
        Ok(())
    }

    fn zip(&mut self, archive: impl Read + Seek, into: &Path) -> anyhow::Result<()> {
        let mut archive = zip::ZipArchive::new(archive)?;
        for i in 0..archive.len() {
            let mut entry = archive.by_index(i)?;
            if let Some(path) = entry.enclosed_name().filter(|_| entry.is_file()) {
                self.offer(&path, &mut entry, into)?;
            }
        }
        Ok(())
    }

    /// Takes a file if it is one of ONNX Runtime's libraries, for this machine.
    fn offer(&mut self, path: &Path, content: &mut dyn Read, into: &Path) -> anyhow::Result<()> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(()) };
        self.python |= name.starts_with("onnxruntime_pybind11_state");
        if !(name.starts_with(STEM) && name.contains(".so")) {
            return Ok(());
        }
        let mut header = Vec::new();
        content.take(HEADER as u64).read_to_end(&mut header)?;
        let Some(elf) = Elf::read(&header) else { return Ok(()) };
        if elf.machine != ElfMachine::THIS {
            self.others.insert(elf.machine);
            return Ok(());
        }
        let from = path.parent().unwrap_or(Path::new("")).to_owned();
        let index = self.folders.iter().position(|folder| *folder == from).unwrap_or_else(|| {
            self.folders.push(from);
            self.folders.len() - 1
        });
        let folder = folder(into, index);
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        let written = write(&folder.join(name), header.chain(content)).with_context(|| path.display().to_string())?;
        ensure!(written >= elf.length, "{name} is cut off: {written} bytes of {} are there", elf.length);
        Ok(())
    }

    /// The first folder with the library itself, not just with providers.
    fn main_folder(&self, into: &Path) -> anyhow::Result<PathBuf> {
        let is_main = |name: &str| name.starts_with(&format!("{STEM}.so"));
        for index in 0..self.folders.len() {
            let folder = folder(into, index);
            for entry in fs::read_dir(&folder)? {
                if entry?.file_name().to_str().is_some_and(is_main) {
                    return Ok(folder);
                }
            }
        }
        let others: Vec<_> = self.others.iter().map(|machine| machine.name()).collect();
        ensure!(
            others.is_empty(),
            "has ONNX Runtime for {}, and this machine is {}",
            others.join(" and "),
            ElfMachine::THIS.name()
        );
        ensure!(
            !self.python,
            "has ONNX Runtime only as a module of Python; sightd needs the C library, {STEM}.so (docs/install.md)"
        );
        bail!("holds no {STEM}.so")
    }
}

fn folder(into: &Path, index: usize) -> PathBuf {
    into.join(index.to_string())
}

/// Writes a file that everybody may read, whatever the umask is; gives its length in bytes.
fn write(path: &Path, content: impl Read) -> anyhow::Result<u64> {
    let mut file = File::create(path)?;
    let written = io::copy(&mut content.take(MAX_FILE), &mut file)?;
    ensure!(written < MAX_FILE, "has a library of more than {} MiB", MAX_FILE >> 20);
    file.set_permissions(Permissions::from_mode(0o644))?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_machine_and_length() {
        let mut header = b"\x7fELF\x02\x01\x01".to_vec();
        header.resize(HEADER, 0);
        header[18] = 183;
        header[40..42].copy_from_slice(&[0, 1]);
        (header[58], header[60]) = (64, 2);
        assert_eq!(Elf::read(&header), Some(Elf { machine: ElfMachine::AARCH64, length: 256 + 128 }));
        assert_eq!(Elf::read(&header[..HEADER - 1]), None);
        assert_eq!(Elf::read(&[b'#'; HEADER]), None);
    }
}
