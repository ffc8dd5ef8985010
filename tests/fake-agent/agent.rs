//! The agent's state and how keys, control orders and time change it. Every change a test may ask about is logged.
//! It draws nothing and reads nothing: time is a number of milliseconds, given with each call.

use std::collections::VecDeque;

use serde_json::json;

use crate::control::Order;
use crate::draft::{Draft, Enter, EnterGate};
use crate::inbox::Inbox;
use crate::input::Key;
use crate::log::Log;
use crate::options::{BusyEnter, Options, Style};
use crate::react::{self, Running};
use crate::turn::{Finished, Turn};

/// How long a turn lasts when nothing else is said.
const SHORT_TURN: u64 = 50;
/// Older transcript entries are forgotten; no pane shows that many.
const KEPT: usize = 200;

/// A part of the transcript.
pub(crate) enum Entry {
    User(String),
    Tool { command: String, output: String, code: i32 },
    Reply { seconds: u64 },
    Interrupted { command: String },
}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Clean(&'static str),
    Die,
}

pub(crate) struct Agent {
    pub(crate) options: Options,
    pub(crate) draft: Draft,
    pub(crate) entries: VecDeque<Entry>,
    pub(crate) turn: Option<Turn>,
    pub(crate) dialog: Option<String>,
    pub(crate) overlay: bool,
    pub(crate) exit: Option<Exit>,
    pub(crate) inbox: Option<Inbox>,
    /// What its inbox took while it was at something else.
    mail: VecDeque<String>,
    /// A turn was interrupted: what its inbox took until then is given with the next text, whoever gives that.
    rests: bool,
    splash_until: Option<u64>,
    gate: EnterGate,
    queue: VecDeque<String>,
    asked_to_exit: bool,
    /// How long nothing is read once the next frame is drawn.
    pub(crate) nap: u64,
    /// How many Enters were lost.
    lost: u64,
    /// The text whose turn is to begin, and when.
    late: Option<(u64, String)>,
    /// What was submitted last.
    last: String,
    log: Log,
}

impl Agent {
    pub(crate) fn new(options: Options, mut log: Log, inbox: Option<Inbox>) -> Self {
        log.event("start", options.style.name());
        let splash_until = (options.start_delay > 0).then_some(options.start_delay);
        Self {
            options,
            draft: Draft::default(),
            entries: VecDeque::new(),
            turn: None,
            dialog: None,
            overlay: false,
            exit: None,
            inbox,
            mail: VecDeque::new(),
            rests: false,
            splash_until,
            gate: EnterGate::default(),
            queue: VecDeque::new(),
            asked_to_exit: false,
            nap: 0,
            lost: 0,
            late: None,
            last: String::new(),
            log,
        }
    }

    pub(crate) fn style(&self) -> Style {
        self.options.style
    }

    pub(crate) fn in_splash(&self) -> bool {
        self.splash_until.is_some()
    }

    pub(crate) fn running(&self) -> Option<&Running> {
        self.turn.as_ref()?.running()
    }

    /// When `tick` next has something to do, if nothing else happens.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let turn = self.turn.as_ref().filter(|_| self.dialog.is_none()).and_then(Turn::until);
        let late = self.late.as_ref().map(|(at, _)| *at);
        let mail = self.inbox.as_ref().and_then(Inbox::deadline);
        [self.splash_until, turn, late, mail].into_iter().flatten().min()
    }

    pub(crate) fn key(&mut self, key: Key, now: u64) {
        if self.splash_until.is_some() {
            self.key_in_splash(key);
        } else if self.overlay {
            self.log.event("overlay-key", &name(&key));
            self.overlay = key != Key::Escape;
        } else if self.dialog.is_some() {
            self.key_in_dialog(&key);
        } else {
            self.key_in_composer(key, now);
        }
    }

    fn key_in_splash(&mut self, key: Key) {
        match key {
            Key::Enter => self.log.event("enter-swallowed", "startup"),
            Key::Char(c) if self.options.start_swallow => self.draft.insert(c),
            Key::Paste(text) if self.options.start_swallow => self.draft.paste(self.options.style, &text),
            Key::Newline if self.options.start_swallow => self.draft.insert('\n'),
            _ => {}
        }
    }

    fn key_in_dialog(&mut self, key: &Key) {
        let Some(command) = self.dialog.clone() else { return };
        match key {
            Key::Enter => {
                self.dialog = None;
                self.log.event("dialog-answered", &command);
                self.remember(Entry::Tool { command, output: "(no output)".to_owned(), code: 0 });
            }
            Key::Escape => {
                self.log.event("dialog-key", "Escape");
                self.dialog = None;
                // A command under way is still waited for.
                if self.running().is_none() && self.turn.take().is_some() {
                    self.log.event("turn-ended", "interrupted");
                }
                self.remember(Entry::Interrupted { command });
            }
            other => self.log.event("dialog-key", &name(other)),
        }
    }

    fn key_in_composer(&mut self, key: Key, now: u64) {
        let asked_to_exit = std::mem::take(&mut self.asked_to_exit);
        match key {
            Key::Char(c) => {
                self.gate.typed(now, &self.options);
                self.draft.insert(c);
                self.work_on_key();
            }
            Key::Paste(text) => {
                self.draft.paste(self.options.style, &text);
                self.gate.pasted(now);
                if self.options.late_paste > 0 {
                    self.log.event("pasted", "");
                    std::thread::sleep(std::time::Duration::from_millis(self.options.late_paste));
                }
                self.nap = self.options.slow_paste;
            }
            Key::Newline => self.draft.insert('\n'),
            Key::Enter => {
                // As on a machine that is busy with something else: nothing is drawn meanwhile.
                if !self.draft.is_empty() {
                    std::thread::sleep(std::time::Duration::from_millis(self.options.slow_enter));
                }
                self.enter(now);
            }
            Key::Backspace => self.draft.backspace(),
            Key::ClearLine => self.clear_draft(),
            Key::Interrupt if !self.draft.is_empty() => self.clear_draft(),
            Key::Interrupt if asked_to_exit => self.exit = Some(Exit::Clean("C-c")),
            Key::Interrupt => self.asked_to_exit = true,
            Key::Escape if self.turn.is_some() && self.options.escape_restores => {
                self.turn = None;
                self.entries.pop_back();
                self.log.event("turn-ended", "interrupted");
                self.recall();
            }
            Key::Escape => self.log.event("escape", &self.draft.text()),
            // Up: history.
            Key::Other(key) if key == "CSI A" || key == "SS3 A" => self.recall(),
            Key::Other(key)
                if key == "C-D" && self.options.style == Style::Codex && self.draft.is_empty() =>
            {
                self.exit = Some(Exit::Clean("C-d"));
            }
            Key::Other(_) => {}
        }
    }

    /// As on a busy machine: it computes all that time, and draws nothing.
    fn work_on_key(&mut self) {
        if self.options.late_key > 0 {
            self.log.event("key", "");
            let begun = std::time::Instant::now();
            while begun.elapsed() < std::time::Duration::from_millis(self.options.late_key) {
                std::hint::spin_loop();
            }
        }
    }

    fn recall(&mut self) {
        self.draft.take();
        let text = self.last.clone();
        self.draft.paste(self.options.style, &text);
    }

    fn clear_draft(&mut self) {
        if !self.draft.is_empty() {
            let text = self.draft.take();
            self.log.event("draft-cleared", &text);
        }
    }

    fn enter(&mut self, now: u64) {
        match self.gate.enter(now, &self.options) {
            Enter::Swallow(why) => return self.log.event("enter-swallowed", why),
            Enter::Newline(why) => {
                self.draft.insert('\n');
                return self.log.event("enter-swallowed", why);
            }
            Enter::Submit => {}
        }
        if self.lost < self.options.lose_enters && !self.draft.is_empty() {
            self.lost += 1;
            return self.clear_draft();
        }
        let text = self.draft.text();
        if self.turn.is_some() && (text.trim().is_empty() || self.options.busy_enter == BusyEnter::Ignore) {
            return self.log.event("enter-while-busy", &text);
        }
        if text.trim().is_empty() {
            return;
        }
        if text.ends_with('\\') && matches!(self.style(), Style::Claude | Style::Gemini) {
            self.draft.backspace();
            self.draft.insert('\n');
            return self.log.event("enter-swallowed", "backslash");
        }
        if self.turn.is_some() {
            self.log.event("queued", &text);
            self.queue.push_back(self.draft.take());
            return;
        }
        let text = self.draft.take();
        if self.options.late_turn > 0 {
            self.late = Some((now + self.options.late_turn, text));
        } else {
            self.submit(text, now);
        }
    }

    /// Takes what has come to its inbox, at once if it is idle.
    pub(crate) fn take_mail(&mut self, now: u64) {
        let Some(inbox) = &mut self.inbox else { return };
        for text in inbox.read(now) {
            inbox.queued(&text);
            self.mail.push_back(text);
            self.rests = false;
        }
        self.open_mail(now);
    }

    fn open_mail(&mut self, now: u64) {
        let free = self.turn.is_none() && self.dialog.is_none() && self.splash_until.is_none();
        if free
            && !self.rests
            && let Some(text) = self.mail.pop_front()
        {
            // The log first: a test that has seen the proof may look there at once.
            self.submit(text.clone(), now);
            self.inbox.iter().for_each(|inbox| inbox.given(&text));
        }
    }

    /// Says what it does, if that is news.
    pub(crate) fn show_state(&mut self) {
        let status = match (&self.dialog, &self.turn) {
            (Some(_), _) => "waiting",
            (None, Some(_)) => "busy",
            _ => "idle",
        };
        self.inbox.iter_mut().for_each(|inbox| inbox.show(status));
    }

    fn submit(&mut self, text: String, now: u64) {
        if std::mem::take(&mut self.rests) {
            for text in self.mail.drain(..) {
                self.log.event("submitted", &text);
                self.inbox.iter().for_each(|inbox| inbox.given(&text));
            }
        }
        self.log.event("submitted", &text);
        self.last.clone_from(&text);
        let busy = if self.options.busy > 0 { self.options.busy } else { SHORT_TURN };
        let hold = react::slow(&text).unwrap_or(busy);
        let jobs = react::jobs(&text, &self.options.reacts);
        let mut turn = Turn::after_submit(now, hold, jobs);
        turn.replies = !text.contains("NO-REPLY");
        self.turn = Some(turn);
        let asks = text.contains("DIALOG");
        self.remember(Entry::User(text));
        if asks {
            self.open_dialog("touch lab-tool-ran".to_owned());
        }
    }

    fn open_dialog(&mut self, command: String) {
        self.log.event("dialog-opened", &command);
        self.dialog = Some(command);
    }

    pub(crate) fn order(&mut self, order: Result<Order, String>, now: u64) {
        match order {
            Ok(Order::Dialog(command)) => self.open_dialog(command),
            Ok(Order::DialogClose) => self.dialog = None,
            Ok(Order::Busy(ms)) => {
                self.turn.get_or_insert_with(|| Turn::ordered(now)).hold_until(now + ms);
            }
            Ok(Order::Interrupt) => (self.turn, self.rests) = (None, true),
            Ok(Order::Draft(text)) => text.chars().for_each(|c| self.draft.insert(c)),
            Ok(Order::Clear) => drop(self.draft.take()),
            Ok(Order::Overlay) => self.overlay = true,
            Ok(Order::OverlayClose) => self.overlay = false,
            Ok(Order::Exit) => self.exit = Some(Exit::Clean("control")),
            Ok(Order::Die) => self.exit = Some(Exit::Die),
            Err(line) => self.log.event("control-unknown", &line),
        }
    }

    /// Does what time has made due: the splash ends, commands start and finish, the turn ends.
    pub(crate) fn tick(&mut self, now: u64) {
        if self.splash_until.is_some_and(|until| now >= until) {
            self.splash_until = None;
        }
        if let Some((_, text)) = self.late.take_if(|(at, _)| now >= *at) {
            self.submit(text, now);
        }
        if let Some(finished) = self.turn.as_mut().and_then(Turn::finish_running) {
            self.note(finished);
        }
        // Behind a dialog nothing new starts and no turn ends.
        if self.dialog.is_some() {
            return;
        }
        while let Some(unstarted) = self.turn.as_mut().and_then(|t| t.start_next(now)) {
            self.note(unstarted);
        }
        if self.turn.as_ref().is_some_and(|t| t.is_over(now)) {
            self.end_turn(now);
        }
        self.open_mail(now);
    }

    fn note(&mut self, Finished { command, outcome }: Finished) {
        let more = [("exit", json!(outcome.code)), ("command", json!(command))];
        self.log.event_with("react", &outcome.output, &more);
        self.remember(Entry::Tool { command, output: outcome.output, code: outcome.code });
    }

    fn end_turn(&mut self, now: u64) {
        let Some(turn) = self.turn.take() else { return };
        if turn.replies {
            self.remember(Entry::Reply { seconds: now.saturating_sub(turn.started) / 1000 });
        }
        self.log.event("turn-ended", "");
        if let Some(text) = self.queue.pop_front() {
            self.submit(text, now);
            // Its commands start now, not when the loop next wakes.
            self.tick(now);
        }
    }

    fn remember(&mut self, entry: Entry) {
        self.entries.push_back(entry);
        if self.entries.len() > KEPT {
            self.entries.pop_front();
        }
    }

    /// The last line of the log.
    pub(crate) fn log_exit(&mut self, why: &str) {
        self.log.event("exit", why);
    }
}

/// A key as the log writes it.
fn name(key: &Key) -> String {
    match key {
        Key::Char(c) => c.to_string(),
        Key::Paste(text) | Key::Other(text) => text.clone(),
        other => format!("{other:?}"),
    }
}
