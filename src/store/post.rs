//! Puts a message into mailboxes: durable first, then visible to all recipients at once.
//!
//! Two short transactions, with the slow part between them. The first takes a place in the rate window and a sequence
//! number. Then the message is signed and fsynced without any lock. The second checks again that there is room, and
//! links it into every mailbox. A crash before the second costs only a place in the window. If a link fails, the
//! others are removed under the same mutex. If a crash comes between two links, `outbox.rs` makes the missing ones: a
//! message is with all its recipients or with none.

use super::record::Staged;
use super::room::Room;
use super::{Store, Transaction, entropy, fault, now_ms};
use crate::core::body::Body;
use crate::core::escape;
use crate::core::event::Event;
use crate::core::id::MessageId;
use crate::core::message::{Identity, Intent, MESSAGE_VERSION, Message, MessageType};
use crate::core::name::Name;
use crate::core::rate::Limit;
use crate::core::refusal::Refusal;
use anyhow::Result;

/// A message before it has an id and a sequence number.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub from: Name,
    /// The evidence for the sender.
    pub identity: Identity,
    /// The recipients' current names.
    pub to: Vec<Name>,
    pub kind: MessageType,
    /// The message it answers, and the thread of that message.
    pub answers: Option<(MessageId, MessageId)>,
    pub ack: bool,
    /// Whether it goes before other messages.
    pub urgent: bool,
    /// What the sender expects of the reader.
    pub intent: Option<Intent>,
    /// How many answers in a row agents have given each other, up to this message.
    pub round: u32,
    /// The groups in its address; `all` stands for everybody.
    pub groups: Vec<Name>,
    pub body: Body,
}

impl NewMessage {
    /// A message that is no answer and asks for nothing.
    pub fn new(from: Name, identity: Identity, to: Vec<Name>, kind: MessageType, body: Body) -> Self {
        Self {
            from,
            identity,
            to,
            kind,
            answers: None,
            ack: false,
            urgent: false,
            intent: None,
            round: 0,
            groups: Vec::new(),
            body,
        }
    }

    /// A message from swarm itself.
    pub(super) fn of_system(to: Name, kind: MessageType, body: Body) -> Self {
        Self::new(Name::system(), Identity::System, vec![to], kind, body)
    }
}

impl Store {
    /// Posts a message. Refuses at the sender's rate limit, and if there is no room; then nothing was sent.
    pub fn post(&self, draft: NewMessage, limit: Limit) -> Result<Message> {
        let (message, staged) = self.prepare(draft, limit, Room::check)?;
        fault::point("before-post");
        self.transact(|tx| tx.publish(&message, &staged, Room::check))?;
        self.sync_mailboxes(&message)?;
        fault::point("after-post");
        Ok(message)
    }

    /// Takes a place in the rate window and makes the signed message durable, in no mailbox yet. `check` first checks
    /// that there is room, so that a refusal takes no place. The check is repeated when the message is put into the
    /// mailboxes.
    pub(super) fn prepare(
        &self,
        draft: NewMessage,
        limit: Limit,
        check: impl FnOnce(&Room) -> Result<()>,
    ) -> Result<(Message, Staged)> {
        for name in &draft.to {
            self.ensure_mailbox(name)?;
        }
        self.write_down(draft, limit, check)
    }

    /// [`Store::prepare`] without making a mailbox: for other hosts, and for existing mailboxes.
    pub(super) fn write_down(
        &self,
        draft: NewMessage,
        limit: Limit,
        check: impl FnOnce(&Room) -> Result<()>,
    ) -> Result<(Message, Staged)> {
        let now = now_ms();
        let id = MessageId::from_entropy(entropy()?);
        let (reply_to, thread) = match draft.answers {
            Some((original, thread)) => (Some(original), thread),
            None => (None, id.clone()),
        };
        let mut message = Message {
            version: MESSAGE_VERSION,
            id,
            sequence: 0,
            from: draft.from.clone().into(),
            identity: draft.identity,
            to: draft.to,
            kind: draft.kind,
            thread,
            reply_to,
            ack_required: draft.ack,
            urgent: draft.urgent,
            intent: draft.intent,
            round: draft.round,
            groups: draft.groups,
            created: now,
            body: draft.body,
        };
        message.sequence = self.transact(|tx| {
            check(&tx.room(&message.from, &message.to)?)?;
            let known = tx.sender(&draft.from, limit)?;
            let mut window = known.clone();
            let admitted = window.admit(limit, now);
            // A refusal is also stored if it moved future times (the clock was set back) to the present. Otherwise
            // the window would stay full until these times.
            if window != known {
                tx.put_sender(&draft.from, &window)?;
            }
            Ok(admitted.map_err(Refusal::RateLimited)?)
        })?;
        fault::point("before-stage");
        let staged = self.stage(&self.key().sign(message.clone()))?;
        Ok((message, staged))
    }

    /// Makes the new directory entries durable, outside the mutex.
    pub(super) fn sync_mailboxes(&self, message: &Message) -> Result<()> {
        message.to.iter().try_for_each(|name| self.sync_mailbox(name))
    }
}

impl Transaction<'_> {
    /// Puts a message into its recipients' mailboxes, if `check` allows it: all or none.
    pub(super) fn publish(
        &mut self,
        message: &Message,
        staged: &Staged,
        check: impl FnOnce(&Room) -> Result<()>,
    ) -> Result<()> {
        self.finish_posts()?;
        let room = self.room(&message.from, &message.to)?;
        check(&room)?;
        self.take(room)?;
        self.begin_post(message, staged)?;
        for (done, name) in message.to.iter().enumerate() {
            if let Err(error) = self.post(staged, name, message) {
                for name in &message.to[..=done] {
                    self.unpost(name, message);
                }
                self.end_post(message);
                return Err(error);
            }
        }
        let audit = self.journal(&Event::sent(message, None));
        // The message is in its mailboxes. If this failed, the sender would send it again.
        if let Err(error) = audit {
            eprintln!("swarm: {}", escape::line(&format!("not in the journal: {error:#}")));
        }
        self.end_post(message);
        Ok(())
    }
}
