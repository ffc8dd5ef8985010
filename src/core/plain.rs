//! Recognises text that a terminal gives back as it was written.
//!
//! swarm compares a composer with the text that it typed, so only such text is typed as a whole. tmux keeps a grid of
//! cells. Its version and the system's tables decide what goes into a cell. 3.3a drops emoji that are newer than its
//! tables, and the last of a family; 3.5a drops the end of a regional flag; both append to a joiner the character
//! after it. Agents cut text by tables of their own. So these classes contain only characters that came back
//! unchanged: letters and ideographs of one character each, signs, and emoji of one character that existed by 2018,
//! with the mark that shows a sign in colours. Pure.

use unicode_width::UnicodeWidthChar;

/// The mark that shows a sign in colours.
const COLOURED: char = '\u{fe0f}';

/// Whether every part of `text` comes back from a terminal unchanged.
pub fn is_plain(text: &str) -> bool {
    parts(text).all(|(_, plain)| plain)
}

/// The text with `?` for every part that may not come back.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut replaced = false;
    for (c, plain) in parts(text) {
        if plain {
            out.push(c);
        } else if !replaced {
            out.push('?');
        }
        replaced = !plain;
    }
    out
}

/// The characters, and whether each comes back in its place.
fn parts(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut before = None;
    text.chars().map(move |c| {
        let plain = if c == COLOURED { before.is_some_and(is_sign) } else { stands_alone(c) };
        before = Some(c);
        (c, plain)
    })
}

/// A sign that may be shown in colours.
fn is_sign(c: char) -> bool {
    matches!(c, '\u{203c}' | '\u{2049}' | '\u{2100}'..='\u{24ff}' | '\u{25a0}'..='\u{27bf}' | '\u{2b00}'..='\u{2b59}')
}

/// Characters that fill one or two cells by themselves: Latin, Greek, Cyrillic, Hebrew, Arabic, punctuation, and the
/// characters of Chinese, Japanese and Korean, except the marks that combine with the kana before them and the parts
/// of a syllable.
const LETTERS: [(char, char); 22] = [
    (' ', '~'),
    ('¡', '¬'),
    ('®', 'ʯ'),
    ('Ͱ', 'ͷ'),
    ('ͺ', 'Ϳ'),
    ('΄', 'Ͽ'),
    ('Ѐ', '҂'),
    ('Ҋ', 'ԯ'),
    ('א', 'ת'),
    ('ء', 'ي'),
    ('٠', '٩'),
    ('Ḁ', 'ỿ'),
    ('‐', '‧'),
    ('‰', '⁞'),
    ('₠', '₿'),
    ('、', '〠'),
    ('ぁ', 'ゖ'),
    ('゛', 'ヿ'),
    ('㐀', '䶿'),
    ('一', '鿿'),
    ('가', '힣'),
    ('！', 'ﾝ'),
];

/// Emoji of one character that existed by 2018, without the skin tones, which combine with the emoji before them.
const EMOJI: [(char, char); 9] = [
    ('\u{1f300}', '\u{1f3fa}'),
    ('\u{1f400}', '\u{1f64f}'),
    ('\u{1f680}', '\u{1f6d2}'),
    ('\u{1f6e0}', '\u{1f6f9}'),
    ('\u{1f910}', '\u{1f93e}'),
    ('\u{1f940}', '\u{1f970}'),
    ('\u{1f973}', '\u{1f976}'),
    ('\u{1f97c}', '\u{1f9a2}'),
    ('\u{1f9d0}', '\u{1f9ff}'),
];

fn stands_alone(c: char) -> bool {
    let is_in = |ranges: &[(char, char)]| ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
    is_in(&LETTERS) || is_in(&EMOJI) && c.width() == Some(2) || is_sign(c) && c.width().is_some_and(|w| w > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_drops_joins_or_widens_is_not_plain() {
        for plain in [
            "is it done? café, 100% \"quoted\", a;b",
            "“so” – and… → ok • x² ≤ ∑",
            "привет αβγ שלום مرحبا",
            "日本語 がぎ 한국어 ＡＢ",
            "🎉 ✅ 😀🚀🥳🦀🧪",
            "❤️ ⚠️ ✔️",
        ] {
            assert!(is_plain(plain), "{plain}");
            assert_eq!(super::plain(plain), plain);
        }
        for (text, shown) in [
            ("ok 👍🏽 go", "ok 👍? go"),
            ("👩\u{200d}👩\u{200d}👧\u{200d}👦!", "👩?👩?👧?👦!"),
            ("🇩🇪🇫🇷", "?"),
            ("1\u{fe0f}\u{20e3}", "1?"),
            ("नमस्ते", "?"),
            ("สวัสดี", "?"),
            ("e\u{301}\u{302}", "e?"),
            ("🫨 🫩", "? ?"),
            ("\u{1112}\u{1161}\u{11ab}", "?"),
            ("か\u{3099}", "か?"),
            ("🏴\u{e0067}\u{e007f}", "🏴?"),
            ("a\u{a0}b", "a?b"),
            ("──┤█", "?"),
        ] {
            assert!(!is_plain(text), "{text}");
            assert_eq!(plain(text), shown, "{text}");
            assert!(is_plain(&plain(text)), "{text}");
        }
    }
}
