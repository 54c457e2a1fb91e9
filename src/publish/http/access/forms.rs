//! Forms of clients whose token is still to be read from the form: few at a time, and fewer of one address.

use crate::publish::http::server::limits::{Limit, Limits};
use detector::sync;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard},
};

/// Forms that are read at a time.
const MAX_FORMS: usize = 8;
/// Forms of one address that are read at a time.
const MAX_FORMS_PER_CLIENT: usize = 2;

/// The forms that are being read.
#[derive(Debug, Default)]
pub(super) struct Forms {
    reading: Mutex<HashMap<IpAddr, usize>>,
}

/// A form that may be read; free again once dropped.
#[derive(Debug)]
pub(crate) struct FormPermit<'a> {
    forms: &'a Forms,
    client: IpAddr,
}

impl Forms {
    /// A permit for one form of `client`; none if it has its share, or all are taken.
    pub fn acquire(&self, client: IpAddr, limits: &Limits) -> Option<FormPermit<'_>> {
        let mut reading = self.lock();
        let own = reading.get(&client).copied().unwrap_or(0);
        if own >= MAX_FORMS_PER_CLIENT || reading.values().sum::<usize>() >= MAX_FORMS {
            limits.hit(Limit::Forms);
            return None;
        }
        reading.insert(client, own + 1);
        Some(FormPermit { forms: self, client })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        sync::lock(&self.reading)
    }
}

impl Drop for FormPermit<'_> {
    fn drop(&mut self) {
        let mut reading = self.forms.lock();
        if let Some(own) = reading.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                reading.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_room_for_others() {
        let (forms, limits) = (Forms::default(), Limits::default());
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        let held: Vec<_> = (0..3).filter_map(|_| forms.acquire(one, &limits)).collect();
        assert_eq!(held.len(), MAX_FORMS_PER_CLIENT);
        assert!(forms.acquire(other, &limits).is_some());
        drop(held);
        assert!(forms.acquire(one, &limits).is_some());
        assert!(forms.lock().is_empty());
    }
}
