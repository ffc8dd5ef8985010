//! The answer to a hook, in the JSON of each kind of agent.

use super::{HookEvent, HookKind};
use serde_json::{Value, json};

/// The parts of an answer to a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookAnswer {
    /// Text for the model.
    pub context: Option<String>,
    /// The tool must not run, for this reason.
    pub deny: Option<String>,
}

impl HookAnswer {
    /// The JSON for the hook `name` of `kind`; `None` if there is nothing to answer. If an event cannot carry
    /// context, the context is left out: call [`HookAnswer::carries`] first.
    pub fn render(&self, kind: HookKind, name: &str, event: &HookEvent) -> Option<Value> {
        if kind == HookKind::OpenCode {
            let said = self.context.is_some() || self.deny.is_some();
            return said.then(|| json!({"context": self.context, "deny": self.deny}));
        }
        match (event, &self.deny, &self.context) {
            (HookEvent::BeforeTool(_), Some(reason), _) => Some(match kind {
                HookKind::Gemini => json!({"decision": "deny", "reason": reason}),
                _ => json!({"hookSpecificOutput": {
                    "hookEventName": name, "permissionDecision": "deny", "permissionDecisionReason": reason,
                }}),
            }),
            (HookEvent::Stop { .. }, _, Some(context)) => Some(match kind {
                HookKind::Gemini => json!({"decision": "deny", "reason": context}),
                _ => json!({"decision": "block", "reason": context}),
            }),
            (_, _, Some(context)) if Self::carries(kind, event) => {
                Some(json!({"hookSpecificOutput": {"hookEventName": name, "additionalContext": context}}))
            }
            _ => None,
        }
    }

    /// Whether the context of an answer to this event reaches the model.
    pub fn carries(kind: HookKind, event: &HookEvent) -> bool {
        match event {
            HookEvent::SessionStart | HookEvent::Prompt(_) => true,
            HookEvent::AfterTool(_) => kind != HookKind::OpenCode,
            // It prolongs the turn, which must happen at most once.
            HookEvent::Stop { again } => !again && matches!(kind, HookKind::Claude | HookKind::Codex),
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
        let claude = answer.render(HookKind::Claude, "PreToolUse", &event).unwrap();
        assert_eq!(claude["hookSpecificOutput"]["permissionDecision"], "deny");
        let gemini = answer.render(HookKind::Gemini, "BeforeTool", &event).unwrap();
        assert_eq!((&gemini["decision"], &gemini["reason"]), (&json!("deny"), &json!("held by codex-1")));
        assert_eq!(
            answer.render(HookKind::OpenCode, "PreToolUse", &event).unwrap()["deny"],
            "held by codex-1"
        );
    }

    #[test]
    fn a_turn_is_prolonged_once_at_the_most() {
        assert!(HookAnswer::carries(HookKind::Claude, &HookEvent::Stop { again: false }));
        assert!(!HookAnswer::carries(HookKind::Claude, &HookEvent::Stop { again: true }));
    }

    #[test]
    fn nothing_to_say_is_nothing_printed() {
        for kind in HookKind::ALL {
            assert_eq!(HookAnswer::default().render(kind, "Stop", &HookEvent::Stop { again: false }), None);
        }
    }

    #[test]
    fn context_is_given_only_where_it_reaches_the_model() {
        let answer = HookAnswer { deny: None, context: Some("you have mail".into()) };
        let tool = Tool::default;
        // The kinds of agents that get context at that event.
        for (event, told) in [
            (
                HookEvent::SessionStart,
                &[HookKind::Claude, HookKind::Codex, HookKind::Gemini, HookKind::OpenCode][..],
            ),
            (
                HookEvent::Prompt("hi".into()),
                &[HookKind::Claude, HookKind::Codex, HookKind::Gemini, HookKind::OpenCode],
            ),
            (HookEvent::AfterTool(tool()), &[HookKind::Claude, HookKind::Codex, HookKind::Gemini]),
            (HookEvent::Stop { again: false }, &[HookKind::Claude, HookKind::Codex]),
            (HookEvent::Stop { again: true }, &[]),
            (HookEvent::BeforeTool(tool()), &[]),
            (HookEvent::SessionEnd, &[]),
            (HookEvent::Dialog, &[]),
            (HookEvent::Other, &[]),
        ] {
            for kind in HookKind::ALL {
                assert_eq!(HookAnswer::carries(kind, &event), told.contains(&kind), "{kind:?} {event:?}");
                let stop = matches!(event, HookEvent::Stop { .. });
                let rendered = answer.render(kind, "Moment", &event);
                if kind != HookKind::OpenCode && !stop {
                    let said = json!({"hookSpecificOutput": {"hookEventName": "Moment", "additionalContext": "you have mail"}});
                    assert_eq!(rendered, told.contains(&kind).then_some(said), "{kind:?} {event:?}");
                }
            }
        }
    }

    #[test]
    fn a_turn_goes_on_with_what_is_to_be_said() {
        let answer = HookAnswer { deny: None, context: Some("you have mail".into()) };
        let event = HookEvent::Stop { again: false };
        for (kind, said) in [
            (HookKind::Claude, json!({"decision": "block", "reason": "you have mail"})),
            (HookKind::Codex, json!({"decision": "block", "reason": "you have mail"})),
            (HookKind::Gemini, json!({"decision": "deny", "reason": "you have mail"})),
            (HookKind::OpenCode, json!({"context": "you have mail", "deny": null})),
        ] {
            assert_eq!(answer.render(kind, "Stop", &event), Some(said), "{kind:?}");
        }
        // A tool that has run cannot be refused.
        let late = HookAnswer { deny: Some("held".into()), context: None };
        assert_eq!(
            late.render(HookKind::Claude, "PostToolUse", &HookEvent::AfterTool(Tool::default())),
            None
        );
    }
}
