//! What nearly every command begins with: the store, the agents on record, and who is calling.

use crate::agents::Profiles;
use crate::core::agent::Agent;
use crate::core::config::{Settings, Source};
use crate::core::id::{self, MIN_PREFIX};
use crate::core::message::{Identity, Verified};
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use crate::courier::{discovery, rules};
use crate::os::caller::{self, Caller};
use crate::store::Store;
use crate::store::config::Files;
use crate::store::mail::Found;
use crate::tmux::Server;
use anyhow::{Context as _, Result};
use std::path::PathBuf;

/// The beginning of a command.
pub(super) struct Session {
    /// The project.
    pub store: Store,
    /// The agents on record.
    pub agents: Vec<Agent>,
    /// Who is calling.
    pub caller: Caller,
}

/// The profiles. What is wrong with a file of the user's is reported, and the rest serves.
pub(super) fn profiles() -> Result<Profiles> {
    let profiles = rules::load()?;
    if let [first, rest @ ..] = profiles.problems() {
        let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
        super::print::tell(&format!("{}{more}; see `swarm doctor`", first.text));
    }
    Ok(profiles)
}

/// The working directory.
pub(super) fn here() -> Result<PathBuf> {
    std::env::current_dir().context("the working directory is gone")
}

impl Session {
    /// Opens the store around the working directory and finds out who calls.
    pub(super) fn open() -> Result<Self> {
        Self::open_as(None)
    }

    /// [`Session::open`] for a caller that says who it is.
    pub(super) fn open_as(from: Option<&str>) -> Result<Self> {
        let store = Store::open(&here()?)?;
        let agents = store.agents()?;
        let caller = caller::identify(&agents, from)?;
        let mut session = Self { store, agents, caller };
        let in_pane = std::env::var("TMUX_PANE");
        let unknown_pane =
            in_pane.is_ok_and(|p| !session.agents.iter().any(|a| a.is_live() && a.place.pane == p));
        if session.caller.identity == Identity::Human && unknown_pane {
            // Perhaps an agent that nobody has discovered yet.
            session.rediscover();
            session.caller = caller::identify(&session.agents, from)?;
        }
        Ok(session)
    }

    /// The settings. A variable that is wrong is refused: whoever set it is there to mend it. What is wrong in a file is told, and
    /// the rest serves.
    pub(super) fn settings(&self) -> Result<Settings> {
        let config = Files::of(Some(self.store.root())).load();
        if let Some(wrong) = config.problems.iter().find(|p| p.source == Source::Environment) {
            return Err(Refusal::Usage(wrong.to_string()).into());
        }
        if let [first, rest @ ..] = &config.problems[..] {
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
            super::print::tell(&format!("not taken: {first}{more}; see `swarm config validate`"));
        }
        Ok(Settings::from(&config))
    }

    /// Looks at the panes again, if tmux can be reached from here.
    pub(super) fn rediscover(&mut self) {
        let server = Server::current();
        let found = rules::load().and_then(|profiles| discovery::discover(&self.store, &server, &profiles));
        if let Ok((agents, _)) = found {
            self.agents = agents;
        }
    }

    /// The living agent called `name`, now or formerly.
    pub(super) fn agent(&self, name: &Name) -> Option<&Agent> {
        let live = || self.agents.iter().filter(|a| a.is_live());
        live().find(|a| a.name == *name).or_else(|| live().find(|a| a.formerly.contains(name)))
    }

    /// The refusal for a name that nobody bears.
    pub(super) fn unknown(&self, asked: &str) -> Refusal {
        let known = self.agents.iter().filter(|a| a.is_live()).map(|a| a.name.to_string()).collect();
        Refusal::UnknownAgent { asked: crate::core::escape::short(asked, 40), known }
    }

    /// The names whose mail is the caller's.
    fn own(&self, mailbox: &Name) -> bool {
        *mailbox == self.caller.name || self.caller.aliases.contains(mailbox)
    }

    /// The message that `prefix` stands for: one in the caller's own mailbox (`mine`), or in any.
    pub(super) fn find(&self, prefix: &str, mine: bool) -> Result<(Found, Verified)> {
        let short = crate::core::escape::short(prefix, 20);
        if prefix.len() < MIN_PREFIX || !id::is_prefix(prefix) {
            return Err(Refusal::Usage(format!(
                "'{short}' is not a message id: give at least {MIN_PREFIX} of its 8 characters"
            ))
            .into());
        }
        // It may move to another folder between the search and the look: then it is found there.
        for _ in 0..3 {
            let first = self.one_of(self.store.find(prefix)?, mine, &short)?;
            let aliases = self.aliases(&first.mailbox);
            match self.store.message(&first.mailbox, &aliases, first.folder, &first.file)? {
                Some(Ok(message)) => return Ok((first, message)),
                Some(Err(refused)) => {
                    let text =
                        format!("message {} was refused: {}; it is in quarantine now", first.id, refused.why);
                    return Err(Refusal::BadSignature(text).into());
                }
                None => {}
            }
        }
        Err(Refusal::Usage(format!("message '{short}' is being moved; try again")).into())
    }

    /// The one message among those found, the caller's own copy first: it is the one whose state a reader changes.
    fn one_of(&self, mut found: Vec<Found>, mine: bool, short: &str) -> Result<Found> {
        found.retain(|f| !mine || self.own(&f.mailbox));
        found.sort_by_key(|f| (!self.own(&f.mailbox), f.file.clone()));
        let mut ids: Vec<&str> = found.iter().map(|f| f.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > 1 {
            let text = format!("'{short}' is ambiguous: it may be {}", ids.join(" or "));
            return Err(Refusal::Usage(text).into());
        }
        let whose = if mine { "in your mailbox" } else { "here" };
        found
            .into_iter()
            .next()
            .ok_or_else(|| Refusal::Usage(format!("there is no message '{short}' {whose}")).into())
    }

    /// Former names of a mailbox's owner.
    pub(super) fn aliases(&self, mailbox: &Name) -> Vec<Name> {
        self.agents.iter().find(|a| a.name == *mailbox).map(|a| a.formerly.clone()).unwrap_or_default()
    }
}
