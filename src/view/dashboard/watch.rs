//! Looks at the pane of the selected agent.
//!
//! One bounded call to tmux at a time, in a thread of its own: a server that is slow, or does not answer, does not
//! delay the keys. A changing pane is looked at once a second, an unchanged one less often.

use super::sgr;
use super::snapshot::AgentRow;
use super::{AgentFacts, Outside};
use crate::core::agent::Status;
use crate::core::escape;
use crate::store::Store;
use crate::tmux::Server;
use ratatui::text::Line;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// The shortest and the longest time between two looks.
const PACE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// The time between two looks while its dialog is being answered.
const OFTEN: Duration = Duration::from_millis(150);

/// How long tmux may take for a look.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long the facts about an agent beside its screen are kept.
const FACTS: Duration = Duration::from_secs(60);

/// The target of a look. A name alone may mean agents of several projects, or one that was started again in another
/// pane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Whom {
    root: PathBuf,
    agent: String,
    socket: String,
    pane: String,
}

impl Whom {
    /// An agent of the project in that directory.
    pub(super) fn of(root: &Path, agent: &AgentRow) -> Self {
        let (agent, socket, pane) = (agent.name.clone(), agent.socket.clone(), agent.pane.clone());
        Self { root: root.to_owned(), agent, socket, pane }
    }

    /// The agent's name, and its pane.
    pub(super) fn place(&self) -> (String, String, String) {
        (self.agent.clone(), self.socket.clone(), self.pane.clone())
    }
}

/// The result of looking at an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) whom: Whom,
    /// Its place for people: `session:window.pane`.
    pub(super) place: String,
    /// The evidence for its state on the screen.
    pub(super) evidence: String,
    /// The carrier of its mail.
    pub(super) channel: String,
    /// Why hooks do not reach it, and what repairs that.
    pub(super) hooks: String,
    /// The fingerprint of its screen, if the screen was seen.
    pub(super) screen: Option<u64>,
    /// Its pane, or why the pane is unknown.
    pub(super) lines: Vec<Line<'static>>,
}

struct Request {
    store: Store,
    whom: Whom,
    status: Status,
}

/// The thread that looks, and the state of its last request.
pub(super) struct Watch {
    ask: Sender<Request>,
    told: Receiver<(Seen, bool)>,
    /// Whether an answer is outstanding.
    pub(super) pending: bool,
    /// The target and the time of the last look.
    last: Option<(Whom, Instant)>,
    pause: Duration,
}

impl Watch {
    pub(super) fn new(outside: Outside, colour: bool) -> Self {
        let (ask, asked) = channel();
        let (tell, told) = channel();
        std::thread::spawn(move || serve(&asked, &tell, outside, colour));
        Self { ask, told, pending: false, last: None, pause: PACE[0] }
    }

    /// Asks for a look at `agent` if it is time; `often`: the person waits for each change.
    #[inline(never)]
    pub(super) fn look(&mut self, store: &Store, agent: &AgentRow, often: bool) {
        let whom = Whom::of(store.root(), agent);
        let pause = if often { OFTEN } else { self.pause };
        let due = self.last.as_ref().is_none_or(|(last, at)| *last != whom || at.elapsed() >= pause);
        if self.pending || !due {
            return;
        }
        let request = Request { store: store.clone(), whom: whom.clone(), status: agent.status };
        self.pending = self.ask.send(request).is_ok();
        self.last = Some((whom, Instant::now()));
    }

    /// Puts the results since then into `seen`. Returns whether that has changed.
    #[inline(never)]
    pub(super) fn take(&mut self, seen: &mut Seen) -> bool {
        let mut changed = false;
        while let Ok((new, last)) = self.told.try_recv() {
            self.pending &= !last;
            let differs = *seen != new;
            self.pause = if differs { PACE[0] } else { (self.pause * 3 / 2).min(PACE[1]) };
            if differs {
                *seen = new;
                changed = true;
            }
        }
        changed
    }
}

/// Looks at each request. The result from tmux is sent at once, and the facts that take longer afterwards.
#[inline(never)]
fn serve(asked: &Receiver<Request>, tell: &Sender<(Seen, bool)>, outside: Outside, colour: bool) {
    let mut known: BTreeMap<(PathBuf, String), (Instant, Status, AgentFacts)> = BTreeMap::new();
    while let Ok(Request { store, whom, status }) = asked.recv() {
        let key = (whom.root.clone(), whom.agent.clone());
        let (lines, screen) = capture(&whom.socket, &whom.pane, colour);
        let stale = known.get(&key).is_none_or(|(at, of, _)| at.elapsed() >= FACTS || *of != status);
        let seen = |facts: &AgentFacts| {
            let AgentFacts { place, evidence, channel, hooks } = facts.clone();
            Seen { whom: whom.clone(), place, evidence, channel, hooks, screen, lines: lines.clone() }
        };
        let facts = known.get(&key).map(|(.., facts)| facts.clone()).unwrap_or_default();
        if tell.send((seen(&facts), !stale)).is_err() {
            return;
        }
        if stale {
            let facts = (outside.facts)(&store, &whom.agent);
            let told = tell.send((seen(&facts), true));
            known.insert(key, (Instant::now(), status, facts));
            if told.is_err() {
                return;
            }
        }
    }
}

/// The content of a pane now, or why it is unknown.
fn capture(socket: &str, pane: &str, colour: bool) -> (Vec<Line<'static>>, Option<u64>) {
    match Server::new(socket).patient(PATIENCE).look(pane) {
        Ok(Some(look)) => (sgr::lines(&look.text, colour), Some(look.screen.fingerprint())),
        Ok(None) => (vec![Line::raw("the pane is gone")], None),
        Err(error) => (vec![Line::raw(escape::short(&format!("{error:#}"), 200))], None),
    }
}
