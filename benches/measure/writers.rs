//! Several writers to one recipient at once: by way of the library, which shows what the store bears, and by a process a message,
//! beside what the same machine takes for the bare file operations, for empty processes, and for this program if it only tells its
//! version. Rounds of all five take turns.

use super::clock::percentile;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use swarm::core::body::Body;
use swarm::core::message::{Identity, MessageType};
use swarm::core::name::Name;
use swarm::core::rate::Limit;
use swarm::store::Store;
use swarm::store::mail::Folder;
use swarm::store::post::NewMessage;

const WRITERS: usize = 8;

/// Messages of one writer: together less than may wait in a mailbox.
const MESSAGES: usize = 120;

/// Messages of one writer by processes, which are all the human's: together less than may wait of one sender.
const PROCESSES: usize = 24;

const ROUNDS: usize = 7;

/// What the rest of the arguments belongs to.
pub(super) const AS_WRITER: &str = "as-writer";

/// A store in a directory of its own, and a home for its key.
struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let project = Self(dir);
        project.run(Command::new("git").args(["init", "-q"]));
        project
    }

    fn surround<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let dir = self.0.path();
        command
            .current_dir(dir)
            .env("HOME", dir)
            .env_remove("XDG_STATE_HOME")
            .env("SWARM_RATE_LIMIT", "0/60");
        for name in ["SWARM_ROOT", "SWARM_NAME", "TMUX", "TMUX_PANE"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null())
    }

    fn run(&self, command: &mut Command) {
        assert!(self.surround(command).status().unwrap().success());
    }

    fn messages(&self) -> usize {
        let new = self.0.path().join(".swarm/mail/human").join("new");
        fs::read_dir(new).unwrap().filter(|e| e.as_ref().unwrap().path().extension().is_some()).count()
    }
}

/// What one writer process does.
pub(super) fn write(name: &str, dir: &Path) {
    let store = Store::open(dir).unwrap();
    for n in 0..MESSAGES {
        let (from, body) = (Name::new(name).unwrap(), Body::new(&format!("message {n}")).unwrap());
        let draft = NewMessage::new(from, Identity::Human, vec![Name::human()], MessageType::Info, body);
        store.post(draft, Limit { count: 0, window: Duration::from_millis(60_000) }).unwrap();
    }
    assert!(store.count_mail(&Name::human(), Folder::New).unwrap() >= MESSAGES);
}

/// How many a second, if `work` does `each` in each of the writers.
#[allow(clippy::cast_precision_loss)] // a thousand messages
fn rate(each: usize, work: impl Fn(usize) + Sync) -> f64 {
    let begun = Instant::now();
    thread::scope(|scope| {
        for n in 0..WRITERS {
            let work = &work;
            scope.spawn(move || work(n));
        }
    });
    let took: Duration = begun.elapsed();
    (WRITERS * each) as f64 / took.as_secs_f64()
}

/// The file operations that a durable message cannot do without: a file is written and synced, linked into its directory, which is
/// synced, and its first name removed.
fn bare(dir: &Path, writer: usize) {
    for n in 0..MESSAGES {
        let name = format!("{writer}-{n}");
        let mut file = File::create_new(dir.join("tmp").join(&name)).unwrap();
        file.write_all(&[b'x'; 400]).unwrap();
        file.sync_all().unwrap();
        fs::hard_link(dir.join("tmp").join(&name), dir.join("new").join(&name)).unwrap();
        File::open(dir.join("new")).unwrap().sync_all().unwrap();
        fs::remove_file(dir.join("tmp").join(&name)).unwrap();
    }
}

/// Prints the rows.
pub(super) fn rows(swarm: &str) {
    let this = std::env::current_exe().unwrap();
    let mut rates: [Vec<f64>; 5] = Default::default();
    for _ in 0..ROUNDS {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tmp")).unwrap();
        fs::create_dir(dir.path().join("new")).unwrap();
        rates[0].push(rate(MESSAGES, |n| bare(dir.path(), n)));

        let project = Project::new();
        project.run(Command::new(swarm).arg("init"));
        rates[1].push(rate(MESSAGES, |n| {
            project.run(Command::new(&this).args([AS_WRITER, &format!("writer-{n}")]).arg(project.0.path()));
        }));
        assert_eq!(project.messages(), WRITERS * MESSAGES);

        for (at, command) in [(2, &["true"][..]), (3, &[swarm, "--version"])] {
            rates[at].push(rate(PROCESSES, |_| {
                for _ in 0..PROCESSES {
                    project.run(Command::new(command[0]).args(&command[1..]));
                }
            }));
        }

        let project = Project::new();
        project.run(Command::new(swarm).arg("init"));
        rates[4].push(rate(PROCESSES, |_| {
            for _ in 0..PROCESSES {
                project.run(Command::new(swarm).args(["send", "--no-wait", "human", "a line of text"]));
            }
        }));
        assert_eq!(project.messages(), WRITERS * PROCESSES);
    }
    let [floor, library, empty, starts, processes] = rates.map(|mut r| percentile(&mut r, 50));
    println!("| the bare file operations of as many messages | {floor:.0}/s | 1.0 | |");
    println!("| messages, each writer one process | {library:.0}/s | {:.2} | ≥ 1,500/s |", library / floor);
    println!("| empty processes | {empty:.0}/s | 1.0 | |");
    println!("| swarm --version | {starts:.0}/s | {:.2} | |", starts / empty);
    println!("| messages, a process each | {processes:.0}/s | {:.2} | |", processes / starts);
}
