//! Limits guessing of tokens: after some failures, a client's tokens are refused unread for a while.

use detector::sync;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Failures that cost nothing.
const FREE: f64 = 10.0;
/// How long it takes to forgive one failure.
const FORGIVE_EVERY: Duration = Duration::from_secs(2);
/// Clients that are remembered; beyond, those with the fewest failures are forgotten.
const MAX_CLIENTS: usize = 4096;

/// Failures by client.
#[derive(Default)]
pub(crate) struct Throttle {
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

struct Failures {
    count: f64,
    at: Instant,
}

impl Failures {
    /// The count once time has forgiven some.
    fn left(&self, now: Instant) -> f64 {
        let forgiven = now.saturating_duration_since(self.at).as_secs_f64() / FORGIVE_EVERY.as_secs_f64();
        (self.count - forgiven).max(0.0)
    }
}

impl Throttle {
    /// How long `client`'s tokens are refused unread; none if they are checked.
    pub fn wait(&self, client: IpAddr, now: Instant) -> Option<Duration> {
        let failures = sync::lock(&self.failures);
        let over = failures.get(&network(client))?.left(now) - FREE;
        (over > -1.0).then(|| FORGIVE_EVERY.mul_f64(over + 1.0))
    }

    /// `client` has presented a wrong token.
    pub fn failed(&self, client: IpAddr, now: Instant) {
        let mut failures = sync::lock(&self.failures);
        if failures.len() >= MAX_CLIENTS {
            failures.retain(|_, failures| failures.left(now) > 0.0);
            let least = failures.iter().min_by(|a, b| a.1.left(now).total_cmp(&b.1.left(now))).map(|(ip, _)| *ip);
            if let Some(least) = least.filter(|_| failures.len() >= MAX_CLIENTS) {
                failures.remove(&least);
            }
        }
        let entry = failures.entry(network(client)).or_insert(Failures { count: 0.0, at: now });
        *entry = Failures { count: entry.left(now) + 1.0, at: now };
    }
}

/// IPv6 clients own at least 64 bits of addresses: they count as one.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => std::net::Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_forgiven_with_time() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let client = "2001:db8::1".parse().unwrap();
        for _ in 0..10 {
            assert_eq!(throttle.wait(client, start), None);
            throttle.failed(client, start);
        }
        let wait = throttle.wait("2001:db8::2".parse().unwrap(), start).unwrap();
        assert_eq!(wait, FORGIVE_EVERY);
        assert_eq!(throttle.wait(client, start + wait + Duration::from_millis(1)), None);
        assert_eq!(throttle.wait("2001:db8:1::1".parse().unwrap(), start), None);
    }

    #[test]
    fn memory_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for client in 0..10_000_u32 {
            throttle.failed(std::net::Ipv4Addr::from_bits(client).into(), now);
        }
        assert!(throttle.failures.lock().unwrap().len() <= MAX_CLIENTS);
    }
}
