//! Whether an agent's model has answered since a hook handed a message over, by the agent's own transcript.
//!
//! Agents write down what a hook adds, and after it what their model says. So the message was given to the model if a
//! record of the model stands behind a record of the agent's side that names the message. The latter alone proves
//! nothing: it is written before the model is asked. The formats are undocumented: what is not as expected shows
//! nothing, and the next hooks of the agent do. Read-only: no lock is needed.

use super::Trace;
use super::transcript::Follower;
use crate::core::carrier::HookOffer;
use crate::core::id::MessageId;
use serde_json::Value;
use std::path::Path;

/// A follower of the transcript that the hook named.
pub fn follower(offer: &HookOffer) -> Option<Follower> {
    offer.proof.as_ref().map(|proof| Follower::new(proof, offer.from))
}

/// The length of an agent's transcript now; `None` if there can be none at that place. One that is not there yet has
/// none.
pub fn length(path: &Path) -> Option<u64> {
    match path.metadata() {
        Ok(meta) => meta.is_file().then_some(meta.len()),
        Err(_) => path.is_absolute().then_some(0),
    }
}

/// Whether the model has answered, as far as `follower` has seen.
pub fn is_answered(id: &MessageId, follower: &mut Follower) -> bool {
    let mut seen = follower.seen;
    follower.read(&mut |line| {
        seen = match seen {
            Trace::None if line.contains(id.as_str()) && side(line) == Some(Side::Agent) => Trace::Queued,
            Trace::Queued if side(line) == Some(Side::Model) => Trace::Given,
            seen => seen,
        };
    });
    follower.seen = seen;
    seen >= Trace::Given
}

/// Who speaks in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// The agent: prompts, what hooks add, results of tools.
    Agent,
    Model,
}

/// Who speaks in a line of a transcript of Claude Code, Codex or Gemini CLI.
fn side(line: &str) -> Option<Side> {
    let value: Value = serde_json::from_slice(line.as_bytes()).ok()?;
    let payload = &value["payload"];
    match value["type"].as_str()? {
        "user" | "attachment" => Some(Side::Agent),
        // What an agent of this one is told stands elsewhere, or is marked. What Claude itself says where the model
        // could not be asked, too.
        "assistant" if value["isSidechain"] == true || value["message"]["model"] == "<synthetic>" => None,
        "assistant" | "gemini" => Some(Side::Model),
        "response_item" => match (payload["type"].as_str()?, payload["role"].as_str()) {
            ("message", Some("assistant")) => Some(Side::Model),
            ("message", _) => Some(Side::Agent),
            (kind, _) if kind.ends_with("_output") => None,
            _ => Some(Side::Model),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs;

    fn answered(lines: &[Value]) -> bool {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&path, text).unwrap();
        is_answered(&MessageId::parse("abcdefgh").unwrap(), &mut Follower::new(&path, 0))
    }

    #[test]
    fn a_message_was_given_once_the_model_speaks_behind_it() {
        let claude = json!({"type": "assistant", "message": {"id": "m", "model": "x", "content": []}});
        let added = json!({"type": "attachment", "attachment": {"type": "hook_additional_context", "content": ["Message abcdefgh INFO"]}});
        let blocked = json!({"type": "user", "isMeta": true, "message": {"content": "Stop hook feedback:\nMessage abcdefgh"}});
        let queued =
            json!({"type": "queue-operation", "operation": "enqueue", "content": "[swarm abcdefgh "});
        let synthetic = json!({"type": "assistant", "message": {"model": "<synthetic>", "content": []}});
        let nested = json!({"type": "assistant", "isSidechain": true, "message": {"model": "x"}});
        let codex = |kind: &str, role: &str, text: &str| json!({"type": "response_item", "payload": {"type": kind, "role": role, "content": text}});
        let (developer, spoke) = (
            codex("message", "developer", "swarm: abcdefgh is genuine"),
            codex("message", "assistant", "ok"),
        );
        let (call, output) = (codex("function_call", "", "x"), codex("function_call_output", "", "x"));
        let gemini =
            json!({"type": "user", "content": [{"text": "<hook_context>swarm: abcdefgh is genuine"}]});
        let said = json!({"type": "gemini", "content": "ok"});
        for (lines, given) in [
            (vec![&added, &claude], true),
            (vec![&blocked, &claude], true),
            (vec![&developer, &spoke], true),
            (vec![&developer, &call], true),
            (vec![&gemini, &said], true),
            (vec![&added], false),
            (vec![&claude, &added], false),
            (vec![&queued, &claude], false),
            (vec![&added, &synthetic, &nested], false),
            (vec![&developer, &output], false),
            (vec![&claude, &spoke, &said], false),
        ] {
            let lines: Vec<Value> = lines.into_iter().cloned().collect();
            assert_eq!(answered(&lines), given, "{lines:?}");
        }
    }

    #[test]
    fn a_transcript_that_cannot_be_one_has_no_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        assert_eq!((length(&path), length(dir.path()), length(Path::new("t.jsonl"))), (Some(0), None, None));
        fs::write(&path, "1234").unwrap();
        assert_eq!(length(&path), Some(4));
    }
}
