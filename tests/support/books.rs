//! The books of a team: what the store, its journal and the agents' own logs say, each read once, and compared.

use super::World;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use swarm::core::lease::{Lease, Mode};

/// The names in a directory, sorted; none if it is not there.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entry = |e: std::io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
    let mut all: Vec<String> = fs::read_dir(dir).map(|d| d.map(entry).collect()).unwrap_or_default();
    all.sort();
    all
}

/// The journal, followed across its rotations: of what was rotated away twice nothing is left on disk.
pub(crate) struct Ledger {
    path: PathBuf,
    open: Option<(File, u64)>,
    /// The entries that the books are made of.
    pub(crate) entries: Vec<Value>,
    /// Lines that are no JSON.
    pub(crate) torn: usize,
}

impl Ledger {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, open: None, entries: Vec::new(), torn: 0 }
    }

    /// Takes what has come since the last time.
    pub(crate) fn follow(&mut self) {
        if let Some((file, from)) = self.open.take() {
            let rotated =
                fs::metadata(&self.path).map_or(true, |m| m.ino() != file.metadata().unwrap().ino());
            let from = self.take(&file, from);
            if !rotated {
                self.open = Some((file, from));
                return;
            }
            // It was moved away between two writes: the file in hand is complete.
            assert_eq!(from, file.metadata().unwrap().len(), "the end of a rotated journal");
        }
        if let Ok(file) = File::open(&self.path) {
            let from = self.take(&file, 0);
            self.open = Some((file, from));
        }
    }

    fn take(&mut self, file: &File, from: u64) -> u64 {
        let mut reader = BufReader::new(file);
        reader.seek(SeekFrom::Start(from)).unwrap();
        let (mut at, mut line) = (from, Vec::new());
        while reader.read_until(b'\n', &mut line).unwrap() > 0 && line.last() == Some(&b'\n') {
            at += line.len() as u64;
            match serde_json::from_slice::<Value>(&line) {
                Ok(entry) => self.entries.push(entry),
                Err(_) => self.torn += 1,
            }
            line.clear();
        }
        at
    }

    /// The entries of one event.
    pub(crate) fn events<'a>(&'a self, event: &'a str) -> impl Iterator<Item = &'a Value> {
        self.entries.iter().filter(move |e| e["event"] == event)
    }

    /// Everything that is told of one message.
    pub(crate) fn about(&self, id: &str) -> String {
        let entries = self.entries.iter().filter(|e| e["id"] == id);
        entries.map(|e| format!("{e}\n")).collect()
    }

    /// What each bundle brings.
    pub(crate) fn bundles(&self) -> BTreeMap<String, Vec<String>> {
        self.events("bundle").map(|entry| (text(&entry["id"]), words(&entry["members"]))).collect()
    }

    /// How often each message to each recipient has had that event; of deliveries, those that came to their end.
    pub(crate) fn count(&self, event: &str) -> BTreeMap<(String, String), usize> {
        let mut counts = BTreeMap::new();
        let counts_in =
            |e: &&Value| e["reminder"].is_null() && (event != "delivery" || e["stage"] == "submitted");
        for entry in self.events(event).filter(counts_in) {
            *counts.entry((text(&entry["id"]), text(&entry["to"]))).or_default() += 1;
        }
        counts
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// One message in one mailbox.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) owner: String,
    pub(crate) file: String,
    pub(crate) message: Value,
}

impl Copy {
    pub(crate) fn id(&self) -> String {
        text(&self.message["id"])
    }
}

/// All messages in all mailboxes. Nothing may be under way.
pub(crate) fn copies(world: &World) -> Vec<Copy> {
    let root = world.state().join("mail");
    let mut all = Vec::new();
    for owner in names(&root) {
        let mut files = BTreeSet::new();
        for folder in ["new", "given", "cur"] {
            for file in names(&root.join(&owner).join(folder)) {
                let signed = fs::read_to_string(root.join(&owner).join(folder).join(&file)).unwrap();
                let message = serde_json::from_str::<Value>(&signed).unwrap()["message"].clone();
                assert!(files.insert(file.clone()), "{owner} has {file} in two places");
                all.push(Copy { owner: owner.clone(), file, message });
            }
        }
    }
    all
}

/// An agent's record.
pub(crate) struct Agent {
    pub(crate) name: String,
    pub(crate) formerly: Vec<String>,
    pub(crate) pane: String,
}

/// The agents on record: those that have ended are in a directory of their own.
pub(crate) fn agents(world: &World) -> BTreeMap<String, Agent> {
    let read = |path: PathBuf| {
        let record: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let agent = Agent {
            name: text(&record["name"]),
            formerly: words(&record["formerly"]),
            pane: text(&record["place"]["pane"]),
        };
        (agent.name.clone(), agent)
    };
    let [ended, living] = ["agents.ended", "agents"].map(|dir| world.state().join(dir));
    let all = [ended, living].map(|dir| names(&dir).into_iter().map(move |file| dir.join(file)));
    all.into_iter().flatten().map(read).collect()
}

/// Every message of the journal is with each of its recipients, once, and every message that is there is in the journal. Gives the
/// number of messages. `killed`: couriers that were killed; each may have posted one notice that it did not come to write down,
/// and finished one post that its sender had written down.
pub(crate) fn posts_agree(
    ledger: &Ledger,
    copies: &[Copy],
    agents: &BTreeMap<String, Agent>,
    killed: usize,
) -> usize {
    let mut owners: BTreeMap<String, Vec<&Copy>> = BTreeMap::new();
    for copy in copies {
        owners.entry(copy.id()).or_default().push(copy);
    }
    let mut sent: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for entry in ledger.events("sent") {
        sent.entry(text(&entry["id"])).or_default().push(entry);
    }
    for (id, entries) in &sent {
        let finished = entries.iter().filter(|e| e["finished"] == true).count();
        assert!(entries.len() - finished <= 1, "{id} is in the journal {} times", entries.len());
        let to: BTreeSet<String> = words(&entries[0]["to"]).into_iter().collect();
        let with: Vec<&str> = owners.get(id).into_iter().flatten().map(|c| c.owner.as_str()).collect();
        assert_eq!(with.len(), to.len(), "{id} to {to:?} is with {with:?}");
        for name in &to {
            let bears = |owner: &&&str| {
                **owner == name || agents.get(**owner).is_some_and(|a| a.formerly.contains(name))
            };
            assert_eq!(with.iter().filter(bears).count(), 1, "{id} to {name} is with {with:?}");
        }
    }
    let bundles = ledger.bundles();
    let unwritten: Vec<&Vec<&Copy>> = owners
        .iter()
        .filter(|(id, _)| !sent.contains_key(*id) && !bundles.contains_key(*id))
        .map(|(_, all)| all)
        .collect();
    assert!(
        unwritten.iter().all(|all| all[0].message["from"] == "swarm"),
        "not in the journal: {unwritten:#?}"
    );
    assert!(unwritten.len() <= killed, "{} notices are not in the journal: {unwritten:#?}", unwritten.len());
    sent.len()
}

/// What the agents were typed: per pane the ids of messages (not of reminders), in order, those that a bundle announced in its place.
pub(crate) fn typed(
    world: &World,
    ledger: &Ledger,
    panes: impl Iterator<Item = String>,
) -> BTreeMap<String, Vec<String>> {
    let (bundles, mut all) = (ledger.bundles(), BTreeMap::new());
    for pane in panes {
        let mut ids = Vec::new();
        for text in world.events(&pane, "submitted") {
            let heads = text.split("[swarm ").skip(1).map(|line| {
                let mut head = line.split(' ');
                (head.next().unwrap_or_default().to_owned(), head.next().unwrap_or_default().to_owned())
            });
            let heads: Vec<(String, String)> = heads.collect();
            match (&heads[..], heads.first().and_then(|(id, _)| bundles.get(id))) {
                ([(id, kind)], None) => ids.extend((kind != "REMINDER").then(|| id.clone())),
                ([_], Some(members)) => ids.extend(members.iter().cloned()),
                ([_, lines @ ..], Some(members)) => {
                    let lines: Vec<String> = lines.iter().map(|(id, _)| id.clone()).collect();
                    assert_eq!(&lines, members, "{text}");
                    ids.extend(lines);
                }
                _ => panic!("one message or one bundle at a time: {text}"),
            }
        }
        all.insert(pane, ids);
    }
    all
}

/// The lines of a log about `what`, each with some around it.
fn around(log: &str, what: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let near = |i: usize| lines[i.saturating_sub(6)..(i + 7).min(lines.len())].join("\n");
    let found = (0..lines.len()).filter(|i| lines[*i].contains(what));
    found.map(|i| near(i) + "\n--\n").collect()
}

/// No pane was given a message twice, and those of one sender came in the order in which they were sent, urgent ones among
/// themselves. Gives the number of pairs that were compared.
pub(crate) fn order_holds(
    world: &World,
    ledger: &Ledger,
    typed: &BTreeMap<String, Vec<String>>,
    copies: &[Copy],
) -> usize {
    let known: BTreeMap<String, &Value> = copies.iter().map(|c| (c.id(), &c.message)).collect();
    let mut compared = 0;
    for (pane, ids) in typed {
        let mut last: BTreeMap<(String, bool), (u64, &String)> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for id in ids {
            assert!(
                seen.insert(id),
                "{pane} was given {id} twice\n{}\n{}",
                ledger.about(id),
                around(&world.log(pane), id)
            );
            let message = known.get(id).unwrap_or_else(|| panic!("{pane} was given {id}, which nobody sent"));
            let who = (text(&message["from"]), message["urgent"] == true);
            let number = message["sequence"].as_u64().unwrap();
            // Notices are made by many processes at once, in no promised order.
            if who.0 == "swarm" {
                continue;
            }
            if let Some((before, other)) = last.insert(who, (number, id)) {
                compared += 1;
                assert!(before < number, "{pane} was given {other} before {id}, which was sent earlier");
            }
        }
    }
    compared
}

/// Every awaited acknowledgement has ended, once: acknowledged, escalated, or failed with its recipient. Gives how many each.
pub(crate) fn acknowledgements_end(world: &World, ledger: &Ledger, copies: &[Copy]) -> (usize, usize, usize) {
    let (acked, escalated, dead) =
        (ledger.count("acked"), ledger.count("escalated"), ledger.count("dead-letter"));
    for (what, count) in acked.iter().chain(&escalated).chain(&dead) {
        assert_eq!(*count, 1, "{what:?} ended more than once");
    }
    let (mut by_ack, mut by_escalation, mut by_death) = (0, 0, 0);
    for copy in copies.iter().filter(|c| c.message["ack_required"] == true) {
        let id = copy.id();
        let mail = world.state().join("mail").join(&copy.owner);
        let record = fs::read_to_string(mail.join(format!("state/{id}.json"))).unwrap_or_default();
        let state: Value = serde_json::from_str(&record).unwrap_or_default();
        assert!(!mail.join("unacked").join(&copy.file).exists(), "{id} to {} is still awaited", copy.owner);
        match &state["way"]["stage"] {
            stage if stage == "acked" => by_ack += 1,
            stage if stage == "failed" => by_death += 1,
            _ if state["ack"]["escalated"] == true => by_escalation += 1,
            // A dead recipient's is escalated before it had a clock.
            _ if escalated.keys().any(|(other, _)| *other == id) => by_escalation += 1,
            _ => panic!("{id} to {} was awaited and never ended: {state}", copy.owner),
        }
    }
    (by_ack, by_escalation, by_death)
}

/// The leases on disk at this moment, taken under the store's mutex: no transaction is half done.
pub(crate) fn leases(world: &World) -> Vec<Lease> {
    let _held = swarm::store::lock::exclusive(&world.state().join("lock")).unwrap();
    let dir = world.state().join("leases");
    let read = |file: &String| serde_json::from_slice(&fs::read(dir.join(file)).unwrap()).unwrap();
    names(&dir).iter().map(read).collect()
}

/// No two of these are in each other's way.
pub(crate) fn nobody_is_in_anothers_way(all: &[Lease]) {
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            let meet = a.paths.iter().any(|p| b.paths.iter().any(|q| p.overlaps(q)));
            let share = a.mode == Mode::Shared && b.mode == Mode::Shared;
            assert!(!meet || share || a.holder.is_same(&b.holder), "{a:#?}\n{b:#?}");
        }
    }
}

/// What the journal says was granted and has not ended is what is on disk. Gives the number of grants. `killed`: couriers that
/// were killed; each may have written down one transaction that it did not come to carry out, which the next one did again.
pub(crate) fn leases_agree(ledger: &Ledger, on_disk: &[Lease], killed: usize) -> usize {
    let mut open: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    let (mut grants, mut again) = (0, 0);
    for entry in &ledger.entries {
        let fence = entry["fence"].as_u64().unwrap_or_default();
        match entry["event"].as_str() {
            Some("lease-granted") => {
                grants += 1;
                let before = open.insert(fence, words(&entry["paths"]).into_iter().collect());
                assert_eq!(before, None, "lease {fence} was granted twice");
            }
            Some("lease-ended") => match open.get_mut(&fence) {
                Some(paths) => {
                    for path in words(&entry["paths"]) {
                        assert!(paths.remove(&path), "lease {fence} had no {path}");
                    }
                    if paths.is_empty() {
                        open.remove(&fence);
                    }
                }
                None => again += 1,
            },
            _ => {}
        }
    }
    assert!(again <= killed, "{again} leases ended twice, and {killed} couriers were killed");
    let there: BTreeMap<u64, BTreeSet<String>> =
        on_disk.iter().map(|l| (l.fence, l.paths.iter().map(ToString::to_string).collect())).collect();
    assert_eq!(open, there, "the journal's open leases, and those on disk");
    grants
}
