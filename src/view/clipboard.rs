//! Copies text to the clipboard with the escape sequence OSC 52. The terminal runs it, and so does tmux if its options
//! allow that.

use std::fmt::Write as _;

/// The longest text that terminals accept, in bytes.
const MOST: usize = 74_994;

/// The escape that puts `text` into the clipboard; `None` if it is too long.
pub(super) fn escape(text: &str) -> Option<String> {
    (text.len() <= MOST).then(|| format!("\u{1b}]52;c;{}\u{7}", base64(text.as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let byte = |at: usize| u32::from(part.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=part.len() {
            let at = (bits >> (18 - 6 * digit)) & 63;
            let _ = write!(text, "{}", char::from(DIGITS[at as usize]));
        }
        text.push_str(&"=="[..3 - part.len()]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_encoded_as_terminals_want_it() {
        for (text, code) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob\u{e9}", "Zm9vYsOp")]
        {
            assert_eq!(escape(text).unwrap(), format!("\u{1b}]52;c;{code}\u{7}"));
        }
        assert_eq!(escape(&"x".repeat(MOST + 1)), None);
    }
}
