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

/// The length of an agent's transcript now; `None` if there can be none at that place. One that is not there yet has
/// none.
pub fn length(path: &Path) -> Option<u64> {
    match path.metadata() {
        Ok(meta) => meta.is_file().then_some(meta.len()),
        Err(_) => path.is_absolute().then_some(0),
    }
}

/// A follower of the transcript that the hook named.
fn follower(offer: &HookOffer) -> Option<Follower> {
    offer.proof.as_ref().map(|proof| Follower::new(proof, offer.from))
}

/// The reading of a transcript for the messages of one hand-over.
pub struct Reading {
    offer: HookOffer,
    /// `None`: no transcript is known.
    follower: Option<Follower>,
    seen: Vec<(MessageId, Trace)>,
}

impl Reading {
    /// The reading for that hand-over among these, or a new one.
    pub fn of<'r>(readings: &'r mut Vec<Self>, offer: &HookOffer) -> &'r mut Self {
        let at = readings.iter().position(|reading| reading.offer == *offer).unwrap_or_else(|| {
            readings.push(Self { offer: offer.clone(), follower: follower(offer), seen: Vec::new() });
            readings.len() - 1
        });
        &mut readings[at]
    }

    pub fn is_for(&self, offer: &HookOffer) -> bool {
        self.offer == *offer
    }

    /// Whether a transcript is known.
    pub fn has_transcript(&self) -> bool {
        self.follower.is_some()
    }

    /// Looks for this message, too. A hand-over is recorded message by message, so one may come when a part has been read: then
    /// the reading begins again.
    pub fn add(&mut self, id: &MessageId) {
        if !self.seen.iter().any(|(known, _)| known == id) {
            self.seen.push((id.clone(), Trace::None));
            self.follower = follower(&self.offer);
            for (_, seen) in self.seen.iter_mut().filter(|(_, seen)| *seen == Trace::Queued) {
                *seen = Trace::None;
            }
        }
    }

    /// Reads what was added since the last call. Returns whether there may be more.
    pub fn read(&mut self) -> bool {
        let Self { follower: Some(follower), seen, .. } = self else { return false };
        follower.read(&mut |line| {
            if seen.iter().any(|(id, seen)| concerns(*seen, id, line)) {
                let speaker = side(line);
                for (_, seen) in seen.iter_mut().filter(|(id, seen)| concerns(*seen, id, line)) {
                    *seen = next(*seen, speaker);
                }
            }
        })
    }

    /// Whether the model has answered this message, as far as the transcript was read.
    pub fn is_answered(&self, id: &MessageId) -> bool {
        self.seen.iter().any(|(known, seen)| known == id && *seen >= Trace::Given)
    }
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

    /// Whether the model has answered, by a transcript of these lines. A message that no line names has no answer.
    fn answered(lines: &[Value]) -> bool {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&path, text).unwrap();
        let [id, other] = ["abcdefgh", "zzzzzzzz"].map(|id| MessageId::parse(id).unwrap());
        let (mut readings, offer) = (Vec::new(), offer(&path));
        for id in [&id, &other] {
            Reading::of(&mut readings, &offer).add(id);
        }
        assert_eq!(readings.len(), 1, "one hand-over is read once");
        while readings[0].read() {}
        assert!(!readings[0].is_answered(&other));
        let is_answered = readings[0].is_answered(&id);
        readings[0].add(&MessageId::parse("yyyyyyyy").unwrap());
        while readings[0].read() {}
        assert_eq!(
            readings[0].is_answered(&id),
            is_answered,
            "one that comes later changes nothing for the others"
        );
        is_answered
    }

    /// The answer stands farther behind than what is read at a time.
    #[test]
    fn a_long_transcript_is_read_to_its_end() {
        let long = json!({"type": "user", "message": "x".repeat(1 << 20)});
        let added = json!({"type": "user", "message": "abcdefgh"});
        let model = json!({"type": "assistant", "message": {"model": "x"}});
        let mut lines = vec![added];
        lines.extend(std::iter::repeat_n(long, 17));
        assert!(!answered(&lines));
        lines.push(model);
        assert!(answered(&lines));
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
