//! Recognises invisible characters, and where they belong to something visible.
//!
//! A text may contain many bytes in characters that a person does not see and a model reads. So they are allowed only
//! where emoji and some scripts need them, and only one after each visible character.

/// Whether `c` is invisible, or only a blank: Unicode's `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt,
/// the same from Unicode 14 to 17), and also the annotation and object marks, the blank Braille pattern, the null
/// notehead, the Khitan filler, the joiners of Brahmi and Egyptian, noncharacters, and the private characters of
/// planes 15 and 16, which hold two bytes each, except the icons of Nerd Fonts (U+F0001 to U+F1AF0).
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}'
        | '\u{2800}' | '\u{fff9}'..='\u{fffc}' | '\u{1d159}' | '\u{16fe4}' | '\u{1107f}' | '\u{13430}'..='\u{13440}'
        | '\u{fdd0}'..='\u{fdef}')
        || u32::from(c) & 0xfffe == 0xfffe
        || (c >= '\u{f0000}' && !matches!(c, '\u{f0001}'..='\u{f1af0}'))
}

const EMOJI_STYLE: char = '\u{fe0f}';
const JOINER: char = '\u{200d}';
const NON_JOINER: char = '\u{200c}';

/// Whether the invisible character `c` at the byte `at` of `text` belongs to something visible:
///
/// - U+FE0F behind an emoji, or in a keycap (`1`, U+FE0F, U+20E3);
/// - U+200D between two emoji, the first perhaps with U+FE0F or a skin tone;
/// - U+200C between two letters of Arabic script, U+200D behind one (Persian, Urdu, Kurdish and others are written with them);
/// - U+200C and U+200D behind a virama, and U+200D between a letter and a virama (Indic scripts). These are the rules of RFC 5892,
///   appendix A, for names, and what Bengali needs besides;
/// - the tags of the three flags that are written with them.
pub(super) fn is_part(text: &str, at: usize, c: char) -> bool {
    if is_tag(c) {
        return is_in_flag(text, at);
    }
    let (before, after) =
        (text.get(..at).unwrap_or_default(), text.get(at + c.len_utf8()..).unwrap_or_default());
    let mut before = before.chars().rev();
    let (Some(last), next) = (before.next(), after.chars().next()) else { return false };
    match c {
        EMOJI_STYLE if matches!(last, '0'..='9' | '#' | '*') => next == Some('\u{20e3}'),
        EMOJI_STYLE => is_emoji(last),
        JOINER | NON_JOINER if is_virama(last) => true,
        JOINER if next.is_some_and(is_emoji) => {
            let dressed = last == EMOJI_STYLE || is_skin_tone(last);
            is_emoji(last) || (dressed && before.next().is_some_and(is_emoji))
        }
        JOINER => is_arabic(last) || (is_indic(last) && next.is_some_and(is_virama)),
        NON_JOINER => {
            let letter = if is_arabic_mark(last) { before.find(|c| !is_arabic_mark(*c)) } else { Some(last) };
            letter.is_some_and(is_arabic) && next.is_some_and(is_arabic)
        }
        _ => false,
    }
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..='\u{e007f}')
}

/// A black flag, and the tags behind it that make it the one of England, Scotland or Wales: Unicode's
/// `RGI_Emoji_Tag_Sequence` (emoji-sequences.txt, 5.0 to 17.0). Any other tags could spell anything.
const BLACK_FLAG: char = '\u{1f3f4}';
const FLAGS: [&str; 3] = [
    "\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
];

/// Whether the byte `at` lies in the tags of such a flag.
fn is_in_flag(text: &str, at: usize) -> bool {
    let Some(flag) = text.get(..at).and_then(|before| before.rfind(BLACK_FLAG)) else { return false };
    let begin = flag + BLACK_FLAG.len_utf8();
    let tags = text.get(begin..).unwrap_or_default();
    FLAGS.iter().any(|known| tags.starts_with(known) && at < begin + known.len())
}

fn is_skin_tone(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

/// Unicode's `Extended_Pictographic` (emoji-data.txt, Unicode 14 to 17): all present and reserved emoji.
fn is_emoji(c: char) -> bool {
    matches!(c,
        '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2194}'..='\u{2199}' | '\u{21a9}'..='\u{21aa}'
        | '\u{231a}'..='\u{231b}' | '\u{2328}' | '\u{2388}' | '\u{23cf}' | '\u{23e9}'..='\u{23f3}' | '\u{23f8}'..='\u{23fa}'
        | '\u{24c2}' | '\u{25aa}'..='\u{25ab}' | '\u{25b6}' | '\u{25c0}' | '\u{25fb}'..='\u{25fe}' | '\u{2600}'..='\u{2605}'
        | '\u{2607}'..='\u{2612}' | '\u{2614}'..='\u{2685}' | '\u{2690}'..='\u{2705}' | '\u{2708}'..='\u{2712}' | '\u{2714}'
        | '\u{2716}' | '\u{271d}' | '\u{2721}' | '\u{2728}' | '\u{2733}'..='\u{2734}' | '\u{2744}' | '\u{2747}' | '\u{274c}'
        | '\u{274e}' | '\u{2753}'..='\u{2755}' | '\u{2757}' | '\u{2763}'..='\u{2767}' | '\u{2795}'..='\u{2797}' | '\u{27a1}'
        | '\u{27b0}' | '\u{27bf}' | '\u{2934}'..='\u{2935}' | '\u{2b05}'..='\u{2b07}' | '\u{2b1b}'..='\u{2b1c}' | '\u{2b50}'
        | '\u{2b55}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1f0ff}' | '\u{1f10d}'..='\u{1f10f}'
        | '\u{1f12f}' | '\u{1f16c}'..='\u{1f171}' | '\u{1f17e}'..='\u{1f17f}' | '\u{1f18e}' | '\u{1f191}'..='\u{1f19a}'
        | '\u{1f1ad}'..='\u{1f1e5}' | '\u{1f201}'..='\u{1f20f}' | '\u{1f21a}' | '\u{1f22f}' | '\u{1f232}'..='\u{1f23a}'
        | '\u{1f23c}'..='\u{1f23f}' | '\u{1f249}'..='\u{1f3fa}' | '\u{1f400}'..='\u{1f53d}' | '\u{1f546}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}' | '\u{1f774}'..='\u{1f77f}' | '\u{1f7d5}'..='\u{1f7ff}' | '\u{1f80c}'..='\u{1f80f}'
        | '\u{1f848}'..='\u{1f84f}' | '\u{1f85a}'..='\u{1f85f}' | '\u{1f888}'..='\u{1f88f}' | '\u{1f8ae}'..='\u{1f8ff}'
        | '\u{1f90c}'..='\u{1f93a}' | '\u{1f93c}'..='\u{1f945}' | '\u{1f947}'..='\u{1faff}' | '\u{1fc00}'..='\u{1fffd}')
}

/// A letter of Arabic or Syriac script.
fn is_arabic(c: char) -> bool {
    matches!(c,
        '\u{620}'..='\u{64a}' | '\u{66e}'..='\u{66f}' | '\u{671}'..='\u{6d3}' | '\u{6d5}' | '\u{6ee}'..='\u{6ef}'
        | '\u{6fa}'..='\u{6fc}' | '\u{6ff}' | '\u{710}' | '\u{712}'..='\u{72f}' | '\u{74d}'..='\u{77f}' | '\u{8a0}'..='\u{8c9}')
}

/// A mark above or below such a letter.
fn is_arabic_mark(c: char) -> bool {
    matches!(c, '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}')
}

/// A letter of the scripts of India and Sri Lanka.
fn is_indic(c: char) -> bool {
    matches!(c, '\u{900}'..='\u{dff}') && !is_virama(c)
}

/// A sign that removes the vowel from a letter of those and related scripts: canonical combining class 9, on the
/// first plane.
fn is_virama(c: char) -> bool {
    matches!(c,
        '\u{94d}' | '\u{9cd}' | '\u{a4d}' | '\u{acd}' | '\u{b4d}' | '\u{bcd}' | '\u{c4d}' | '\u{ccd}' | '\u{d3b}'..='\u{d3c}'
        | '\u{d4d}' | '\u{dca}' | '\u{e3a}' | '\u{eba}' | '\u{f84}' | '\u{1039}'..='\u{103a}' | '\u{1714}'..='\u{1715}'
        | '\u{1734}' | '\u{17d2}' | '\u{1a60}' | '\u{1b44}' | '\u{1baa}'..='\u{1bab}' | '\u{1bf2}'..='\u{1bf3}' | '\u{a806}'
        | '\u{a82c}' | '\u{a8c4}' | '\u{a953}' | '\u{a9c0}' | '\u{aaf6}' | '\u{abed}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The invisible characters of a text that do not belong to something visible.
    fn strays(text: &str) -> usize {
        text.char_indices().filter(|(at, c)| is_invisible(*c) && !is_part(text, *at, *c)).count()
    }

    #[test]
    fn emoji_and_scripts_that_need_them_keep_their_invisible_characters() {
        for text in [
            "❤️",
            "☎️ x",
            "👩‍💻",
            "👩🏽‍💻",
            "❤️‍🔥",
            "🏳️‍🌈",
            "👁️‍🗨️",
            "👨‍👩‍👧‍👦",
            "⛹🏽‍♀️",
            "🧑🏿‍🤝‍🧑🏻",
            "🐻‍❄️",
            "1️⃣#️⃣*️⃣",
            "©️",
            "🇩🇪",
            "می‌خواهم",
            "نامه‌ها",
            "کتابِ‌ما",
            "ه‍.ش",
            "क्‍ष",
            "ശ്‌",
            "ന്‍",
            "র‍্যাব",
            "ක්‍ෂ",
            "日本語 é ç",
        ] {
            assert_eq!(strays(text), 0, "{text}");
        }
    }

    #[test]
    fn elsewhere_they_are_strays_and_so_is_all_that_is_never_needed() {
        for (text, count) in [
            ("a\u{fe0f}", 1),
            ("\u{fe0f}", 1),
            ("❤\u{fe0f}\u{fe0f}", 1),
            ("1\u{fe0f}", 1),
            ("日\u{fe0f}", 1),
            ("❤\u{fe0e}", 1),
            ("a\u{200d}b", 1),
            ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} won", 0),
            ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}\u{e0067}", 1),
            ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}", 5),
            ("🏴x\u{e0067}", 1),
            ("👩\u{200d}", 1),
            ("👩\u{200d}\u{200d}💻", 2),
            ("👩\u{200d}x", 1),
            ("\u{200d}💻", 1),
            ("a\u{200c}b", 1),
            ("می\u{200c}\u{200c}خ", 2),
            ("می\u{200c} ", 1),
            ("क\u{200d}ष", 1),
            ("क्\u{200d}\u{200d}ष", 1),
        ] {
            assert_eq!(strays(text), count, "{text:?}");
        }
        for c in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{17b5}',
            '\u{180b}',
            '\u{180e}',
            '\u{180f}',
            '\u{200b}',
            '\u{200e}',
            '\u{202e}',
            '\u{2060}',
            '\u{2064}',
            '\u{206f}',
            '\u{2800}',
            '\u{3164}',
            '\u{fe00}',
            '\u{fe0e}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff0}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{fffc}',
            '\u{1bca0}',
            '\u{1d159}',
            '\u{1d173}',
            '\u{1d17a}',
            '\u{e0000}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{e01ef}',
            '\u{e0fff}',
            '\u{fdd0}',
            '\u{ffff}',
            '\u{10fffe}',
            '\u{f0000}',
            '\u{f1af1}',
            '\u{100000}',
            '\u{10fffd}',
        ] {
            assert_eq!(strays(&format!("❤{c}")), 1, "U+{:04X}", u32::from(c));
        }
        for c in [
            'a',
            ' ',
            '\u{a0}',
            '\u{3000}',
            '\u{301}',
            '\u{fffd}',
            '\u{e0b0}',
            '\u{f0001}',
            '\u{20e3}',
            '\u{1f3fb}',
        ] {
            assert!(!is_invisible(c), "U+{:04X}", u32::from(c));
        }
    }
}
