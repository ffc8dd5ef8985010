//! The answer to a hook, in the JSON of each kind of agent.

use super::{HookEvent, HookHost};
use serde_json::{Value, json};

/// What is to be said to the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookAnswer {
    /// For the model to know.
    pub context: Option<String>,
    /// The tool must not run, for this reason.
    pub deny: Option<String>,
}

impl HookAnswer {
    /// The JSON for the hook `name` of `host`; `None`: nothing is to be said. Where a moment cannot carry context, it is
    /// left out: ask [`HookAnswer::carries`] before.
    pub fn render(&self, host: HookHost, name: &str, event: &HookEvent) -> Option<Value> {
        if host == HookHost::OpenCode {
            let said = self.context.is_some() || self.deny.is_some();
            return said.then(|| json!({"context": self.context, "deny": self.deny}));
        }
        match (event, &self.deny, &self.context) {
            (HookEvent::BeforeTool(_), Some(reason), _) => Some(match host {
                HookHost::Gemini => json!({"decision": "deny", "reason": reason}),
                _ => json!({"hookSpecificOutput": {
                    "hookEventName": name, "permissionDecision": "deny", "permissionDecisionReason": reason,
                }}),
            }),
            (HookEvent::Stop { .. }, _, Some(context)) => Some(match host {
                HookHost::Gemini => json!({"decision": "deny", "reason": context}),
                _ => json!({"decision": "block", "reason": context}),
            }),
            (_, _, Some(context)) if Self::carries(host, event) => {
                Some(json!({"hookSpecificOutput": {"hookEventName": name, "additionalContext": context}}))
            }
            _ => None,
        }
    }

    /// Whether the answer at this moment reaches the model.
    pub fn carries(host: HookHost, event: &HookEvent) -> bool {
        match event {
            HookEvent::SessionStart | HookEvent::Prompt(_) => true,
            HookEvent::AfterTool(_) => host != HookHost::OpenCode,
            // Prolongs the turn, which must happen once at the most.
            HookEvent::Stop { again } => !again && matches!(host, HookHost::Claude | HookHost::Codex),
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
        let answer = HookAnswer { deny: Some("held by codex-1".into()), context: None };
        let event = HookEvent::BeforeTool(Tool::default());
        let claude = answer.render(HookHost::Claude, "PreToolUse", &event).unwrap();
        assert_eq!(claude["hookSpecificOutput"]["permissionDecision"], "deny");
        let gemini = answer.render(HookHost::Gemini, "BeforeTool", &event).unwrap();
        assert_eq!((&gemini["decision"], &gemini["reason"]), (&json!("deny"), &json!("held by codex-1")));
        assert_eq!(
            answer.render(HookHost::OpenCode, "PreToolUse", &event).unwrap()["deny"],
            "held by codex-1"
        );
    }

    #[test]
    fn a_turn_is_prolonged_once_at_the_most() {
        assert!(HookAnswer::carries(HookHost::Claude, &HookEvent::Stop { again: false }));
        assert!(!HookAnswer::carries(HookHost::Claude, &HookEvent::Stop { again: true }));
    }

    #[test]
    fn nothing_to_say_is_nothing_printed() {
        for host in HookHost::ALL {
            assert_eq!(HookAnswer::default().render(host, "Stop", &HookEvent::Stop { again: false }), None);
        }
    }

    #[test]
    fn context_is_given_only_where_it_reaches_the_model() {
        let answer = HookAnswer { deny: None, context: Some("you have mail".into()) };
        let tool = Tool::default;
        // The hosts that get text at that moment.
        for (event, told) in [
            (
                HookEvent::SessionStart,
                &[HookHost::Claude, HookHost::Codex, HookHost::Gemini, HookHost::OpenCode][..],
            ),
            (
                HookEvent::Prompt("hi".into()),
                &[HookHost::Claude, HookHost::Codex, HookHost::Gemini, HookHost::OpenCode],
            ),
            (HookEvent::AfterTool(tool()), &[HookHost::Claude, HookHost::Codex, HookHost::Gemini]),
            (HookEvent::Stop { again: false }, &[HookHost::Claude, HookHost::Codex]),
            (HookEvent::Stop { again: true }, &[]),
            (HookEvent::BeforeTool(tool()), &[]),
            (HookEvent::SessionEnd, &[]),
            (HookEvent::Dialog, &[]),
            (HookEvent::Other, &[]),
        ] {
            for host in HookHost::ALL {
                assert_eq!(HookAnswer::carries(host, &event), told.contains(&host), "{host:?} {event:?}");
                let stop = matches!(event, HookEvent::Stop { .. });
                let rendered = answer.render(host, "Moment", &event);
                if host != HookHost::OpenCode && !stop {
                    let said = json!({"hookSpecificOutput": {"hookEventName": "Moment", "additionalContext": "you have mail"}});
                    assert_eq!(rendered, told.contains(&host).then_some(said), "{host:?} {event:?}");
                }
            }
        }
    }

    #[test]
    fn a_turn_goes_on_with_what_is_to_be_said() {
        let answer = HookAnswer { deny: None, context: Some("you have mail".into()) };
        let event = HookEvent::Stop { again: false };
        for (host, said) in [
            (HookHost::Claude, json!({"decision": "block", "reason": "you have mail"})),
            (HookHost::Codex, json!({"decision": "block", "reason": "you have mail"})),
            (HookHost::Gemini, json!({"decision": "deny", "reason": "you have mail"})),
            (HookHost::OpenCode, json!({"context": "you have mail", "deny": null})),
        ] {
            assert_eq!(answer.render(host, "Stop", &event), Some(said), "{host:?}");
        }
        // A tool that has run cannot be refused.
        let late = HookAnswer { deny: Some("held".into()), context: None };
        assert_eq!(
            late.render(HookHost::Claude, "PostToolUse", &HookEvent::AfterTool(Tool::default())),
            None
        );
    }
}
