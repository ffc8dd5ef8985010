//! Changes one setting in the text of a file, and keeps all comments and the order of everything else.

use super::key::Key;
use super::value::Value;
use toml_edit::{Document, DocumentMut, Item, TableLike};

pub fn set(text: &str, key: Key, value: &Value) -> Result<String, String> {
    let spec = key.spec();
    let (table, leaf) = parts(spec.name);
    let mut document: DocumentMut = text.parse().map_err(|_| "it is not TOML".to_owned())?;
    let inside = document.entry(table).or_insert_with(toml_edit::table);
    let inside = inside.as_table_like_mut().ok_or_else(|| format!("{table} is not a table in it"))?;
    let mut new = spec.kind.toml(value);
    match inside.get_mut(leaf) {
        Some(Item::Value(old)) => {
            // The comment after it belongs to the line.
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        _ => {
            inside.insert(leaf, Item::Value(new));
        }
    }
    Ok(document.to_string())
}

/// The text without the setting `name`; `None` if it is not there. Its line is removed, and comments above it stay.
pub fn unset(text: &str, name: &str) -> Result<Option<String>, String> {
    let document = Document::parse(text).map_err(|_| "it is not TOML".to_owned())?;
    let (table, leaf) = parts(name);
    let inside = if table.is_empty() { Some(document.as_table() as &dyn TableLike) } else { None };
    let outer = document.get(table);
    let Some(inside) = inside.or_else(|| outer.and_then(Item::as_table_like)) else { return Ok(None) };
    let Some((key, item)) = inside.get_key_value(leaf) else { return Ok(None) };
    let inline = outer.is_some_and(Item::is_inline_table);
    let (Some(from), Some(to), false) = (key.span(), item.span(), inline || !item.is_value()) else {
        return Ok(Some(removed(text, table, leaf)?));
    };
    let begin = text[..from.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[to.end..].find('\n').map_or(text.len(), |at| to.end + at + 1);
    let mut rest = text[..begin].to_owned();
    rest.push_str(&text[end..]);
    Ok(Some(without_header(&rest, table)))
}

/// Removes a setting that does not have a line of its own.
fn removed(text: &str, table: &str, leaf: &str) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|_| "it is not TOML".to_owned())?;
    if table.is_empty() {
        document.remove(leaf);
    } else if let Some(inside) = document.get_mut(table).and_then(Item::as_table_like_mut) {
        inside.remove(leaf);
        if inside.is_empty() {
            document.remove(table);
        }
    }
    Ok(document.to_string())
}

/// The text without the header of `table` if nothing stands below it any more, not even a comment.
fn without_header(text: &str, table: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let Some(at) = lines.iter().position(|line| line.trim() == format!("[{table}]")) else {
        return text.to_owned();
    };
    let below = lines[at + 1..].iter().take_while(|line| !line.trim_start().starts_with('['));
    if below.clone().any(|line| !line.trim().is_empty()) {
        return text.to_owned();
    }
    let gap = below.count();
    lines.iter().enumerate().filter(|(n, _)| !(at..=at + gap).contains(n)).map(|(_, line)| *line).collect()
}

fn parts(name: &str) -> (&str, &str) {
    name.split_once('.').unwrap_or(("", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# mine\n\n[lease]\n# long\nttl = \"1h\" # an hour\n\n[rate] # here\ncount = 5\nwindow = 30\n";

    #[test]
    fn a_change_keeps_every_comment_and_the_order() {
        let hour = set(TEXT, Key::LeaseTtl, &Value::Number(7_200_000)).unwrap();
        assert_eq!(hour, TEXT.replace("\"1h\"", "\"2h\""));
        let new = set(TEXT, Key::Enforce, &Value::Word("warn")).unwrap();
        assert_eq!(new, format!("{TEXT}\n[hooks]\nenforce = \"warn\"\n"));
        let beside = set("rate = { count = 5 } # x\n", Key::RateWindow, &Value::Number(2000)).unwrap();
        assert_eq!(beside, "rate = { count = 5 , window = \"2s\" } # x\n");
        assert_eq!(set("", Key::RateCount, &Value::Number(3)).unwrap(), "[rate]\ncount = 3\n");
    }

    #[test]
    fn taking_out_a_setting_takes_its_line_and_an_empty_table() {
        let less = unset(TEXT, "rate.count").unwrap().unwrap();
        assert_eq!(less, TEXT.replace("count = 5\n", ""));
        let commented = unset(TEXT, "lease.ttl").unwrap().unwrap();
        assert_eq!(commented, TEXT.replace("ttl = \"1h\" # an hour\n", ""));
        assert_eq!(unset("[rate]\ncount = 5\n\n[ack]\n", "rate.count").unwrap().unwrap(), "[ack]\n");
        assert_eq!(
            unset("rate.count = 5\nack.waits = 1\n", "rate.count").unwrap().unwrap(),
            "ack.waits = 1\n"
        );
        assert_eq!(unset("rate = { count = 5 }\n", "rate.count").unwrap().unwrap(), "");
        assert_eq!(unset(TEXT, "ack.waits").unwrap(), None);
        assert_eq!(unset("x = 1\n", "x").unwrap().unwrap(), "");
    }

    #[test]
    fn what_shares_its_line_or_its_table_stays() {
        for (text, name, rest) in [
            ("rate = { count = 5, window = 30 }\n", "rate.count", "rate = { window = 30 }\n"),
            ("[rate]\ncount = 5\n# mine\n", "rate.count", "[rate]\n# mine\n"),
            ("[rate]\ncount = 5\nwindow = 3\n[ack]\n", "rate.count", "[rate]\nwindow = 3\n[ack]\n"),
            ("[ack]\n[rate]\ncount = 5", "rate.count", "[ack]\n"),
            ("[ack]\nwaits = 1\n\n[rate]\ncount = 5\n", "rate.count", "[ack]\nwaits = 1\n\n"),
            ("[rate.count]\nx = 1\n[ack]\n", "rate.count", "[ack]\n"),
            ("[ack]\nwaits = [\n  1,\n  2,\n] # two\n# mine\n", "ack.waits", "[ack]\n# mine\n"),
        ] {
            assert_eq!(unset(text, name).unwrap().as_deref(), Some(rest), "{text}");
        }
        assert!(unset("x = = 1", "x").is_err() && set("x = = 1", Key::RateCount, &Value::Number(1)).is_err());
        assert!(
            set("rate = 1\n", Key::RateCount, &Value::Number(1)).unwrap_err().contains("rate is not a table")
        );
    }
}
