//! The team's part of the store: `team/` in the store's directory, and the membership beside the project's key.
//!
//! Commands and hooks only read and write files here. The link of this host carries them to the team's engine, and
//! writes down what it hears. Mail for other hosts is durable in `out/` before its sender sees that it was sent, and
//! moves to `sent/` when the engine has it. A letter of another host is in `in/` before it is in a mailbox, so after
//! a crash it is taken again, and skipped if it is there. Every record appears by a rename. Boards are sealed: a hook
//! believes no other.

use super::post::Draft;
use super::question::{self, Question};
use super::record::{self, Durability, Loaded, Staged};
use super::room::Room;
use super::{Store, key, now_ms, wake};
use crate::core::address::{Address, HostName};
use crate::core::delivery::{Progress, Stage};
use crate::core::id::MessageId;
use crate::core::lease::{Lease, Notice};
use crate::core::message::{Message, MessageType, Signed, Verified};
use crate::core::name::Name;
use crate::core::rate::Limit;
use crate::core::team::Board;
use crate::store::mail::Folder;
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The most letters that wait for the engine.
const MAX_OUT: usize = 10_000;

/// How long it is remembered what became of letters (ms).
const KEEP_MS: u64 = 30 * 24 * 3600 * 1000;

/// Where the team's engine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// A cluster of swarm's own on this machine, in that directory.
    Own(PathBuf),
    /// A socket in that directory that somebody else looks after.
    Socket(PathBuf),
    /// A cluster on the machine that ssh knows by that name.
    Ssh {
        /// What ssh is given.
        to: String,
        /// The directory of the socket there.
        socket: PathBuf,
    },
}

/// This host's membership of a team. It lies beside the project's key, readable by its user only.
#[derive(Clone, Serialize, Deserialize)]
pub struct Membership {
    /// The team.
    pub id: String,
    /// This host's name in it.
    pub host: HostName,
    /// The way to its engine.
    pub engine: Engine,
    /// What the engine knows this host by.
    pub token: String,
    /// The secret half of this host's key.
    pub seed: String,
    /// The host that made the team.
    pub admin: HostName,
    /// Its public key, by which the others' keys are known.
    pub admin_key: String,
}

/// One host of the team as this one knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCard {
    /// Its name.
    pub name: HostName,
    /// When it was heard (ms since the epoch, by this host's clock).
    pub heard: u64,
    /// Whether its key is vouched for.
    pub known: bool,
    /// Who is there.
    pub members: Vec<Member>,
}

/// An agent on another host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name there.
    pub name: Name,
    /// Its kind.
    pub kind: String,
    /// What it is at.
    pub state: String,
}

/// The hosts of the team.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    /// All of them, with this one.
    pub hosts: Vec<HostCard>,
    /// What the link has to say of itself.
    pub link: LinkState,
}

/// How the link of this host is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkState {
    /// When the engine answered last (ms since the epoch).
    pub heard: u64,
    /// How long that took (ms).
    pub rtt_ms: u64,
    /// The engine's version.
    pub engine: String,
    /// Since when there is no connection (ms since the epoch), and why.
    pub cut: Option<(u64, String)>,
    /// What keeps it from its work.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// A letter for another host, as it waits for the engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Away {
    /// Where to.
    pub host: HostName,
    /// The letter, signed with the project's key.
    pub message: Signed,
}

/// What is known of a letter that the engine has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sent {
    /// Which.
    pub id: MessageId,
    /// Whose.
    pub from: Name,
    /// Where to.
    pub host: HostName,
    /// Its type.
    pub kind: MessageType,
    /// When it was sent.
    pub created: u64,
    /// How far it is with each recipient.
    pub to: BTreeMap<Name, Progress>,
}

/// A letter of another host, and the report that this host got about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Received {
    /// Which.
    pub id: MessageId,
    /// Of which host.
    pub host: HostName,
    /// The name of its file in the mailboxes.
    pub file: String,
    /// When it came (ms since the epoch).
    pub at: u64,
    /// The stage that was reported for each recipient.
    pub told: BTreeMap<Name, Option<Stage>>,
}

/// How far a letter of another host is with one recipient, for the report to that host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Of which letter.
    pub id: MessageId,
    /// With whom.
    pub name: Name,
    /// How far.
    pub stage: Stage,
    /// Why it waits or failed.
    pub detail: String,
}

/// What a command or a hook asks of the link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// Hold the lease with this number of the own store in the whole team; with a time (ms), wait for it that long.
    Take(u64, Option<u64>),
    /// To look at the engine now.
    Look,
}

/// What the link answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It is held, under this number.
    Granted(u64),
    /// It is waited for: the ticket, and how many come before.
    Queued(u64, usize),
    /// Somebody else is in the way. The leases that are.
    Held(Vec<Lease>),
    /// Waiting would never end.
    Cycle,
    /// The engine was looked at, which took that long (ms).
    Seen(u64),
    /// There is no connection to the engine, since then (ms since the epoch).
    Cut(u64, String),
    /// It cannot be done, for this reason.
    Refused(String),
}

impl Store {
    /// Where the team's records are.
    pub fn team_dir(&self) -> PathBuf {
        self.dir.join("team")
    }

    /// Whether this project belongs to a team. One look at a directory.
    pub fn has_team(&self) -> bool {
        self.team_dir().join("bell").exists()
    }

    fn membership_path(&self) -> Result<PathBuf> {
        Ok(key::state_home()?.join(&self.mark.id).join("team.json"))
    }

    /// This host's membership.
    pub fn membership(&self) -> Result<Option<Membership>> {
        let path = self.membership_path()?;
        Ok(match record::load(&path)? {
            Loaded::Ok(membership) => Some(membership),
            Loaded::Missing => None,
            Loaded::Bad(why) => bail!("{} cannot be read: {why}", path.display()),
        })
    }

    /// Makes this project one of a team.
    pub fn put_membership(&self, membership: &Membership) -> Result<()> {
        let path = self.membership_path()?;
        let dir = path.parent().context("the membership has no directory")?;
        record::replace(dir, &path, membership, Durability::Durable)?;
        let team = self.team_dir();
        for part in ["out", "sent", "in", "asks"] {
            record::ensure_dir(&team.join(part))?;
        }
        let bell = team.join("bell");
        match nix::unistd::mkfifo(&bell, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR) {
            Err(e) if e != nix::errno::Errno::EEXIST => {
                Err(e).with_context(|| format!("cannot make {}", bell.display()))
            }
            _ => Ok(()),
        }
    }

    /// Ends the membership. What became of letters stays on record until the directory is removed with it.
    pub fn drop_membership(&self) -> Result<()> {
        record::remove(&self.membership_path()?)?;
        let aside = self.dir.join("aside");
        record::ensure_dir(&aside)?;
        let team = self.team_dir();
        match std::fs::rename(&team, aside.join(format!("{:013}-team", now_ms()))) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).with_context(|| format!("cannot move {}", team.display()))
            }
            _ => Ok(()),
        }
    }

    /// Rings the link; `false` if none listens.
    pub fn ring_link(&self) -> bool {
        wake::ring(&self.team_dir().join("bell")).unwrap_or(false)
    }

    /// What this host may believe; nothing if its link has written down nothing.
    pub fn board(&self) -> Result<Option<Board>> {
        Ok(match self.sealed("team/board")? {
            Loaded::Ok(board) => Some(board),
            Loaded::Missing | Loaded::Bad(_) => None,
        })
    }

    /// Writes that down.
    pub fn put_board(&self, board: &Board) -> Result<()> {
        self.put_sealed("team/board", board, Durability::Volatile)
    }

    /// What the link keeps of its session.
    pub fn link_session<T: Serialize + serde::de::DeserializeOwned>(&self) -> Result<Option<T>> {
        Ok(match self.sealed("team/session")? {
            Loaded::Ok(session) => Some(session),
            Loaded::Missing | Loaded::Bad(_) => None,
        })
    }

    /// Keeps that.
    pub fn put_link_session(&self, session: &impl Serialize) -> Result<()> {
        self.put_sealed("team/session", session, Durability::Volatile)
    }

    /// The open invitations.
    pub fn invitations<T: Serialize + serde::de::DeserializeOwned>(&self) -> Result<Option<T>> {
        Ok(match self.sealed("team/invitations")? {
            Loaded::Ok(all) => Some(all),
            Loaded::Missing | Loaded::Bad(_) => None,
        })
    }

    /// Keeps them.
    pub fn put_invitations(&self, all: &impl Serialize) -> Result<()> {
        self.put_sealed("team/invitations", all, Durability::Durable)
    }

    /// Takes note of what keeps the link from its work, once.
    pub fn note_link(&self, why: &str) -> Result<()> {
        let mut hosts = self.hosts()?;
        let why = crate::core::escape::short(why, 200);
        if hosts.link.trouble.as_deref() == Some(why.as_str()) {
            return Ok(());
        }
        hosts.link.trouble = Some(why.clone());
        self.put_hosts(&hosts)?;
        self.transact(|tx| tx.journal("link-trouble", serde_json::json!({"why": why})))
    }

    /// The hosts of the team, as the link knows them.
    pub fn hosts(&self) -> Result<Hosts> {
        Ok(match self.sealed("team/hosts")? {
            Loaded::Ok(hosts) => hosts,
            Loaded::Missing | Loaded::Bad(_) => Hosts::default(),
        })
    }

    /// Writes them down.
    pub fn put_hosts(&self, hosts: &Hosts) -> Result<()> {
        self.put_sealed("team/hosts", hosts, Durability::Volatile)
    }

    /// Asks the link. `None`: it did not answer in that time, or none runs.
    pub fn ask_team(&self, ask: &Ask, patience: Duration) -> Result<Option<Answer>> {
        let mut question = Question::ask(&self.tmp(), &self.team_dir().join("asks"), ask)?;
        if !self.ring_link() {
            return Ok(None);
        }
        question.answer(patience)
    }

    /// The link's side: the open questions.
    pub fn asked_of_team(&self) -> Result<Vec<(String, Ask)>> {
        question::claim(&self.team_dir().join("asks"))
    }

    /// The link's side: an answer. One that is too long for its FIFO names fewer holders.
    pub fn answer_of_team(&self, name: &str, answer: Answer) -> Result<()> {
        let dir = self.team_dir().join("asks");
        match answer {
            Answer::Held(leases) => {
                let mut few: Vec<Lease> = leases.into_iter().take(3).collect();
                for lease in &mut few {
                    lease.paths.truncate(2);
                }
                for round in 0..3 {
                    match round {
                        0 => {}
                        1 => few.truncate(1),
                        _ => few.iter_mut().for_each(|lease| lease.reason = None),
                    }
                    if question::answer(&dir, name, &Answer::Held(few.clone())).is_ok() {
                        return Ok(());
                    }
                }
                question::answer(&dir, name, &Answer::Held(Vec::new()))
            }
            answer => question::answer(&dir, name, &answer),
        }
    }

    /// Sends a message to agents of another host: durable here, and for the link to carry. Refuses at the sender's rate limit.
    pub fn post_away(&self, draft: Draft, host: &HostName, limit: Limit) -> Result<Message> {
        let out = self.team_dir().join("out");
        if record::list(&out)?.len() >= MAX_OUT {
            bail!("{MAX_OUT} messages wait for the team's engine, which is the limit; nothing was sent");
        }
        let (message, _) = self.write_down(draft, limit, |_| Ok(()))?;
        let away = Away { host: host.clone(), message: self.key.sign(message.clone()) };
        let staged = Staged::write(&self.tmp(), &message.file_name(), &away, Durability::Durable)?;
        staged.link(&out.join(message.file_name()))?;
        record::sync_dir(&out)?;
        self.transact(|tx| {
            tx.journal(
                "sent-away",
                serde_json::json!({"id": message.id, "from": message.from, "host": host, "to": message.to, "type": message.kind}),
            )
        })?;
        self.ring_link();
        Ok(message)
    }

    /// The letters that wait for the engine, in the order they were sent. Forged ones go to quarantine.
    pub fn awaiting_engine(&self, most: usize) -> Result<Vec<(HostName, Verified)>> {
        let out = self.team_dir().join("out");
        let mut found = Vec::new();
        for file in record::list(&out)?.into_iter().take(most) {
            let path = out.join(&file);
            match record::load::<Away>(&path)? {
                Loaded::Ok(away) => match self.key.verify(away.message) {
                    Ok(message) => found.push((away.host, message)),
                    Err(_) => self.quarantine(&path, "forged: its signature does not fit")?,
                },
                Loaded::Bad(why) => self.quarantine(&path, &why)?,
                Loaded::Missing => {}
            }
        }
        Ok(found)
    }

    /// The engine has the letter, or will never take it, for the reason given.
    pub fn left_for_engine(&self, host: &HostName, message: &Message, refused: Option<&str>) -> Result<()> {
        let now = now_ms();
        let mut way = Progress::queued(now);
        if refused.is_none() {
            "at the engine".clone_into(&mut way.detail);
        }
        let sent = Sent {
            id: message.id.clone(),
            from: message.from.name.clone(),
            host: host.clone(),
            kind: message.kind,
            created: message.created,
            to: message.to.iter().map(|name| (name.clone(), way.clone())).collect(),
        };
        let known = self.sent(&message.id)?;
        if known.is_none() {
            self.put_sent(&sent)?;
        }
        if let Some(why) = refused {
            for name in &message.to {
                let receipt = Receipt {
                    id: message.id.clone(),
                    name: name.clone(),
                    stage: Stage::Failed,
                    detail: why.to_owned(),
                };
                self.take_receipt(host, &receipt)?;
            }
        }
        record::remove(&self.team_dir().join("out").join(message.file_name()))
            .context("cannot remove a letter that was handed to the engine")
    }

    fn sent_path(&self, id: &MessageId) -> PathBuf {
        self.team_dir().join("sent").join(format!("{id}.json"))
    }

    fn put_sent(&self, sent: &Sent) -> Result<()> {
        record::replace(&self.tmp(), &self.sent_path(&sent.id), sent, Durability::Durable)
    }

    /// What is known of a letter that the engine has, or had.
    pub fn sent(&self, id: &MessageId) -> Result<Option<Sent>> {
        Ok(match record::load(&self.sent_path(id))? {
            Loaded::Ok(sent) => Some(sent),
            Loaded::Missing | Loaded::Bad(_) => None,
        })
    }

    /// All letters to other hosts whose id begins with `prefix`.
    pub fn find_away(&self, prefix: &str) -> Result<Vec<Sent>> {
        let mut found = Vec::new();
        let starts = |file: &String| file.starts_with(prefix);
        for file in record::list(&self.team_dir().join("sent"))?.into_iter().filter(starts) {
            if let Loaded::Ok(sent) = record::load::<Sent>(&self.team_dir().join("sent").join(&file))? {
                found.push(sent);
            }
        }
        for (host, message) in self.awaiting_engine(MAX_OUT)? {
            if message.id.as_str().starts_with(prefix) && !found.iter().any(|s| s.id == message.id) {
                let mut way = Progress::queued(message.created);
                "waits for the link".clone_into(&mut way.detail);
                found.push(Sent {
                    id: message.id.clone(),
                    from: message.from.name.clone(),
                    host,
                    kind: message.kind,
                    created: message.created,
                    to: message.to.iter().map(|name| (name.clone(), way.clone())).collect(),
                });
            }
        }
        Ok(found)
    }

    /// Records how far a letter is on the other host. Its sender gets a notice if it failed.
    pub fn take_receipt(&self, host: &HostName, receipt: &Receipt) -> Result<()> {
        let Some(mut sent) = self.sent(&receipt.id)?.filter(|s| s.host == *host) else { return Ok(()) };
        let Some(way) = sent.to.get_mut(&receipt.name) else { return Ok(()) };
        if way.stage == Stage::Failed || (way.stage >= receipt.stage && way.stage != Stage::Queued) {
            return Ok(());
        }
        way.stage = receipt.stage;
        way.detail = crate::core::escape::short(&receipt.detail, 200);
        way.since = now_ms();
        if receipt.stage == Stage::Failed {
            let text = format!(
                "{} to {host}/{} was not delivered: {}",
                receipt.id,
                receipt.name,
                crate::core::escape::short(&receipt.detail, 200)
            );
            let to = self.reader(&sent.from)?.unwrap_or_else(Name::human);
            self.transact(|tx| {
                tx.put_notice(&Notice { to, kind: MessageType::Info, text })?;
                tx.journal(
                    "dead-letter",
                    serde_json::json!({"id": receipt.id, "to": format!("{host}/{}", receipt.name)}),
                )
            })?;
        }
        self.put_sent(&sent)?;
        self.post_notices().map(drop)
    }

    /// Puts a letter of another host into its recipients' mailboxes; once, however often it comes. Returns the unknown
    /// names; if all are unknown, nothing was stored. An error means that there is no room now.
    pub fn admit(&self, mut message: Message) -> Result<Vec<Name>> {
        let Some(host) = message.from.host.clone() else { bail!("a letter without a host") };
        if let Some(known) = self.received(&message.id)?
            && known.host != host
        {
            bail!("a letter with the id of another one");
        }
        let (mut readers, mut nobody) = (Vec::new(), Vec::new());
        for name in &message.to {
            match self.reader(name)? {
                Some(reader) if !readers.contains(&reader) => readers.push(reader),
                Some(_) => {}
                None => nobody.push(name.clone()),
            }
        }
        if readers.is_empty() {
            return Ok(nobody);
        }
        readers.sort();
        let known = self.received(&message.id)?;
        // By this host's clock: another one's may be days off.
        message.created = match &known {
            Some(known) => known.at,
            None => now_ms(),
        };
        message.to.clone_from(&readers);
        let file = message.file_name();
        let has = |owner: &Name| {
            [Folder::New, Folder::Given, Folder::Cur, Folder::Gone]
                .iter()
                .any(|folder| self.mail_file(owner, *folder, &file).exists())
        };
        if known.is_some() && (readers.iter().any(has) || !self.find(message.id.as_str())?.is_empty()) {
            return Ok(nobody);
        }
        for name in &message.to {
            self.ensure_mailbox(name)?;
        }
        let received = Received {
            id: message.id.clone(),
            host,
            file,
            at: message.created,
            told: readers.into_iter().map(|name| (name, None)).collect(),
        };
        record::replace(&self.tmp(), &self.received_path(&message.id), &received, Durability::Durable)?;
        let staged = self.stage(&self.key.sign(message.clone()))?;
        self.transact(|tx| tx.publish(&message, &staged, Room::check))?;
        self.settle_post(&message)?;
        self.ring()?;
        Ok(nobody)
    }

    fn received_path(&self, id: &MessageId) -> PathBuf {
        self.team_dir().join("in").join(format!("{id}.json"))
    }

    fn received(&self, id: &MessageId) -> Result<Option<Received>> {
        Ok(match record::load(&self.received_path(id))? {
            Loaded::Ok(received) => Some(received),
            Loaded::Missing => None,
            Loaded::Bad(why) => {
                self.quarantine(&self.received_path(id), &why)?;
                None
            }
        })
    }

    /// Reports for other hosts about their letters, at most that many. [`Store::told`] records that they were sent.
    pub fn receipts(&self, most: usize) -> Result<Vec<(HostName, Receipt)>> {
        let dir = self.team_dir().join("in");
        let (mut found, now) = (Vec::new(), now_ms());
        for file in record::list(&dir)? {
            let Loaded::Ok(received) = record::load::<Received>(&dir.join(&file))? else { continue };
            let done =
                |stage: &Option<Stage>| matches!(stage, Some(Stage::Read | Stage::Acked | Stage::Failed));
            if received.told.values().all(done) {
                if now.saturating_sub(received.at) > KEEP_MS {
                    let _ = std::fs::remove_file(dir.join(&file));
                }
                // An acknowledgement may still come.
                if now.saturating_sub(received.at) > KEEP_MS / 30 {
                    continue;
                }
            }
            for (name, told) in &received.told {
                let (stage, detail) = self.standing(name, &received)?;
                if stage.is_some() && stage != *told && stage > *told && found.len() < most {
                    let stage = stage.unwrap_or_default();
                    let receipt = Receipt { id: received.id.clone(), name: name.clone(), stage, detail };
                    found.push((received.host.clone(), receipt));
                }
            }
        }
        Ok(found)
    }

    /// How far a letter of another host is with `name`; nothing if it is not in its mailbox yet.
    fn standing(&self, name: &Name, received: &Received) -> Result<(Option<Stage>, String)> {
        let owner = self.reader(name)?.unwrap_or_else(|| name.clone());
        if let Some(delivery) = self.delivery(&owner, &received.id)? {
            let open = matches!(delivery.way.stage, Stage::Typing | Stage::Entering);
            return Ok((Some(delivery.way.stage).filter(|_| !open), delivery.way.detail));
        }
        let at = |folder| self.mail_file(&owner, folder, &received.file).exists();
        let stage = if at(Folder::Cur) || at(Folder::Gone) {
            Some(Stage::Read)
        } else {
            at(Folder::New).then_some(Stage::Queued)
        };
        Ok((stage, String::new()))
    }

    /// The other host has that receipt.
    pub fn told(&self, receipt: &Receipt) -> Result<()> {
        let Some(mut received) = self.received(&receipt.id)? else { return Ok(()) };
        received.told.insert(receipt.name.clone(), Some(receipt.stage));
        record::replace(&self.tmp(), &self.received_path(&receipt.id), &received, Durability::Volatile)
    }

    /// Forgets what became of letters long ago, and what killed askers left.
    pub fn sweep_team(&self) -> Result<()> {
        question::sweep(&self.team_dir().join("asks"));
        let (dir, now) = (self.team_dir().join("sent"), now_ms());
        for file in record::list(&dir)? {
            let path = dir.join(&file);
            let old = |sent: &Sent| now.saturating_sub(sent.created) > KEEP_MS;
            if matches!(record::load::<Sent>(&path)?, Loaded::Ok(sent) if old(&sent)) {
                let _ = std::fs::remove_file(&path);
            }
        }
        Ok(())
    }

    /// The agents here, for the other hosts.
    pub fn roster(&self) -> Result<Vec<Member>> {
        let agents = self.agents()?;
        let member = |a: &crate::core::agent::Agent| Member {
            name: a.name.clone(),
            kind: crate::core::escape::short(&a.kind, 32),
            state: a.status.word().to_owned(),
        };
        Ok(agents.iter().filter(|a| a.is_live()).take(256).map(member).collect())
    }
}

/// A letter's address on another host, as people read it.
pub fn there(host: &HostName, name: &Name) -> Address {
    Address::on(host.clone(), name.clone())
}

/// Where a project's link holds its lock.
pub fn link_lock(store: &Store) -> PathBuf {
    store.team_dir().join("link.lock")
}
