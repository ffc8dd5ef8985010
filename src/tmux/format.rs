//! Texts in tmux's formats. Pure.

use super::argument;

/// Whether a text can be an argument of a format as it is: nothing in it ends an argument or begins another format.
pub(super) fn is_literal(text: &str) -> bool {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '%' | '/' | '@' | '+' | ' ');
    text.chars().all(plain)
}

/// A format that expands to `text`. Each `#` is doubled, except before a `[`, where tmux leaves it as it is.
pub(super) fn escaped(text: &str) -> String {
    let mut format = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('#') {
        let (before, from) = rest.split_at(at);
        let after = from.trim_start_matches('#');
        let signs = &from[..from.len() - after.len()];
        format.push_str(before);
        format.push_str(signs);
        if !after.starts_with('[') {
            format.push_str(signs);
        }
        rest = after;
    }
    format + rest
}

/// The argument of a command that shows `text` on a status line. There `#[` begins a style and strftime reads `%`, so
/// each `#` and each `%` is doubled.
pub(super) fn message(text: &str) -> String {
    argument(&text.replace('#', "##").replace('%', "%%")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_no_format() {
        for (text, format) in
            [("/a b", "/a b"), ("/#{pane_id}##", "/##{pane_id}####"), ("/#[fg=red] ##[x", "/#[fg=red] ##[x")]
        {
            assert_eq!(escaped(text), format);
        }
    }

    #[test]
    fn text_that_a_format_could_misread_is_not_literal() {
        assert!(is_literal("node"));
        for bad in ["#{x}", "a,b", "a}", "#(id)", "a\"b"] {
            assert!(!is_literal(bad), "{bad}");
        }
    }

    #[test]
    fn a_message_has_no_style_no_time_and_no_second_command() {
        assert_eq!(message("#[fg=red]50 %H;"), "##[fg=red]50 %%H\\;");
    }
}
