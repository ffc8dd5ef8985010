//! Damage of every kind to every record: recovered or refused, and never two holders.

use super::*;
use crate::core::lease::{Mode, PathKind, PathPattern};
use crate::store::tests::store;
use std::fs;
use std::path::PathBuf;

fn request(name: &str, path: &str) -> Request {
    Request {
        holder: Holder { name: Name::new(name).unwrap(), ..Holder::human() },
        paths: vec![PathPattern::new(PathKind::File, None, path).unwrap()],
        mode: Mode::Exclusive,
        ttl_ms: 600_000,
        reason: None,
        auto: false,
    }
}

fn is_granted(store: &Store, name: &str) -> bool {
    matches!(store.acquire(&request(name, "a"), None), Ok(LeaseOutcome::Granted(_)))
}

fn only_file(dir: PathBuf) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    files.remove(0)
}

/// Every truncation and every flipped bit of `bytes`.
fn damages(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let cut = (0..bytes.len()).map(|n| bytes[..n].to_vec());
    let flipped = (0..bytes.len() * 8).map(|bit| {
        let mut copy = bytes.to_vec();
        copy[bit / 8] ^= 1 << (bit % 8);
        copy
    });
    cut.chain(flipped)
}

#[test]
fn a_damaged_lease_is_never_granted_to_a_second_holder() {
    let (_dir, store) = store();
    assert!(is_granted(&store, "alice"));
    let path = only_file(store.dir.join("leases"));
    let good = fs::read(&path).unwrap();
    let mut refused = 0;
    for bad in damages(&good) {
        fs::write(&path, &bad).unwrap();
        match store.acquire(&request("bob", "a"), None) {
            // The damage was to white space: the record is still valid.
            Ok(LeaseOutcome::Denied(blockers)) => assert_eq!(blockers[0].holder.name.as_str(), "alice"),
            Ok(other) => panic!("{other:?} with {}", String::from_utf8_lossy(&bad)),
            Err(error) => {
                let said = error.to_string();
                assert!(said.contains("leases/1.json is damaged") && said.contains("swarm gc"), "{said}");
                refused += 1;
            }
        }
        assert!(path.exists(), "the evidence stays");
    }
    assert!(refused > good.len() * 4, "{refused} of {} bytes", good.len());
    assert_eq!(store.set_damaged_leases_aside().unwrap().len(), 1);
    assert!(is_granted(&store, "bob"));
}

#[test]
fn a_lease_copied_to_another_number_is_not_believed() {
    let (_dir, store) = store();
    assert!(is_granted(&store, "alice"));
    fs::copy(store.dir.join("leases/1.json"), store.dir.join("leases/2.json")).unwrap();
    assert_eq!(store.leases().unwrap().damaged.len(), 1);
}

#[test]
fn damaged_numbers_never_give_an_old_number_again() {
    let (_dir, store) = store();
    let mut highest = 0;
    let path = store.dir.join("numbers.json");
    let mut next = |store: &Store, why: &str| {
        let Ok(LeaseOutcome::Granted(grant)) = store.acquire(&request("alice", "a"), None) else {
            panic!("{why}")
        };
        let fence = grant.new.unwrap();
        assert!(fence > highest, "{fence} after {highest}: {why}");
        highest = fence;
        store
            .change_leases(Part::All, |t| {
                t.give_back(&request("alice", "a").holder, crate::core::lease::LeaseSelector::All)
            })
            .unwrap();
    };
    next(&store, "first");
    let good = fs::read(&path).unwrap();
    for (index, bad) in damages(&good).enumerate().step_by(7) {
        fs::write(&path, &bad).unwrap();
        if store.sealed::<Counter>("numbers").is_ok_and(|loaded| matches!(loaded, Loaded::Ok(_))) {
            // White space: this is the old counter itself, which a crash cannot bring back.
            fs::remove_file(&path).unwrap();
        }
        next(&store, &format!("damage {index}"));
    }
}

#[test]
fn a_damaged_ticket_costs_the_place_and_nothing_else() {
    let (_dir, store) = store();
    assert!(is_granted(&store, "alice"));
    let bob = request("bob", "a");
    let wait =
        Wait { until: clock::now().unwrap().after(600_000), holder: bob.holder.clone(), chain: vec![] };
    assert!(matches!(store.acquire(&bob, Some(&wait)), Ok(LeaseOutcome::Queued { .. })));
    let path = only_file(store.dir.join("waiters"));
    fs::write(&path, b"{").unwrap();
    assert!(matches!(store.acquire(&bob, Some(&wait)), Ok(LeaseOutcome::Queued { .. })));
    assert_eq!(store.quarantined().unwrap(), 1);
    assert_eq!(store.leases().unwrap().table.waiters().count(), 1);
}

#[test]
fn what_was_announced_is_posted_once_however_many_try() {
    let (_dir, store) = store();
    store
        .transact(|tx| {
            tx.put_notice(&crate::core::notice::Notice {
                to: Name::human(),
                kind: crate::core::message::MessageType::Info,
                text: "hello".into(),
            })
        })
        .unwrap();
    let posted: usize = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| store.post_notices().unwrap_or(0))).collect();
        all.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(posted, 1);
    let mail = store.mail(&Name::human(), &[], crate::store::mail::Folder::New).unwrap();
    assert_eq!((mail.messages.len(), &*mail.messages[0].from.to_string()), (1, "swarm"));
}

#[test]
fn the_next_in_line_is_woken_and_nobody_else() {
    let (_dir, store) = store();
    assert!(is_granted(&store, "alice"));
    let queue = |name: &str| {
        let request = request(name, "a");
        let wait = Wait {
            until: clock::now().unwrap().after(600_000),
            holder: request.holder.clone(),
            chain: vec![],
        };
        match store.acquire(&request, Some(&wait)) {
            Ok(LeaseOutcome::Queued { ticket, .. }) => (ticket, store.ticket_bell(ticket).unwrap()),
            other => panic!("{other:?}"),
        }
    };
    let (mut bob, mut carol) = (queue("bob"), queue("carol"));
    let give_back = |name: &str| {
        store
            .change_leases(Part::All, |t| {
                t.give_back(&request(name, "a").holder, crate::core::lease::LeaseSelector::All)
            })
            .unwrap()
    };
    let long = Duration::from_secs(600);
    std::thread::scope(|scope| {
        scope.spawn(|| give_back("alice"));
        assert!(bob.1.wait(long).unwrap(), "it sleeps until it is rung");
    });
    assert!(!store.is_queued(bob.0).unwrap() && store.is_queued(carol.0).unwrap());
    assert!(!carol.1.wait(Duration::ZERO).unwrap(), "it is not its turn");
    assert!(is_granted(&store, "bob"));
    give_back("bob");
    assert!(carol.1.wait(long).unwrap());
}
