//! Sessions of the login page: kept in memory only, so that nothing on disk gives a cookie, and none outlives the
//! process or the tokens that it was started with.

use super::tokens::Role;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use detector::sync;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

/// How long a login lasts.
pub(super) const SESSION_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// Sessions of each role that are kept; beyond, the one that ends first is closed.
const MAX_SESSIONS: usize = 256;
/// Random bytes of a session's id.
const ID_BYTES: usize = 32;

/// The open sessions by the SHA-256 of their ids.
#[derive(Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<[u8; 32], Session>>,
}

struct Session {
    role: Role,
    ends: Instant,
}

impl Sessions {
    /// Opens a session of `role` and gives its id, which is the cookie's value.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn open(&self, role: Role, now: Instant) -> Result<String, getrandom::Error> {
        let mut bytes = [0; ID_BYTES];
        getrandom::fill(&mut bytes)?;
        let id = URL_SAFE_NO_PAD.encode(bytes);
        let mut open = self.lock();
        open.retain(|_, session| now < session.ends);
        let of_role = || open.iter().filter(|(_, session)| session.role == role);
        let first = of_role().min_by_key(|(_, session)| session.ends).map(|(digest, _)| *digest);
        if let Some(first) = first.filter(|_| of_role().count() >= MAX_SESSIONS) {
            open.remove(&first);
        }
        open.insert(digest(&id), Session { role, ends: now + SESSION_LIFETIME });
        Ok(id)
    }

    /// What the holder of the session `id` may do at `now`; none if there is no such session.
    pub fn role(&self, id: &str, now: Instant) -> Option<Role> {
        self.lock().get(&digest(id)).filter(|session| now < session.ends).map(|session| session.role)
    }

    /// Closes the session `id`, if it is open.
    pub fn close(&self, id: &str) {
        self.lock().remove(&digest(id));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        sync::lock(&self.open)
    }
}

/// What a session is found by: the time of the search says nothing about ids.
fn digest(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_with_time_and_when_it_is_closed() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let [first, second] = [Role::Read, Role::Admin].map(|role| sessions.open(role, now).unwrap());
        assert_ne!(first, second);
        assert_eq!(sessions.role(&first, now), Some(Role::Read));
        assert_eq!(sessions.role(&first, now + SESSION_LIFETIME), None);
        assert_eq!(sessions.role("", now), None);
        sessions.close(&first);
        assert_eq!((sessions.role(&first, now), sessions.role(&second, now)), (None, Some(Role::Admin)));
    }

    #[test]
    fn the_oldest_session_of_the_same_role_makes_room() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let admin = sessions.open(Role::Admin, start).unwrap();
        let readers: Vec<_> = (0..=MAX_SESSIONS as u64)
            .map(|second| sessions.open(Role::Read, start + Duration::from_secs(second)).unwrap())
            .collect();
        assert_eq!(sessions.role(&readers[0], start), None);
        assert_eq!(sessions.role(&readers[1], start), Some(Role::Read));
        assert_eq!(sessions.role(&admin, start), Some(Role::Admin));
        assert_eq!(sessions.lock().len(), MAX_SESSIONS + 1);
    }
}
