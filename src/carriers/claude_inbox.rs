//! Claude Code's inbox: the socket at which a running session takes messages of other sessions (from 2.1.224 on).
//!
//! The inbox is undocumented and sends no answer. swarm uses it only if the session file and the key belong to the
//! agent (owner, mode, process and its start time), the protocol has the version that was tested, the socket and its
//! directory belong to this user, and the agent's process listens there. The key is read for each text and sent to that
//! process. It is not stored, shown or logged.
//!
//! Claude tells its model that another session sent the text: a teammate's request, not an approval and not the
//! person's own words. If Claude would ask its person about each message first (a setting, or a session without
//! permission prompts), the inbox is not used. The proof is the agent's transcript: one line says that the text entered
//! the queue, another that the model was given it. Nothing here is shared: each text has its own connection, and a lock
//! lets one courier at a time give it.

use super::claude::Session;
use super::own::{check_peer, check_socket, read_own};
use super::transcript::Follower;
use super::{Channel, Trace, Unfit, speaks_of};
use crate::core::agent::{Agent, Status};
use crate::core::carrier::Carrier;
use crate::core::process_id::ProcessId;
use crate::os::{peer, process, program};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version of the protocol that was tested.
const PROTOCOL: u64 = 1;

/// The variable that stops Claude from writing a transcript.
const NO_TRANSCRIPT: &str = "CLAUDE_CODE_SKIP_PROMPT_HISTORY";

/// The time limit for a write. It is one write into an empty buffer.
const WRITE: Duration = Duration::from_millis(500);

/// How many bytes are read from the end of a conversation that the agent has changed to.
const END: u64 = 4 << 20;

/// The inbox of one agent.
pub(super) struct Inbox {
    process: ProcessId,
    session: Session,
    socket: PathBuf,
    /// The open connection, and the line that authenticates it.
    open: Option<(UnixStream, String)>,
}

impl Inbox {
    /// The inbox of a running agent, if it is there and safe to use.
    pub(super) fn of(agent: &Agent) -> Result<Self, Unfit> {
        let no = |why: String| Unfit::No(why);
        let session = Session::of(agent).map_err(no)?;
        let record = &session.record;
        if record.kind != "interactive" {
            return Err(no("it is not used by a person".to_owned()));
        }
        let Some(socket) = record.messaging_socket_path.clone() else {
            let version = crate::core::escape::short(&record.version, 20);
            return Err(no(format!("this Claude Code ({version}) has no inbox, or it is off")));
        };
        if record.peer_protocol != Some(PROTOCOL) {
            let told = record.peer_protocol.map_or("none".to_owned(), |n| n.to_string());
            return Err(no(format!("its inbox speaks protocol {told}, and {PROTOCOL} was tried")));
        }
        check_socket(&socket).map_err(no)?;
        key(&session, &agent.process).map_err(no)?;
        if program::variable(agent.process.pid, NO_TRANSCRIPT).is_some_and(|value| !value.is_empty()) {
            return Err(no(format!("it keeps no transcript that could prove anything ({NO_TRANSCRIPT})")));
        }
        check_inbound(&session.dir, &record.cwd, &process::arguments(agent.process.pid)).map_err(no)?;
        if session.said().is_some_and(|said| said.status == Status::Dialog) {
            return Err(Unfit::Asks);
        }
        Ok(Self { process: agent.process.clone(), session, socket, open: None })
    }
}

impl Channel for Inbox {
    fn carrier(&self) -> Carrier {
        Carrier::ClaudeInbox
    }

    fn proof(&self) -> (PathBuf, u64) {
        let path = self.session.transcript();
        let length = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        (path, length)
    }

    fn open(&mut self) -> anyhow::Result<()> {
        let token = key(&self.session, &self.process).map_err(anyhow::Error::msg)?;
        let stream = peer::connect(&self.socket, WRITE).context("its inbox cannot be reached")?;
        check_peer(&stream, &self.process)?;
        self.open = Some((stream, token));
        Ok(())
    }

    fn give(&mut self, text: &str) -> anyhow::Result<()> {
        // It stays open: on a busy machine, a text was sometimes lost when it was closed at once.
        let (stream, token) = self.open.as_mut().context("its inbox was not opened")?;
        let auth = json!({"type": "auth", "token": token});
        let user = json!({"type": "user", "message": {"role": "user", "content": text}});
        let bytes = format!("{auth}\n{user}\n").into_bytes();
        stream.write_all(&bytes).context("its inbox does not take it")
    }
}

/// The token of a session, from the one key file of this very process.
fn key(session: &Session, process: &ProcessId) -> Result<String, String> {
    let dir = session.dir.join("sessions");
    let begin = format!("{}.", process.pid);
    let is_key =
        |name: &str| name.starts_with(&begin) && Path::new(name).extension().is_some_and(|e| e == "key");
    let entries = std::fs::read_dir(&dir).map_err(|_| format!("{} cannot be read", dir.display()))?;
    for entry in entries.flatten() {
        if !entry.file_name().to_str().is_some_and(is_key) {
            continue;
        }
        let text = read_own(&entry.path(), 0o077)?;
        let value: Value = serde_json::from_slice(text.as_bytes()).unwrap_or_default();
        // A key file of an earlier process with this id is skipped.
        if value["procStart"] == process.start.to_string().as_str()
            && let Some(token) = value["peerToken"].as_str().filter(|token| !token.is_empty())
        {
            return Ok(token.to_owned());
        }
    }
    Err("the key of its inbox is not there".to_owned())
}

/// What one layer of Claude's settings says about messages from other sessions and about permission prompts.
#[derive(Debug, Default)]
struct Inbound {
    /// A layer that may do so accepts such messages.
    accepted: bool,
    /// The session runs without permission prompts.
    bypass: bool,
}

impl Inbound {
    /// Adds one layer. A project's own file comes with a clone, so it cannot accept messages.
    fn take(&mut self, shown: &str, text: &str, may_accept: bool) -> Result<(), String> {
        let value: Value =
            serde_json::from_slice(text.as_bytes()).map_err(|_| format!("{shown} is not understood"))?;
        match value.get("crossSessionInbound").map(Value::as_str) {
            None => {}
            Some(Some("accept")) => self.accepted |= may_accept,
            Some(_) => {
                return Err(format!("{shown} sets crossSessionInbound to a value other than \"accept\""));
            }
        }
        if value["cleanupPeriodDays"] == 0 {
            return Err(format!(
                "it keeps no transcript that could prove anything (cleanupPeriodDays in {shown})"
            ));
        }
        self.bypass |= value["permissions"]["defaultMode"] == "bypassPermissions";
        Ok(())
    }
}

/// Checks that Claude takes a message without asking its person.
fn check_inbound(dir: &Path, cwd: &str, argv: &[String]) -> Result<(), String> {
    let mut inbound = Inbound::default();
    let project = Path::new(cwd).join(".claude");
    let layers = [
        (PathBuf::from("/etc/claude-code/managed-settings.json"), true),
        (dir.join("settings.json"), true),
        (project.join("settings.json"), false),
        (project.join("settings.local.json"), false),
    ];
    for (path, may_accept) in layers {
        match std::fs::read_to_string(&path) {
            Ok(text) => inbound.take(&path.display().to_string(), &text, may_accept)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(_) => return Err(format!("{} cannot be read", path.display())),
        }
    }
    let mut arguments = argv.iter().skip(1);
    while let Some(argument) = arguments.next() {
        let (name, value) =
            argument.split_once('=').map_or((argument.as_str(), None), |(n, v)| (n, Some(v.to_owned())));
        match name {
            "--dangerously-skip-permissions" | "--allow-dangerously-skip-permissions" => {
                inbound.bypass = true;
            }
            "--permission-mode" => {
                inbound.bypass |=
                    value.or_else(|| arguments.next().cloned()).as_deref() == Some("bypassPermissions");
            }
            "--settings" => {
                let given = value.or_else(|| arguments.next().cloned()).unwrap_or_default();
                let text = if given.trim_start().starts_with('{') {
                    given
                } else {
                    let path = Path::new(cwd).join(&given);
                    std::fs::read_to_string(path).map_err(|_| "its --settings cannot be read".to_owned())?
                };
                inbound.take("its --settings", &text, true)?;
            }
            _ => {}
        }
    }
    if inbound.bypass && !inbound.accepted {
        return Err(
            "it runs without asking, and would ask its person about each message (crossSessionInbound = accept in your settings takes them)"
                .to_owned(),
        );
    }
    Ok(())
}

/// How far a text has come since the transcript was last read.
pub(super) fn trace(agent: &Agent, text: &str, follower: &mut Follower) -> Trace {
    let mut seen = follower.seen;
    follower.read(&mut |line| seen = seen.max(judge(line, text)));
    // The agent may have changed to another conversation.
    if seen < Trace::Given
        && let Ok(session) = Session::of(agent)
    {
        let path = session.transcript();
        if path != follower.path() {
            let length = std::fs::metadata(&path).map_or(0, |meta| meta.len());
            follower.turn_to(&path, length.saturating_sub(END));
            follower.read(&mut |line| seen = seen.max(judge(line, text)));
        }
    }
    follower.seen = seen;
    seen
}

/// How far a text has come, by one line of a transcript.
fn judge(line: &str, text: &str) -> Trace {
    if !speaks_of(line, text) {
        return Trace::None;
    }
    let Ok(value) = serde_json::from_slice::<Value>(line.as_bytes()) else { return Trace::None };
    match value["type"].as_str() {
        Some("queue-operation") if value["operation"] == "enqueue" && holds(&value["content"], text) => {
            Trace::Queued
        }
        Some("user") if holds(&value["message"]["content"], text) => Trace::Given,
        // A text that came during a turn.
        Some("attachment")
            if value["attachment"]["type"] == "queued_command"
                && holds(&value["attachment"]["prompt"], text) =>
        {
            Trace::Within
        }
        _ => Trace::None,
    }
}

/// Whether the content is the text, or has the whole text as one of its parts.
fn holds(content: &Value, text: &str) -> bool {
    match content {
        Value::String(content) => content.contains(text),
        Value::Array(parts) => {
            parts.iter().any(|part| part["text"].as_str().is_some_and(|t| t.contains(text)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_text_is_given_by_what_the_transcript_says_and_by_nothing_that_only_looks_like_it() {
        let text =
            "[swarm abcdefgh INFO from human to claude-1 sig:0] hi \"you\" (answer: x)\n[swarm bcdefghi …";
        let queued = json!({"type": "queue-operation", "operation": "enqueue", "content": text});
        let wrapped = format!(
            "Another Claude session sent a message:\n{text}\n\nThis came from another Claude session"
        );
        let user = json!({"type": "user", "message": {"role": "user", "content": wrapped}});
        let parts = json!({"type": "user", "message": {"role": "user", "content": [{"type": "text", "text": wrapped}]}});
        let within = json!({"type": "attachment", "attachment": {"type": "queued_command", "prompt": text}});
        let reply = json!({"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}});
        let other =
            json!({"type": "queue-operation", "operation": "enqueue", "content": format!("{text} more")});
        let cut = json!({"type": "user", "message": {"content": text[..text.len() - 5]}});
        for (line, expected) in [
            (queued, Trace::Queued),
            (user, Trace::Given),
            (parts, Trace::Given),
            (within, Trace::Within),
            (reply, Trace::None),
            (other, Trace::Queued),
            (cut, Trace::None),
        ] {
            assert_eq!(judge(&line.to_string(), text), expected, "{line}");
        }
        assert_eq!(judge("{not json [swarm abcdefgh", text), Trace::None);
    }

    #[test]
    fn an_inbox_that_would_ask_the_person_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let (home, cwd) = (dir.path().join("claude"), dir.path().join("project"));
        fs::create_dir_all(cwd.join(".claude")).unwrap();
        fs::create_dir_all(&home).unwrap();
        let check = |argv: &[&str]| {
            let argv: Vec<String> = std::iter::once(&"claude").chain(argv).map(|a| (*a).to_owned()).collect();
            check_inbound(&home, cwd.to_str().unwrap(), &argv)
        };
        let user = |text: &str| fs::write(home.join("settings.json"), text).unwrap();
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&["--continue", "--permission-mode", "default"]), Ok(()));
        for without_asking in [
            &["--dangerously-skip-permissions"][..],
            &["--permission-mode", "bypassPermissions"],
            &["--permission-mode=bypassPermissions"],
            &["--settings", r#"{"permissions":{"defaultMode":"bypassPermissions"}}"#],
        ] {
            assert!(check(without_asking).unwrap_err().contains("without asking"), "{without_asking:?}");
        }
        assert!(check(&["--settings", r#"{"crossSessionInbound":"hold"}"#]).is_err());
        assert!(check(&["--settings", "not-there.json"]).is_err());
        user(r#"{"crossSessionInbound":"accept"}"#);
        assert_eq!(check(&["--dangerously-skip-permissions"]), Ok(()));
        for bad in [
            r#"{"cleanupPeriodDays":0}"#,
            r#"{"crossSessionInbound":"hold"}"#,
            r#"{"crossSessionInbound":7}"#,
            "{",
        ] {
            user(bad);
            assert!(check(&[]).is_err(), "{bad}");
        }
        user("{}");
        // A clone's file can forbid messages, but not accept them.
        let project = |text: &str| fs::write(cwd.join(".claude/settings.json"), text).unwrap();
        project(r#"{"crossSessionInbound":"accept"}"#);
        assert_eq!(check(&[]), Ok(()));
        assert!(check(&["--dangerously-skip-permissions"]).is_err());
        project(r#"{"crossSessionInbound":"refuse"}"#);
        assert!(check(&[]).unwrap_err().contains("crossSessionInbound"));
    }
}
