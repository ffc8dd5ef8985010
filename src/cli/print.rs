//! Shared by all commands that print: a closed pipe, ages, one JSON object.
//!
//! Everything that a command prints goes through here, so none of it moves a cursor, hides itself or looks like the
//! beginning of another line. Code that quotes untrusted text within a line must also escape its line breaks.

use crate::core::escape;
use crate::core::message::{Identity, Verified};
pub(super) use crate::core::span::age;
use crate::store::mail::RefusedMail;
use anyhow::{Result, bail};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{SFlag, fstat, stat};
use serde_json::{Value, json};
use std::io::{BufRead as _, ErrorKind, IsTerminal, Read as _, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Writes `text` to stdout, made safe for a terminal.
pub(super) fn out(text: &str) -> Result<()> {
    exactly(&escape::text(text))
}

/// Writes a path on a line of its own: raw for a script, made safe for a terminal.
pub(super) fn path(path: &Path) -> Result<()> {
    let text = format!("{}\n", path.display());
    if std::io::stdout().is_terminal() { out(&text) } else { exactly(&text) }
}

/// Whether a person can read and answer at a terminal.
pub(super) fn is_interactive() -> bool {
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// Whether the person answers yes to the last question.
pub(super) fn confirmed() -> Result<bool> {
    Ok(matches!(answer()?.as_deref(), Some("y" | "Y" | "yes")))
}

/// The person's answer, one line; `None` at the end of the input.
pub(super) fn answer() -> Result<Option<String>> {
    let mut line = String::new();
    let read = std::io::stdin().lock().take(1024).read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim().to_owned()))
}

fn exactly(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Writes `text` to stdout, which may be a pipe that nobody reads. `false`: not all of it was taken within `bound`.
pub(super) fn within(text: &str, bound: Duration) -> Result<bool> {
    taken()?;
    let (mut stdout, until) = (std::io::stdout().lock(), Instant::now() + bound);
    // As much as a pipe takes as a whole or not at all.
    for piece in text.as_bytes().chunks(512) {
        loop {
            let rest = PollTimeout::try_from(until.saturating_duration_since(Instant::now()));
            let mut ready = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut ready, rest.unwrap_or(PollTimeout::MAX)) {
                Ok(0) => return Ok(false),
                Ok(_) => break,
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(std::io::Error::from(error).into()),
            }
        }
        stdout.write_all(piece)?;
        stdout.flush()?;
    }
    Ok(true)
}

/// Checks that somebody can read stdout. If the process was started without stdout, /dev/null is opened in its place,
/// for reading as well. So no file that is opened later becomes stdout, and text written there counts as not read.
pub(super) fn taken() -> Result<()> {
    let stdout = std::io::stdout();
    let is_null = fstat(&stdout).ok().zip(stat("/dev/null").ok()).is_some_and(|(ours, null)| {
        SFlag::from_bits_truncate(ours.st_mode).contains(SFlag::S_IFCHR) && ours.st_rdev == null.st_rdev
    });
    let mode =
        fcntl(&stdout, FcntlArg::F_GETFL).map(|flags| OFlag::from_bits_retain(flags) & OFlag::O_ACCMODE);
    if is_null && mode == Ok(OFlag::O_RDWR) {
        bail!("standard output is closed, so nothing was printed or marked as read");
    }
    Ok(())
}

/// Whether the reader of stdout has gone: a pipe that nobody will read any more.
pub(super) fn is_left() -> bool {
    let stdout = std::io::stdout();
    let mut ready = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    poll(&mut ready, PollTimeout::ZERO).is_ok()
        && ready[0].revents().is_some_and(|what| what.intersects(gone))
}

/// Prints a text on stderr, on one line.
pub(super) fn tell(text: &str) {
    eprintln!("swarm: {}", escape::line(text));
}

/// Prints a question on stderr.
pub(super) fn ask(text: &str) -> Result<()> {
    eprint!("{}", escape::text(text));
    Ok(std::io::stderr().flush()?)
}

/// Asks the person a yes-or-no question.
pub(super) fn agrees(question: &str) -> Result<bool> {
    ask(question)?;
    confirmed()
}

/// Writes one versioned JSON object and nothing else.
pub(super) fn object(mut value: Value) -> Result<()> {
    if let Value::Object(map) = &mut value {
        map.insert("version".into(), json!(1));
    }
    exactly(&format!("{}\n", escape::json(&value)))
}

/// Marks an error as reported: a reader of JSON already has its one object.
pub(super) fn told(error: impl Into<anyhow::Error>) -> anyhow::Error {
    error.into().context(Told)
}

/// The mark of a reported error.
#[derive(Debug)]
pub(super) struct Told;

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("after its answer")
    }
}

/// An error in words, on one line.
pub(super) fn words(error: &anyhow::Error) -> String {
    let marked = usize::from(error.downcast_ref::<Told>().is_some());
    let parts: Vec<String> = error.chain().skip(marked).map(ToString::to_string).collect();
    parts.join(": ")
}

/// Whether the reader of the output has gone, which is no failure of swarm.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}

/// Reports refused records.
pub(super) fn refused(refused: &[RefusedMail]) {
    for one in refused {
        tell(&format!("refused {}: {} (moved to quarantine)", escape::short(&one.file, 60), one.why));
    }
}

/// A message with all its data.
pub(super) fn message(message: &Verified, now_ms: u64) -> String {
    let to: Vec<&str> = message.to.iter().map(super::super::core::name::Name::as_str).collect();
    let mut head = format!(
        "{} {} from {} to {}, {} ago",
        message.id,
        message.kind,
        message.from,
        message.addressees(&to),
        age(message.created, now_ms)
    );
    if matches!(message.identity, Identity::Env) {
        head.push_str(" (identity: env, not proved)");
    }
    if let Some(original) = &message.reply_to {
        head.push_str(&format!(", answers {original}"));
    }
    if let Some(intent) = message.intent {
        head.push_str(&format!(", {}", intent.wish()));
    }
    if message.ack_required {
        head.push_str(&format!(", wants: swarm-msg ack {}", message.id));
    }
    format!("{head}\n{}\n", message.body.as_str())
}

/// A message as JSON.
pub(super) fn message_json(message: &Verified) -> Value {
    serde_json::to_value(&**message).unwrap_or_default()
}
