//! Tokens: where they come from, how they are kept, how a presented one is compared.

use crate::publish::http::config::Config;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    env, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

/// The shortest token: 16 characters of a random text cannot be guessed over a network.
const SHORTEST: usize = 16;

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Read everything, and detect in pictures.
    Read,
    /// Also change things.
    Admin,
}

/// Why a token cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Its file cannot be read.
    #[error("cannot read the token file {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others may read its file.
    #[error("the token file {path} can be read by others (mode {mode:o}): chmod 600 {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is too short or has other characters than a header can carry.
    #[error(
        "the token in {place} is not usable: use at least {SHORTEST} visible ASCII characters \
         (`openssl rand -hex 24` makes one), or sha256: and the 64 hex digits of its SHA-256"
    )]
    Unfit {
        /// The file or environment variable.
        place: String,
    },
}

/// A token, of which only the SHA-256 is kept.
#[derive(Clone)]
pub(crate) struct Token([u8; 32]);

impl Token {
    fn new(text: &str, place: &str) -> Result<Self, TokenError> {
        let unfit = || TokenError::Unfit { place: place.to_owned() };
        let text = text.trim();
        if let Some(digits) = text.strip_prefix("sha256:") {
            return from_hex(digits).map(Self).ok_or_else(unfit);
        }
        let usable = text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        if usable { Ok(Self(Sha256::digest(text).into())) } else { Err(unfit()) }
    }

    /// Whether `presented` is this token; takes equally long wherever they differ.
    fn is(&self, presented: &str) -> bool {
        Sha256::digest(presented)[..].ct_eq(&self.0).into()
    }
}

/// All tokens there are.
#[derive(Clone, Default)]
pub(crate) struct Tokens {
    read: Option<Token>,
    admin: Option<Token>,
}

impl Tokens {
    /// Each token from its file, else from the environment, else from systemd's credentials.
    pub fn load(config: &Config) -> Result<Self, TokenError> {
        let find = |file: &Option<PathBuf>, variable: &str, credential: &str| {
            if let Some(path) = file {
                return read_private(path).map(Some);
            }
            if let Ok(text) = env::var(variable) {
                return Token::new(&text, &format!("the environment variable {variable}")).map(Some);
            }
            let Some(folder) = env::var_os("CREDENTIALS_DIRECTORY") else { return Ok(None) };
            let path = Path::new(&folder).join(credential);
            if path.exists() { read(&path).map(Some) } else { Ok(None) }
        };
        Ok(Self {
            read: find(&config.token_file, "SIGHTD_TOKEN", "token")?,
            admin: find(&config.admin_token_file, "SIGHTD_ADMIN_TOKEN", "admin-token")?,
        })
    }

    pub fn any(&self) -> bool {
        self.read.is_some() || self.admin.is_some()
    }

    pub fn has_admin(&self) -> bool {
        self.admin.is_some()
    }

    fn each(&self) -> impl Iterator<Item = (Role, &Token)> {
        let admin = self.admin.iter().map(|token| (Role::Admin, token));
        admin.chain(self.read.iter().map(|token| (Role::Read, token)))
    }

    /// What the bearer of `presented` may do.
    pub fn role(&self, presented: &str) -> Option<Role> {
        self.each().find(|(_, token)| token.is(presented)).map(|(role, _)| role)
    }
}

/// A token from a file that only its owner may read.
fn read_private(path: &Path) -> Result<Token, TokenError> {
    let mode = fs::metadata(path).map_err(|error| TokenError::Read { path: path.into(), error })?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TokenError::Open { path: path.into(), mode });
    }
    read(path)
}

fn read(path: &Path) -> Result<Token, TokenError> {
    let text = fs::read_to_string(path).map_err(|error| TokenError::Read { path: path.into(), error })?;
    Token::new(&text, &path.display().to_string())
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write, os::unix::fs::PermissionsExt};

    const READ: &str = "read-token-0123456789";
    const ADMIN: &str = "admin-token-0123456789";

    fn tokens() -> Tokens {
        Tokens { read: Token::new(READ, "test").ok(), admin: Token::new(ADMIN, "test").ok() }
    }

    #[test]
    fn a_token_gives_its_role() {
        let tokens = tokens();
        assert_eq!(tokens.role(READ), Some(Role::Read));
        assert_eq!(tokens.role(ADMIN), Some(Role::Admin));
        assert_eq!(tokens.role("read-token-012345678"), None);
    }

    #[test]
    fn files_are_private_and_may_hold_the_hash() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let hash: String = Sha256::digest(READ).iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(file, "sha256:{hash}").unwrap();
        let config = Config { token_file: Some(file.path().into()), ..Config::default() };
        assert_eq!(Tokens::load(&config).unwrap().role(READ), Some(Role::Read));
        file.as_file().set_permissions(fs::Permissions::from_mode(0o640)).unwrap();
        let error = Tokens::load(&config).err().unwrap().to_string();
        assert!(error.contains("can be read by others (mode 640): chmod 600"), "{error}");
    }

    #[test]
    fn weak_tokens_are_refused() {
        for text in ["short", "with space 0123456789", "sha256:12"] {
            assert!(Token::new(text, "test").is_err(), "{text}");
        }
    }
}
