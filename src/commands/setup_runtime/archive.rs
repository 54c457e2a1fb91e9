//! Takes the libraries for this machine out of what people download or build: a library, a tar archive (plain or
//! compressed by gzip, bzip2 or xz), a zip archive, or a folder.

use super::place::{PROVIDER_LIBRARIES, STEM};
use anyhow::{Context, bail, ensure};
use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use std::{
    collections::BTreeSet,
    fs::{self, File, Permissions},
    io::{self, Read, Seek},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The largest library that is taken out of an archive, in bytes; CUDA's provider has some hundred MiB.
const MAX_FILE: u64 = 2 << 30;
/// All libraries that are taken, in bytes.
const MAX_WRITTEN: u64 = 4 << 30;
/// The longest archive after decompression, in bytes; Triton's has some GiB.
const MAX_UNPACKED: u64 = 16 << 30;
/// Memory for the dictionary of an .xz archive, in KiB; `xz -9` needs 65 MiB.
const MAX_DICTIONARY_KIB: u32 = 256 << 10;
/// Folders within each other that are searched.
const MAX_DEPTH: usize = 8;
/// Entries of one folder that are searched.
const MAX_ENTRIES: usize = 10_000;

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

/// What an input consists of, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Library,
    Tar,
    Gzip,
    Bzip2,
    Xz,
    Zip,
}

impl Kind {
    /// Bytes that are enough to tell: a tar archive has its mark behind the first file's name and attributes.
    const LENGTH: u64 = 262;

    fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x7f, b'E', b'L', b'F', ..] => Some(Self::Library),
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [b'B', b'Z', b'h', ..] => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            _ if start.get(257..262) == Some(b"ustar") => Some(Self::Tar),
            _ => None,
        }
    }
}

/// What an archive or folder has given so far.
#[derive(Default)]
struct Taken {
    /// The archive's folders that held a library for this machine, in its order; the libraries of the n-th lie in the
    /// n-th folder of ours.
    folders: Vec<PathBuf>,
    /// Other machines that it has the library for.
    others: BTreeSet<ElfMachine>,
    /// Whether it has the module that ONNX Runtime is in Python.
    python: bool,
    /// Bytes that were written.
    written: u64,
}

/// Puts the libraries for this machine that `from` (a library, an archive or a folder) holds into a folder under
/// `into`, and gives that folder.
pub(super) fn take(from: &Path, into: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(into)?;
    let mut taken = Taken::default();
    if from.is_dir() {
        taken.folder(from, into, MAX_DEPTH)?;
        return taken.main_folder(into);
    }
    let mut source = File::open(from).context("cannot be read")?;
    let mut start = Vec::new();
    source.by_ref().take(Kind::LENGTH).read_to_end(&mut start)?;
    source.rewind()?;
    let unpacked: Box<dyn Read> = match Kind::of(&start) {
        Some(Kind::Library) => {
            taken.offer(Path::new("libonnxruntime.so"), &mut source, into)?;
            taken.providers_beside(from, into)?;
            return taken.main_folder(into);
        }
        Some(Kind::Zip) => {
            taken.zip(source, into).context("is a damaged archive")?;
            return taken.main_folder(into);
        }
        Some(Kind::Tar) => Box::new(source),
        Some(Kind::Gzip) => Box::new(MultiGzDecoder::new(source)),
        Some(Kind::Bzip2) => Box::new(MultiBzDecoder::new(source)),
        Some(Kind::Xz) => Box::new(XzReader::new_mem_limit(source, true, MAX_DICTIONARY_KIB)),
        None => bail!(
            "is neither a library (ELF), a folder, nor a .tgz, .tar.gz, .tar.bz2, .tar.xz, .tar, .whl or .zip archive"
        ),
    };
    taken.tar(unpacked.take(MAX_UNPACKED), into).context("is a damaged archive")?;
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

    /// Searches `from` and the folders in it; symbolic links are not followed.
    fn folder(&mut self, from: &Path, into: &Path, depth: usize) -> anyhow::Result<()> {
        let read = || -> io::Result<Vec<fs::DirEntry>> { fs::read_dir(from)?.take(MAX_ENTRIES + 1).collect() };
        let mut entries = read().with_context(|| format!("cannot read {}", from.display()))?;
        ensure!(entries.len() <= MAX_ENTRIES, "{} has more than {MAX_ENTRIES} entries", from.display());
        entries.sort_by_key(fs::DirEntry::file_name);
        let (folders, files): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        for file in files.iter().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())) {
            self.file(&file.path(), into)?;
        }
        if depth > 0 {
            folders.iter().try_for_each(|folder| self.folder(&folder.path(), into, depth - 1))?;
        }
        Ok(())
    }

    /// Takes a file of the system if it is one of ONNX Runtime's libraries.
    fn file(&mut self, path: &Path, into: &Path) -> anyhow::Result<()> {
        if path.file_name().and_then(|name| name.to_str()).is_some_and(is_library) {
            let mut content = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            self.offer(path, &mut content, into)?;
        }
        Ok(())
    }

    /// Takes the providers that lie beside the library that the user named.
    fn providers_beside(&mut self, library: &Path, into: &Path) -> anyhow::Result<()> {
        let library = library.canonicalize()?;
        let Some(beside) = library.parent() else { return Ok(()) };
        for provider in PROVIDER_LIBRARIES {
            let path = beside.join(provider);
            if path.is_file() {
                let mut content = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
                // Under the library's own place, so that they get into its folder.
                self.offer(Path::new(provider), &mut content, into)?;
            }
        }
        Ok(())
    }

    /// Takes a file if it is one of ONNX Runtime's libraries, for this machine.
    fn offer(&mut self, path: &Path, content: &mut dyn Read, into: &Path) -> anyhow::Result<()> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(()) };
        self.python |= name.starts_with("onnxruntime_pybind11_state");
        if !is_library(name) {
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
        self.written += written;
        ensure!(self.written <= MAX_WRITTEN, "holds more than {} MiB of libraries", MAX_WRITTEN >> 20);
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

fn is_library(name: &str) -> bool {
    name.starts_with(STEM) && name.contains(".so")
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
        header[18] = 183; // AArch64
        header[40..42].copy_from_slice(&[0, 1]);
        (header[58], header[60]) = (64, 2);
        assert_eq!(Elf::read(&header), Some(Elf { machine: ElfMachine::AARCH64, length: 256 + 128 }));
        assert_eq!(Elf::read(&header[..HEADER - 1]), None);
        assert_eq!(Elf::read(&[b'#'; HEADER]), None);
    }
}
