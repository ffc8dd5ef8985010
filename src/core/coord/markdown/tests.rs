//! The blocks are those that pulldown-cmark finds. It is the reader for tests only: with its table of two thousand names of characters it
//! was a thirtieth of the program.

use super::{Block, DEEPEST, blocks};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::fmt::Write as _;
use std::ops::Range;

/// One of everything. Each line may stand beside each other one.
const LINES: [&str; 57] = [
    "# One",
    "## Two *and* `a b` ##",
    "###### [six](http://a.b \"t\") ![x](y)",
    "#no",
    "text",
    "more _text_ with \\* and &amp;",
    "Two words",
    "===",
    "---",
    "***",
    "- - -",
    "",
    "",
    "  ",
    "- a",
    "- [ ] open `box`",
    "- [x] ticked",
    "* [X] another sign",
    "+ plus",
    "1. first",
    "2) second",
    "10. ten",
    "  below",
    "   - deeper",
    "      1. deepest",
    "    indented",
    "\ttab",
    "- \ttab behind",
    "> quote",
    "> - item in a quote",
    "> # heading in a quote",
    "- > quote in an item",
    ">",
    "```",
    "~~~ md",
    "  ```",
    "<div>",
    "</div>",
    "<!-- comment",
    "-->",
    "<!-- whole -->",
    "<pre>",
    "</pre>",
    "<b>",
    "<b> text",
    "<?x",
    "?>",
    "| a | b |",
    "|--|:-:|",
    "| c \\| d | e | f |",
    "a | b",
    "-|-",
    "'title'",
    "[label]",
    "# a [label] and [other][label]",
    "**strong** and ***both*** and __u__ a_b_c * d",
    "<http://a.b> <i>x</i> &#65; ``c`d``",
];

/// What a document may begin with. (pulldown-cmark adds a definition to the list before it.)
const DEFINITIONS: [&str; 6] = [
    "",
    "[label]: http://a.b\n",
    "[Label]:\n<x> 'title'\n",
    "[label]: x\n'title\nof two lines'\n\n",
    "[label]: x 'none' y\n",
    "[label]: a\n[other]: b (c)\n",
];

#[test]
fn every_document_has_the_blocks_that_commonmark_finds_in_it() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for _ in 0..6_000 {
        let mut text = DEFINITIONS[random(DEFINITIONS.len())].to_owned();
        for _ in 0..=random(9) {
            let indent = if random(5) == 0 { "  " } else { "" };
            writeln!(text, "{indent}{}", LINES[random(LINES.len())]).unwrap();
        }
        assert_eq!(found(&text, blocks(&text, 0)), found(&text, by_commonmark(&text)), "{text}");
    }
}

/// What is compared: what is found, and the whole lines that it is on, without blank ones at the end.
fn found(text: &str, blocks: Vec<(Block, Range<usize>)>) -> Vec<String> {
    let lines = |at: Range<usize>| {
        let last = at.start + text[at.clone()].trim_end().len();
        let number = |at: usize| text[..at].matches('\n').count();
        (number(at.start), number(last))
    };
    blocks.into_iter().map(|(block, at)| format!("{block:?} {:?}", lines(at))).collect()
}

fn by_commonmark(text: &str) -> Vec<(Block, Range<usize>)> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    let mut found: Vec<(Block, Range<usize>)> = Vec::new();
    let (mut quotes, mut depth, mut in_heading) = (0, 0, false);
    for (event, at) in Parser::new_ext(text, options).into_offset_iter() {
        match event {
            Event::Start(Tag::BlockQuote(_)) => quotes += 1,
            Event::End(TagEnd::BlockQuote(_)) => quotes -= 1,
            _ if quotes > 0 => {}
            Event::Start(Tag::Heading { level, .. }) if depth == 0 => {
                in_heading = true;
                found.push((Block::Heading(String::new(), level as u8), at));
            }
            Event::End(TagEnd::Heading(_)) if in_heading => {
                in_heading = false;
                if let Some((Block::Heading(words, _), _)) = found.last_mut() {
                    *words = words.trim().to_owned();
                }
            }
            Event::Text(part) | Event::Code(part) if in_heading => say(&mut found, &part),
            Event::SoftBreak | Event::HardBreak if in_heading => say(&mut found, " "),
            Event::Start(Tag::List(first)) => {
                depth += 1;
                found.push((Block::List(first), at));
            }
            Event::End(TagEnd::List(_)) => {
                depth -= 1;
                found.push((Block::ListEnd, at.end..at.end));
            }
            Event::Start(Tag::Item) => found.push((Block::Item, at)),
            Event::TaskListMarker(ticked) => found.push((Block::Task(ticked), at)),
            Event::Start(Tag::Table(_)) if depth == 0 => found.push((Block::Table(Vec::new()), at)),
            Event::Start(Tag::TableRow) if depth == 0 => found.push((Block::Row(Vec::new()), at)),
            Event::Start(Tag::TableCell) if depth == 0 => {
                if let Some((Block::Table(cells) | Block::Row(cells), _)) = found.last_mut() {
                    cells.push(text[at].trim().to_owned());
                }
            }
            _ => {}
        }
    }
    found
}

fn say(found: &mut [(Block, Range<usize>)], words: &str) {
    if let Some((Block::Heading(title, _), _)) = found.last_mut() {
        title.push_str(words);
    }
}

/// Documents that are made to take long are read as fast as others of their length: each line has a bounded number of open blocks, and each
/// heading a bounded number of marks.
#[test]
fn what_is_deep_or_long_is_text() {
    let deep = format!("{}x", "- ".repeat(20_000));
    let count = |text: &str, wanted: fn(&Block) -> bool| {
        blocks(text, 0).iter().filter(|(block, _)| wanted(block)).count()
    };
    assert_eq!(count(&deep, |block| matches!(block, Block::Item)), DEEPEST.div_ceil(2));
    let long = format!("# {}", "!".repeat(100_000));
    assert_eq!(count(&long, |block| matches!(block, Block::Heading(words, 1) if words.len() == 100_000)), 1);
    assert!(blocks(&">".repeat(100_000), 0).is_empty());
}
