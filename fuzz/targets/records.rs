//! Every kind of record, read from a file as the store does.

use super::{number, unseen_key};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use swarm::core::ack::{AckClock, ReminderTimes, Step};
use swarm::core::agent::{Agent, is_pane_id};
use swarm::core::delivery::{Delivery, Stage};
use swarm::core::lease::{Lease, PathPattern, Waiter};
use swarm::core::message::{Message, Signed, parse_file_name};
use swarm::core::notice::Notice;
use swarm::core::rate::{Limit, Sender};

/// A moment, in ms since the epoch.
const NOW: u64 = 1_700_000_000_000;

/// In ms.
const DAY: u64 = 86_400_000;

/// What is written is read back.
fn again<T: Serialize + DeserializeOwned + PartialEq + Debug>(record: &T) {
    let bytes = serde_json::to_vec(record).unwrap_or_else(|why| panic!("{why}"));
    let read = serde_json::from_slice::<T>(&bytes).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(&read, record);
}

/// No genuine message comes of what somebody else wrote, and none that is genuine survives a change.
fn signed(data: &[u8]) {
    let key = unseen_key(data);
    if let Ok(signed) = serde_json::from_slice::<Signed>(data) {
        assert!(key.verify(signed).is_err(), "no bytes are a message of a key that they have not seen");
    }
    let Ok(message) = serde_json::from_slice::<Message>(data) else { return };
    assert_eq!(parse_file_name(&message.file_name()), Some((&*message.from.file_word(), message.id.clone())));
    let signed = key.sign(message.clone());
    again(&signed);
    let mut bytes = serde_json::to_vec(&signed).unwrap_or_else(|why| panic!("{why}"));
    let Ok(verified) = key.verify(signed) else { panic!("what was signed verifies") };
    assert_eq!(*verified, message);
    let at = number(data, bytes.len() * 8);
    bytes[at / 8] ^= 1 << (at % 8);
    if let Ok(changed) = serde_json::from_slice::<Signed>(&bytes)
        && let Ok(verified) = key.verify(changed)
    {
        // A signature's digits are the same in either case.
        assert_eq!(*verified, message);
    }
}

/// A sealed record is one record under one name.
fn sealed(data: &[u8]) {
    let key = unseen_key(data);
    let seal = key.seal("leases/1", data);
    assert!(key.is_sealed("leases/1", data, &seal) && !key.is_sealed("leases/2", data, &seal));
    let mut changed = data.to_vec();
    if let Some(byte) = changed.get_mut(number(data, data.len())) {
        *byte ^= 1;
        assert!(!key.is_sealed("leases/1", &changed, &seal));
    }
    assert!(!key.is_sealed("leases/1", data, &String::from_utf8_lossy(data)));
}

fn paths(paths: &[PathPattern]) {
    for path in paths {
        assert!(path.overlaps(path) && path.covers(path) && path.is_same_path(path));
        assert!(!path.path().chars().any(char::is_control));
        assert!(
            path.path().is_empty() || path.path().split('/').all(|part| !matches!(part, "" | "." | ".."))
        );
        for other in paths.iter().take(8) {
            assert_eq!(path.overlaps(other), other.overlaps(path), "{path} {other}");
            assert!(!path.covers(other) || path.overlaps(other), "{path} {other}");
        }
    }
}

/// However the clock of an acknowledgement was left, it comes to its end.
fn wait(clock: &mut AckClock) {
    let schedule = ReminderTimes::default();
    clock.repair(NOW, &schedule);
    clock.reminder = None;
    let mut now = NOW;
    for _ in 0..100 {
        match clock.step(now, &schedule) {
            Step::Wait(until) => {
                assert!(until > now && until <= NOW + DAY, "{until}");
                now = until;
            }
            Step::Remind => {
                clock.remind(now);
                clock.reminder = None;
                clock.reminded(now, &schedule);
            }
            Step::Reminding | Step::Escalate => return,
        }
    }
    panic!("it never ends: {clock:?}");
}

pub fn records(data: &[u8]) {
    signed(data);
    sealed(data);
    if let Ok(mut sender) = serde_json::from_slice::<Sender>(data) {
        let limit = Limit::default();
        let before = sender.clone();
        if let Ok(sequence) = sender.admit(limit, NOW) {
            assert!(sequence > before.sequence || before.sequence == u64::MAX, "numbers only go up");
        }
        again(&sender);
    }
    if let Ok(lease) = serde_json::from_slice::<Lease>(data) {
        paths(&lease.paths);
        again(&lease);
    }
    if let Ok(waiter) = serde_json::from_slice::<Waiter>(data) {
        paths(&waiter.paths);
        again(&waiter);
    }
    if let Ok(agent) = serde_json::from_slice::<Agent>(data) {
        assert!(is_pane_id(&agent.place.pane), "{:?}", agent.place.pane);
        again(&agent);
    }
    if let Ok(mut delivery) = serde_json::from_slice::<Delivery>(data) {
        again(&delivery);
        delivery.way.advance(Stage::Held, "it is in a turn", NOW);
        let _ = delivery.open_reminder();
        if let Some(clock) = &mut delivery.ack {
            wait(clock);
        }
    }
    if let Ok(notice) = serde_json::from_slice::<Notice>(data) {
        again(&notice);
    }
}
