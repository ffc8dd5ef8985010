//! One round of the courier: who is there, whose mail waits, and delivering what can be delivered.
//!
//! Agents are served side by side. Half-typed text goes first. Then all that waits for an agent goes in one bundle,
//! urgent mail first, then in the order it was sent. Reminders go one at a time. A hold on one agent delays no other,
//! and a server that does not answer delays only its own agents. There is one courier, but commands may change its
//! records at any time, so every mark is made in a transaction that looks again.

use super::board::Board;
use super::coordination::Rows;
use super::delivery::{Attempt, Notes, Outcome};
use super::gate::Hold;
use super::keys::Keys;
use super::letters::{self, Due, Letters};
use super::memo::Memo;
use super::native::Offered;
use super::quiet::Quiet;
use super::rules::Rules;
use super::servers::Servers;
use super::summons::Summons;
use super::{discovery, limit, observe, servers, witness};
use crate::agents::Profile;
use crate::carriers::{self, Unfit};
use crate::core::agent::{Agent, Status};
use crate::core::badge::Counts;
use crate::core::bundle;
use crate::core::carrier::Carrier;
use crate::core::config::{Config, Problem, Settings};
use crate::core::delivery::{Delivery, Progress, Stage};
use crate::core::escape;
use crate::core::frame;
use crate::core::message::{Envelope, Verified, order_sent, parse_file_name, sent_at};
use crate::core::name::Name;
use crate::core::plural::plural;
use crate::os::process;
use crate::store::config::{Files, Stamp};
use crate::store::leases::Part;
use crate::store::mail::Folder;
use crate::store::{Store, now_ms};
use crate::tmux::{Server, hangs};
use anyhow::{Context as _, Result};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// How often mail that was read long ago is removed.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// How often every lease record is looked at, whatever the index of leases says.
const INSPECT_EVERY: Duration = Duration::from_secs(60);

/// How long swarm looks for a sign that a text arrived, after it left its composer without one (ms).
const CONFIRM_MS: u64 = 60_000;

/// Mail that a courier finds as it begins is news if it is younger than this (ms).
const NEWS_MS: u64 = 10_000;

/// At most so many texts wait in an agent's own queue: Claude Code drops more when about thirty wait. The others wait here,
/// and go together.
const QUEUED: usize = 8;

/// How many different errors are remembered as reported.
const NOTED: usize = 16;

/// Problems of the settings that are journalled at a time.
const PROBLEMS: usize = 10;

/// What one pass over everybody's mail came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Mail is still waiting.
    pub waiting: bool,
    /// Something was delivered: more may go soon.
    pub progress: bool,
}

impl std::ops::BitOr for Pass {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self { waiting: self.waiting | other.waiting, progress: self.progress | other.progress }
    }
}

/// What the courier keeps between two looks. All of it can be rebuilt from the store.
pub struct Round<'a> {
    store: &'a Store,
    rules: Rules,
    servers: Servers,
    files: Files,
    /// The state of the files that the settings are from; `None` before the first look.
    stamp: Option<Stamp>,
    settings: Settings,
    /// When mail that was read long ago was last removed.
    tidied: Option<Instant>,
    /// When every lease record was looked at last.
    inspected: Option<Instant>,
    /// The living agents.
    agents: Vec<Agent>,
    /// The state of things that is known without asking tmux.
    quiet: Quiet,
    /// Since when somebody who has just started is waited for, to say which conversation it is in.
    pending: Option<Instant>,
    /// What the panes show of us.
    board: Board,
    /// What the coordination document shows of the leases.
    rows: Rows,
    /// The unread mail of the person at the keyboard that was announced; `None` before the first look.
    announced: Option<BTreeSet<String>>,
    /// How that person is called, and when again.
    summons: Summons,
    /// Whether urgent mail for that person waits to be shown in a popup.
    popup_due: bool,
    /// What is known of the agents' panes and channels.
    memory: BTreeMap<(String, String), (Keys, Offered)>,
    /// What each mailbox has to tell of.
    counted: Memo<Counts>,
    /// The mailboxes of the dead in which nothing is left to do.
    buried: Memo<()>,
    /// The errors that were journalled last: a lasting one is reported once.
    noted: BTreeSet<String>,
}

impl<'a> Round<'a> {
    /// A courier that knows of one server so far.
    pub fn new(store: &'a Store, first: &Server) -> Self {
        Self {
            store,
            rules: Rules::of_user(),
            servers: Servers::new(store, first),
            files: Files::of(Some(store.root())),
            stamp: None,
            settings: Settings::from(&Config::resolve(Vec::new())),
            tidied: None,
            inspected: None,
            agents: Vec::new(),
            quiet: Quiet::default(),
            pending: None,
            board: Board::default(),
            rows: Rows::default(),
            announced: None,
            summons: Summons::default(),
            popup_due: false,
            memory: BTreeMap::new(),
            counted: Memo::default(),
            buried: Memo::default(),
            noted: BTreeSet::new(),
        }
    }

    /// The socket of a server that it serves.
    pub fn socket(&self) -> String {
        self.servers.any().unwrap_or_default().to_owned()
    }

    /// Reads the settings and the profiles again if their files have changed. Errors in them are journalled, and the wrong
    /// values ignored.
    pub fn configure(&mut self) -> Result<()> {
        let changed = self.rules.refresh()?;
        if changed {
            self.quiet.forget();
        }
        if changed && !self.rules.profiles().problems().is_empty() {
            let problems = self.rules.profiles().problems().iter().take(PROBLEMS);
            let told: Vec<&str> = problems.map(|p| p.text.as_str()).collect();
            self.store.transact(|tx| tx.journal("bad-profiles", serde_json::json!({"problems": told})))?;
        }
        let stamp = self.files.stamp();
        if self.stamp.replace(stamp) == Some(stamp) {
            return Ok(());
        }
        let config = self.files.load();
        self.settings = Settings::from(&config);
        if config.problems.is_empty() {
            return Ok(());
        }
        let told = |p: &Problem| escape::short(&p.to_string(), 300);
        let problems: Vec<String> = config.problems.iter().take(PROBLEMS).map(told).collect();
        self.store.transact(|tx| tx.journal("bad-settings", serde_json::json!({"problems": problems})))
    }

    /// Removes what killed processes have left, and now and then mail that was read long ago.
    pub fn tidy(&mut self) -> Result<()> {
        self.store.sweep()?;
        let Some(keep_ms) = self.settings.keep_read_ms else { return Ok(()) };
        if self.tidied.is_some_and(|at| at.elapsed() < TIDY_EVERY) {
            return Ok(());
        }
        self.tidied = Some(Instant::now());
        self.store.prune(now_ms().saturating_sub(keep_ms)).map(drop)
    }

    /// Takes note of servers that answer again. `true`: there are such, and they want a survey.
    pub fn hear(&mut self) -> bool {
        self.servers.hear()
    }

    /// Looks at all panes of all known servers and registers what it finds. `false`: no server is left.
    pub fn survey(&mut self) -> Result<bool> {
        self.servers.add(self.store.agents()?.into_iter().filter(Agent::is_live).map(|a| a.place.socket));
        let (store, profiles, board) = (self.store, self.rules.profiles(), &mut self.board);
        let quiet = &mut self.quiet;
        quiet.note(profiles);
        let patient = self.pending.is_none_or(|since| since.elapsed() < discovery::SAYS_SOON);
        let mut pending = false;
        let failed = self.servers.each(|server| {
            let survey = discovery::survey(server, profiles)?;
            if let Some(pane) = survey.panes.first() {
                quiet.learn(server.socket(), pane.server);
            }
            let (agents, changes) = discovery::register(store, &survey, server, patient)?;
            pending |= changes.pending;
            board.note(server.socket(), &survey, &agents, store.root());
            Ok(())
        });
        if !failed.is_empty() {
            quiet.forget();
        }
        self.pending = pending.then(|| self.pending.unwrap_or_else(Instant::now));
        limit::publish(store, &store.agents()?)?;
        // A server that fails for a moment (or is too old) is not the same as one that is gone.
        let left = self.servers.forget_gone();
        let servers = &self.servers;
        self.board.keep(|socket| servers.knows(socket));
        self.quiet.keep(|socket| servers.knows(socket));
        Ok(left)
    }

    /// Whether somebody who has just started is not on record yet, and is to be looked for again soon.
    pub fn is_waiting_for_somebody(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether a survey would show what the last one did.
    pub fn is_as_before(&self) -> Result<bool> {
        Ok(self.quiet.is_as_before(&self.store.agents()?, self.rules.profiles()))
    }

    /// What else goes with a survey, without one. `false`: no server is left.
    pub fn check_up(&mut self) -> Result<bool> {
        limit::publish(self.store, &self.store.agents()?)?;
        Ok(self.servers.forget_gone())
    }

    /// Whether no agent's screen can have changed since the last look.
    pub fn is_still(&self) -> bool {
        self.quiet.is_still(self.store, &self.agents)
    }

    /// Removes the project's marks from the panes after its store is gone, as far as possible; nobody is left to read an
    /// error.
    pub fn take_marks_off(&mut self) {
        let (profiles, board, root) = (self.rules.profiles(), &self.board, self.store.root());
        self.servers.each(|server| {
            let survey = discovery::survey(server, profiles)?;
            Board::unname(server, root)?;
            server.mark(&board.left_on(server.socket(), &survey, root))
        });
    }

    /// Looks at what the agents are doing, for people. Returns whether one of them is busy with something that will end.
    pub fn observe(&mut self) -> Result<bool> {
        self.quiet.looks();
        let servers = &self.servers;
        let ask = |socket: &str| {
            servers.hung_since(socket).is_none().then(|| Server::new(socket).patient(servers::ANSWER))
        };
        let seen = observe::observe(self.store, self.rules.profiles(), ask)?;
        for (socket, _) in &seen.hung {
            self.servers.leave(socket);
        }
        Ok(seen.agents.iter().any(|a| a.is_live() && matches!(a.status, Status::Busy | Status::Dialog)))
    }

    /// Brings the status lines up to date, and announces new mail to the person at the keyboard.
    pub fn show(&mut self) -> Result<()> {
        let agents = self.store.agents()?;
        let counts = self.counts()?.agents(&agents, &self.store.askers()?);
        let ascii = self.settings.ascii;
        let (badge, calls) = (counts.badge(ascii), counts.calls().badge(ascii));
        let (board, root) = (&mut self.board, self.store.root());
        // The status line is a courtesy: what it tells is in the store.
        if !self.servers.each(|server| board.show(server, &agents, [&badge, &calls], root)).is_empty() {
            self.quiet.forget();
        }
        self.announce()?;
        self.summons.run(self.settings.notify.as_deref(), self.store.root());
        self.pop_up()
    }

    /// Counts the mail.
    fn counts(&mut self) -> Result<Counts> {
        let mut counts = Counts::default();
        let owners = self.store.mailboxes()?;
        self.counted.keep(&owners);
        self.buried.keep(&owners);
        for owner in owners {
            let counted = self.counted.recall(self.store, &owner, || count(self.store, &owner))?;
            counts.unread += counted.unread;
            counts.held += counted.held;
            counts.overdue += counted.overdue;
        }
        Ok(counts)
    }

    /// Announces mail to the human that came since the last look. When the courier starts, the newest mail counts as new,
    /// because it may have been started for that.
    fn announce(&mut self) -> Result<()> {
        let human = Name::human();
        let unread: BTreeSet<String> = self.store.mail_files(&human, Folder::New)?.into_iter().collect();
        let announced = self.announced.replace(unread.clone()).unwrap_or_else(|| {
            let old = |file: &&String| sent_at(file).is_some_and(|at| at + NEWS_MS < now_ms());
            unread.iter().filter(old).cloned().collect()
        });
        let news: Vec<&String> = unread.difference(&announced).collect();
        self.popup_due |= self.settings.popup && self.any_urgent(&news)?;
        self.popup_due &= !unread.is_empty();
        // Notices of swarm have their own alerts.
        let by_somebody =
            |file: &str| parse_file_name(file).is_some_and(|(sender, _)| sender != Name::system().as_str());
        let waiting = unread.iter().filter(|file| by_somebody(file)).count();
        let news: Vec<&String> = news.into_iter().filter(|file| by_somebody(file)).collect();
        let (bell, is_new) = (self.settings.bell, !news.is_empty());
        let text = match news[..] {
            [] if self.summons.reminds(waiting) => {
                format!("{} in your inbox, not read yet", plural(waiting, "message"))
            }
            [] => return Ok(()),
            [file] => {
                let Some(Ok(message)) = self.store.message(&human, &[], Folder::New, file)? else {
                    return Ok(());
                };
                format!("{} {}: {}", message.from, message.kind, frame::preview(message.body.as_str()))
            }
            _ => format!("{} new messages for you", news.len()),
        };
        self.servers.each(|server| server.alert(&text, bell).map(drop));
        if is_new {
            self.summons.news(&text);
        }
        Ok(())
    }

    fn any_urgent(&self, files: &[&String]) -> Result<bool> {
        for file in files {
            let found = self.store.message(&Name::human(), &[], Folder::New, file)?;
            if found.is_some_and(|m| m.is_ok_and(|m| m.urgent && !m.from.is_system())) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Opens the dashboard on the terminals where nobody is typing, if urgent mail waits for that.
    fn pop_up(&mut self) -> Result<()> {
        if !self.popup_due {
            return Ok(());
        }
        let program = std::env::current_exe().context("cannot find this program")?.with_file_name("swarm");
        // What cannot be said in one line of shell is left to the status line.
        let (Some(root), Some(program)) = (self.store.root().to_str(), program.to_str()) else {
            return Ok(());
        };
        if [root, program].iter().any(|path| escape::line(path) != *path) {
            return Ok(());
        }
        // Whoever opens it is the human, even where the tmux server was started inside somebody's pane.
        let command = format!(
            "unset TMUX_PANE; SWARM_ROOT={} exec {} dashboard --popup",
            escape::word(root),
            escape::word(program)
        );
        let (quiet_s, due) = (self.settings.quiet_s, &mut self.popup_due);
        // A popup is a courtesy, like the line on the status line.
        self.servers.each(|server| {
            *due &= !server.popup(quiet_s, now_ms() / 1000, &command)?;
            Ok(())
        });
        Ok(())
    }

    /// Whether a known agent has died since the last look.
    pub fn lost_somebody(&mut self) -> Result<bool> {
        self.agents = self.store.agents()?.into_iter().filter(Agent::is_live).collect();
        Ok(self.agents.iter().any(|a| process::check_in(a.place.namespace, &a.process) == Some(false)))
    }

    /// Whether to look for somebody who has ended and may be started again: `every` so often, and once more when the time is over for
    /// which the mail waits. The last look was so long `ago`.
    pub fn expects_somebody(&self, ago: Duration, every: Duration) -> Result<bool> {
        let (now, grace_ms) = (now_ms(), self.settings.grace_ms);
        let looked = now.saturating_sub(u64::try_from(ago.as_millis()).unwrap_or(u64::MAX));
        let expected = |a: &Agent| {
            let gone = a.gone_at(now, grace_ms);
            gone > looked && (gone <= now || ago >= every)
        };
        Ok(grace_ms > 0 && self.store.agents()?.iter().any(|a| !a.is_live() && expected(a)))
    }

    /// Answers sandboxed senders.
    pub fn witness(&mut self) -> Result<()> {
        witness::answer(self.store, &self.agents)
    }

    /// Handles awaited acknowledgements and dead letters. Returns when to do so again (ms since the epoch), if that is
    /// before the next pulse.
    pub fn letters(&mut self) -> Result<Option<u64>> {
        let mut look = || -> Result<Due> {
            self.store.finish_posts()?;
            let agents = self.store.agents()?;
            let letters = Letters { store: self.store, agents: &agents, settings: &self.settings };
            let mut due = letters.acknowledgements()?;
            letters.dead_letters(&mut self.buried, &mut due)?;
            self.store.post_notices()?;
            Ok(due)
        };
        let due = look()?;
        for alert in &due.alerts {
            // A message on the status line is a courtesy: the notice is in the inbox.
            self.servers.each(|server| server.alert(alert, false).map(drop));
        }
        Ok(due.next)
    }

    /// Ends leases whose time or holder has ended, and posts the notices about it. Returns whether there is anything to
    /// watch. Takes the mutex only if something changes. Once a minute it reads each record, whatever the index says, and
    /// so finds one that was overwritten in place.
    pub fn leases(&mut self) -> Result<bool> {
        if self.inspected.is_none_or(|at| at.elapsed() >= INSPECT_EVERY) {
            self.inspected = Some(Instant::now());
            self.store.inspect_leases()?;
        }
        let part = if self.settings.coord_auto { Part::All } else { Part::Numbers(&[]) };
        let leases = self.store.leases_about(part)?;
        // Left by a process that was killed before it could.
        self.store.post_notices()?;
        if self.settings.coord_auto {
            self.rows.follow(self.store, &leases.table)?;
        }
        Ok(leases.count > 0 || leases.table.waiters().next().is_some())
    }

    /// Journals an error that must not stop the other tasks, once for as long as it lasts. If that fails too, as on a full
    /// disk, nothing more is done.
    pub fn note(&mut self, error: &anyhow::Error) {
        let text = escape::short(&format!("{error:#}"), 300);
        if self.noted.contains(&text) {
            return;
        }
        let fields = serde_json::json!({"error": text});
        if self.store.transact(|tx| tx.journal("courier-error", fields)).is_ok() {
            if self.noted.len() >= NOTED {
                self.noted.clear();
            }
            self.noted.insert(text);
        }
    }

    /// A whole round went well: what fails after this is news.
    pub fn went_well(&mut self) {
        self.noted.clear();
    }

    /// Delivers what can be delivered, and returns what failed: one agent's error must not stop the others' mail. The next
    /// round tries again.
    pub fn deliver(&mut self) -> Result<(Pass, Option<anyhow::Error>)> {
        self.agents = self.store.agents()?.into_iter().filter(Agent::is_live).collect();
        let mut known = std::mem::take(&mut self.memory);
        let this = &*self;
        let serve = |agent: &Agent, (keys, offered): (Keys, Offered)| {
            let memory = Memory { keys: RefCell::new(keys), offered: RefCell::new(offered) };
            let served = this.serve(agent, &memory);
            (served, (memory.keys.into_inner(), memory.offered.into_inner()))
        };
        let passes = std::thread::scope(|scope| {
            let mut served = Vec::new();
            for agent in this.agents.iter().filter(|a| this.servers.hung_since(&a.place.socket).is_none()) {
                let pane = (agent.place.socket.clone(), agent.place.pane.clone());
                let memory = known.remove(&pane).unwrap_or_default();
                served.push((pane, scope.spawn(move || serve(agent, memory))));
            }
            served.into_iter().map(|(pane, thread)| (pane, thread.join())).collect::<Vec<_>>()
        });
        let (mut all, mut failed) = (Pass::default(), None);
        for (pane, served) in passes {
            let Ok((result, memory)) = served else {
                all.waiting = true;
                continue;
            };
            let socket = pane.0.clone();
            self.memory.insert(pane, memory);
            match result {
                Ok(pass) => all = all | pass,
                Err(error) if hangs(&error) => self.servers.leave(&socket),
                Err(error) => {
                    all.waiting = true;
                    failed = Some(error);
                }
            }
        }
        for agent in &self.agents {
            if let Some(since) = self.servers.hung_since(&agent.place.socket)
                && let Err(error) = self.put_off(agent, since)
            {
                failed = Some(error);
            }
        }
        Ok((all, failed))
    }

    /// Records why an agent's mail waits if its server has not answered since `since`. It is tried again when the server
    /// answers.
    fn put_off(&self, agent: &Agent, since: u64) -> Result<()> {
        let jobs = self.jobs(agent)?;
        let Some(job) = jobs.first() else { return Ok(()) };
        let why = Hold::ServerHangs(since).to_string();
        self.note_hold(agent, job, &why)?;
        self.tell_held(agent, &jobs, &why)
    }

    /// Delivers an agent's mail until it is done or held.
    fn serve(&self, agent: &Agent, memory: &Memory) -> Result<Pass> {
        let mut pass = Pass::default();
        if let Some(profile) = self.rules.profiles().get(&agent.kind) {
            pass.waiting = self.confirm(agent, profile, memory)?;
        }
        loop {
            let (offered, jobs): (Vec<Job>, Vec<Job>) =
                self.jobs(agent)?.into_iter().partition(|job| job.stage == Stage::Offered);
            match self.look_after(agent, &offered, memory)? {
                Proof::None => {}
                // While it waits in the agent's queue, other texts may follow, but not so many that the queue is full.
                Proof::Queued if offered.len() < QUEUED => pass.waiting = true,
                Proof::Queued | Proof::Open => return Ok(Pass { waiting: true, ..pass }),
                Proof::News => {
                    pass.progress = true;
                    continue;
                }
            }
            let Some(job) = jobs.first() else { return Ok(pass) };
            // A delivery takes seconds: the next one goes by what the person has written meanwhile.
            if pass.progress && !(self.rules.are_current() && self.stamp == Some(self.files.stamp())) {
                return Ok(Pass { waiting: true, ..pass });
            }
            let Some(profile) = self.rules.profiles().get(&agent.kind) else {
                let why = self.rules.profiles().why_not(&agent.kind);
                self.hold(agent, job, why)?;
                self.tell_held(agent, &jobs, why)?;
                return Ok(Pass { waiting: true, ..pass });
            };
            let found = self.store.message(&agent.name, &agent.formerly, job.folder(), &job.file)?;
            // It was read, or the agent renamed, a moment ago.
            let Some(Ok(message)) = found else { return Ok(Pass { waiting: true, ..pass }) };
            let (parcel, outcome) = self.carry(agent, profile, job.parcel(message), &jobs, memory)?;
            let message = &parcel.message;
            match outcome {
                Outcome::Submitted(_) | Outcome::Typed(_) | Outcome::Settled => pass.progress = true,
                Outcome::Offered(_) => (pass.progress, pass.waiting) = (true, true),
                Outcome::Held(hold) => {
                    pass.waiting = true;
                    self.tell_held(agent, &jobs, &hold.to_string())?;
                    if hold.is_stuck() && job.reminder.is_none() {
                        letters::stuck(self.store, &self.settings, agent, message)?;
                    }
                    return Ok(pass);
                }
                Outcome::Gone => {
                    pass.waiting = true;
                    return Ok(pass);
                }
            }
        }
    }

    /// Delivers what is first by the first carrier that can, together with what waits behind it, if more does.
    fn carry(
        &self,
        agent: &Agent,
        profile: &Profile,
        parcel: Parcel,
        jobs: &[Job],
        memory: &Memory,
    ) -> Result<(Parcel, Outcome)> {
        let Some(first) = jobs.first() else { return Ok((parcel, Outcome::Settled)) };
        let (begun, tried) = (first.stage.is_under_way(), first.tried);
        if tried && self.attempt(agent, profile, &parcel, memory).was_given_after_all()? {
            return Ok((parcel, Outcome::Settled));
        }
        let (mut parcel, mut held) = (parcel, None);
        let pane_only = begun.then_some(&[Carrier::Pane][..]);
        for carrier in pane_only.unwrap_or(&self.settings.carriers) {
            let outcome = match carrier {
                Carrier::Hook => continue,
                Carrier::Pane => {
                    let (carried, outcome) = self.type_it(agent, profile, parcel, jobs, memory)?;
                    parcel = carried;
                    outcome
                }
                _ if tried || !profile.carriers.contains(carrier) => continue,
                _ if memory.offered.borrow().suspects(&agent.process) => continue,
                Carrier::ClaudeInbox | Carrier::OpencodePlugin => match carriers::reach(*carrier, agent) {
                    Ok(mut channel) => {
                        // Nothing was given yet, so another way may be tried.
                        if channel.open().is_err() {
                            continue;
                        }
                        parcel = self.with_others(agent, parcel, jobs)?;
                        let attempt = self.attempt(agent, profile, &parcel, memory);
                        attempt.offer(channel, &mut memory.offered.borrow_mut())?
                    }
                    Err(Unfit::No(_)) => continue,
                    Err(unfit) => {
                        let hold = if unfit == Unfit::Asks { Hold::Dialog } else { Hold::Background };
                        self.note_hold(agent, first, &hold.to_string())?;
                        return Ok((parcel, Outcome::Held(hold)));
                    }
                },
            };
            match outcome {
                Outcome::Held(hold) if !begun && !hold.is_stuck() => held = Some(hold),
                other => return Ok((parcel, other)),
            }
        }
        if held.is_none() {
            self.note_hold(agent, first, &Hold::NoCarrier.to_string())?;
        }
        Ok((parcel, Outcome::Held(held.unwrap_or(Hold::NoCarrier))))
    }

    /// A bundle of all waiting mail for the agent's own channel; or the first message, if nothing else waits.
    fn with_others(&self, agent: &Agent, first: Parcel, jobs: &[Job]) -> Result<Parcel> {
        let Some(waiting) = together(jobs) else { return Ok(first) };
        let members = self.members(agent, &waiting)?;
        if members.len() < 2 {
            return Ok(first);
        }
        Ok(self.bundle_of(agent, members, true)?.unwrap_or(first))
    }

    /// Types what is first, together with what waits behind it, if more does.
    fn type_it(
        &self,
        agent: &Agent,
        profile: &Profile,
        parcel: Parcel,
        jobs: &[Job],
        memory: &Memory,
    ) -> Result<(Parcel, Outcome)> {
        let attempt = self.attempt(agent, profile, &parcel, memory);
        let Some(waiting) = together(jobs) else {
            let outcome = attempt.run()?;
            return Ok((parcel, outcome));
        };
        let size = match attempt.begin()? {
            ControlFlow::Break(outcome) => return Ok((parcel, outcome)),
            ControlFlow::Continue(size) => size,
        };
        let Some(bundle) = self.bundle(agent, profile, &waiting, size)? else {
            let outcome = attempt.run()?;
            return Ok((parcel, outcome));
        };
        let outcome = self.attempt(agent, profile, &bundle, memory).run()?;
        Ok((bundle, outcome))
    }

    /// The first of the messages that wait, as many as go into one bundle.
    fn members(&self, agent: &Agent, waiting: &[&Job]) -> Result<Vec<Verified>> {
        let mut members = Vec::new();
        for job in waiting.iter().take(bundle::LOOKED_AT) {
            let found = self.store.message(&agent.name, &agent.formerly, Folder::New, &job.file)?;
            // One that was read a moment ago is left out.
            members.extend(found.and_then(Result::ok));
        }
        members.truncate(bundle::count(&members));
        Ok(members)
    }

    /// A bundle of these. `None`: the mailbox is gone.
    fn bundle_of(&self, agent: &Agent, members: Vec<Verified>, whole: bool) -> Result<Option<Parcel>> {
        let ids = members.iter().map(|m| m.id.clone()).collect();
        let message = self.store.bundle(&agent.name, &bundle::text(&members), ids, whole)?;
        Ok(message.map(|message| Parcel { message, reminder: None, members, whole }))
    }

    /// Looks what became of what was given to an agent's own channel.
    fn look_after(&self, agent: &Agent, offered: &[Job], memory: &Memory) -> Result<Proof> {
        let Some(profile) = self.rules.profiles().get(&agent.kind) else {
            return Ok(if offered.is_empty() { Proof::None } else { Proof::Open });
        };
        let keys: Vec<_> = offered.iter().map(|job| (job.envelope.id.to_string(), job.reminder)).collect();
        memory.offered.borrow_mut().keep(&keys);
        let mut proof = Proof::None;
        for job in offered {
            let found = self.store.message(&agent.name, &agent.formerly, job.folder(), &job.file)?;
            // It was read a moment ago.
            let Some(Ok(message)) = found else { return Ok(Proof::News) };
            let parcel = job.parcel(message);
            let attempt = self.attempt(agent, profile, &parcel, memory);
            proof = proof.max(match attempt.look_after(&mut memory.offered.borrow_mut())? {
                Outcome::Offered(true) => Proof::Queued,
                Outcome::Offered(false) | Outcome::Held(_) => Proof::Open,
                _ => Proof::News,
            });
        }
        Ok(proof)
    }

    /// A bundle of what waits, for a pane of that size. `None`: it goes one by one.
    fn bundle(
        &self,
        agent: &Agent,
        profile: &Profile,
        waiting: &[&Job],
        (columns, rows): (u16, u16),
    ) -> Result<Option<Parcel>> {
        let mut members = self.members(agent, waiting)?;
        let shown = |text: &str| profile.shows_whole(text, columns, rows);
        // A line editor's agent has no tools to read what is only announced.
        while profile.process.alone && members.len() > 1 && !bundle::is_typed_whole(&members, &agent.name) {
            members.pop();
        }
        if members.len() < 2 {
            return Ok(None);
        }
        let about = |whole| bundle::about(&members, &agent.name, whole);
        let whole = bundle::is_typed_whole(&members, &agent.name) && shown(&about(true));
        if !whole && (profile.process.alone || !shown(&about(false))) {
            return Ok(None);
        }
        self.bundle_of(agent, members, whole)
    }

    /// Tells the senders of what has waited for long.
    fn tell_held(&self, agent: &Agent, jobs: &[Job], reason: &str) -> Result<()> {
        for job in jobs.iter().filter(|j| j.reminder.is_none()) {
            letters::held(self.store, &self.settings, agent, &job.file, &job.envelope, reason)?;
        }
        Ok(())
    }

    /// Notes why a message waits, unless that reason is on record.
    fn note_hold(&self, agent: &Agent, job: &Job, why: &str) -> Result<()> {
        let known = self.store.delivery(&agent.name, &job.envelope.id)?;
        if known.is_some_and(|d| d.way.detail == why) { Ok(()) } else { self.hold(agent, job, why) }
    }

    /// Notes why a message waits whose pane is not even looked at.
    fn hold(&self, agent: &Agent, job: &Job, why: &str) -> Result<()> {
        self.store.transact(|tx| {
            let id = &job.envelope.id;
            let waits = self.store.mail_file(&agent.name, Folder::New, &job.file).exists();
            let known = self.store.delivery(&agent.name, id)?;
            let mut delivery =
                known.unwrap_or_else(|| Delivery::queued(id.clone(), job.envelope.created));
            let way = &mut delivery.way;
            let stage = if way.stage.is_under_way() { way.stage } else { Stage::Held };
            if !waits || !way.stage.is_open() || !way.advance(stage, why, now_ms()) {
                return Ok(());
            }
            tx.put_delivery(&agent.name, &delivery)?;
            tx.journal(
                "delivery",
                serde_json::json!({"id": id, "to": agent.name, "stage": stage, "detail": why, "reminder": null}),
            )
        })
    }

    /// Checks whether a text that was typed a while ago, without a sign of a turn, has arrived after all. Returns whether
    /// that is still open.
    fn confirm(&self, agent: &Agent, profile: &Profile, memory: &Memory) -> Result<bool> {
        let mut open = false;
        for file in self.store.mail_files(&agent.name, Folder::New)? {
            let Some((_, id)) = parse_file_name(&file) else { continue };
            let recent =
                |way: &Progress| way.stage == Stage::Typed && now_ms().abs_diff(way.since) < CONFIRM_MS;
            // What was given in a bundle is known with that.
            if !self.store.delivery(&agent.name, &id)?.is_some_and(|d| recent(&d.way) && d.via.is_none()) {
                continue;
            }
            let found = self.store.message(&agent.name, &agent.formerly, Folder::New, &file)?;
            let Some(Ok(message)) = found else { continue };
            let Some(delivery) = self.store.delivery(&agent.name, &id)? else { continue };
            let members = self.store.members(&agent.name, &agent.formerly, &delivery)?;
            let parcel = Parcel { message, reminder: None, members, whole: delivery.whole };
            open |= !self.attempt(agent, profile, &parcel, memory).confirm()?;
        }
        Ok(open)
    }

    fn attempt<'s>(
        &'s self,
        agent: &'s Agent,
        profile: &'s Profile,
        parcel: &'s Parcel,
        memory: &'s Memory,
    ) -> Attempt<'s> {
        Attempt {
            store: self.store,
            agent,
            profile,
            message: &parcel.message,
            reminder: parcel.reminder,
            members: &parcel.members,
            whole: parcel.whole,
            settings: &self.settings,
            keys: &memory.keys,
            notes: Notes::default(),
        }
    }

    /// The texts to type for an agent, in order: first one that may already be in the composer, then urgent mail, then by
    /// the time of sending.
    fn jobs(&self, agent: &Agent) -> Result<Vec<Job>> {
        let mut jobs = Vec::new();
        let under_way = self.store.under_way(&agent.name)?;
        for file in self.store.mail_files(&agent.name, Folder::New)? {
            if parse_file_name(&file).is_some_and(|(_, id)| under_way.contains(&id)) {
                continue;
            }
            let found = self.store.message(&agent.name, &agent.formerly, Folder::New, &file)?;
            let Some(Ok(message)) = found else { continue };
            let delivery = self.store.delivery(&agent.name, &message.id)?;
            if let Some(bundle) = delivery.as_ref().filter(|d| d.is_bundle()) {
                jobs.extend(self.begun(agent, file, &message, bundle)?);
                continue;
            }
            let way = delivery.map(|d| d.way).unwrap_or_default();
            if way.stage.is_open() {
                jobs.push(Job::of(file, message.envelope(), &way));
            } else if !matches!(way.stage, Stage::Failed | Stage::Typed) {
                // Submitted, and a crash came before the move.
                self.store.transact(|tx| tx.mark_given(&agent.name, &file))?;
            }
        }
        for file in self.store.mail_files(&agent.name, Folder::Unacked)? {
            let found = self.store.message(&agent.name, &agent.formerly, Folder::Unacked, &file)?;
            let Some(Ok(message)) = found else { continue };
            let Some(delivery) = self.store.delivery(&agent.name, &message.id)? else { continue };
            if let (Some(reminder), Some(clock)) = (delivery.open_reminder(), &delivery.ack) {
                jobs.push(Job { reminder: Some(clock.rings), ..Job::of(file, message.envelope(), reminder) });
            }
        }
        let order = order_sent(jobs.iter().map(|j| &j.envelope));
        jobs.sort_by_cached_key(|j| {
            (!j.stage.is_under_way(), !j.envelope.urgent, order.get(&j.envelope.id).copied())
        });
        Ok(jobs)
    }

    /// The job of a bundle whose text may be in the composer. Any other bundle is completed; if nothing of it was typed it
    /// is removed again, because more mail may wait by now.
    fn begun(
        &self,
        agent: &Agent,
        file: String,
        message: &Verified,
        bundle: &Delivery,
    ) -> Result<Option<Job>> {
        let (name, id) = (&agent.name, &message.id);
        let brings = self.store.brings_anything(name, bundle)?;
        match bundle.way.stage {
            // Something of it may stand in the composer, whatever was read since.
            stage
                if bundle.is_bundle_under_way()
                    && (brings || matches!(stage, Stage::Typing | Stage::Entering)) =>
            {
                let members = self.store.members(name, &agent.formerly, bundle)?;
                let job = Job::of(file, message.envelope(), &bundle.way);
                return Ok(Some(Job { members, whole: bundle.whole, ..job }));
            }
            // A sign that it was given may come yet.
            Stage::Typed if brings => {}
            stage if stage.is_open() || matches!(stage, Stage::Typed | Stage::Failed) => {
                self.store.transact(|tx| {
                    let same =
                        self.store.delivery(name, id)?.is_some_and(|now| now.way.stage == bundle.way.stage);
                    if same { tx.drop_bundle(name, &file, id) } else { Ok(()) }
                })?;
            }
            // A crash came before its members were marked, or before the move.
            _ => self.store.transact(|tx| {
                tx.settle_members(name, bundle)?;
                tx.mark_read(name, &file).map(drop)
            })?,
        }
        Ok(None)
    }
}

/// What may go in one bundle, if more than one does and what is first is among it.
fn together(jobs: &[Job]) -> Option<Vec<&Job>> {
    let waiting: Vec<&Job> = jobs.iter().filter(|j| j.may_go_with_others()).collect();
    (waiting.len() > 1 && jobs.first()?.may_go_with_others()).then_some(waiting)
}

/// Counts what one mailbox has to tell of.
fn count(store: &Store, owner: &Name) -> Result<Counts> {
    let mut counts = Counts::default();
    if owner.is_human() {
        counts.unread = store.count_unread(owner)?;
    }
    for (folder, overdue) in [(Folder::New, false), (Folder::Unacked, true)] {
        for file in store.mail_files(owner, folder)? {
            let Some((_, id)) = parse_file_name(&file) else { continue };
            let Some(delivery) = store.delivery(owner, &id)? else { continue };
            if overdue {
                counts.overdue += usize::from(delivery.ack.is_some_and(|a| a.rings > 0));
            } else {
                counts.held += usize::from(delivery.way.stage == Stage::Held);
            }
        }
    }
    Ok(counts)
}

/// One text to type. There may be a thousand for each agent, so a text is read only when it is its turn.
struct Job {
    file: String,
    envelope: Envelope,
    reminder: Option<u32>,
    stage: Stage,
    /// The messages that it brings, if it is a bundle, and whether their lines are typed with it.
    members: Vec<Verified>,
    whole: bool,
    /// It is announced by a line of its own.
    plain: bool,
    /// An agent's own channel took it, and it came to nothing.
    tried: bool,
}

/// What the courier keeps in mind of one agent.
#[derive(Default)]
struct Memory {
    /// What is known of people's keys in its pane.
    keys: RefCell<Keys>,
    /// What was given to its own channel.
    offered: RefCell<Offered>,
}

/// What is known of all that was given to an agent's own channel, the most urgent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    /// There is nothing of the kind.
    None,
    /// It waits in the agent's queue.
    Queued,
    /// Nothing is known of something.
    Open,
    /// Something has come to its end.
    News,
}

/// What is typed in one: a message, a reminder, or a bundle.
struct Parcel {
    message: Verified,
    reminder: Option<u32>,
    members: Vec<Verified>,
    whole: bool,
}

impl Job {
    fn of(file: String, envelope: Envelope, way: &Progress) -> Self {
        let tried = way.offer.is_some() && way.stage != Stage::Offered;
        let (stage, plain, members) = (way.stage, way.plain, Vec::new());
        Self { file, envelope, reminder: None, stage, members, whole: false, plain, tried }
    }

    fn parcel(&self, message: Verified) -> Parcel {
        Parcel { message, reminder: self.reminder, members: self.members.clone(), whole: self.whole }
    }

    /// Whether it may go with others in a bundle: a message of which nothing was typed.
    fn may_go_with_others(&self) -> bool {
        let fresh = matches!(self.stage, Stage::Queued | Stage::Held) && !self.plain && !self.tried;
        self.reminder.is_none() && self.members.is_empty() && fresh
    }

    /// Where its message is.
    fn folder(&self) -> Folder {
        if self.reminder.is_some() { Folder::Unacked } else { Folder::New }
    }
}
