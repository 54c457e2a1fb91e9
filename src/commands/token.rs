//! `sightd token new`: a token for the API, in a file that only the service can read.

use anyhow::{Context, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustix::fs::{CWD, Gid, Mode, OFlags, Uid};
use std::{
    fmt,
    fs::{self, File},
    io::{Read, Write},
    path::PathBuf,
};

/// By which a token that was made here is recognised: it has 32 random bytes, so that nobody can guess it.
pub const PREFIX: &str = "sightd_";
/// Random bytes of a token: 256 bits.
const BYTES: usize = 32;
/// The user that the Debian package makes for the service.
const SERVICE: &str = "sightd";

/// A token that was written.
pub struct Made {
    token: String,
    file: PathBuf,
    admin: bool,
    owner: Option<Owner>,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, may) = match self.admin {
            true => ("admin_token_file", "read and change things"),
            false => ("token_file", "read, and submit pictures for detection"),
        };
        writeln!(f, "{}", self.token)?;
        writeln!(f, "\nIts bearer may {may}. It is shown this once, and is in {} (mode 0600).", self.file.display())?;
        if self.owner.is_none() {
            writeln!(f, "There is no user {SERVICE:?} here: the file belongs to you; run the daemon as yourself.")?;
        }
        write!(f, "Write into [http] of the configuration: {key} = {:?}", self.file.display().to_string())
    }
}

/// Who owns the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    uid: u32,
    gid: u32,
}

/// Makes a token and writes it to `file`, which must not be there yet, mode 0600, owned by the service's user where there
/// is one and we may give it away.
///
/// # Errors
/// When the file is there already, or cannot be written.
pub fn make(admin: bool, file: Option<PathBuf>) -> anyhow::Result<Made> {
    let name = if admin { "admin-token" } else { "token" };
    let file = file.unwrap_or_else(|| PathBuf::from("/etc/sightd").join(name));
    ensure!(
        !file.exists(),
        "{} is there already: its token stays as it is; remove the file first to make another",
        file.display()
    );
    let token = token()?;
    let cannot = || format!("cannot write {}", file.display());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(CWD, &file, flags, Mode::RUSR | Mode::WUSR).with_context(cannot)?;
    let mut opened = File::from(opened);
    opened.write_all(format!("{token}\n").as_bytes()).with_context(cannot)?;
    let owner = service_user(&fs::read_to_string("/etc/passwd").unwrap_or_default());
    if let Some(Owner { uid, gid }) = owner {
        rustix::fs::fchown(&opened, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
            .with_context(|| format!("cannot give {} to the user {SERVICE}", file.display()))?;
    }
    opened.sync_all().with_context(cannot)?;
    Ok(Made { token, file, admin, owner })
}

fn token() -> anyhow::Result<String> {
    let mut bytes = [0; BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes).context("the system gives no random bytes")?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The service's user, if `passwd` has it.
fn service_user(passwd: &str) -> Option<Owner> {
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == SERVICE)?;
    Some(Owner { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_written_once_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let made = make(true, Some(file.clone())).unwrap();
        let written = fs::read_to_string(&file).unwrap();
        assert_eq!(written.trim_end(), made.token);
        assert_eq!(made.token.len(), PREFIX.len() + 43); // 256 bits in base64
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let said = made.to_string();
        assert!(said.contains(&made.token) && said.contains(&format!("admin_token_file = {file:?}")), "{said}");
        let error = make(true, Some(file.clone())).err().unwrap().to_string();
        assert!(error.contains("is there already"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), written);
    }

    #[test]
    fn the_services_user_is_found() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nsightd:x:998:997::/var/lib/sightd:/usr/sbin/nologin\n";
        assert_eq!(service_user(passwd), Some(Owner { uid: 998, gid: 997 }));
        assert_eq!(service_user("root:x:0:0:root:/root:/bin/sh\n"), None);
    }
}
