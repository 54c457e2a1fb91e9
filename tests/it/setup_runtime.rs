//! `sightd setup-runtime` on the real archives that set-up fetched, and on what people name by mistake.

use crate::support::part;
use detector::files::sha256_of;
use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;
use zip::{ZipWriter, write::SimpleFileOptions};

/// The folder that is set up, in a folder of its own.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A wheel or other zip archive with these files.
    fn zip(&self, name: &str, files: &[(&str, &[u8])]) -> String {
        let path = self.0.path().join(name);
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        for (name, content) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sightd"));
        command.arg("setup-runtime").arg("--to").arg(self.0.path().join("opt/lib")).args(arguments).output().unwrap()
    }

    /// What is said when it goes well.
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What is said when it does not; nothing may have changed.
    fn refused(&self, arguments: &[&str]) -> String {
        let before = self.files();
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(self.files(), before);
        String::from_utf8(output.stderr).unwrap()
    }

    /// All that lies in the folder and beside it.
    fn files(&self) -> Vec<String> {
        let mut names = Vec::new();
        for folder in ["opt", "opt/lib"] {
            for entry in fs::read_dir(self.0.path().join(folder)).into_iter().flatten() {
                names.push(format!("{folder}/{}", entry.unwrap().file_name().display()));
            }
        }
        names.sort();
        names
    }
}

fn npm(version: &str) -> String {
    part(&format!("downloads/onnxruntime-node-{version}.tgz")).to_str().unwrap().to_owned()
}

fn library() -> Vec<u8> {
    fs::read(part("lib/onnxruntime-1.11.0/libonnxruntime.so.1.11.0")).unwrap()
}

#[test]
fn npm_archives_are_put_in_place_and_replaced_in_one_step() {
    let home = Home::new();
    let said = home.good(&[&npm("1.11.0")]);
    assert!(said.starts_with("ONNX Runtime 1.11.0 (C API 11) is in "), "{said}");
    for line in ["  tensorrt: no, TensorRT execution provider is not enabled", "  cuda: no, ", "  cpu: yes\n"] {
        assert!(said.contains(line), "{said}");
    }
    assert_eq!(home.files(), ["opt/lib", "opt/lib/libonnxruntime.so.1.11.0"]);
    assert!(home.good(&[&npm("1.17.0")]).starts_with("ONNX Runtime 1.17.0 (C API 17) is in "));
    assert_eq!(home.files(), ["opt/lib", "opt/lib/libonnxruntime.so.1.17.0"]);
}

#[test]
fn a_bare_library_and_a_wheel_will_do() {
    let home = Home::new();
    let bare = home.file("libonnxruntime.so.1.11.0", &library());
    assert!(home.good(&[&bare]).starts_with("ONNX Runtime 1.11.0 "));
    assert_eq!(home.files(), ["opt/lib", "opt/lib/libonnxruntime.so"]);
    let name = "onnxruntime/capi/libonnxruntime.so.1.11.0";
    let wheel = home.zip("onnxruntime.whl", &[("onnxruntime/__init__.py", b""), (name, &library())]);
    assert!(home.good(&[&wheel]).starts_with("ONNX Runtime 1.11.0 "));
    assert_eq!(home.files(), ["opt/lib", "opt/lib/libonnxruntime.so.1.11.0"]);
}

/// An ELF file for this machine that is whole and holds nothing: stands for a provider's library.
fn provider_library() -> Vec<u8> {
    let mut elf = library()[..64].to_vec();
    elf[40..48].copy_from_slice(&0_u64.to_le_bytes()); // no table of sections
    elf[60..62].copy_from_slice(&0_u16.to_le_bytes());
    elf
}

/// The layout of Triton Inference Server's archives, as far as it matters.
fn triton() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, name, content).unwrap();
    };
    add("./lib/libtritonserver.so", &provider_library());
    add("./backends/onnxruntime/libtriton_onnxruntime.so", &provider_library());
    add("./backends/onnxruntime/libonnxruntime.so", &library());
    for provider in ["shared", "cuda", "tensorrt"] {
        let name = format!("./backends/onnxruntime/libonnxruntime_providers_{provider}.so");
        add(&name, &provider_library());
    }
    tar.into_inner().unwrap()
}

/// The names of a Triton archive's libraries, in place.
const TRITONS: [&str; 5] = [
    "opt/lib",
    "opt/lib/libonnxruntime.so",
    "opt/lib/libonnxruntime_providers_cuda.so",
    "opt/lib/libonnxruntime_providers_shared.so",
    "opt/lib/libonnxruntime_providers_tensorrt.so",
];

#[test]
fn tritons_archive_is_taken_in_every_compression() {
    let home = Home::new();
    let tar = home.file("triton.tar", &triton());
    for (program, ending) in [(None, ""), (Some("gzip"), ".gz"), (Some("bzip2"), ".bz2"), (Some("xz"), ".xz")] {
        if let Some(program) = program {
            assert!(Command::new(program).args(["-1", "--keep", &tar]).status().unwrap().success(), "{program}");
        }
        let packed = format!("{tar}{ending}");
        assert!(home.good(&[&packed]).starts_with("ONNX Runtime 1.11.0 "), "{packed}");
        assert_eq!(home.files(), TRITONS, "{packed}");
        let bytes = fs::read(&packed).unwrap();
        let cut = home.file("cut", &bytes[..bytes.len() / 2]);
        assert!(home.refused(&[&cut]).contains("is a damaged archive"), "{packed}");
    }
}

#[test]
fn a_folder_is_searched_and_a_bare_library_takes_its_providers_along() {
    let home = Home::new();
    let build = home.0.path().join("build/Linux/Release");
    fs::create_dir_all(&build).unwrap();
    fs::write(build.join("libonnxruntime.so.1.11.0"), library()).unwrap();
    for provider in ["shared", "cuda", "tensorrt"] {
        fs::write(build.join(format!("libonnxruntime_providers_{provider}.so")), provider_library()).unwrap();
    }
    std::os::unix::fs::symlink("libonnxruntime.so.1.11.0", build.join("libonnxruntime.so")).unwrap();
    let folder = home.0.path().join("build");
    home.good(&[folder.to_str().unwrap()]);
    let with_version = TRITONS.map(|name| name.replace("runtime.so", "runtime.so.1.11.0"));
    assert_eq!(home.files(), with_version);
    for name in ["libonnxruntime.so", "libonnxruntime.so.1.11.0"] {
        home.good(&[build.join(name).to_str().unwrap()]);
        assert_eq!(home.files(), TRITONS, "{name}");
    }
    let empty = home.0.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(home.refused(&[empty.to_str().unwrap()]).contains("holds no libonnxruntime.so"));
}

#[test]
fn provider_libraries_that_are_missing_are_named() {
    let home = Home::new();
    let gpu_build = part("lib/onnxruntime-1.30.0");
    let said = home.good(&[gpu_build.to_str().unwrap()]);
    let words = "It was built for the GPU, and libonnxruntime_providers_shared.so, libonnxruntime_providers_cuda.so, \
                 libonnxruntime_providers_tensorrt.so did not lie beside it";
    assert!(said.contains(words), "{said}");
    assert!(!home.good(&[&npm("1.11.0")]).contains("did not lie beside it"));
}

#[test]
fn what_holds_no_library_for_this_machine_is_named() {
    let home = Home::new();
    home.good(&[&npm("1.11.0")]);
    let mut foreign = library();
    foreign[18..20].copy_from_slice(&8u16.to_le_bytes());
    let mut damaged = fs::read(npm("1.10.0")).unwrap();
    damaged.truncate(1 << 20);
    let module = ("onnxruntime/capi/onnxruntime_pybind11_state.so", &b"\x7fELF"[..]);
    let axe = part("downloads/axe-core-4.14.1.tgz");
    for (file, words) in [
        (axe.to_str().unwrap().to_owned(), "holds no libonnxruntime.so"),
        (
            home.file("readme.txt", b"hello"),
            "is neither a library (ELF), a folder, nor a .tgz, .tar.gz, .tar.bz2, .tar.xz",
        ),
        (home.file("empty", b""), "is neither a library (ELF), a folder, nor a .tgz"),
        (home.file("cut.tgz", &damaged), "is a damaged archive"),
        (home.zip("gpu.whl", &[module]), "only as a module of Python; sightd needs the C library"),
        (home.zip("old.zip", &[("lib/libonnxruntime.so", &foreign)]), "has ONNX Runtime for machine 8 of the ELF"),
        (home.file("cut.so", &library()[..1 << 20]), "is cut off: 1048576 bytes of "),
        ("/nowhere/libonnxruntime.so".to_owned(), "cannot be read: No such file or directory"),
    ] {
        let said = home.refused(&[&file]);
        assert!(said.contains(words), "{file}: {said}");
    }
}

#[test]
fn a_file_that_is_no_library_is_refused() {
    let home = Home::new();
    let program = fs::read(env!("CARGO_BIN_EXE_sightd")).unwrap();
    let said = home.refused(&[&home.zip("x.zip", &[("libonnxruntime.so", &program)])]);
    assert!(said.contains("the chosen ONNX Runtime cannot be used: "), "{said}");
}

#[test]
fn a_folder_with_other_things_is_not_replaced() {
    let home = Home::new();
    fs::create_dir_all(home.0.path().join("opt/lib")).unwrap();
    home.file("opt/lib/libc.so.6", b"");
    let said = home.refused(&[&npm("1.11.0")]);
    assert!(said.contains("holds other things than ONNX Runtime (libc.so.6): name a folder of its own"), "{said}");
}

#[test]
fn addresses_are_fetched_and_checked() {
    let home = Home::new();
    let file = part("lib/onnxruntime-1.11.0/libonnxruntime.so.1.11.0");
    let address = served_once(&file);
    for (from, words) in [
        (address.as_str(), "over http:// anybody can change what arrives: add --sha256"),
        ("ftp://127.0.0.1/x.tgz", "cannot fetch over ftp://, only https:// and http://"),
        ("https://127.0.0.1:1/x.tgz", "curl could not fetch https://127.0.0.1:1/x.tgz"),
    ] {
        let said = home.refused(&[from]);
        assert!(said.contains(words), "{said}");
    }
    let sha256 = sha256_of(&file).unwrap();
    assert!(home.good(&[&address, "--sha256", &sha256]).starts_with("ONNX Runtime 1.11.0 "));
    let said = home.refused(&[&npm("1.17.0"), "--sha256", &sha256]);
    assert!(said.contains(&format!("not {sha256}: it was not used")), "{said}");
}

/// The address where a file is served to the first who asks.
fn served_once(file: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/onnxruntime.so", listener.local_addr().unwrap());
    let content = fs::read(file).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len()).unwrap();
        stream.write_all(&content).unwrap();
    });
    address
}
