//! Checks that lines contain the lease, and that keys find all overlapping leases.

use super::*;
use crate::core::lease::{Challenge, Counter, LeaseTable};

const BOOT: &str = "b";

fn now() -> Moment {
    Moment { wall_ms: 1_000_000, awake_ms: 5_000, boot: BOOT.into() }
}

fn lease(fence: u64, paths: &[(PathKind, &str)]) -> Lease {
    Lease {
        fence,
        holder: Holder {
            name: Name::new("claude-1").unwrap(),
            process: Some(ProcessId { pid: 7, start: 8, boot: BOOT.into() }),
            namespace: Some(4_026_531_836),
            command: false,
            identity: None,
            host: None,
        },
        paths: paths.iter().map(|(kind, path)| PathPattern::new(*kind, None, path).unwrap()).collect(),
        mode: Mode::Exclusive,
        auto: false,
        reason: None,
        since: 999,
        expires: now().after(600_000),
        challenge: None,
    }
}

fn read(text: &str) -> Vec<Line<'_>> {
    text.lines().map(|line| Line::read(line).unwrap()).collect()
}

#[test]
fn a_lease_is_the_same_after_its_lines_were_read() {
    let plain =
        lease(1, &[(PathKind::File, "src/a b.rs"), (PathKind::Dir, ""), (PathKind::Glob, "docs/**/*.md")]);
    let shared = Lease { fence: 2, mode: Mode::Shared, auto: true, ..lease(2, &[(PathKind::File, "x")]) };
    let reasoned = Lease {
        fence: 3,
        reason: Some(Reason::new("the parser; it's slow").unwrap()),
        holder: Holder { process: None, namespace: None, ..Holder::human() },
        paths: vec![PathPattern::new(PathKind::File, Some("feature/x"), "src/a.rs").unwrap()],
        ..lease(3, &[])
    };
    let command = Lease {
        holder: Holder { command: true, identity: Some(Identity::Env), ..plain.holder.clone() },
        ..lease(4, &[(PathKind::Glob, "*.rs")])
    };
    let all = [plain, shared, reasoned, command];
    let text: String = all.iter().rev().map(|l| lines(l, BOOT)).collect();
    assert_eq!(gather(read(&text), BOOT).unwrap(), (all.to_vec(), vec![]));
}

#[test]
fn what_is_unusual_about_a_lease_is_left_to_its_record() {
    let plain = || lease(5, &[(PathKind::File, "a"), (PathKind::File, "b")]);
    let by = Challenge { by: Name::human(), until: now().after(1) };
    let old = |l: Lease| Lease { expires: Deadline { boot: "old".into(), ..l.expires.clone() }, ..l };
    for odd in [Lease { challenge: Some(by), ..plain() }, old(plain())] {
        let text = lines(&odd, BOOT);
        assert_eq!(gather(read(&text), BOOT).unwrap(), (vec![], vec![5]));
        assert_eq!(read(&text)[1].path, odd.paths[1], "its paths are found all the same");
    }
}

#[test]
fn a_line_too_few_or_too_many_is_noticed() {
    let (one, two) = (
        lines(&lease(1, &[(PathKind::File, "a"), (PathKind::File, "b")]), BOOT),
        lines(&lease(2, &[(PathKind::File, "c")]), BOOT),
    );
    let all = format!("{one}{two}");
    assert!(gather(read(&all), BOOT).is_some());
    for missing in 0..3 {
        let some: Vec<&str> =
            all.lines().enumerate().filter(|(at, _)| *at != missing).map(|(_, l)| l).collect();
        let whole = missing == 2;
        assert_eq!(gather(read(&some.join("\n")), BOOT).is_some(), whole, "{missing}");
    }
    assert!(gather(read(&format!("{all}{two}")), BOOT).is_none());
    for bad in ["", "a", "\ta\t\tq\t1\t0\t1\t!", "\ta\t\tf\tx\t0\t1\t!", "\t../a\t\tf\t1\t0\t1\t!"] {
        assert!(Line::read(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn the_keys_of_a_pattern_find_every_line_that_overlaps_it_in_one_stretch_each() {
    let texts = ["a", "a/b", "a/b/c", "a-b", "a/b-c", "a b", "ab", "b"];
    let globs = ["a/*", "a/**", "a/*/c", "**", "*", "**/c", "a/b/**/x"];
    let mut all: Vec<PathPattern> = vec![PathPattern::new(PathKind::Dir, None, "").unwrap()];
    for text in texts {
        all.extend([PathKind::File, PathKind::Dir].map(|kind| PathPattern::new(kind, None, text).unwrap()));
        all.push(PathPattern::new(PathKind::File, Some("tree"), text).unwrap());
    }
    all.extend(globs.map(|glob| PathPattern::new(PathKind::Glob, None, glob).unwrap()));
    let mut text: Vec<String> = all
        .iter()
        .zip(1..)
        .map(|(path, fence)| lines(&Lease { paths: vec![path.clone()], ..lease(fence, &[]) }, BOOT))
        .collect();
    text.sort_by(|a, b| order(a.as_bytes(), b.as_bytes()));
    for wanted in &all {
        let mut found = Vec::new();
        for key in keys(wanted) {
            let hits: Vec<usize> = (0..text.len()).filter(|at| text[*at].starts_with(&key)).collect();
            assert!(hits.windows(2).all(|two| two[0] + 1 == two[1]), "{key:?} is in pieces");
            let first = text.partition_point(|line| order(line.as_bytes(), key.as_bytes()).is_lt());
            assert!(hits.first().is_none_or(|at| *at == first), "{key:?}");
            found
                .extend(hits.into_iter().map(|at| Line::read(text[at].trim_end_matches('\n')).unwrap().path));
        }
        for path in all.iter().filter(|path| path.overlaps(wanted)) {
            assert_eq!(found.iter().filter(|f| *f == path).count(), 1, "{path} for {wanted}");
        }
    }
}

#[test]
fn a_holder_is_looked_at_when_time_death_or_a_new_name_may_have_changed_something() {
    let at = |awake_ms| Moment { awake_ms, ..now() };
    let mut tenants = Vec::new();
    let (plain, auto) =
        (lease(1, &[(PathKind::File, "a")]), Lease { auto: true, ..lease(2, &[(PathKind::File, "b")]) });
    note(&mut tenants, None, Some(&plain), &now()).unwrap();
    let due = |tenants: &[Tenant], liveness, awake| tenants[0].is_due(liveness, None, &at(awake));
    assert!(!due(&tenants, Liveness::Alive, 700_000), "it is asked to renew, if somebody wants it");
    assert!(due(&tenants, Liveness::Dead, 5_000));
    assert!(!due(&tenants, Liveness::Unknown, 604_999) && due(&tenants, Liveness::Unknown, 605_000));
    let renamed = Name::new("anna").unwrap();
    assert!(tenants[0].is_due(Liveness::Alive, Some(&renamed), &now()));
    assert!(!tenants[0].is_due(Liveness::Alive, Some(&plain.holder.name), &now()));
    note(&mut tenants, None, Some(&auto), &now()).unwrap();
    assert!(!due(&tenants, Liveness::Alive, 604_999) && due(&tenants, Liveness::Alive, 605_000));
    assert_eq!((tenants.len(), tenants[0].leases), (1, 2));
    let asked = Lease {
        challenge: Some(Challenge { by: Name::human(), until: at(800_000).after(0) }),
        ..plain.clone()
    };
    note(&mut tenants, Some(&auto), None, &now()).unwrap();
    note(&mut tenants, Some(&plain), None, &now()).unwrap();
    assert_eq!(tenants, []);
    note(&mut tenants, None, Some(&asked), &now()).unwrap();
    assert!(!due(&tenants, Liveness::Alive, 799_999) && due(&tenants, Liveness::Alive, 800_000));
    assert_eq!(note(&mut tenants, Some(&Lease { holder: Holder::human(), ..plain }), None, &now()), None);
}

#[test]
fn a_path_of_the_team_is_found_however_it_is_written_and_apart_from_those_of_a_tree() {
    let team = |path| PathPattern::team(PathKind::File, path).unwrap();
    let boot = "b";
    let now = Moment { wall_ms: 1, awake_ms: 1, boot: boot.into() };
    let lease = Lease {
        fence: 7,
        holder: Holder::human(),
        paths: vec![team("DB/Schema.sql"), PathPattern::named("Deploy").unwrap()],
        mode: Mode::Exclusive,
        auto: false,
        reason: None,
        since: 1,
        expires: now.after(9),
        challenge: None,
    };
    let text = lines(&lease, boot);
    let found = |path: &PathPattern| {
        let keys = keys(path);
        text.lines().filter(|line| keys.iter().any(|key| line.starts_with(key.as_str()))).count()
    };
    assert_eq!((found(&team("db/schema.SQL")), found(&PathPattern::named("Deploy").unwrap())), (1, 1));
    assert_eq!(found(&PathPattern::new(PathKind::File, None, "db/schema.sql").unwrap()), 0);
    for line in text.lines() {
        let line = Line::read(line).unwrap();
        assert!(lease.paths.iter().any(|p| p.overlaps(&line.path)));
        // An unusual lease is read from its record.
        assert_eq!(line.rest, ELSEWHERE);
    }
}

#[test]
fn whatever_settling_would_change_is_due_and_nothing_else() {
    let at = |awake_ms| Moment { awake_ms, ..now() };
    let (own, renamed) = (Name::new("claude-1").unwrap(), Name::new("anna").unwrap());
    let challenges = [None, Some(300_000), Some(900_000)];
    for (auto, command) in [(false, false), (true, false), (false, true), (true, true)] {
        for lapse in challenges {
            let plain = lease(1, &[(PathKind::File, "a")]);
            let one = Lease {
                auto,
                holder: Holder { command, ..plain.holder.clone() },
                challenge: lapse.map(|until| Challenge { by: Name::human(), until: at(until).after(0) }),
                ..plain
            };
            let mut tenants = Vec::new();
            note(&mut tenants, None, Some(&one), &now()).unwrap();
            for liveness in [Liveness::Alive, Liveness::Dead, Liveness::Unknown] {
                for name in [&own, &renamed] {
                    for awake in [5_000, 300_001, 605_001, 900_001] {
                        let mut table = LeaseTable::new([one.clone()], [], Counter::default(), at(awake));
                        table.settle(|_| (liveness, Some(name.clone())));
                        let same = table.leases().eq([&one]);
                        let due = tenants[0].is_due(liveness, Some(name), &at(awake));
                        assert_eq!(due, !same, "{one:?} {liveness:?} {name} {awake}");
                    }
                }
            }
        }
    }
}
