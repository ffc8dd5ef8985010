//! What a running Claude Code tells of itself: `sessions/PID.json` in its configuration directory.
//!
//! Undocumented, so nothing is taken on trust: the file has to be the agent's own by its owner, its mode, the process and the time at which
//! that started. Claude replaces it while it runs, so it may be gone, old or half written at the moment of a look: then nothing is known.
//! Read-only: no lock is needed.

use super::Said;
use super::own::{check_namespace, read_own};
use crate::core::agent::Agent;
use crate::core::heir::{Conversation, is_session};
use crate::core::process_id::ProcessId;
use crate::os::program;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The session of one agent.
#[derive(Clone, Debug)]
pub struct Session {
    /// Claude's configuration directory.
    pub dir: PathBuf,
    /// What it wrote.
    pub record: Record,
}

/// What Claude writes of a session. Other fields are passed over, and one that is not what it was is not there.
#[derive(Clone, Debug)]
pub struct Record {
    /// The conversation, which `/clear` changes.
    pub session_id: String,
    /// Where it was started.
    pub cwd: String,
    /// Its version.
    pub version: String,
    /// The version of what its inbox takes.
    pub peer_protocol: Option<u64>,
    /// How it is used: `interactive` by a person.
    pub kind: String,
    /// Its inbox.
    pub messaging_socket_path: Option<PathBuf>,
    status: String,
    status_updated_at: u64,
}

impl Session {
    /// The session of an agent. The error says, for people, why nothing is known of it.
    pub fn of(agent: &Agent) -> Result<Self, String> {
        Self::of_process(&agent.process, agent.place.namespace)
    }

    /// The session of the agent with that process, known in that pid namespace.
    pub fn of_process(process: &ProcessId, known_in: Option<u64>) -> Result<Self, String> {
        check_namespace(known_in)?;
        let pid = process.pid;
        let dir = directory(pid).ok_or("its configuration directory is not known")?;
        let path = dir.join(format!("sessions/{pid}.json"));
        let text = read_own(&path, 0o022)?;
        let value: Value =
            serde_json::from_str(&text).map_err(|_| format!("{} is not understood", path.display()))?;
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

    /// What it says of its state.
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
        // A long directory's name is cut, and a session may have been moved.
        let dirs = std::fs::read_dir(projects).into_iter().flatten().flatten();
        dirs.map(|entry| entry.path().join(&file)).find(|path| path.exists()).unwrap_or(usual)
    }
}

/// The conversation of the Claude with that process. `resumes`: it was told to go on with an earlier one, or with that one. Its file is
/// there a second or two after its start. While a person chooses a conversation, one stands there that was never written down.
pub fn conversation(
    process: &ProcessId,
    known_in: Option<u64>,
    resumes: Option<Option<&str>>,
) -> Conversation {
    match Session::of_process(process, known_in) {
        Ok(session) => {
            let id = session.record.session_id.clone();
            match resumes {
                Some(named) if named != Some(&id) && !session.transcript().exists() => Conversation::Soon,
                _ => Conversation::Is { id, resumed: resumes.is_some() },
            }
        }
        // An earlier version keeps no such files.
        Err(_) if directory(process.pid).is_some_and(|dir| dir.join("sessions").is_dir()) => {
            Conversation::Soon
        }
        Err(_) => Conversation::Unknown,
    }
}

/// The configuration directory of the Claude with that process.
pub fn directory(pid: i32) -> Option<PathBuf> {
    let named = program::variable(pid, "CLAUDE_CONFIG_DIR").filter(|dir| !dir.is_empty());
    let home = || program::variable(pid, "HOME").filter(|home| !home.is_empty());
    let dir = named.map(PathBuf::from).or_else(|| Some(Path::new(&home()?).join(".claude")))?;
    dir.is_absolute().then_some(dir)
}
