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

/// Which of the messages that ended processes were handed their models have answered, by the transcripts, which are read to their ends. Messages
/// of one hand-over share a reading.
pub fn among<'a>(offers: impl IntoIterator<Item = (&'a MessageId, &'a HookOffer)>) -> Vec<&'a MessageId> {
    let mut readings: Vec<(&HookOffer, Vec<(&MessageId, Trace)>)> = Vec::new();
    for (id, offer) in offers {
        let shared = |(of, _): &&mut (&HookOffer, _)| (&of.proof, of.from) == (&offer.proof, offer.from);
        match readings.iter_mut().find(shared) {
            Some((_, ids)) => ids.push((id, Trace::None)),
            None => readings.push((offer, vec![(id, Trace::None)])),
        }
    }
    for (offer, ids) in &mut readings {
        let Some(mut follower) = follower(offer) else { continue };
        while follower.read(&mut |line| {
            if ids.iter().any(|(id, seen)| concerns(*seen, id, line)) {
                let speaker = side(line);
                for (_, seen) in ids.iter_mut().filter(|(id, seen)| concerns(*seen, id, line)) {
                    *seen = next(*seen, speaker);
                }
            }
        }) {}
    }
    let given = |(_, seen): &(_, Trace)| *seen >= Trace::Given;
    readings.into_iter().flat_map(|(_, ids)| ids).filter(given).map(|(id, _)| id).collect()
}

/// Whether the model has answered, as far as `follower` has seen.
pub fn is_answered(id: &MessageId, follower: &mut Follower) -> bool {
    let mut seen = follower.seen;
    follower.read(&mut |line| {
        if concerns(seen, id, line) {
            seen = next(seen, side(line));
        }
    });
    follower.seen = seen;
    seen >= Trace::Given
}

/// Whether a line may change what is seen of a message: most lines are long, and need not be parsed.
fn concerns(seen: Trace, id: &MessageId, line: &str) -> bool {
    seen == Trace::Queued || seen == Trace::None && line.contains(id.as_str())
}

/// What is seen of a message after a line that concerns it.
fn next(seen: Trace, speaker: Option<Side>) -> Trace {
    match (seen, speaker) {
        (Trace::None, Some(Side::Agent)) => Trace::Queued,
        (Trace::Queued, Some(Side::Model)) => Trace::Given,
        _ => seen,
    }
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

    fn offer(proof: &Path) -> HookOffer {
        HookOffer {
            to: crate::core::process_id::ProcessId { pid: 1, start: 1, boot: "b".into() },
            at: 1,
            moment: crate::core::carrier::Moment::Prompt,
            proof: Some(proof.to_owned()),
            from: 0,
        }
    }

    fn answered(lines: &[Value]) -> bool {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&path, text).unwrap();
        let id = MessageId::parse("abcdefgh").unwrap();
        let one = is_answered(&id, &mut Follower::new(&path, 0));
        let offer = offer(&path);
        let other = MessageId::parse("zzzzzzzz").unwrap();
        assert_eq!(among([(&id, &offer), (&other, &offer)]) == [&id], one);
        one
    }

    /// The answer stands farther behind than what is read at a time.
    #[test]
    fn a_long_transcript_is_read_to_its_end() {
        let long = json!({"type": "user", "message": "x".repeat(1 << 20)});
        let added = json!({"type": "user", "message": "abcdefgh"});
        let model = json!({"type": "assistant", "message": {"model": "x"}});
        let mut lines = vec![added];
        lines.extend(std::iter::repeat_n(long, 17));
        assert!(!among_alone(&lines));
        lines.push(model);
        assert!(among_alone(&lines));
    }

    fn among_alone(lines: &[Value]) -> bool {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&path, text).unwrap();
        let id = MessageId::parse("abcdefgh").unwrap();
        let offer = offer(&path);
        !among([(&id, &offer)]).is_empty()
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
