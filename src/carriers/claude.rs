//! The session file of a running Claude Code: `sessions/PID.json` in its configuration directory.
//!
//! The file is undocumented, so it is checked before it is believed: its owner, its mode, and the process it names,
//! with the time that process started. Claude replaces the file while it runs. If it is missing, old or half written,
//! the session is unknown. Read-only: no lock is needed.

use super::own::{check_namespace, own_directory, read_own};
use super::{Said, Started};
use crate::core::agent::Agent;
use crate::core::heir::{Conversation, is_session};
use crate::core::process_id::ProcessId;
use crate::os::program::Environment;
use serde_json::Value;
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub struct Session {
    pub dir: PathBuf,
    pub record: Record,
}

/// The fields of the file that swarm uses. A field of another type counts as missing.
#[derive(Clone, Debug)]
pub struct Record {
    /// The id of the conversation. `/clear` changes it.
    pub session_id: String,
    /// The directory in which the conversation was started.
    pub cwd: String,
    /// The version of Claude Code.
    pub version: String,
    /// The version of the inbox's protocol.
    pub peer_protocol: Option<u64>,
    /// How it is used: `interactive` if by a person.
    pub kind: String,
    /// The socket of its inbox.
    pub messaging_socket_path: Option<PathBuf>,
    status: String,
    status_updated_at: u64,
}

impl Session {
    /// Reads the session of an agent. The error says, for people, why it is unknown.
    pub fn of(agent: &Agent) -> Result<Self, String> {
        Self::of_process(&agent.process, agent.place.namespace, &Environment::of(agent.process.pid))
    }

    /// The session of the agent with that process and its environment, known in that pid namespace.
    pub fn of_process(
        process: &ProcessId,
        known_in: Option<u64>,
        environment: &Environment,
    ) -> Result<Self, String> {
        check_namespace(known_in)?;
        let pid = process.pid;
        let dir = directory(environment).ok_or("its configuration directory is not known")?;
        let path = dir.join(format!("sessions/{pid}.json"));
        let text = read_own(&path, 0o022)?;
        let value: Value = serde_json::from_slice(text.as_bytes())
            .map_err(|_| format!("{} is not understood", path.display()))?;
        if value["pid"] != pid || value["procStart"] != process.start.to_string().as_str() {
            return Err(format!("{} is of another process", path.display()));
        }
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let record = Record {
            session_id: text("sessionId"),
            cwd: text("cwd"),
            version: text("version"),
            peer_protocol: value["peerProtocol"].as_u64(),
            kind: text("kind"),
            messaging_socket_path: value["messagingSocketPath"].as_str().map(PathBuf::from),
            status: text("status"),
            status_updated_at: value["statusUpdatedAt"].as_u64().unwrap_or_default(),
        };
        if !is_session(&record.session_id) {
            return Err(format!("{} names no session", path.display()));
        }
        Ok(Self { dir, record })
    }

    /// The state that the file reports.
    pub fn said(&self) -> Option<Said> {
        Said::of(&self.record.status, self.record.status_updated_at, "its session file")
    }

    /// The file to which it writes its conversation.
    pub fn transcript(&self) -> PathBuf {
        let projects = self.dir.join("projects");
        let file = format!("{}.jsonl", self.record.session_id);
        let slug: String =
            self.record.cwd.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let usual = projects.join(slug).join(&file);
        if usual.exists() {
            return usual;
        }
        // Claude cuts a long directory name, and a session may have been moved.
        let dirs = std::fs::read_dir(projects).into_iter().flatten().flatten();
        dirs.map(|entry| entry.path().join(&file)).find(|path| path.exists()).unwrap_or(usual)
    }
}

/// The conversation of that Claude. Its file exists a second or two after its start. While a person chooses a
/// conversation, the file names one that was never written.
pub(super) fn conversation(started: &Started<'_>) -> Conversation {
    let Started { process, known_in, environment, resumes } = *started;
    match Session::of_process(process, known_in, environment) {
        Ok(session) => {
            let id = session.record.session_id.clone();
            match resumes {
                Some(named) if named != Some(&id) && !session.transcript().exists() => Conversation::Soon,
                _ => Conversation::Is { id, resumed: resumes.is_some() },
            }
        }
        // An earlier version has no such files.
        Err(_) if directory(environment).is_some_and(|dir| dir.join("sessions").is_dir()) => {
            Conversation::Soon
        }
        Err(_) => Conversation::Unknown,
    }
}

/// The configuration directory that a Claude process with that environment uses.
pub fn directory(environment: &Environment) -> Option<PathBuf> {
    own_directory(environment, "CLAUDE_CONFIG_DIR", ".claude")
}
