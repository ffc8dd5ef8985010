//! The text that is typed, or given to an agent's own channel.

use super::Attempt;
use crate::core::delivery::Progress;
use crate::core::frame;
use crate::core::message::Verified;
use crate::core::name::Name;

impl Attempt<'_> {
    /// The text for a channel of the agent's own: each line in a row of its own.
    pub(super) fn text(&self, name: &Name) -> String {
        if self.members.is_empty() {
            line_of(self.message, name, &Progress::default(), self.reminder)
        } else {
            frame::render_bundle(self.message, self.members, name, "\n")
        }
    }

    /// The text that is typed.
    pub(super) fn line(&self, name: &Name, way: &Progress) -> String {
        if self.members.is_empty() {
            line_of(self.message, name, way, self.reminder)
        } else {
            line_of_bundle(self.message, name, way, (self.members, self.whole))
        }
    }
}

/// The typed text of a message, or of a reminder of it.
pub(super) fn line_of(message: &Verified, name: &Name, way: &Progress, reminder: Option<u32>) -> String {
    match reminder {
        Some(ring) => frame::render_reminder(message, name, ring),
        None if way.plain => frame::render_plain(message, name),
        None => frame::render(message, name),
    }
}

/// The typed text of a bundle with these members, and with their lines if `whole`.
pub(super) fn line_of_bundle(
    bundle: &Verified,
    name: &Name,
    way: &Progress,
    (members, whole): (&[Verified], bool),
) -> String {
    if whole && !way.plain {
        frame::render_bundle(bundle, members, name, " ")
    } else {
        frame::render(bundle, name)
    }
}
