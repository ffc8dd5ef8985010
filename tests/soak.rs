//! A team of twelve at work for a while: sends, broadcasts, acknowledgements, leases, renames, moved and resized panes, dialogs,
//! drafts, deaths, newcomers and killed couriers, drawn by a seeded generator. While it works, no two hold one path, at any moment
//! that is looked at. At the end the books balance: what was sent, the records, the journal and the agents' own logs tell the
//! same of every message, every acknowledgement and every lease. The default takes half a minute; `SWARM_SOAK_MINUTES=60` makes
//! it an hour, `SWARM_SOAK_SEED` another one.

use crate::support::books::{self, Ledger, names};
use crate::support::mail::parsed;
use crate::support::{World, eventually, executable};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const KINDS: [&str; 4] = ["claude", "codex", "gemini", "opencode"];

/// How many of a team live, at least and at most.
const ALIVE: (usize, usize) = (9, 13);

/// How many of them have a dialog or a draft, at the most.
const HELD: usize = 4;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}

/// A fixed sequence of numbers without a pattern.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }
}

/// Beyond so many waiting messages nothing more is sent: more is offered than so few agents take, and what the dead were not given
/// waits, too, so a long run would end at the caps.
const BACKLOG: usize = 400;

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
    /// The messages that were tried, with their recipients' panes; the human's is empty. `None`: whoever was there.
    tried: BTreeMap<usize, Option<Vec<String>>>,
    /// Those that the human sent successfully.
    sent: BTreeSet<usize>,
    errands: usize,
    done: BTreeMap<&'static str, usize>,
    ledger: Ledger,
    /// Couriers that were killed.
    killed: usize,
    /// Moments at which the leases were looked at.
    sampled: usize,
    /// Messages of the human that were refused.
    refused: usize,
}

impl Drop for Soak {
    fn drop(&mut self) {
        // They wait for the next errand, and do not end with their pane.
        let errands = self.world.path().join("bin/errands");
        let _ = Command::new("pkill").args(["-KILL", "-f"]).arg(errands).status();
    }
}

impl Soak {
    fn new(seed: u64) -> Self {
        let mut world = World::new();
        world.set("SWARM_ACK_WAITS", "2,3");
        let errands = format!(
            "#!/bin/sh\nfifo={}/${{TMUX_PANE#%}}.errands\nmkfifo $fifo\nwhile :; do while read -r line; do sh -c \"$line\"; done <$fifo; done\n",
            world.path().display()
        );
        // What only one may do at a time: if two are in there, the second finds the first.
        let alone = format!(
            "#!/bin/sh\nif mkdir {0}/inside; then sleep 0.0$(($$ % 10)); rmdir {0}/inside; else echo $$ >>{0}/overlaps; fi\n",
            world.path().display()
        );
        for (name, text) in [("errands", errands), ("alone", alone)] {
            let path = world.path().join("bin").join(name);
            executable(&path, text);
        }
        world.start();
        let ledger = Ledger::new(world.state().join("journal.jsonl"));
        let mut soak = Self {
            world,
            random: Random(seed),
            team: Vec::new(),
            tried: BTreeMap::new(),
            sent: BTreeSet::new(),
            errands: 0,
            done: BTreeMap::new(),
            ledger,
            killed: 0,
            sampled: 0,
            refused: 0,
        };
        let panes: Vec<String> = (0..12).map(|n| soak.pane(KINDS[n % 4])).collect();
        soak.world.ok(&["discover", "--init", "--quiet"]);
        for pane in panes {
            soak.welcome(pane);
        }
        soak
    }

    /// Starts an agent, with somebody below its pane who runs errands.
    fn pane(&self, kind: &str) -> String {
        self.world.agent(&format!("errands </dev/null >/dev/null 2>&1 & {kind}"), &[])
    }

    /// Takes an agent that was discovered into the team.
    fn welcome(&mut self, pane: String) {
        let listed = parsed(&self.world.ok(&["agents", "--json"]));
        let all = listed["agents"].as_array().unwrap();
        let name = all.iter().find(|a| a["pane"] == pane.as_str()).unwrap()["name"].as_str().unwrap();
        self.team.push(Member { name: name.to_owned(), pane, alive: true, held_by: None });
    }

    fn alive(&self) -> usize {
        self.team.iter().filter(|m| m.alive).count()
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
            0..53 if self.backlog() > BACKLOG => self.catch_up(),
            0..36 => self.send(),
            36..51 => self.agent_sends(),
            51..53 => self.broadcast(),
            53..66 => self.lease(),
            66..73 => self.acknowledge(),
            73..77 => self.rename(),
            77..84 => self.move_or_resize(),
            84..90 => self.condition(first_half),
            90..92 => self.death(),
            92..94 => self.newcomer(),
            94..97 if first_half => self.kill_courier(),
            _ => {
                self.world.ok(&["read", "--all"]);
                "the human reads"
            }
        };
        *self.done.entry(what).or_default() += 1;
        if self.random.below(6) == 0 {
            books::nobody_is_in_anothers_way(&books::leases(&self.world));
            self.sampled += 1;
            self.ledger.follow();
        }
    }

    /// How many messages wait for the living.
    fn backlog(&self) -> usize {
        let waiting = |m: &Member| names(&self.world.state().join(format!("mail/{}/new", m.name))).len();
        self.team.iter().filter(|m| m.alive).map(waiting).sum()
    }

    /// Instead of a message: somebody who is held back goes on.
    fn catch_up(&mut self) -> &'static str {
        for member in self.team.iter_mut().filter(|m| m.alive) {
            if let Some(lift) = member.held_by.take() {
                self.world.control(&member.pane, lift);
                break;
            }
        }
        "too much waits"
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
        let (number, ack, urgent) =
            (self.tried.len() + 1, self.random.below(5) == 0, self.random.below(10) == 0);
        self.tried.insert(number, Some(panes));
        let text = format!("soak {number} is here");
        let mut args = vec!["send", "--no-wait", names.as_str(), text.as_str()];
        args.extend(ack.then_some("--ack"));
        args.extend(urgent.then_some("--urgent"));
        self.try_send(number, &args);
        "the human sends"
    }

    fn broadcast(&mut self) -> &'static str {
        let number = self.tried.len() + 1;
        self.tried.insert(number, None);
        let text = format!("soak {number} is here");
        self.try_send(number, &["send", "--no-wait", "@all", text.as_str()]);
        "broadcasts"
    }

    fn try_send(&mut self, number: usize, args: &[&str]) {
        let out = self.world.swarm(args);
        if out.status.success() {
            self.sent.insert(number);
        } else {
            // Somebody died a moment ago, has been held for so long that no more is taken, or the letters of the dead have filled
            // the project: nobody sends those again here. Such a refusal is told in the last line.
            let why = String::from_utf8_lossy(&out.stderr);
            let full = ["of your messages wait for", "messages wait in this project"];
            assert!(out.status.code() == Some(5) || full.iter().any(|f| why.contains(f)), "{why}");
            self.refused += 1;
        }
    }

    fn agent_sends(&mut self) -> &'static str {
        let from = self.one_alive();
        let (mut names, mut panes) = self.targets();
        if self.random.below(8) == 0 {
            names.push_str(",human");
            panes.push(String::new());
        }
        let ack = if self.random.below(5) == 0 { "--ack " } else { "" };
        let number = self.tried.len() + 1;
        self.tried.insert(number, Some(panes));
        let log = self.world.path().join("sent");
        self.errand(
            from,
            &format!(
                "swarm-msg send {ack}--no-wait {names} 'soak {number} is here' && echo {number} >>{}",
                log.display()
            ),
        );
        "an agent sends"
    }

    fn lease(&mut self) -> &'static str {
        let member = self.one_alive();
        let path = ["src/a.rs", "src/b.rs", "src/", "'src/*.rs'", "doc"][self.random.below(5)];
        match self.random.below(7) {
            0 | 1 => self.errand(member, "swarm-msg unlock --all"),
            2 => self.errand(member, &format!("swarm-msg lock {path} --wait 10m")),
            3 => self.errand(member, &format!("swarm-msg lock --shared {path} notes.md")),
            4 => self.errand(member, "swarm-msg lock alone --wait 3s -- alone"),
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
        let held: Vec<usize> =
            (0..self.team.len()).filter(|n| self.team[*n].alive && self.team[*n].held_by.is_some()).collect();
        // Some are held at any time, and nobody for ever.
        let n = if held.len() >= HELD { held[self.random.below(HELD)] } else { self.one_alive() };
        let member = &mut self.team[n];
        if let Some(lift) = member.held_by.take() {
            self.world.control(&member.pane, lift);
            return "conditions lifted";
        }
        match self.random.below(if first_half { 2 } else { 3 }) {
            0 => self.world.control(&member.pane, "busy 700"),
            1 => {
                // As agents do, in a turn. Out of nothing, it could open between tmux's check and the Enter that is on its way.
                self.world.control(&member.pane, "busy 600");
                thread::sleep(Duration::from_millis(200));
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
        if self.alive() <= ALIVE.0 {
            return "nothing";
        }
        let n = self.one_alive();
        self.team[n].alive = false;
        self.world.control(&self.team[n].pane, "die");
        "deaths"
    }

    fn newcomer(&mut self) -> &'static str {
        if self.alive() >= ALIVE.1 {
            return "nothing";
        }
        let kind = KINDS[self.random.below(4)];
        let pane = self.pane(kind);
        self.world.ok(&["discover", "--quiet"]);
        self.welcome(pane);
        "newcomers"
    }

    fn kill_courier(&mut self) -> &'static str {
        for pid in self.world.couriers() {
            // It may have ended by itself.
            self.killed +=
                usize::from(Command::new("kill").args(["-KILL", &pid]).status().is_ok_and(|s| s.success()));
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
                self.ledger.follow();
                return;
            }
            self.clear_what_was_left(&open);
            if patience.elapsed() > Duration::from_secs(120) {
                let screen = |m: &Member| format!("{} {}\n{}", m.pane, m.name, self.world.screen(&m.pane));
                let screens: Vec<String> = self.team.iter().filter(|m| m.alive).map(screen).collect();
                let journal =
                    fs::read_to_string(self.world.state().join("journal.jsonl")).unwrap_or_default();
                panic!("never through: {open:#?}\n{}\n{journal}", screens.join("\n"));
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// What a person does where mail waits behind a line that an agent was given before. A courier that is killed between its mark and
    /// the key leaves such a line if the message is acknowledged before the next one looks: nobody can tell any more whether Enter
    /// was pressed on it.
    fn clear_what_was_left(&self, open: &[String]) {
        for member in self.team.iter().filter(|m| m.alive) {
            let waits = |line: &&String| {
                line.starts_with(&format!("{} ", member.name))
                    && line.contains("a line of swarm that it was given before")
            };
            if open.iter().any(|line| waits(&line)) {
                assert!(self.killed > 0, "{} was left with a line of swarm: {open:#?}", member.name);
                self.world.control(&member.pane, "clear");
            }
        }
    }

    /// What is still under way: mail to agents, awaited acknowledgements, notices, questions of senders.
    fn open(&self) -> Vec<String> {
        let state = self.world.state();
        let mut open = Vec::new();
        for owner in names(&state.join("mail")) {
            let mail = state.join("mail").join(&owner);
            for file in names(&mail.join("new")).into_iter().filter(|_| owner != "human") {
                let id = file.trim_end_matches(".json").rsplit('-').next().unwrap().to_owned();
                let record = fs::read_to_string(mail.join(format!("state/{id}.json")));
                let way = record.map(|text| parsed(&text)["way"].clone()).unwrap_or_default();
                if way["stage"] != "failed" {
                    open.push(format!("{owner} {file} {way}"));
                }
            }
            open.extend(
                names(&mail.join("unacked")).iter().map(|file| format!("{owner} is to acknowledge {file}")),
            );
        }
        for left in ["notices", "claims", "outbox"] {
            open.extend(names(&state.join(left)).iter().map(|file| format!("{left}/{file}")));
        }
        open
    }

    /// Compares what was sent with the records, the journal and the agents' logs.
    fn balance(&self) -> String {
        let (world, ledger) = (&self.world, &self.ledger);
        let mut sent = self.sent.clone();
        let log = fs::read_to_string(world.path().join("sent")).unwrap_or_default();
        sent.extend(log.lines().map(|n| n.parse::<usize>().unwrap()));
        for empty in ["quarantine", "outbox", "claims", "notices"] {
            assert_eq!(names(&world.state().join(empty)), [""; 0], "{empty}/");
        }
        let (copies, agents) = (books::copies(world), books::agents(world));
        let posts = books::posts_agree(ledger, &copies, &agents, self.killed);
        let typed = books::typed(world, ledger, self.team.iter().map(|m| m.pane.clone()));
        let compared = books::order_holds(world, ledger, &typed, &copies);
        let acks = books::acknowledgements_end(world, ledger, &copies);
        let on_disk = books::leases(world);
        books::nobody_is_in_anothers_way(&on_disk);
        let grants = books::leases_agree(ledger, &on_disk, self.killed);
        let each = self.deliveries(&sent, &copies, &agents, &typed);
        for pane in self.team.iter().map(|m| &m.pane) {
            assert!(!world.log(pane).contains("dialog-answered"), "{}", world.log(pane));
        }
        assert_eq!(
            fs::read_to_string(world.path().join("overlaps")).unwrap_or_default(),
            "",
            "two were alone"
        );
        // Only what a killed courier had in hand: a record, a message and the number it had taken for it.
        let left = names(&world.state().join("tmp")).len();
        assert!(
            left <= 3 * self.killed,
            "{left} temporary files are left, and {} couriers were killed",
            self.killed
        );
        assert_eq!(ledger.torn, 0);
        let error = ledger.events("courier-error").chain(ledger.events("hook-error")).next();
        assert_eq!(error, None);
        format!(
            "{} messages of {posts} in the journal, {} refused, {each}, {compared} pairs in order; \
             {} awaited: {} acknowledged, {} escalated, {} failed; {grants} leases, {} left, none overlapped at {} moments; \
             {} couriers killed, {left} temporary files of theirs",
            sent.len(),
            self.refused,
            acks.0 + acks.1 + acks.2,
            acks.0,
            acks.1,
            acks.2,
            on_disk.len(),
            self.sampled,
            self.killed
        )
    }

    /// Follows each message that the test itself has sent to each of its recipients.
    fn deliveries(
        &self,
        sent: &BTreeSet<usize>,
        copies: &[books::Copy],
        agents: &BTreeMap<String, books::Agent>,
        typed: &BTreeMap<String, Vec<String>>,
    ) -> String {
        let (world, ledger) = (&self.world, &self.ledger);
        let mut numbers: BTreeMap<usize, Vec<&books::Copy>> = BTreeMap::new();
        for copy in copies {
            let body = copy.message["body"].as_str().unwrap_or_default();
            let number = body.strip_prefix("soak ").and_then(|t| t.split(' ').next()?.parse().ok());
            if let Some(number) = number {
                numbers.entry(number).or_default().push(copy);
            }
        }
        let submitted = ledger.count("delivery");
        let (mut given, mut failed, mut deliveries) = (0, 0, 0);
        for number in sent {
            let copies = numbers.get(number).map_or(&[][..], Vec::as_slice);
            let ids: BTreeSet<String> = copies.iter().map(|c| c.id()).collect();
            assert_eq!(ids.len(), 1, "message {number} is {ids:?}");
            if let Some(panes) = &self.tried[number] {
                assert_eq!(
                    copies.len(),
                    panes.len(),
                    "{number} was sent to {panes:?} and is with {copies:#?}"
                );
            }
            for copy in copies {
                let (id, owner) = (copy.id(), &copy.owner);
                let record = fs::read_to_string(world.state().join(format!("mail/{owner}/state/{id}.json")))
                    .unwrap_or_default();
                let stage =
                    serde_json::from_str::<Value>(&record).unwrap_or_default()["way"]["stage"].clone();
                let noted = submitted.get(&(id.clone(), owner.clone())).copied().unwrap_or_default();
                assert!(noted <= 1, "{id} to {owner} was submitted twice");
                deliveries += 1;
                if owner == "human" {
                    given += 1;
                    continue;
                }
                let pane = &agents[owner].pane;
                let seen = typed[pane].iter().filter(|t| **t == id).count();
                match stage.as_str().unwrap_or_default() {
                    "submitted" => {
                        assert_eq!(
                            seen,
                            1,
                            "message {number} ({id}) to {owner} in {pane}: {record}\n{}\n{}",
                            ledger.about(&id),
                            world.log(pane).lines().rev().take(200).collect::<Vec<_>>().join("\n")
                        );
                        given += 1;
                    }
                    // Seen in the inbox, perhaps before it was typed.
                    "read" | "acked" => {
                        assert!(seen <= 1);
                        given += 1;
                    }
                    // Perhaps it died with the text in its composer, or just after.
                    "failed" => failed += 1,
                    other => panic!("message {number} ({id}) to {owner} is {other}"),
                }
            }
        }
        for number in numbers.keys() {
            let said = fs::read_to_string(world.path().join("reports.err")).unwrap_or_default();
            assert!(sent.contains(number), "message {number} is there and was not sent: {said}");
        }
        format!("{deliveries} deliveries: {given} given, {failed} to the dead")
    }
}

/// Resident memory in kB and open descriptors of a process, where `/proc` tells.
fn size(pid: &str) -> Option<(u64, usize)> {
    let proc = PathBuf::from("/proc").join(pid);
    let status = fs::read_to_string(proc.join("status")).ok()?;
    let rss = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let rss = rss.trim().trim_end_matches(" kB").parse().ok()?;
    Some((rss, fs::read_dir(proc.join("fd")).ok()?.count()))
}

/// The sizes of one courier, again and again.
#[derive(Default)]
struct Growth {
    courier: Option<String>,
    sizes: Vec<(u64, usize)>,
    due: Option<Instant>,
}

impl Growth {
    /// Samples over a half are this many, at the most.
    const SAMPLES: u32 = 60;

    fn look(&mut self, soak: &Soak, time: Duration) {
        if self.due.is_some_and(|due| Instant::now() < due) {
            return;
        }
        self.due = Some(Instant::now() + time / 2 / Self::SAMPLES);
        if self.courier.is_none() {
            soak.world.ok(&["discover", "--quiet"]);
            self.courier = Some(eventually("a courier", || soak.world.couriers().pop()));
            // Not before it has gone round once.
            self.due = Some(Instant::now() + Duration::from_secs(1));
            return;
        }
        let courier = self.courier.as_deref().unwrap();
        assert!(
            PathBuf::from("/proc/self").exists().then(|| size(courier)).is_none_or(|s| s.is_some()),
            "the courier {courier} ended"
        );
        self.sizes.extend(size(courier));
    }

    /// The first third of the samples against the last; and the descriptors once the courier rests, since a busy one has many for a
    /// moment, and a busy machine makes that moment long.
    fn over_the_half(&self) -> (String, bool) {
        let third = self.sizes.len() / 3;
        if third < 3 {
            return ("not measured here".to_owned(), true);
        }
        let median = |sizes: &[(u64, usize)]| {
            let mut rss: Vec<u64> = sizes.iter().map(|s| s.0).collect();
            rss.sort_unstable();
            rss[rss.len() / 2]
        };
        let (first, last) = (median(&self.sizes[..third]), median(&self.sizes[self.sizes.len() - third..]));
        // What comes and goes with tmux calls and records is not in the fewest of a third.
        let fewest = self.sizes[..third].iter().map(|s| s.1).min().unwrap();
        let at_rest = eventually("the courier rests with the descriptors that it had", || {
            let (_, now) = size(self.courier.as_deref()?)?;
            (now <= fewest + 2).then_some(now)
        });
        let flat = format!(
            "courier {first} -> {last} kB (medians), {fewest} descriptors (fewest) -> {at_rest} (at rest), {} samples",
            self.sizes.len()
        );
        (flat, last < first + 3072)
    }
}

#[test]
fn a_team_at_work_keeps_its_books() {
    let seed = number("SWARM_SOAK_SEED").unwrap_or(1);
    let time = number("SWARM_SOAK_MINUTES").map_or(Duration::from_secs(20), |m| Duration::from_secs(60 * m));
    let mut soak = Soak::new(seed);
    let begun = Instant::now();
    let mut growth = Growth::default();
    while begun.elapsed() < time {
        let first_half = begun.elapsed() < time / 2;
        if !first_half {
            growth.look(&soak, time);
        }
        soak.step(first_half);
        thread::sleep(Duration::from_millis(40));
    }
    soak.settle();
    println!("{:?}", soak.done);
    let (flat, is_flat) = growth.over_the_half();
    println!("{flat}");
    let books = soak.balance();
    assert!(is_flat, "{flat}");
    println!("soak: seed {seed}, {} s; {books}; {flat}; the books balance", begun.elapsed().as_secs());
}
