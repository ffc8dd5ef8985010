//! The answer to a hook, in the JSON of each kind of agent.

use super::{HookEvent, Host};
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
    pub fn render(&self, host: Host, name: &str, event: &HookEvent) -> Option<Value> {
        if host == Host::OpenCode {
            let said = self.context.is_some() || self.deny.is_some();
            return said.then(|| json!({"context": self.context, "deny": self.deny}));
        }
        match (event, &self.deny, &self.context) {
            (HookEvent::BeforeTool(_), Some(reason), _) => Some(match host {
                Host::Gemini => json!({"decision": "deny", "reason": reason}),
                _ => json!({"hookSpecificOutput": {
                    "hookEventName": name, "permissionDecision": "deny", "permissionDecisionReason": reason,
                }}),
            }),
            (HookEvent::Stop { .. }, _, Some(context)) => Some(match host {
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
    pub fn carries(host: Host, event: &HookEvent) -> bool {
        match event {
            HookEvent::SessionStart | HookEvent::Prompt(_) => true,
            HookEvent::AfterTool(_) => host != Host::OpenCode,
            // Prolongs the turn, which must happen once at the most.
            HookEvent::Stop { again } => !again && matches!(host, Host::Claude | Host::Codex),
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
        let event = HookEvent::BeforeTool(Tool::default());
        let claude = answer.render(Host::Claude, "PreToolUse", &event).unwrap();
        assert_eq!(claude["hookSpecificOutput"]["permissionDecision"], "deny");
        let gemini = answer.render(Host::Gemini, "BeforeTool", &event).unwrap();
        assert_eq!((&gemini["decision"], &gemini["reason"]), (&json!("deny"), &json!("held by codex-1")));
        assert_eq!(answer.render(Host::OpenCode, "PreToolUse", &event).unwrap()["deny"], "held by codex-1");
    }

    #[test]
    fn a_turn_is_prolonged_once_at_the_most() {
        assert!(Answer::carries(Host::Claude, &HookEvent::Stop { again: false }));
        assert!(!Answer::carries(Host::Claude, &HookEvent::Stop { again: true }));
    }

    #[test]
    fn nothing_to_say_is_nothing_printed() {
        for host in Host::ALL {
            assert_eq!(Answer::default().render(host, "Stop", &HookEvent::Stop { again: false }), None);
        }
    }

    #[test]
    fn context_is_given_only_where_it_reaches_the_model() {
        let answer = Answer { deny: None, context: Some("you have mail".into()) };
        let tool = Tool::default;
        // The hosts that get text at that moment.
        for (event, told) in [
            (HookEvent::SessionStart, &[Host::Claude, Host::Codex, Host::Gemini, Host::OpenCode][..]),
            (HookEvent::Prompt("hi".into()), &[Host::Claude, Host::Codex, Host::Gemini, Host::OpenCode]),
            (HookEvent::AfterTool(tool()), &[Host::Claude, Host::Codex, Host::Gemini]),
            (HookEvent::Stop { again: false }, &[Host::Claude, Host::Codex]),
            (HookEvent::Stop { again: true }, &[]),
            (HookEvent::BeforeTool(tool()), &[]),
            (HookEvent::SessionEnd, &[]),
            (HookEvent::Dialog, &[]),
            (HookEvent::Other, &[]),
        ] {
            for host in Host::ALL {
                assert_eq!(Answer::carries(host, &event), told.contains(&host), "{host:?} {event:?}");
                let stop = matches!(event, HookEvent::Stop { .. });
                let rendered = answer.render(host, "Moment", &event);
                if host != Host::OpenCode && !stop {
                    let said = json!({"hookSpecificOutput": {"hookEventName": "Moment", "additionalContext": "you have mail"}});
                    assert_eq!(rendered, told.contains(&host).then_some(said), "{host:?} {event:?}");
                }
            }
        }
    }

    #[test]
    fn a_turn_goes_on_with_what_is_to_be_said() {
        let answer = Answer { deny: None, context: Some("you have mail".into()) };
        let event = HookEvent::Stop { again: false };
        for (host, said) in [
            (Host::Claude, json!({"decision": "block", "reason": "you have mail"})),
            (Host::Codex, json!({"decision": "block", "reason": "you have mail"})),
            (Host::Gemini, json!({"decision": "deny", "reason": "you have mail"})),
            (Host::OpenCode, json!({"context": "you have mail", "deny": null})),
        ] {
            assert_eq!(answer.render(host, "Stop", &event), Some(said), "{host:?}");
        }
        // A tool that has run cannot be refused.
        let late = Answer { deny: Some("held".into()), context: None };
        assert_eq!(late.render(Host::Claude, "PostToolUse", &HookEvent::AfterTool(Tool::default())), None);
    }
}
