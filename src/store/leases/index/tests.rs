//! The index against the records: it never differs from them, whoever changed them.

use super::*;
use crate::core::lease::{Holder, LeaseOutcome, LeaseSelector, Mode, PathKind, Request};
use crate::core::name::Name;
use crate::os::{clock, process};
use crate::store::leases::Part;
use crate::store::tests::store;

fn holder(name: &str) -> Holder {
    Holder { name: Name::new(name).unwrap(), ..Holder::human() }
}

fn pattern(path: &str) -> PathPattern {
    let kind = match path {
        _ if path.contains('*') => PathKind::Glob,
        _ if path.ends_with('/') => PathKind::Dir,
        _ => PathKind::File,
    };
    PathPattern::new(kind, None, path.trim_end_matches('/')).unwrap()
}

fn request(name: &str, path: &str) -> Request {
    Request {
        holder: holder(name),
        paths: vec![pattern(path)],
        mode: Mode::Exclusive,
        ttl_ms: 600_000,
        reason: None,
        auto: false,
    }
}

/// Gives the holder `count` leases on files of its own.
fn fill(store: &Store, name: &str, count: usize) {
    let granted = store.change_leases(Part::All, |table| {
        (0..count).all(|n| {
            let request = request(name, &format!("held/{name}/{n}"));
            matches!(table.acquire(&request, None), LeaseOutcome::Granted { .. })
        })
    });
    assert!(granted.unwrap());
}

fn is_used(store: &Store) -> bool {
    Index::open(store, &clock::now().unwrap()).is_some()
}

/// The holders that block a request for `path`.
fn in_the_way(store: &Store, path: &str) -> Vec<String> {
    match store.would_acquire(&request("somebody", path)).unwrap() {
        LeaseOutcome::Granted(_) => Vec::new(),
        LeaseOutcome::Denied(blockers) => blockers.iter().map(|b| b.path.to_string()).collect(),
        other => panic!("{other:?}"),
    }
}

/// Compares the index with the records.
fn agrees(store: &Store) {
    let records: Vec<Lease> = store.inspect_leases().unwrap().table.leases().cloned().collect();
    let listed: Vec<Lease> = store.peek_leases().unwrap().table.leases().cloned().collect();
    assert_eq!(records, listed);
    for path in ["held/a/7", "held/a/", "held/*/7", "held/a/7/below", "**", "other", "held/b/*"] {
        let found = store.leases_about(Part::Paths(&[pattern(path)])).unwrap().table.holding(&pattern(path));
        let true_ones: Vec<Lease> =
            records.iter().filter(|l| l.paths.iter().any(|p| p.overlaps(&pattern(path)))).cloned().collect();
        assert_eq!(found, true_ones, "{path}");
    }
}

#[test]
fn many_leases_are_found_by_their_paths_however_often_they_change() {
    let (_dir, store) = store();
    fill(&store, "a", MANY);
    assert!(!exists(&store), "few are read as fast");
    fill(&store, "b", 60);
    assert!(is_used(&store));
    agrees(&store);
    // More changes than `recent` keeps: they are merged on the way.
    for round in 0..90 {
        let path = format!("held/c/{}", round % 40);
        assert!(matches!(store.acquire(&request("c", &path), None), Ok(LeaseOutcome::Granted(_))));
        assert!(is_used(&store), "{round}");
        if round % 3 == 0 {
            let gone = [pattern(&path)];
            let released = store
                .change_leases(Part::Paths(&gone), |t| t.give_back(&holder("c"), LeaseSelector::Paths(&gone)))
                .unwrap();
            assert_eq!(released.leases.len(), 1);
        }
        if round % 30 == 0 {
            agrees(&store);
        }
    }
    agrees(&store);
    assert_eq!(in_the_way(&store, "held/b/3"), ["held/b/3"]);
    assert_eq!(in_the_way(&store, "held/*/3").len(), 3);
    for name in ["a", "b", "c"] {
        store.change_leases(Part::All, |t| t.give_back(&holder(name), LeaseSelector::All)).unwrap();
    }
    assert!(!exists(&store));
}

#[test]
fn a_lease_of_several_paths_is_found_by_each_and_given_back_in_part() {
    let (_dir, store) = store();
    fill(&store, "a", 40);
    let paths = ["x/1", "y/**/z", "w/"].map(pattern).to_vec();
    store.acquire(&Request { paths, ..request("b", "x/1") }, None).unwrap();
    assert_eq!(in_the_way(&store, "y/q/z"), ["y/**/z"]);
    assert_eq!(in_the_way(&store, "w/deep/file"), ["w/"]);
    let part = [pattern("w/")];
    store
        .change_leases(Part::Paths(&part), |t| t.give_back(&holder("b"), LeaseSelector::Paths(&part)))
        .unwrap();
    assert_eq!((in_the_way(&store, "w/deep/file").len(), in_the_way(&store, "x/1").len()), (0, 1));
    agrees(&store);
}

#[test]
fn whoever_changes_the_records_beside_the_index_is_noticed() {
    type Change = fn(&Store);
    let by_hand: [(&str, Change); 6] = [
        ("a record that was removed", |store| fs::remove_file(store.dir.join("leases/5.json")).unwrap()),
        ("a record that came back", |store| {
            let (kept, away) = (store.dir.join("leases/6.json"), store.dir.join("kept"));
            fs::rename(&kept, &away).unwrap();
            assert!(in_the_way(store, "held/a/5").is_empty());
            store.leases().unwrap();
            assert!(is_used(store));
            fs::rename(&away, &kept).unwrap();
        }),
        ("a program that knows of no index", |store| {
            let mut lease = store.inspect_leases().unwrap().table.leases().next().unwrap().clone();
            (lease.fence, lease.paths) = (900, vec![pattern("new")]);
            store.put_sealed("leases/900", &lease, crate::store::record::Durability::Volatile).unwrap();
        }),
        ("lines that were taken out", |store| {
            let path = store.dir.join("leases.index/sorted");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replace("held/a/7\t", "held/a/6\t")).unwrap();
        }),
        ("changes that were taken back", |store| {
            store.acquire(&request("b", "late"), None).unwrap();
            File::options()
                .write(true)
                .open(store.dir.join("leases.index/recent"))
                .unwrap()
                .set_len(0)
                .unwrap();
        }),
        ("a directory that was put in the place of the old one", |store| {
            let (old, new) = (store.dir.join("leases"), store.dir.join("new"));
            fs::create_dir(&new).unwrap();
            let time = fs::metadata(&old).unwrap().modified().unwrap();
            fs::rename(&old, store.dir.join("old")).unwrap();
            fs::rename(&new, &old).unwrap();
            File::open(&old).unwrap().set_modified(time).unwrap();
        }),
    ];
    for (what, change) in by_hand {
        let (_dir, store) = store();
        fill(&store, "a", 40);
        assert!(is_used(&store), "{what}");
        change(&store);
        assert!(!is_used(&store), "{what}");
        agrees(&store);
        // The next change makes it again, if it is needed.
        store.acquire(&request("c", "own"), None).unwrap();
        assert_eq!(is_used(&store), !what.contains("directory"), "{what}");
        agrees(&store);
    }
}

#[test]
fn a_mark_that_was_changed_anywhere_is_not_used() {
    let (_dir, store) = store();
    fill(&store, "a", 40);
    let path = store.dir.join("leases.index/mark");
    let good = fs::read(&path).unwrap();
    let end = good.iter().rposition(|b| *b == b'}').unwrap() + 1;
    for at in (0..end).step_by(5) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        assert!(!is_used(&store), "{at}");
        fs::write(&path, &good[..at]).unwrap();
        assert!(!is_used(&store), "{at}");
    }
    fs::write(&path, &good).unwrap();
    assert!(is_used(&store));
}

#[test]
fn a_record_that_was_written_over_is_not_believed_where_it_matters_and_found_by_a_look_at_all() {
    let (_dir, store) = store();
    fill(&store, "a", 40);
    let path = store.dir.join("leases/8.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("held/a/7"));
    fs::write(&path, text.replace("held/a/7", "held/a/x")).unwrap();
    assert!(is_used(&store), "the time of the directory does not show it");
    let refused = |path: &str| store.acquire(&request("b", path), None).unwrap_err().to_string();
    assert!(refused("held/a/7").contains("leases/8.json is damaged"));
    assert!(refused("elsewhere").contains("leases/8.json is damaged"), "it is known from then on");
    // This time no decision needed it.
    fs::write(&path, &text).unwrap();
    store.change_leases(Part::All, |_| ()).unwrap();
    assert!(is_used(&store));
    fs::write(&path, "{").unwrap();
    assert_eq!(store.inspect_leases().unwrap().damaged.len(), 1);
    assert!(refused("elsewhere").contains("leases/8.json is damaged"));
    assert_eq!(store.set_damaged_leases_aside().unwrap().len(), 1);
    assert!(matches!(store.acquire(&request("b", "held/a/7"), None), Ok(LeaseOutcome::Granted(_))));
}

#[test]
fn any_command_notices_the_dead_among_the_holders_of_many() {
    let (_dir, store) = store();
    fill(&store, "a", 40);
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let command =
        Holder::command(Name::new("b").unwrap(), process::child(child.id()).unwrap(), process::namespace());
    for path in ["one", "two"] {
        store.acquire(&Request { holder: command.clone(), ..request("b", path) }, None).unwrap();
    }
    assert_eq!((in_the_way(&store, "one").len(), is_used(&store)), (1, true));
    child.kill().unwrap();
    child.wait().unwrap();
    // A change of something else.
    store.acquire(&request("c", "three"), None).unwrap();
    assert!(is_used(&store));
    assert!(!store.dir.join("leases/41.json").exists() && !store.dir.join("leases/42.json").exists());
    agrees(&store);
}

#[test]
fn time_ends_what_it_is_to_end_however_many_there_are() {
    let (_dir, store) = store();
    fill(&store, "a", 40);
    let soon = Request { ttl_ms: 1, ..request("b", "soon") };
    store.acquire(&soon, None).unwrap();
    std::thread::sleep(Duration::from_millis(3));
    store.acquire(&request("c", "other"), None).unwrap();
    assert!(is_used(&store) && !store.dir.join("leases/41.json").exists());
    // The recorded time is a bound: after a renewal it is too early, which is found out once.
    let now = clock::now().unwrap();
    let mut index = Index::open(&store, &now).unwrap();
    let renewed = store.peek_leases().unwrap().table.leases().next().unwrap().clone();
    let before = Lease { expires: now.after(0), ..renewed };
    index::note(&mut index.record.tenants, None, Some(&before), &now).unwrap();
    index::note(&mut index.record.tenants, Some(&before), None, &now).unwrap();
    put(&store, &index.record).unwrap();
    let due = |store: &Store| {
        let (now, index) = (clock::now().unwrap(), Index::open(store, &clock::now().unwrap()).unwrap());
        index.tenants().iter().any(|t| t.is_due(crate::core::lease::Liveness::Unknown, None, &now))
    };
    assert!(due(&store));
    store.leases_about(Part::Paths(&[pattern("other")])).unwrap();
    assert!(!due(&store));
    assert_eq!(in_the_way(&store, "held/a/0").len(), 1);
}

#[test]
fn a_wait_inside_of_a_command_is_seen_among_many() {
    let (_dir, store) = store();
    fill(&store, "a", 40);
    let outer = process::this().unwrap();
    let mut command = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let guard = Holder::command(Name::new("b").unwrap(), outer.clone(), process::namespace());
    store.acquire(&Request { holder: guard, ..request("b", "outer") }, None).unwrap();
    let holder = Holder { process: Some(process::child(command.id()).unwrap()), ..holder("b") };
    let wait = crate::core::lease::Wait {
        until: clock::now().unwrap().after(60_000),
        holder: holder.clone(),
        chain: vec![outer.clone()],
    };
    let inner = Request { holder, ..request("b", "held/a/1") };
    assert!(matches!(store.acquire(&inner, Some(&wait)), Ok(LeaseOutcome::Queued { .. })));
    let table = store.peek_leases().unwrap().table;
    command.kill().unwrap();
    command.wait().unwrap();
    assert_eq!(table.waiters().next().map(|w| w.within.clone()), Some(vec![outer]));
}
