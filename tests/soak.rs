//! A team of twelve at work for a while: sends, broadcasts, acknowledgements, leases, renames, moved and resized panes, dialogs,
//! drafts, deaths and killed couriers, drawn by a seeded generator. At the end the books balance: what was sent, the records, the
//! journal and the agents' own logs tell the same. The default takes half a minute; `SWARM_SOAK_MINUTES=60` makes it an hour,
//! `SWARM_SOAK_SEED` another one.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use support::{World, eventually};

const KINDS: [&str; 4] = ["claude", "codex", "gemini", "opencode"];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A fixed sequence of numbers without a pattern.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }
}

/// One agent, as the test knows it.
struct Member {
    pane: String,
    name: String,
    alive: bool,
    held_by: Option<&'static str>,
}

struct Soak {
    world: World,
    random: Random,
    team: Vec<Member>,
    /// The messages that were tried, with their recipients' panes; the human's is empty.
    tried: BTreeMap<usize, Vec<String>>,
    /// Those that the human sent successfully.
    sent: BTreeSet<usize>,
    errands: usize,
    done: BTreeMap<&'static str, usize>,
}

impl Soak {
    fn new(seed: u64) -> Self {
        let mut world = World::new();
        world.set("SWARM_ACK_WAITS", "2,3");
        let boy = world.path().join("bin/errands");
        let text = format!(
            "#!/bin/sh\nfifo={}/${{TMUX_PANE#%}}.errands\nmkfifo $fifo\nwhile :; do while read -r line; do sh -c \"$line\"; done <$fifo; done\n",
            world.path().display()
        );
        fs::write(&boy, text).unwrap();
        fs::set_permissions(&boy, fs::Permissions::from_mode(0o755)).unwrap();
        world.start();
        let panes: Vec<String> = (0..12)
            .map(|n| world.agent(&format!("errands </dev/null >/dev/null 2>&1 & {}", KINDS[n % 4]), &[]))
            .collect();
        world.ok(&["discover", "--init", "--quiet"]);
        let listed = json(&world.ok(&["agents", "--json"]));
        let name = |pane: &str| {
            let all = listed["agents"].as_array().unwrap();
            all.iter().find(|a| a["pane"] == pane).unwrap()["name"].as_str().unwrap().to_owned()
        };
        let team = panes
            .into_iter()
            .map(|pane| Member { name: name(&pane), pane, alive: true, held_by: None })
            .collect();
        Self {
            world,
            random: Random(seed),
            team,
            tried: BTreeMap::new(),
            sent: BTreeSet::new(),
            errands: 0,
            done: BTreeMap::new(),
        }
    }

    fn one_alive(&mut self) -> usize {
        loop {
            let n = self.random.below(self.team.len());
            if self.team[n].alive {
                return n;
            }
        }
    }

    /// Runs a shell command below an agent's pane. It reports in `errands`, under the number N.
    fn errand(&mut self, member: usize, command: &str) {
        let pane = self.team[member].pane.trim_start_matches('%');
        let fifo = self.world.path().join(format!("{pane}.errands"));
        eventually("the errand boy listens", || fifo.exists().then_some(()));
        let report = self.world.path().join("reports");
        self.errands += 1;
        let line = format!(
            "{{ {command}; }} >/dev/null 2>>{1}.err; echo {0} $? >>{1}",
            self.errands,
            report.display()
        );
        writeln!(fs::OpenOptions::new().write(true).open(fifo).unwrap(), "{line}").unwrap();
    }

    /// One thing that happens. Couriers are killed in the first half, people type in the second.
    fn step(&mut self, first_half: bool) {
        let what = match self.random.below(100) {
            0..40 => self.send(),
            40..55 => self.agent_sends(),
            55..67 => self.lease(),
            67..73 => self.acknowledge(),
            73..77 => self.rename(),
            77..85 => self.move_or_resize(),
            85..92 => self.condition(first_half),
            92..94 => self.death(),
            94..97 if first_half => self.kill_courier(),
            _ => {
                self.world.ok(&["read", "--all"]);
                "the human reads"
            }
        };
        *self.done.entry(what).or_default() += 1;
    }

    fn targets(&mut self) -> (String, Vec<String>) {
        let mut chosen = BTreeSet::from([self.one_alive()]);
        if self.random.below(6) == 0 {
            chosen.extend([self.one_alive(), self.one_alive()]);
        }
        let names: Vec<&str> = chosen.iter().map(|n| self.team[*n].name.as_str()).collect();
        (names.join(","), chosen.iter().map(|n| self.team[*n].pane.clone()).collect())
    }

    fn send(&mut self) -> &'static str {
        let (names, panes) = self.targets();
        let (number, ack) = (self.tried.len() + 1, self.random.below(5) == 0);
        self.tried.insert(number, panes);
        let text = format!("soak {number} is here");
        let mut args = vec!["send", "--no-wait", names.as_str(), text.as_str()];
        if ack {
            args.push("--ack");
        }
        let out = self.world.swarm(&args);
        if out.status.success() {
            self.sent.insert(number);
        } else {
            // Somebody died a moment ago, or has been held for so long that no more is taken.
            let why = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.code() == Some(5) || why.contains("messages of yours wait for"), "{why}");
        }
        "the human sends"
    }

    fn agent_sends(&mut self) -> &'static str {
        let from = self.one_alive();
        let (names, panes) = self.targets();
        let number = self.tried.len() + 1;
        self.tried.insert(number, panes);
        let log = self.world.path().join("sent");
        self.errand(
            from,
            &format!(
                "swarm-msg send --no-wait {names} 'soak {number} is here' && echo {number} >>{}",
                log.display()
            ),
        );
        "an agent sends"
    }

    fn lease(&mut self) -> &'static str {
        let member = self.one_alive();
        let path = ["src/a.rs", "src/b.rs", "src/", "'src/*.rs'", "doc"][self.random.below(5)];
        match self.random.below(3) {
            0 => self.errand(member, "swarm-msg unlock --all"),
            1 => self.errand(member, &format!("swarm-msg lock {path} --wait 10m")),
            _ => self.errand(member, &format!("swarm-msg lock {path}")),
        }
        "leases"
    }

    fn acknowledge(&mut self) -> &'static str {
        let member = self.one_alive();
        let command = "for f in $(ls .swarm/mail/$(swarm-msg whoami | sed 's/ .*//')/unacked); do f=${f%.json}; swarm-msg ack --no-wait ${f##*-}; done";
        let command = format!("cd {} && {command}", self.world.project().display());
        self.errand(member, &command);
        "acknowledgements"
    }

    fn rename(&mut self) -> &'static str {
        let member = self.one_alive();
        let name = format!("member-{}-{}", member, self.done.get("renames").copied().unwrap_or_default());
        self.world.ok(&["name", &self.team[member].name, &name]);
        self.team[member].name = name;
        "renames"
    }

    fn move_or_resize(&mut self) -> &'static str {
        let (one, two) = (self.one_alive(), self.one_alive());
        let (one, two) = (self.team[one].pane.clone(), self.team[two].pane.clone());
        // What does not fit is refused by tmux, and changes nothing.
        match self.random.below(4) {
            0 => drop(self.world.try_tmux(&["swap-pane", "-d", "-s", &one, "-t", &two])),
            1 => drop(self.world.try_tmux(&["join-pane", "-d", "-h", "-s", &one, "-t", &two])),
            2 => drop(self.world.try_tmux(&["break-pane", "-d", "-s", &one])),
            _ => {
                let size = [["80", "24"], ["160", "48"], ["60", "15"], ["120", "40"]][self.random.below(4)];
                drop(self.world.try_tmux(&["resize-window", "-t", &one, "-x", size[0], "-y", size[1]]));
            }
        }
        "moves and resizes"
    }

    fn condition(&mut self, first_half: bool) -> &'static str {
        let n = self.one_alive();
        let member = &mut self.team[n];
        if let Some(lift) = member.held_by.take() {
            self.world.control(&member.pane, lift);
            return "conditions lifted";
        }
        match self.random.below(if first_half { 2 } else { 3 }) {
            0 => self.world.control(&member.pane, "busy 700"),
            1 => {
                self.world.control(&member.pane, "dialog rm -rf x");
                member.held_by = Some("dialog-close");
            }
            _ => {
                self.world.control(&member.pane, "draft half a thought");
                member.held_by = Some("clear");
            }
        }
        "conditions"
    }

    fn death(&mut self) -> &'static str {
        if self.team.iter().filter(|m| !m.alive).count() >= 3 {
            return "nothing";
        }
        let n = self.one_alive();
        self.team[n].alive = false;
        self.world.control(&self.team[n].pane, "die");
        "deaths"
    }

    fn kill_courier(&mut self) -> &'static str {
        for pid in couriers(&self.world) {
            // It may have ended by itself.
            let _ = Command::new("kill").args(["-KILL", &pid]).output();
        }
        "couriers killed"
    }

    /// Lifts everything and waits until nothing is under way.
    fn settle(&mut self) {
        for member in self.team.iter().filter(|m| m.alive) {
            if let Some(lift) = member.held_by {
                self.world.control(&member.pane, lift);
            }
            let _ = self.world.try_tmux(&["break-pane", "-d", "-s", &member.pane]);
            let _ = self.world.try_tmux(&["resize-window", "-t", &member.pane, "-x", "160", "-y", "48"]);
        }
        let reports = self.world.path().join("reports");
        eventually("all errands are done", || {
            let done = fs::read_to_string(&reports).unwrap_or_default().lines().count();
            (done == self.errands).then_some(())
        });
        self.world.ok(&["discover", "--quiet"]);
        let patience = Instant::now();
        loop {
            let open = self.open();
            if open.is_empty() {
                return;
            }
            if patience.elapsed() > Duration::from_secs(120) {
                let screen = |m: &Member| format!("{} {}\n{}", m.pane, m.name, self.world.screen(&m.pane));
                let screens: Vec<String> = self.team.iter().filter(|m| m.alive).map(screen).collect();
                panic!("never through: {open:#?}\n{}", screens.join("\n"));
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Messages to agents that still wait.
    fn open(&self) -> Vec<String> {
        let mut open = Vec::new();
        for (owner, _, file, _) in self.mail().into_iter().filter(|(_, folder, ..)| folder == "new") {
            let id = file.trim_end_matches(".json").rsplit('-').next().unwrap().to_owned();
            let state = fs::read_to_string(self.world.state().join(format!("mail/{owner}/state/{id}.json")));
            let way = state.map(|text| json(&text)["way"].clone()).unwrap_or_default();
            if owner != "human" && way["stage"] != "failed" {
                open.push(format!("{owner} {file} {way}"));
            }
        }
        open
    }

    /// All messages: mailbox, folder, file, content.
    fn mail(&self) -> Vec<(String, String, String, Value)> {
        let mut all = Vec::new();
        let root = self.world.state().join("mail");
        for owner in names(&root) {
            for folder in ["new", "given", "cur"] {
                for file in names(&root.join(&owner).join(folder)) {
                    // It may move on while we look.
                    let text =
                        fs::read_to_string(root.join(&owner).join(folder).join(&file)).unwrap_or_default();
                    let message = serde_json::from_str::<Value>(&text).unwrap_or_default()["message"].clone();
                    all.push((owner.clone(), folder.to_owned(), file, message));
                }
            }
        }
        all
    }

    /// Compares what was sent with the records, the journal and the agents' logs.
    fn balance(&mut self) -> String {
        let mut sent = self.sent.clone();
        let log = fs::read_to_string(self.world.path().join("sent")).unwrap_or_default();
        sent.extend(log.lines().map(|n| n.parse::<usize>().unwrap()));
        let journal = fs::read_to_string(self.world.state().join("journal.jsonl")).unwrap();
        let journal: Vec<Value> = journal.lines().map(json).collect();
        let posted: BTreeSet<&str> =
            journal.iter().filter(|e| e["event"] == "sent").map(|e| e["id"].as_str().unwrap()).collect();
        let mut copies: BTreeMap<usize, Vec<(String, String)>> = BTreeMap::new();
        for (owner, _, _, message) in self.mail() {
            let body = message["body"].as_str().unwrap_or_default();
            let number = body.strip_prefix("soak ").and_then(|t| t.split(' ').next()?.parse().ok());
            let id = message["id"].as_str().unwrap().to_owned();
            assert!(posted.contains(id.as_str()), "{id} is not in the journal");
            if let Some(number) = number {
                copies.entry(number).or_default().push((owner, id));
            }
        }
        let (mut given, mut failed, mut deliveries) = (0, 0, 0);
        for number in &sent {
            let panes = &self.tried[number];
            let copies = copies.get(number).cloned().unwrap_or_default();
            assert_eq!(
                copies.len(),
                panes.len(),
                "message {number} was sent to {panes:?} and is with {copies:?}"
            );
            for (owner, id) in copies {
                let state = json(
                    &fs::read_to_string(self.world.state().join(format!("mail/{owner}/state/{id}.json")))
                        .unwrap(),
                );
                let stage = state["way"]["stage"].as_str().unwrap().to_owned();
                let marker = format!("[swarm {id} INFO ");
                let seen: usize = panes
                    .iter()
                    .flat_map(|pane| self.world.events(pane, "submitted"))
                    .map(|text| text.matches(&marker).count())
                    .sum();
                let of_all = panes.len();
                assert!(seen <= of_all, "message {number} ({id}) was given {seen} times to {of_all}");
                let noted = journal.iter().filter(|e| {
                    e["event"] == "delivery"
                        && e["stage"] == "submitted"
                        && e["id"] == id.as_str()
                        && e["to"] == owner.as_str()
                        && e["reminder"].is_null()
                });
                assert!(noted.count() <= 1, "{id} to {owner} was submitted twice");
                deliveries += 1;
                match stage.as_str() {
                    "submitted" => {
                        if of_all == 1 {
                            assert_eq!(seen, 1, "message {number} ({id}) to {owner}");
                        }
                        given += 1;
                    }
                    // Seen in the inbox, perhaps before it was typed.
                    "read" | "acked" => given += 1,
                    "failed" => failed += 1,
                    other => panic!("message {number} ({id}) to {owner} is {other}"),
                }
            }
        }
        for number in copies.keys() {
            let said = fs::read_to_string(self.world.path().join("reports.err")).unwrap_or_default();
            assert!(sent.contains(number), "message {number} is there and was not sent: {said}");
        }
        for pane in self.team.iter().map(|m| &m.pane) {
            for text in self.world.events(pane, "submitted") {
                assert_eq!(text.matches("[swarm ").count(), 1, "two messages in one: {text}");
            }
            assert!(!self.world.log(pane).contains("dialog-answered"), "{}", self.world.log(pane));
        }
        assert_eq!(names(&self.world.state().join("quarantine")), [""; 0]);
        assert_eq!(names(&self.world.state().join("outbox")), [""; 0]);
        assert!(
            !journal.iter().any(|e| e["event"] == "courier-error"),
            "{:#?}",
            journal.iter().find(|e| e["event"] == "courier-error")
        );
        format!("{} messages, {deliveries} deliveries: {given} given, {failed} to the dead", sent.len())
    }
}

fn names(dir: &std::path::Path) -> Vec<String> {
    let entry = |e: std::io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
    let mut all: Vec<String> = fs::read_dir(dir).map(|d| d.map(entry).collect()).unwrap_or_default();
    all.sort();
    all
}

/// The couriers that serve this world, whoever started them.
fn couriers(world: &World) -> Vec<String> {
    let out = Command::new("ps").args(["-A", "-o", "pid=,args="]).output().unwrap();
    let mark = world.path().join("tmux").display().to_string();
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter(|l| l.contains("courier --socket") && l.contains(&mark))
        .filter_map(|l| l.split_whitespace().next().map(str::to_owned))
        .collect()
}

/// Resident memory in kB and open descriptors of a process, where `/proc` tells.
fn size(pid: &str) -> Option<(u64, usize)> {
    let proc = PathBuf::from("/proc").join(pid);
    let status = fs::read_to_string(proc.join("status")).ok()?;
    let rss = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let rss = rss.trim().trim_end_matches(" kB").parse().ok()?;
    Some((rss, fs::read_dir(proc.join("fd")).ok()?.count()))
}

#[test]
fn a_team_at_work_keeps_its_books() {
    let seed = number("SWARM_SOAK_SEED").unwrap_or(1);
    let time = number("SWARM_SOAK_MINUTES").map_or(Duration::from_secs(20), |m| Duration::from_secs(60 * m));
    let mut soak = Soak::new(seed);
    let begun = Instant::now();
    let mut middle = None;
    while begun.elapsed() < time {
        let first_half = begun.elapsed() < time / 2;
        if !first_half && middle.is_none() {
            soak.world.ok(&["discover", "--quiet"]);
            let courier = eventually("a courier", || couriers(&soak.world).pop());
            // After a round or two of its own.
            thread::sleep(Duration::from_secs(1));
            middle = size(&courier).map(|size| (courier, size));
        }
        soak.step(first_half);
        thread::sleep(Duration::from_millis(40));
    }
    soak.settle();
    let books = soak.balance();
    let mut flat = "not measured here".to_owned();
    if let Some((courier, (rss, fds))) = middle {
        let (rss_after, fds_after) = size(&courier).unwrap_or_else(|| panic!("the courier {courier} ended"));
        flat = format!("courier {rss} -> {rss_after} kB, {fds} -> {fds_after} descriptors");
        assert!(rss_after < rss + 4096, "{flat}");
        // Tmux calls and records come and go while one looks.
        assert!(fds_after < fds + 16, "{flat}");
    }
    println!("{:?}", soak.done);
    println!("soak: seed {seed}, {} s; {books}; {flat}; the books balance", begun.elapsed().as_secs());
}
