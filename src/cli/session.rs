//! The common beginning of nearly every command: the store, the agents on record, and the caller.

use super::{began, explain, stranger};
use crate::agents::Profiles;
use crate::core::agent::Agent;
use crate::core::config::{Config, Key, Settings, Source};
use crate::core::escape;
use crate::core::event::Event;
use crate::core::id;
use crate::core::message::{Identity, Verified};
use crate::core::name::Name;
use crate::core::order;
use crate::core::rate::Limit;
use crate::core::refusal::Refusal;
use crate::courier::start;
use crate::hooks::command;
use crate::hooks::install::git::Installed;
use crate::os::caller::{self, Caller, Chain};
use crate::os::served::Served;
use crate::os::tools::Tools;
use crate::roster::witness::{self, Vouched};
use crate::roster::{discovery, rate, rules};
use crate::store::config::Files;
use crate::store::mail::MessageRef;
use crate::store::{Store, key, now_ms};
use crate::tmux::Server;
use anyhow::{Context as _, Result};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How long tmux may take to show other agents.
const REDISCOVERY: Duration = Duration::from_secs(1);

pub(super) struct Session {
    pub store: Store,
    /// The living agents on record.
    pub agents: Vec<Agent>,
    /// The ended agents, once they were needed.
    ended: OnceCell<Vec<Agent>>,
    pub caller: Caller,
    /// When a record was last changed before the agents were read, if that is known.
    agents_at: Option<SystemTime>,
}

/// The profiles. A user's file with an error is reported, and the others are used.
pub(super) fn profiles() -> Result<Profiles> {
    let profiles = rules::load()?;
    if let [first, rest @ ..] = profiles.problems() {
        let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
        super::print::tell(&format!("{}{more}; see `swarm doctor`", first.text));
    }
    Ok(profiles)
}

/// Reports the changes that were made when a store was opened.
pub(super) fn tell_news(store: &Store) {
    if let Some(news) = store.news() {
        super::print::tell(news);
    }
}

/// The working directory.
pub(super) fn here() -> Result<PathBuf> {
    std::env::current_dir().context("the working directory is gone")
}

/// The person's home directory.
pub(super) fn home() -> Result<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|h| h.is_absolute()).context("HOME is not set")
}

/// The path of this program for settings files: the one on PATH, if it is this program. After an update, a link there
/// leads to the next version, while its present target may be gone.
pub(super) fn program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program")?.with_file_name("swarm");
    let real = own.canonicalize().ok();
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&on_path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join("swarm"))
        .find(|file| real.is_some() && file.canonicalize().ok() == real);
    Ok(found.unwrap_or(own))
}

/// The directory in which this program has its `swarm-msg`.
pub(super) fn tools_dir() -> Result<PathBuf> {
    Ok(program()?.parent().map(Path::to_path_buf).unwrap_or_default())
}

/// How an agent's tools call `swarm-msg`; asked `again` if an earlier answer is wrong.
pub(super) fn command(store: &Store, agent: &Agent, again: bool) -> String {
    tools_dir().map_or_else(|_| "swarm-msg".to_owned(), |dir| command::of(store, agent, &dir, again))
}

/// The living agents that cannot run `swarm-msg`, each with the one command that repairs it.
pub(super) fn speechless(agents: &[Agent]) -> Vec<(String, String)> {
    let Ok(dir) = tools_dir() else { return Vec::new() };
    let judged = |agent: &Agent| {
        let tools = Tools::of(&agent.kind, agent.process.pid)?;
        let why = tools.find(&dir).err()?;
        // The paths that its tools search elsewhere cannot be seen from here.
        if explain::away(agent.process.pid).is_some() {
            return None;
        }
        Some((format!("{}: {why}", agent.name), tools.repair(&dir)))
    };
    agents.iter().filter(|a| a.is_live()).filter_map(judged).collect()
}

/// The agents that cannot run `swarm-msg`, in a line for a person; empty if all can.
pub(super) fn tell_speechless(agents: &[Agent]) -> String {
    let (seen, mut repair): (Vec<String>, Vec<String>) = speechless(agents).into_iter().unzip();
    order::sort(&mut repair);
    repair.dedup();
    let all = format!(
        "{}\n  → {}, and start them again\n",
        escape::line(&seen.join("; ")),
        escape::line(&repair.join("; "))
    );
    if seen.is_empty() { String::new() } else { all }
}

/// Installs the guard of commits again where another tool has overwritten it. The doctor reports any obstacle.
fn restore_guard(store: &Store, here: &Path) {
    let Ok(state) = key::state_home().map(|home| home.join("hooks")) else { return };
    let done =
        Installed::load(&state, store.root()).and_then(|installed| installed.take_up(&state, here).ok());
    if let Some(dirs) = done.filter(|dirs| !dirs.is_empty()) {
        let _ = store.transact(|tx| tx.journal(&Event::GuardRestored { dirs: &dirs }));
    }
}

/// The store around the working directory, with a courier if one is needed.
pub(super) fn project() -> Result<Store> {
    let store = open()?;
    tell_news(&store);
    start::revive(&store);
    Ok(store)
}

/// The store for the caller's command.
pub(super) fn open() -> Result<Store> {
    let here = here()?;
    match Store::root_for_caller(&here) {
        None if !Store::is_root_forced() => Err(super::here::nowhere(&here, &Server::current())),
        _ => Store::open(&here),
    }
}

/// The store of the working directory's project, even if `SWARM_ROOT` is set.
pub(super) fn project_around() -> Result<Store> {
    let store = Store::open_around(&here()?)?;
    start::revive(&store);
    Ok(store)
}

/// Publishes the rate limit for agents from a command that only needs to know whether its caller is the person.
pub(super) fn publish_limit(store: &Store, agents: &[Agent]) {
    let caller = Chain::look().and_then(|chain| caller::identify(agents, None, &chain));
    if caller.is_ok_and(|c| c.identity == Identity::Human && c.whole) {
        publish_own(store, agents);
    }
}

/// A courtesy to agents that cannot see the person's settings: without it they use the strict defaults, so a failure
/// does not matter.
fn publish_own(store: &Store, agents: &[Agent]) {
    let own = Files::of(Some(store.root())).load();
    let _ = rate::publish_own(store, agents, &own);
}

impl Session {
    /// Opens the store around the working directory and identifies the caller.
    pub(super) fn open() -> Result<Self> {
        Self::open_as(None)
    }

    /// [`Session::open`] for a caller that names itself.
    pub(super) fn open_as(from: Option<&str>) -> Result<Self> {
        Self::act_in(project()?, from)
    }

    /// [`Session::open`] in a store that is open already.
    pub(super) fn of(store: Store) -> Result<Self> {
        Self::act_in(store, None)
    }

    fn act_in(store: Store, from: Option<&str>) -> Result<Self> {
        let mut session = Self::begin(store)?;
        session.caller = session.who(from)?;
        session.store.act_as(session.caller.identity);
        if session.is_human() {
            publish_own(&session.store, &session.agents);
        }
        Ok(session)
    }

    /// [`Session::open`] for a command that shows what anybody may see: the caller's identity may be unknown.
    pub(super) fn look() -> Result<Self> {
        Self::look_in(project()?)
    }

    /// [`Session::look`] in a store that is open already. An agent of another project is refused here as well.
    pub(super) fn look_in(store: Store) -> Result<Self> {
        let mut session = Self::begin(store)?;
        session.look_again()?;
        Ok(session)
    }

    /// Identifies the caller again, after the agents were read again. An agent that another one started as its tool
    /// has no name.
    pub(super) fn look_again(&mut self) -> Result<()> {
        match self.who(None) {
            Ok(caller) => {
                self.store.act_as(caller.identity);
                self.caller = caller;
            }
            Err(error) if matches!(error.downcast_ref(), Some(Refusal::Stranger(_))) => return Err(error),
            Err(_) => self.caller = Caller::nobody(),
        }
        Ok(())
    }

    fn begin(store: Store) -> Result<Self> {
        restore_guard(&store, &here()?);
        let agents_at = store.agents_changed();
        let agents = store.living()?;
        Ok(Self { store, agents, ended: OnceCell::new(), caller: Caller::nobody(), agents_at })
    }

    /// Identifies the caller. An agent that another one started as its tool has no name, and is refused.
    fn who(&mut self, from: Option<&str>) -> Result<Caller> {
        let chain = Chain::look()?;
        let mut caller = caller::identify(&self.agents, from, &chain);
        let in_pane = std::env::var("TMUX_PANE");
        let unknown_pane =
            in_pane.is_ok_and(|p| !self.agents.iter().any(|a| a.is_live() && a.place.pane == p));
        let is_human = |caller: &Result<Caller>| caller.as_ref().is_ok_and(|c| c.identity == Identity::Human);
        let above = if is_human(&caller) { stranger::above(&chain)? } else { None };
        if (unknown_pane || above.is_some()) && is_human(&caller) {
            // It may be an agent that is not discovered yet.
            self.rediscover();
            caller = caller::identify(&self.agents, from, &chain);
        }
        if let Some(stranger) = above.filter(|_| is_human(&caller)) {
            return Err(stranger.refusal(self.store.root()).into());
        }
        let mut caller = caller?;
        if caller.identity == Identity::Pane && !self.is_itself(&caller, &chain)? {
            // Another agent is in the place of the one on record, and is not discovered yet.
            self.rediscover();
            caller = caller::identify(&self.agents, from, &chain)?;
        }
        if !self.is_itself(&caller, &chain)? {
            return Err(Refusal::Usage(format!(
                "you are an agent that {0} started: you have no name and no mail here. Tell {0} what you need",
                caller.name
            ))
            .into());
        }
        if let Some(served) = caller.served.filter(|served| !served.named)
            && let Some(began) = self.came_from(&served, &caller.name)
        {
            return Err(began::refusal(&caller.name, &served, &began, self.store.root()).into());
        }
        Ok(caller)
    }

    /// The directory in which a server started a command that counts as this agent's, if it is known to be outside
    /// the project.
    fn came_from(&self, served: &Served, name: &Name) -> Option<PathBuf> {
        let root = self.store.root();
        began::elsewhere(served, root)
            .or_else(|| began::in_other_conversation(served, self.agent(name)?, root))
    }

    /// Whether a caller is this agent itself, and not another agent that it runs as its tool.
    fn is_itself(&self, caller: &Caller, chain: &Chain) -> Result<bool> {
        let Some(agent) = self.agent(&caller.name) else { return Ok(true) };
        rules::acts_for(agent, &chain.above())
    }

    /// Refuses a caller whose identity rests on its own word, before it changes one agent's mail, leases or name. A
    /// sandbox that the courier confirms counts as proved from then on. A server that several agents of a kind share
    /// is accepted as `env`.
    pub(super) fn prove(&mut self) -> Result<()> {
        let Caller { name, identity, served, .. } = &self.caller;
        if *identity != Identity::Env || served.is_some() {
            return Ok(());
        }
        match witness::ask(&self.store, name, witness::FOR_AN_ACT)? {
            Vouched::Own => {
                self.caller.identity = Identity::Namespace;
                self.store.act_as(Identity::Namespace);
                Ok(())
            }
            Vouched::Kind => Ok(()),
            Vouched::None => Err(Refusal::Usage(format!(
                "nothing but this process's environment says that you are {name}, and the courier does not confirm it: \
                 only {name} can do that. Nothing was changed; swarm-msg inbox and swarm-msg show ID show mail without marking it"
            ))
            .into()),
        }
    }

    /// Whether the caller is the person at the keyboard, as far as this is known; inside a sandbox it is not.
    pub(super) fn is_human(&self) -> bool {
        self.caller.identity == Identity::Human && self.caller.whole
    }

    /// Refuses every caller but the human. `act` completes "only the human can …".
    pub(super) fn require_human(&self, act: &str) -> Result<()> {
        if self.is_human() { Ok(()) } else { Err(Refusal::only_human(act).into()) }
    }

    /// The program with which the caller runs these commands.
    pub(super) fn program(&self) -> &'static str {
        if self.is_human() { "swarm" } else { "swarm-msg" }
    }

    /// The rate limit of the caller. A person's limit is in the person's own settings. An agent's settings can only
    /// make its limit stricter than the person's settings do.
    pub(super) fn rate(&self) -> Result<Limit> {
        let config = self.config()?;
        let Settings { rate: own, own_rate, .. } = Settings::from(&config);
        if self.is_human() {
            return Ok(own_rate);
        }
        let allowed = rate::for_agents(&self.store, &self.agents);
        let is_set = |key: Key| config.entries().iter().any(|e| e.key == key && e.source != Source::Default);
        let asks = is_set(Key::RateCount) || is_set(Key::RateWindow);
        Ok(if asks { allowed.stricter(own) } else { allowed })
    }

    /// The settings. A wrong variable is refused, because whoever set it can repair it. An error in a file is
    /// reported, and the rest of the file is used.
    pub(super) fn settings(&self) -> Result<Settings> {
        self.config().map(|config| Settings::from(&config))
    }

    fn config(&self) -> Result<Config> {
        let config = Files::of(Some(self.store.root())).load();
        if let Some(wrong) = config.problems.iter().find(|p| p.source == Source::Environment) {
            return Err(Refusal::Usage(wrong.to_string()).into());
        }
        if let [first, rest @ ..] = &config.problems[..] {
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
            super::print::tell(&format!("ignored: {first}{more}; see `swarm config validate`"));
        }
        Ok(config)
    }

    /// Reads the agents on record again if one has changed. The calling agent may have been renamed.
    pub(super) fn refresh(&mut self) -> Result<()> {
        let changed = self.store.agents_changed();
        if changed.is_some() && changed == self.agents_at {
            return Ok(());
        }
        self.agents_at = changed;
        let own = self.agent(&self.caller.name).map(|a| a.process.clone());
        self.read_agents()?;
        if let Some(own) = own.and_then(|own| self.agents.iter().find(|a| a.is_live() && a.process == own)) {
            self.caller.name.clone_from(&own.name);
            self.caller.aliases.clone_from(&own.formerly);
        }
        Ok(())
    }

    /// Reads the agents on record again.
    pub(super) fn read_agents(&mut self) -> Result<()> {
        self.agents = self.store.living()?;
        self.ended = OnceCell::new();
        Ok(())
    }

    fn dead(&self) -> &[Agent] {
        let all = || self.store.agents().unwrap_or_default().into_iter().filter(|a| !a.is_live()).collect();
        self.ended.get_or_init(all)
    }

    pub(super) fn everyone(&self) -> impl Iterator<Item = &Agent> {
        self.agents.iter().chain(self.dead())
    }

    /// Searches the panes again, if tmux can be reached from here.
    pub(super) fn rediscover(&mut self) {
        // The records are good enough: nobody should wait long for more.
        let server = Server::current().patient(REDISCOVERY);
        let found = rules::load()
            .and_then(|profiles| discovery::discover(&self.store, &server, &profiles, REDISCOVERY));
        if let Ok((_, agents, _)) = found {
            self.agents = agents.into_iter().filter(Agent::is_live).collect();
            self.ended = OnceCell::new();
        }
    }

    /// The living agent called `name`, now or formerly.
    pub(super) fn agent(&self, name: &Name) -> Option<&Agent> {
        let live = || self.agents.iter().filter(|a| a.is_live());
        live().find(|a| a.name == *name).or_else(|| live().find(|a| a.formerly.contains(name)))
    }

    /// The ended agent that is, or was, called `name`; of several the last one. A person has no record, so none is
    /// read.
    pub(super) fn ended(&self, name: &Name) -> Option<&Agent> {
        if name.is_human() {
            return None;
        }
        let ended = self.dead().iter().filter(|a| a.answers_to(name));
        ended.max_by_key(|a| (a.name == *name, a.died))
    }

    /// The ended agent of that name whose mail still waits for it to be started again, and how long it will (ms).
    pub(super) fn awaited(&self, name: &Name) -> Option<(&Agent, u64)> {
        let ended = self.ended(name)?;
        let settings = Settings::from(&Files::of(Some(self.store.root())).load());
        let left_ms = ended.gone_at(now_ms(), settings.grace).saturating_sub(now_ms());
        (left_ms > 0).then_some((ended, left_ms))
    }

    /// The error about a name without a living agent.
    pub(super) fn unknown(&self, asked: &str) -> Refusal {
        let mut known: Vec<String> =
            self.agents.iter().filter(|a| a.is_live()).map(|a| a.name.to_string()).collect();
        known.extend(self.store.groups().unwrap_or_default().addresses());
        let name = Name::new(asked.trim_start_matches('@')).ok();
        let asked = crate::core::escape::short(asked, 40);
        match name.and_then(|name| self.ended(&name)?.died) {
            Some(died) => Refusal::Ended { asked, ago: super::print::age(died, now_ms()), known },
            None => Refusal::UnknownAgent { asked, known },
        }
    }

    /// Whether the caller may read this mailbox.
    fn own(&self, mailbox: &Name) -> bool {
        *mailbox == self.caller.name || self.caller.aliases.contains(mailbox)
    }

    /// The message with this `prefix` of an id: one in the caller's own mailbox (`mine`), or in any.
    pub(super) fn find(&self, prefix: &str, mine: bool) -> Result<(MessageRef, Verified)> {
        let short = crate::core::escape::short(prefix, 20);
        if let Some(why) = id::complaint(prefix) {
            return Err(Refusal::Usage(why).into());
        }
        // It may move to another folder between the search and the look, and is then found there.
        for _ in 0..3 {
            let first = self.one_of(self.store.find(prefix)?, mine, &short)?;
            let aliases = self.aliases(&first.mailbox);
            match self.store.message(&first.mailbox, &aliases, first.folder, &first.file)? {
                Some(Ok(message)) => return Ok((first, message)),
                Some(Err(refused)) => {
                    let text = format!(
                        "message {} is not valid: {}; it is in quarantine now",
                        first.id, refused.why
                    );
                    return Err(Refusal::BadSignature(text).into());
                }
                None => {}
            }
        }
        Err(Refusal::Usage(format!("message '{short}' is being moved; try again")).into())
    }

    /// The one message among those found. The caller's own copy comes first: its state is the one that a reader
    /// changes.
    fn one_of(&self, mut found: Vec<MessageRef>, mine: bool, short: &str) -> Result<MessageRef> {
        if mine && !found.is_empty() && !found.iter().any(|f| self.own(&f.mailbox)) {
            let to: Vec<String> = found.iter().map(|f| f.mailbox.to_string()).collect();
            let text = format!(
                "message '{short}' is to {}, not to you ({}): only a recipient can read, answer or acknowledge it (`show` prints it, `send` writes to its sender)",
                to.join(", "),
                self.caller.name
            );
            return Err(Refusal::Usage(text).into());
        }
        found.retain(|f| !mine || self.own(&f.mailbox));
        order::sort_by_key(&mut found, |f| (!self.own(&f.mailbox), f.file.clone()));
        let mut ids: Vec<&str> = found.iter().map(|f| f.id.as_str()).collect();
        order::sort(&mut ids);
        ids.dedup();
        if ids.len() > 1 {
            let text = format!("'{short}' is ambiguous: it may be {}", ids.join(" or "));
            return Err(Refusal::Usage(text).into());
        }
        found
            .into_iter()
            .next()
            .ok_or_else(|| Refusal::NoMessage(format!("there is no message '{short}' here")).into())
    }

    /// Former names of a mailbox's owner.
    pub(super) fn aliases(&self, mailbox: &Name) -> Vec<Name> {
        let is_its = |a: &&Agent| a.name == *mailbox;
        let bearer = self.agents.iter().find(is_its).or_else(|| self.dead().iter().find(is_its));
        bearer.map(|a| a.formerly.clone()).unwrap_or_default()
    }
}
