//! A line that claims to be swarm's, and a body that becomes one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use swarm::core::body::Body;
use swarm::core::escape;
use swarm::core::frame;
use swarm::core::id::MessageId;
use swarm::core::message::{Identity, MESSAGE_VERSION, Message, MessageType};
use swarm::core::name::Name;
use swarm::core::signing::Key;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = frame::begun(&text);
    if let Some(claim) = frame::parse(&text) {
        assert_eq!(claim.sig.len(), 8);
    }
    let Ok(body) = Body::from_bytes(bytes) else { return };
    let id = MessageId::from_entropy(1);
    let message = Message {
        version: MESSAGE_VERSION,
        id: id.clone(),
        sequence: 1,
        from: Name::human(),
        identity: Identity::Human,
        to: vec![Name::human()],
        kind: MessageType::Info,
        thread: id.clone(),
        reply_to: None,
        ack_required: bytes.len() % 2 == 0,
        urgent: false,
        created: 1,
        body,
    };
    let key = Key::new([5; 32]);
    let Ok(verified) = key.verify(key.sign(message)) else { panic!("what was signed verifies") };
    for line in frame::renderings(&verified, &Name::human()) {
        assert!(line.starts_with("[swarm ") && line.ends_with(')'));
        assert!(!line.chars().any(|c| escape::is_unsafe(c) && c != '\u{200d}'));
        assert_eq!(frame::begun(&line), Some(id.clone()));
    }
});
