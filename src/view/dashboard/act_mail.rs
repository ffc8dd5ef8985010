//! Carries out commands on messages and threads.
//!
//! Pure, like `act`.

use super::keys::{Command, MailCommand};
use super::model::{App, Mode, Wish};
use super::panel::Panel;
use super::snapshot::{MessageRow, NOTICES, ThreadRow};
use crate::core::order;
use crate::view::action::Action;
use crate::view::form::{Form, Purpose};
use std::collections::BTreeSet;
use std::rc::Rc;

/// The most ids in one command.
const IDS: usize = 200;

impl App {
    /// The message for a key: the selected one of the thread, or the unread one of the agent.
    pub(super) fn concerned_message(&self) -> Option<Rc<MessageRow>> {
        match self.panel {
            Panel::Agents => self.agent().and_then(|a| a.asks.first()).cloned(),
            Panel::Threads => self.message().cloned(),
            Panel::Leases | Panel::Tasks => None,
        }
    }

    pub(super) fn with_message(&mut self, command: MailCommand) -> Wish {
        if command == MailCommand::Read && self.panel == Panel::Threads {
            return self.read_thread();
        }
        if let MailCommand::Deliver | MailCommand::Drop = command {
            return self.settle(command == MailCommand::Drop);
        }
        if let Some(message) = self.concerned_message() {
            return self.with(command, &message);
        }
        // In that panel, the message that waits for the agent is the interesting one.
        let agent = if self.panel == Panel::Agents { self.agent() } else { None };
        let waits = agent.and_then(|a| self.shown.waiting.iter().find(|w| w.to == a.name));
        match (command, waits.map(|w| w.id.clone())) {
            (MailCommand::Status, Some(id)) => return self.status(&id),
            (MailCommand::Resend, Some(id)) => self.resend(&id),
            (MailCommand::Status, None) if agent.is_some() => return self.last_status(),
            _ => {
                let key =
                    self.keymap.names(Command::Show(Panel::Threads)).first().cloned().unwrap_or_default();
                self.tell(&format!("no message is selected ({key} shows the threads)"));
            }
        }
        Wish::Nothing
    }

    fn with(&mut self, command: MailCommand, message: &MessageRow) -> Wish {
        let id = message.id.as_str();
        match command {
            MailCommand::Reply if message.notice => {
                self.tell("that is a notice of swarm: nobody reads an answer");
            }
            MailCommand::Reply if message.mine => self.write(Form::reply(id, &message.from)),
            MailCommand::Reply => self.tell("you can answer only messages to you; m writes to the sender"),
            MailCommand::Read => return self.run(vec![Action::line("mark it read", &["read", id])]),
            MailCommand::Acknowledge => {
                return self.run(vec![Action::line(&format!("ack {id}"), &["ack", id])]);
            }
            MailCommand::Deliver | MailCommand::Drop => return self.settle(command == MailCommand::Drop),
            MailCommand::Status => return self.status(id),
            MailCommand::Resend => self.resend(id),
        }
        Wish::Nothing
    }

    /// The held answers beyond the limit between agents: of the selected thread, or to or from the selected agent.
    fn held_answers(&self) -> Vec<Rc<MessageRow>> {
        let messages = |thread: &ThreadRow| thread.messages.iter().filter(|m| m.paused).cloned().collect();
        match self.panel {
            Panel::Threads => self.thread().map(messages).unwrap_or_default(),
            Panel::Agents => {
                let name = self.agent().map(|a| a.name.clone()).unwrap_or_default();
                let about = |m: &&Rc<MessageRow>| m.from == name || m.to.contains(&name);
                let all: Vec<Vec<_>> = self.shown.threads.iter().map(messages).collect();
                // One thread at a time.
                all.into_iter().find(|held| held.iter().any(|m| about(&m))).unwrap_or_default()
            }
            Panel::Leases | Panel::Tasks => Vec::new(),
        }
    }

    /// Delivers or drops the held answers of a thread. Nothing else can be dropped.
    fn settle(&mut self, drop: bool) -> Wish {
        let held = self.held_answers();
        let Some(first) = held.first() else {
            let what = if self.panel == Panel::Threads { "in this thread" } else { "here" };
            self.tell(&format!("no answer {what} is held by the limit on answers in a row (agents.answers)"));
            return Wish::Nothing;
        };
        let id = first.id.clone();
        if !drop {
            return self.run(vec![Action::line(&format!("deliver {id}"), &["release", &id])]);
        }
        let said = |m: &Rc<MessageRow>| format!("{} of {} to {}: {}", m.id, m.from, m.to.join(", "), m.first);
        let (what, fate) = match &held[..] {
            [one] => (said(one), "It becomes a dead letter."),
            _ => (held.iter().map(said).collect::<Vec<_>>().join("; "), "They become dead letters."),
        };
        let actions = vec![Action::line(&format!("drop {id}"), &["release", "--drop", &id])];
        self.mode = Mode::Confirm { question: format!("Drop {what}? {fate}"), actions };
        Wish::Nothing
    }

    /// Shows the progress of the last message from or to the selected agent, if none waits.
    fn last_status(&mut self) -> Wish {
        let name = self.agent().map(|a| a.name.clone()).unwrap_or_default();
        let all = self.shown.threads.iter().flat_map(|t| &t.messages);
        let about = all.filter(|m| !m.notice && m.to.contains(&name));
        if let Some(id) = about.max_by_key(|m| m.at).map(|m| m.id.clone()) {
            return self.status(&id);
        }
        self.tell(&format!("nothing was sent to {name} yet, and nothing waits for it"));
        Wish::Nothing
    }

    fn status(&mut self, id: &str) -> Wish {
        self.run(vec![Action::page(&format!("status of {id}"), &["status", id])])
    }

    fn resend(&mut self, id: &str) {
        self.write(Form::new(Purpose::Resend { id: id.to_owned() }, ""));
    }

    /// Marks the unread messages of the marked threads, or of the selected one, as read.
    pub(super) fn read_thread(&mut self) -> Wish {
        let marked = &self.marked[Panel::Threads as usize];
        let selected = self.thread().map(|t| t.id.clone());
        let ids: BTreeSet<&String> =
            if marked.is_empty() { order::collect(&selected) } else { order::collect(marked) };
        let unread: Vec<&str> = (self.shown.threads.iter())
            .filter(|thread| ids.contains(&thread.id))
            .flat_map(|thread| &thread.messages)
            .filter(|message| message.unread)
            .map(|message| message.id.as_str())
            .collect();
        let what =
            if selected.as_deref() == Some(NOTICES) { "mark the notices read" } else { "mark it read" };
        let action = |ids: &[&str]| Action::line(what, &[&["read"], ids].concat());
        let actions: Vec<Action> = unread.chunks(IDS).map(action).collect();
        if actions.is_empty() { Wish::Nothing } else { self.run(actions) }
    }
}
