//! The keys of hosts: their signatures, the keys that the team's maker has signed, and invitations.
//!
//! A host's key proves "this host sent that". For the name of the agent, others rely on that host. The host that made
//! the team signs each host's public key. It knows whose key that is, because the newcomer seals it with the one-time
//! code of its invitation. So neither the engine nor the network can replace a host's key.

use crate::core::address::HostName;
use crate::core::signing::Key;
use anyhow::{Context as _, Result, bail};
use ed25519_compact::{KeyPair, PublicKey, Seed, Signature};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// How many random bytes an invitation has.
const CODE_BYTES: usize = 10;

/// Letters and digits without look-alikes.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// Hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// The bytes of these digits.
pub(super) fn unhex(text: &str) -> Result<Vec<u8>> {
    if !text.bytes().all(|b| b.is_ascii_hexdigit()) || !text.len().is_multiple_of(2) {
        bail!("these are not hexadecimal digits");
    }
    let pair = |i| text.get(i..i + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    (0..text.len()).step_by(2).map(|i| pair(i).context("these are not hexadecimal digits")).collect()
}

/// Fresh random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("the system gives no random bytes: {e}"))?;
    Ok(bytes)
}

pub(super) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The digest by which the engine knows a token.
pub(super) fn token_hash(token: &str) -> Result<String> {
    Ok(digest(&unhex(token)?))
}

/// A host's key, made from its secret seed.
pub(super) struct HostKey(KeyPair);

impl HostKey {
    pub(super) fn new(seed: &str) -> Result<Self> {
        let seed = Seed::from_slice(&unhex(seed)?).context("the host's key is damaged")?;
        Ok(Self(KeyPair::from_seed(seed)))
    }

    /// Its public half.
    pub(super) fn public(&self) -> String {
        hex(self.0.pk.as_ref())
    }

    /// A signature of these fields.
    pub(super) fn sign(&self, fields: &[&str]) -> String {
        hex(self.0.sk.sign(encode(fields), None).as_ref())
    }
}

/// Whether a signature of these fields is valid for that key.
pub(super) fn is_signed(public: &str, fields: &[&str], sig: &str) -> bool {
    let check = || -> Result<()> {
        let key = PublicKey::from_slice(&unhex(public)?)?;
        Ok(key.verify(encode(fields), &Signature::from_slice(&unhex(sig)?)?)?)
    };
    check().is_ok()
}

/// Each field with its length, so that no two lists of fields have the same bytes.
fn encode(fields: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        out.extend((field.len() as u64).to_le_bytes());
        out.extend(field.as_bytes());
    }
    out
}

/// The signed fields of a letter.
pub(super) fn letter<'a>(
    team: &'a str,
    from: &'a str,
    to: &'a str,
    kind: &'a str,
    doc: &'a str,
) -> [&'a str; 6] {
    ["swarm-team-letter", team, from, to, kind, doc]
}

/// The signed fields of a host.
pub(super) fn card<'a>(team: &'a str, host: &'a str, public: &'a str) -> [&'a str; 4] {
    ["swarm-team-host", team, host, public]
}

/// A new invitation to the team whose maker has that public key: the code for the newcomer.
pub(super) fn invitation(admin_key: &str) -> Result<String> {
    let random = random::<CODE_BYTES>()?;
    let mut bits = random.iter().fold(0_u128, |bits, b| bits << 8 | u128::from(*b));
    let mut code = String::new();
    for place in 0..CODE_BYTES * 8 / 5 {
        if place > 0 && place % 4 == 0 {
            code.push('-');
        }
        code.push(char::from(ALPHABET[usize::try_from(bits & 31)?]));
        bits >>= 5;
    }
    Ok(format!("{code}-{}", fingerprint(admin_key)))
}

/// The part of a public key that is shown.
pub(super) fn fingerprint(public: &str) -> String {
    digest(public.as_bytes())[..16].to_owned()
}

/// Whether an invitation is for the team whose maker has that key.
pub(super) fn is_invitation_of(code: &str, admin_key: &str) -> bool {
    code.rsplit_once('-').is_some_and(|(_, print)| print == fingerprint(admin_key))
}

/// The seal of a newcomer's key, by its invitation.
pub(super) fn seal(code: &str, host: &HostName, public: &str) -> String {
    let secret: [u8; 32] = Sha256::digest(format!("swarm-team-invitation {code}").as_bytes()).into();
    Key::new(secret).seal(host.as_str(), public.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_its_hosts_and_for_one_host_of_one_team() {
        let (a, b) = (HostKey::new(&"01".repeat(32)).unwrap(), HostKey::new(&"02".repeat(32)).unwrap());
        let fields = letter("t", "a", "b", "mail", "{}");
        let sig = a.sign(&fields);
        assert!(is_signed(&a.public(), &fields, &sig));
        assert!(!is_signed(&b.public(), &fields, &sig));
        for other in [
            letter("u", "a", "b", "mail", "{}"),
            letter("t", "c", "b", "mail", "{}"),
            letter("t", "a", "c", "mail", "{}"),
            letter("t", "a", "b", "receipt", "{}"),
            letter("t", "a", "b", "mail", "{} "),
            letter("t", "ab", "", "mail", "{}"),
        ] {
            assert!(!is_signed(&a.public(), &other, &sig), "{other:?}");
        }
        assert!(!is_signed(&a.public(), &fields, "zz") && !is_signed("", &fields, &sig));
    }

    #[test]
    fn an_invitation_names_the_key_of_the_team_and_seals_one_host() {
        let code = invitation("admin").unwrap();
        assert_eq!(code.len(), 19 + 1 + 16, "{code}");
        assert!(is_invitation_of(&code, "admin") && !is_invitation_of(&code, "other"));
        assert_ne!(code, invitation("admin").unwrap());
        let host = |name| HostName::new(name).unwrap();
        let seal_a = seal(&code, &host("a"), "key");
        assert_eq!(seal_a, seal(&code, &host("a"), "key"));
        assert_ne!(seal_a, seal(&code, &host("b"), "key"));
        assert_ne!(seal_a, seal(&code, &host("a"), "other"));
    }
}
