//! Signatures: HMAC-SHA256 over every field of a message.
//!
//! The signed bytes are a versioned encoding in which each field is preceded by its length, so no two different
//! messages have the same encoding. Verification takes constant time. The key proves "some process of this user in
//! this project": any such process can read it.

use super::message::{Message, Signed, Verified};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Write as _;

/// Bytes in a key.
pub const KEY_LEN: usize = 32;

/// A project's signing key.
#[derive(Clone)]
pub struct Key([u8; KEY_LEN]);

/// The signature does not match the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature;

impl Key {
    pub fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// Signs `message`.
    pub fn sign(&self, message: Message) -> Signed {
        let sig = hex(&self.mac(&message).finalize().into_bytes());
        Signed { message, sig }
    }

    /// Checks `signed`; on success its content may be shown.
    pub fn verify(&self, signed: Signed) -> Result<Verified, BadSignature> {
        let tag = unhex(&signed.sig).ok_or(BadSignature)?;
        self.mac(&signed.message).verify_slice(&tag).map_err(|_| BadSignature)?;
        Ok(Verified { message: signed.message, sig: signed.sig })
    }

    /// The seal of a record that only swarm writes. It shows whether a byte of the record, or its name, was changed.
    pub fn seal(&self, name: &str, record: &[u8]) -> String {
        hex(&self.seal_mac(name, record).finalize().into_bytes())
    }

    /// Whether `seal` is correct for the record.
    pub fn is_sealed(&self, name: &str, record: &[u8], seal: &str) -> bool {
        unhex(seal).is_some_and(|tag| self.seal_mac(name, record).verify_slice(&tag).is_ok())
    }

    /// The digest by which a project recognises its key without showing it.
    pub fn fingerprint(&self, project: &str) -> String {
        let mut mac = self.keyed();
        for field in [b"swarm-key", project.as_bytes()] {
            mac.update(&(field.len() as u64).to_le_bytes());
            mac.update(field);
        }
        hex(&mac.finalize().into_bytes())
    }

    fn seal_mac(&self, name: &str, record: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.keyed();
        for field in [b"swarm-record", name.as_bytes(), record] {
            mac.update(&(field.len() as u64).to_le_bytes());
            mac.update(field);
        }
        mac
    }

    fn mac(&self, message: &Message) -> Hmac<Sha256> {
        let mut mac = self.keyed();
        mac.update(&encode(message));
        mac
    }

    fn keyed(&self) -> Hmac<Sha256> {
        // This cannot fail: a key of any length is valid.
        Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| unreachable!())
    }
}

/// The signed bytes. Lengths are 8 bytes, little-endian; an absent field differs from an empty one.
fn encode(m: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + m.body.as_str().len());
    let mut field = |bytes: &[u8]| {
        out.extend((bytes.len() as u64).to_le_bytes());
        out.extend(bytes);
    };
    field(b"swarm-message");
    field(&m.version.to_le_bytes());
    field(m.id.as_str().as_bytes());
    field(&m.sequence.to_le_bytes());
    field(m.from.to_string().as_bytes());
    field(m.identity.word().as_bytes());
    field(&(m.to.len() as u64).to_le_bytes());
    for name in &m.to {
        field(name.as_str().as_bytes());
    }
    field(m.kind.word().as_bytes());
    field(m.thread.as_str().as_bytes());
    field(&[u8::from(m.reply_to.is_some())]);
    field(m.reply_to.as_ref().map_or("", |id| id.as_str()).as_bytes());
    field(&[u8::from(m.ack_required), u8::from(m.urgent)]);
    field(&m.created.to_le_bytes());
    field(m.body.as_str().as_bytes());
    // Newer fields come after their names. Without them the bytes are those that earlier versions signed.
    if let Some(intent) = m.intent {
        field(b"intent");
        field(intent.word().as_bytes());
    }
    if m.round > 0 {
        field(b"round");
        field(&m.round.to_le_bytes());
    }
    if !m.groups.is_empty() {
        field(b"groups");
        field(&(m.groups.len() as u64).to_le_bytes());
        for group in &m.groups {
            field(group.as_str().as_bytes());
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    // A number may have a sign, but a signature may not.
    if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::body::Body;
    use crate::core::id::MessageId;
    use crate::core::message::tests::message;
    use crate::core::message::{Identity, Intent, MessageType};
    use crate::core::name::Name;

    #[test]
    fn what_was_signed_verifies_and_another_key_does_not() {
        let key = Key::new([7; KEY_LEN]);
        assert!(key.verify(key.sign(message())).is_ok());
        assert_eq!(Key::new([8; KEY_LEN]).verify(key.sign(message())), Err(BadSignature));
    }

    #[test]
    fn a_change_of_any_field_is_noticed() {
        let key = Key::new([7; KEY_LEN]);
        let other = MessageId::from_entropy(99);
        let changes: [fn(&mut Message, &MessageId); 17] = [
            |m, _| m.version = 2,
            |m, o| m.id = o.clone(),
            |m, _| m.sequence += 1,
            |m, _| m.from = Name::new("codex-1").unwrap().into(),
            |m, _| m.identity = Identity::Env,
            |m, _| m.to = vec![Name::new("gemini-1").unwrap()],
            |m, _| m.to.push(Name::new("gemini-1").unwrap()),
            |m, _| m.kind = MessageType::Ack,
            |m, o| m.thread = o.clone(),
            |m, o| m.reply_to = Some(o.clone()),
            |m, _| m.ack_required = true,
            |m, _| m.urgent = true,
            |m, _| m.intent = Some(Intent::Fyi),
            |m, _| m.round = 1,
            |m, _| m.groups = vec![Name::new("api").unwrap()],
            |m, _| m.created += 1,
            |m, _| m.body = Body::new("hello ").unwrap(),
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut signed = key.sign(message());
            change(&mut signed.message, &other);
            assert_eq!(key.verify(signed), Err(BadSignature), "change {index}");
        }
    }

    #[test]
    fn what_an_earlier_version_signed_still_verifies() {
        // Made by another program from the protocol of version 0.1.0.
        let sig = Key::new([7; KEY_LEN]).sign(message()).sig;
        assert_eq!(sig, "f736479b0dbd66f57e602c032da0a20a1220bc8d2ac37aa21836ed0bab5aeb55");
    }

    #[test]
    fn an_intent_can_be_neither_taken_away_nor_exchanged() {
        let key = Key::new([7; KEY_LEN]);
        for (intent, round) in [(None, 2), (Some(Intent::Action), 2), (Some(Intent::Fyi), 0)] {
            let mut signed = key.sign(Message { intent: Some(Intent::Fyi), round: 2, ..message() });
            (signed.message.intent, signed.message.round) = (intent, round);
            assert_eq!(key.verify(signed), Err(BadSignature));
        }
    }

    #[test]
    fn a_seal_fits_one_record_under_one_name() {
        let key = Key::new([7; KEY_LEN]);
        let seal = key.seal("leases/1", b"record");
        assert!(key.is_sealed("leases/1", b"record", &seal));
        for (name, record, seal) in [
            ("leases/2", "record", seal.as_str()),
            ("leases/1", "recorD", &seal),
            ("leases/1r", "ecord", &seal),
            ("leases/1", "record", ""),
        ] {
            assert!(!key.is_sealed(name, record.as_bytes(), seal), "{name} {record}");
        }
        assert!(!Key::new([8; KEY_LEN]).is_sealed("leases/1", b"record", &seal));
    }

    #[test]
    fn a_malformed_signature_is_a_bad_signature() {
        let key = Key::new([7; KEY_LEN]);
        for sig in ["", "zz", "é", "0é0", "0", "00"] {
            let mut signed = key.sign(message());
            signed.sig = sig.to_owned();
            assert_eq!(key.verify(signed), Err(BadSignature), "{sig:?}");
        }
    }

    #[test]
    fn a_signature_is_hexadecimal_digits_and_nothing_that_is_read_like_them() {
        let key = Key::new([7; KEY_LEN]);
        let signed = (0..1000)
            .map(|created| key.sign(Message { created, ..message() }))
            .find(|signed| signed.sig.starts_with('0'))
            .unwrap();
        assert_eq!(signed.sig.len(), 64);
        let other = Signed { sig: signed.sig.replacen('0', "+", 1), ..signed.clone() };
        assert!(key.verify(signed).is_ok());
        assert_eq!(key.verify(other), Err(BadSignature));
    }
}
