//! The team's part of the store: `team/` in the store's directory, and the membership beside the project's key.
//!
//! Commands and hooks only read and write files here. The link of this host carries them to the team's engine, and
//! writes down the engine's records. Mail for other hosts is durable in `out/` before its sender sees that it was
//! sent, and moves to `sent/` when the engine has it. A letter of another host is in `in/` before it is in a mailbox,
//! so after a crash it is taken again, and skipped if it is there. Every record appears by a rename. Boards are
//! sealed: a hook uses no others.

mod mail;
mod records;
mod sent;

pub use mail::Reports;
pub use records::*;

use super::question::{self, Question};
use super::record::{self, Durability, Loaded};
use super::{Store, key, now_ms, wake};
use crate::core::address::{Address, HostName};
use crate::core::event::Event;
use crate::core::lease::Lease;
use crate::core::name::Name;
use crate::core::team::Board;
use crate::os::clock;
use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

impl Store {
    /// The directory of the team's records.
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

    /// Makes this project a member of a team.
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

    /// Ends the membership. The results of letters stay on record until the directory is removed with it.
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

    /// The link's last report about the team's leases; `None` if there is none.
    pub fn board(&self) -> Result<Option<Board>> {
        Ok(match self.sealed("team/board")? {
            Loaded::Ok(board) => Some(board),
            Loaded::Missing | Loaded::Bad(_) => None,
        })
    }

    /// Whether a board is valid now.
    pub fn is_believed(&self, board: &Board) -> Result<bool> {
        Ok(board.is_believed(&clock::ticks()?))
    }

    /// Whether this lease of the host's own store is now valid in the whole team.
    pub fn holds_in_team(&self, fence: u64) -> Result<bool> {
        let now = clock::ticks()?;
        Ok(self.board()?.is_some_and(|b| b.is_believed(&now) && b.backed_by(fence).is_some()))
    }

    pub fn put_board(&self, board: &Board) -> Result<()> {
        self.put_sealed("team/board", board, Durability::Volatile)
    }

    /// The link's record of its session.
    pub fn link_session<T: Serialize + serde::de::DeserializeOwned>(&self) -> Result<Option<T>> {
        Ok(match self.sealed("team/session")? {
            Loaded::Ok(session) => Some(session),
            Loaded::Missing | Loaded::Bad(_) => None,
        })
    }

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

    pub fn put_invitations(&self, all: &impl Serialize) -> Result<()> {
        self.put_sealed("team/invitations", all, Durability::Durable)
    }

    /// Records what prevents the link's work, once.
    pub fn note_link(&self, why: &str) -> Result<()> {
        let mut hosts = self.hosts()?;
        let why = crate::core::escape::short(why, 200);
        if hosts.link.trouble.as_deref() == Some(why.as_str()) {
            return Ok(());
        }
        hosts.link.trouble = Some(why.clone());
        self.put_hosts(&hosts)?;
        self.transact(|tx| tx.journal(&Event::LinkTrouble { why: &why }))
    }

    /// The hosts of the team, as the link knows them.
    pub fn hosts(&self) -> Result<Hosts> {
        Ok(match self.sealed("team/hosts")? {
            Loaded::Ok(hosts) => hosts,
            Loaded::Missing | Loaded::Bad(_) => Hosts::default(),
        })
    }

    /// The addresses of the agents on those other hosts whose keys the team's maker has signed.
    pub fn others_of_team(&self) -> Result<Vec<Address>> {
        let Some(board) = self.has_team().then(|| self.board()).transpose()?.flatten() else {
            return Ok(Vec::new());
        };
        let hosts = self.hosts()?.hosts;
        let others = hosts.iter().filter(|h| h.is_other(Some(&board.host)));
        Ok(others.flat_map(|h| h.members.iter().map(|m| there(&h.name, &m.name))).collect())
    }

    pub fn put_hosts(&self, hosts: &Hosts) -> Result<()> {
        self.put_sealed("team/hosts", hosts, Durability::Volatile)
    }

    /// Asks the link. `None`: it did not answer within `patience`, or none runs.
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

    /// The link's side: answers. An answer that is too long for its FIFO names fewer holders.
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

    /// The agents here, for the other hosts.
    pub fn roster(&self) -> Result<Vec<Member>> {
        let agents = self.living()?;
        let member = |a: &crate::core::agent::Agent| Member {
            name: a.name.clone(),
            kind: crate::core::escape::short(&a.kind, 32),
            state: a.status.word().to_owned(),
        };
        Ok(agents.iter().take(256).map(member).collect())
    }
}

/// The address of a letter on another host, for people.
pub fn there(host: &HostName, name: &Name) -> Address {
    Address::on(host.clone(), name.clone())
}

/// The path of the lock of a project's link.
pub fn link_lock(store: &Store) -> PathBuf {
    store.team_dir().join("link.lock")
}
