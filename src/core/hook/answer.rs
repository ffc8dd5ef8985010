//! What a hook is answered, in the words of each kind of agent.

use super::{Event, Host};
use serde_json::{Value, json};

/// What is to be said to the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// For the model to know.
    pub context: Option<String>,
    /// The tool must not run, for this reason.
    pub deny: Option<String>,
}

impl Answer {
    /// The JSON for the hook `name` of `host`; `None`: nothing is to be said. Where a moment cannot carry context, it is
    /// left out: ask [`Answer::carries`] before.
    pub fn render(&self, host: Host, name: &str, event: &Event) -> Option<Value> {
        if host == Host::OpenCode {
            let said = self.context.is_some() || self.deny.is_some();
            return said.then(|| json!({"context": self.context, "deny": self.deny}));
        }
        match (event, &self.deny, &self.context) {
            (Event::BeforeTool(_), Some(reason), _) => Some(match host {
                Host::Gemini => json!({"decision": "deny", "reason": reason}),
                _ => json!({"hookSpecificOutput": {
                    "hookEventName": name, "permissionDecision": "deny", "permissionDecisionReason": reason,
                }}),
            }),
            (Event::Stop { .. }, _, Some(context)) => Some(match host {
                Host::Gemini => json!({"decision": "deny", "reason": context}),
                _ => json!({"decision": "block", "reason": context}),
            }),
            (_, _, Some(context)) if Self::carries(host, event) => {
                Some(json!({"hookSpecificOutput": {"hookEventName": name, "additionalContext": context}}))
            }
            _ => None,
        }
    }

    /// Whether the answer at this moment reaches the model.
    pub fn carries(host: Host, event: &Event) -> bool {
        match event {
            Event::SessionStart | Event::Prompt(_) => true,
            Event::AfterTool(_) => host != Host::OpenCode,
            // Prolongs the turn, which must happen once at the most.
            Event::Stop { again } => !again && matches!(host, Host::Claude | Host::Codex),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::hook::Tool;

    #[test]
    fn a_denial_is_said_in_each_agents_words() {
        let answer = Answer { deny: Some("held by codex-1".into()), context: None };
        let event = Event::BeforeTool(Tool::default());
        let claude = answer.render(Host::Claude, "PreToolUse", &event).unwrap();
        assert_eq!(claude["hookSpecificOutput"]["permissionDecision"], "deny");
        let gemini = answer.render(Host::Gemini, "BeforeTool", &event).unwrap();
        assert_eq!((&gemini["decision"], &gemini["reason"]), (&json!("deny"), &json!("held by codex-1")));
        assert_eq!(answer.render(Host::OpenCode, "PreToolUse", &event).unwrap()["deny"], "held by codex-1");
    }

    #[test]
    fn a_turn_is_prolonged_once_at_the_most() {
        assert!(Answer::carries(Host::Claude, &Event::Stop { again: false }));
        assert!(!Answer::carries(Host::Claude, &Event::Stop { again: true }));
    }

    #[test]
    fn nothing_to_say_is_nothing_printed() {
        for host in Host::ALL {
            assert_eq!(Answer::default().render(host, "Stop", &Event::Stop { again: false }), None);
        }
    }
}
