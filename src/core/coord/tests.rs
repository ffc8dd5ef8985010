//! Rules for every document: an edit changes the given section, and not a byte of the others.

use super::document::slug;
use super::rows::MARK;
use super::*;
use crate::core::name::Name;

const NOW: u64 = 1_778_754_720_000; // 2026-05-14 10:32

fn text(text: &str) -> Text {
    Text::new(text).unwrap()
}

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn add(said: &str) -> CoordAction {
    CoordAction::Add { text: text(said), by: name("claude-1"), now_ms: NOW }
}

fn set(said: &str) -> CoordAction {
    CoordAction::Set { text: text(said), by: name("claude-1"), files: "src/a.rs".into(), now_ms: NOW }
}

fn done(matching: &str) -> CoordAction {
    CoordAction::Done { matching: matching.into() }
}

/// The document after a change that must be made.
fn after(document: &str, section: &str, action: &CoordAction) -> String {
    let change = change(document, section, action).unwrap_or_else(|why| panic!("{why}\n{document}"));
    change.text.unwrap_or_else(|| document.to_owned())
}

fn titles(document: &str) -> Vec<String> {
    Document::parse(document).sections.into_iter().map(|s| s.title).collect()
}

#[test]
fn headings_are_those_of_commonmark() {
    let document = "\u{feff}---\ntitle: x\n# no\n---\n# One\n\nTwo *words*\n===\n```\n# no\n```\n~~~~ md\n~~~\n# no\n~~~~\n\n    # no\n\n<!--\n# no\n-->\n\n> # no\n\n- # no\n\n  # no\n- ```\n  # no\n  ```\n\ntext\n\n   ### Three ###\n\\# no\n#no\n\nFour\n---\ntext\n";
    assert_eq!(titles(document), ["One", "Two words", "Three", "Four"]);
    assert_eq!(titles(&document.replace('\n', "\r\n")), ["One", "Two words", "Three", "Four"]);
    let lines: Vec<usize> = Document::parse(document).sections.iter().map(|s| s.line).collect();
    assert_eq!(lines, [5, 7, 34, 38]);
}

#[test]
fn a_heading_may_go_over_lines_and_a_table_in_an_item_is_a_part_of_it() {
    assert_eq!(titles("Two\nwords\n===\n\na\nb\n"), ["Two words"]);
    let table = "| Who | What |\n|--|--|\n| bob | b |\n";
    let document = format!("# G\n\n{table}\n- a\n\n  {}\n", table.trim_end().replace('\n', "\n  "));
    let document = Document::parse(&document);
    let tables = &document.sections[0].tables;
    assert_eq!((tables.len(), &tables[0].head[..]), (1, &["Who".to_owned(), "What".to_owned()][..]));
    let cells: Vec<&[String]> = tables[0].rows.iter().map(|r| &r.cells[..]).collect();
    assert_eq!(cells, [["bob", "b"]]);
}

#[test]
fn an_item_says_what_stands_before_the_lists_within_it() {
    let document = "# G\n\n1. [ ] a `b`\n   c\n   - [x] d\n     - e\n   - f\n\n   more\n\n   * g\n\n12) h\n";
    let document = Document::parse(document);
    let items = document.sections[0].lists.iter().flat_map(|l| &l.items);
    let told: Vec<_> = items.map(|i| (&*i.text, i.depth, i.line, i.task.as_ref().map(|(_, t)| *t))).collect();
    let expected = [
        ("a `b` c", 1, 3, Some(false)),
        ("d", 2, 5, Some(true)),
        ("e", 3, 6, None),
        ("f", 2, 7, None),
        ("g", 2, 11, None),
        ("h", 1, 13, None),
    ];
    assert_eq!(told, expected);
}

#[test]
fn an_unclosed_front_matter_is_none() {
    assert_eq!(titles("---\n\n# One\n"), ["One"]);
    assert_eq!(titles("---\na: b\n...\n# One\n"), ["One"]);
}

#[test]
fn sections_are_found_by_name_prefix_and_word() {
    let document = Document::parse(TEMPLATE);
    for (asked, title) in [
        ("goals", "Sprint Goals"),
        ("Sprint goals", "Sprint Goals"),
        ("current-work", "Current Work"),
        ("WORK", "Current Work"),
        ("blocked", "Blocked Items"),
        ("review", "Code Review Queue"),
        ("dec", "Decisions"),
    ] {
        assert_eq!(document.find(asked).unwrap().title, title, "{asked}");
    }
    let missing = document.find("nonsense").unwrap_err();
    assert!(missing.to_string().contains("Sprint Goals, Current Work, Blocked Items"), "{missing}");
    assert!(matches!(document.find("co"), Err(CoordRefusal::Unclear { .. })));
    assert!(matches!(document.find("—"), Err(CoordRefusal::Missing { .. })));
}

#[test]
fn a_heading_that_is_there_twice_is_refused_with_both_lines() {
    let document = "# A\n\n## Goals\n\n```\n## Goals\n```\n\n## goals!\n";
    let refused = change(document, "goals", &add("x")).unwrap_err();
    assert_eq!(refused, CoordRefusal::Duplicate { title: "Goals".into(), lines: vec![3, 9] });
    assert!(refused.to_string().contains("lines 3 and 9"));
}

#[test]
fn items_go_to_the_end_of_the_list_in_its_own_style() {
    for (before, written) in [
        ("# G\n\n- [x] a\n  more\n\n  still a\n\n## H\n", "- [ ] new (claude-1, 2026-05-14)\n"),
        ("# G\n* a\n\ntext\n", "* new (claude-1, 2026-05-14)\n"),
        ("# G\n3) a\n4) b\n", "5) new (claude-1, 2026-05-14)\n"),
        ("# G\n - a\n   - [ ] nested\n", " - new (claude-1, 2026-05-14)\n"),
        ("# G", "\n\n- [ ] new (claude-1, 2026-05-14)\n"),
        ("# G\n\n\n# H\n", "\n- [ ] new (claude-1, 2026-05-14)\n"),
        ("# G\n# H\n", "\n- [ ] new (claude-1, 2026-05-14)\n\n"),
        ("# G\ntext", "\n\n- [ ] new (claude-1, 2026-05-14)\n"),
        ("# G\n- [ ] a", "\n- [ ] new (claude-1, 2026-05-14)\n"),
        ("# G\r\n- [ ] a\r\n# H\r\n", "- [ ] new (claude-1, 2026-05-14)\r\n"),
        ("# G\n\n| Task | Who |\n|--|:-:|\n# H\n", "| new (2026-05-14) | claude-1 |\n"),
        ("# G\n\nTask | Note\n-|-\na | b", "\n| new (claude-1, 2026-05-14) |  |\n"),
    ] {
        let now = after(before, "g", &add("new"));
        assert_eq!(now.len(), before.len() + written.len(), "{before:?} → {now:?}");
        assert!(now.contains(written), "{before:?} → {now:?}");
    }
    assert!(after("# Decisions\n", "dec", &add("x")).ends_with("\n- x (claude-1, 2026-05-14)\n"));
}

#[test]
fn what_comes_last_in_a_section_is_added_to() {
    let (list, table) = ("- a\n", "| Task | Who |\n|--|--|\n| b | bob |\n");
    let row = "| b | bob |\n| new (2026-05-14) | claude-1 |\n";
    let item = "- a\n- new (claude-1, 2026-05-14)\n";
    for (before, now) in [
        (
            format!("# G\n\n{list}\n{table}"),
            format!("# G\n\n{list}\n{}", table.replace("| b | bob |\n", row)),
        ),
        (format!("# G\n\n{table}\n{list}"), format!("# G\n\n{table}\n{item}")),
        (format!("# G\n\n{list}\n***\n\n{list}"), format!("# G\n\n{list}\n***\n\n{item}")),
    ] {
        assert_eq!(after(&before, "g", &add("new")), now);
    }
}

#[test]
fn a_text_needs_a_place_more_than_anything_else_does() {
    for (head, action, row) in [
        ("| Who | Since |", add("new"), "| claude-1 | new (2026-05-14) |"),
        ("| Since | Who |", add("new"), "| 2026-05-14 | new (claude-1) |"),
        ("| Who |", add("new"), "| new (claude-1, 2026-05-14) |"),
        ("| Who | Files |", set("new"), "| claude-1 | new |"),
        ("| Files | When | Note | Owner |", set("new"), "| src/a.rs | 2026-05-14 10:32 | new | claude-1 |"),
    ] {
        let before = format!("# G\n\n{head}\n|{}\n", "--|".repeat(head.matches('|').count() - 1));
        assert_eq!(after(&before, "g", &action), format!("{before}{row}\n"));
    }
}

#[test]
fn the_whole_text_of_an_item_means_that_item() {
    for other in ["fix it", "fix (odd) (a, 2026-01-01)", "fix it (a, 2026-01-01)", "fixes"] {
        let before = format!("# G\n- [ ] {other}\n- [ ] fix (a, 2026-01-01)\n");
        let now = after(&before, "g", &done("fix"));
        assert_eq!(now, before.replace("- [ ] fix (a,", "- [x] fix (a,"));
    }
}

#[test]
fn what_is_in_a_section_is_replaced_and_told() {
    for (before, now, was) in [
        ("# G\n\nold\n\n# H\n", "# G\n\nnew\n\n# H\n", Some("old")),
        ("# G\n\nold\n- a\n", "# G\n\nnew\n", Some("old\n- a")),
        ("# G\n# H\n", "# G\n\nnew\n\n# H\n", None),
        ("# G", "# G\n\nnew\n", None),
        // A table with a column for agents has a row for each, in any section.
        (
            "# G\n| Who | What |\n|--|--|\n| bob | b |\n",
            "# G\n| Who | What |\n|--|--|\n| bob | b |\n| claude-1 | new |\n",
            None,
        ),
        (
            "# G\n| Who | What |\n|--|--|\n| @claude-1 | b |\n",
            "# G\n| Who | What |\n|--|--|\n| claude-1 | new |\n",
            Some("| @claude-1 | b |"),
        ),
    ] {
        let change = change(before, "g", &set("new")).unwrap();
        assert_eq!(
            (change.section.as_str(), change.text.as_deref(), change.was.as_deref()),
            ("G", Some(now), was)
        );
        assert!(change.line.contains("new"), "{}", change.line);
    }
}

#[test]
fn a_change_is_told_by_its_line() {
    let document = "# G\n\n - [ ] a\n   more\n\n| A |\n|--|\n| r |\n";
    for (action, line, was) in [
        (add("new"), "| new (claude-1, 2026-05-14) |", None),
        (done("a more"), "- [x] a", Some("[ ]")),
        (done("r"), "| r |", Some("| r |")),
    ] {
        let change = change(document, "g", &action).unwrap();
        assert_eq!((change.line.as_str(), change.was.as_deref()), (line, was));
    }
    let again = change("# G\n- [x] a\n", "g", &done("A")).unwrap();
    assert_eq!((again.line.as_str(), again.was, again.text), ("A", None, None));
}

#[test]
fn a_text_that_would_reach_beyond_its_section_is_refused() {
    let document = "# A\n\n## G\n\ntext\n\n## H\n\n- x\n";
    for bad in ["# B", "```", "<!-- open", "~~~"] {
        let refused = change(document, "g", &set(bad));
        assert!(matches!(refused, Err(CoordRefusal::Structure { .. })), "{bad}: {refused:?}");
        // At the end of the document there is nothing yet that it could remove.
        assert!(change("# G\n", "g", &set(bad)).is_err(), "{bad}");
        let now = after(document, "g", &add(bad));
        assert_eq!(titles(&now), ["A", "G", "H"]);
    }
    let open = "# G\n\n```\ncode\n";
    assert!(matches!(change(open, "g", &add("x")), Err(CoordRefusal::Structure { .. })));
}

#[test]
fn a_text_that_would_change_what_another_heading_says_is_refused() {
    for document in ["# [a]\n\n## G\n\nold\n", "## G\n\nold\n\n# See [a]\n"] {
        let refused = change(document, "g", &set("[a]: /where"));
        assert!(matches!(refused, Err(CoordRefusal::Structure { .. })), "{refused:?}");
        assert!(change(document, "g", &set("[b]: /where")).is_ok());
    }
}

#[test]
fn an_item_is_ticked_and_a_plain_one_or_a_row_is_removed() {
    let document = "# G\n\n- [ ] fix the parser (a, 2026-01-01)\n- [ ] fix the parser tests (b, 2026-01-02)\n- [x] old thing\n- plain\n  with more\n\n| A | B |\n|---|---|\n| p-1 | q\\|r |\n| p-10 | s |\n\n# H\n\n- plain\n";
    let ticked = after(document, "g", &done("Fix the  PARSER"));
    assert_eq!(ticked, document.replace("- [ ] fix the parser (a", "- [x] fix the parser (a"));
    assert_eq!(
        after(document, "g", &done("tests")),
        document.replace("- [ ] fix the parser tests", "- [x] fix the parser tests")
    );
    assert_eq!(after(document, "g", &done("with more")), document.replacen("- plain\n  with more\n", "", 1));
    assert_eq!(after(document, "g", &done("p-1")), document.replace("| p-1 | q\\|r |\n", ""));
    let several = change(document, "g", &done("fix")).unwrap_err();
    assert!(several.to_string().contains("line 3: fix the parser (a"), "{several}");
    assert!(several.to_string().contains("line 4: "), "{several}");
    assert_eq!(change(document, "g", &done("old")).unwrap().text, None);
    let none = change(document, "g", &done("nothing")).unwrap_err();
    assert!(none.to_string().contains("fix the parser tests"), "{none}");
    assert!(change(document, "g", &done(" ")).is_err());
}

#[test]
fn a_lone_carriage_return_is_refused_and_its_line_told() {
    let text = "# One\n\n# Two\r# Three\n- [ ] a\n";
    assert_eq!(Document::parse(text).sections.len(), 3);
    let action = CoordAction::Done { matching: "a".into() };
    assert_eq!(change(text, "three", &action), Err(CoordRefusal::LineEnd { line: 3 }));
    assert!(change(&text.replace('\r', "\r\n"), "three", &action).is_ok());
}

#[test]
fn everybody_has_one_row_of_current_work() {
    let one = after(TEMPLATE, "work", &set("a | b"));
    assert!(
        one.contains("|---|---|---|---|\n| claude-1 | a \\| b | src/a.rs | 2026-05-14 10:32 |\n\n## Blocked"),
        "{one}"
    );
    let other =
        CoordAction::Set { text: text("other"), by: name("codex-1"), files: String::new(), now_ms: NOW };
    let both = after(&one, "work", &other);
    let again = after(&both, "work", &set("later"));
    assert!(
        again.contains("| claude-1 | later | src/a.rs | 2026-05-14 10:32 |\n| codex-1 | other |  |"),
        "{again}"
    );
    assert_eq!(after(&again, "work", &done("codex-1")).matches("codex-1").count(), 0);
    // A section without the table gets one, and keeps its text.
    let bare = after("# Current Work\n\nnotes\n\n# H\n", "work", &set("x"));
    assert!(
        bare.starts_with(
            "# Current Work\n\nnotes\n\n| Agent | Task | Files | Since |\n|---|---|---|---|\n| claude-1 | x |"
        ),
        "{bare}"
    );
    assert!(bare.ends_with("|\n\n# H\n"), "{bare}");
    // Columns that swarm does not know stay as they are.
    let own = "# Current Work\n\n| Task | Who | ETA |\n|--|--|--|\n| old | `claude-1` | noon |";
    assert_eq!(
        after(own, "work", &set("new")),
        own.replace("| old | `claude-1` | noon |", "| new | claude-1 | noon |")
    );
}

#[test]
fn any_text_is_one_cell_of_one_row() {
    for said in ["|", "\\|", "a\\\\|b\\", "`x|y`", "*", "<b>", "---", "[x](y|z)", "\\"] {
        let now = after(TEMPLATE, "work", &set(said));
        let document = Document::parse(&now);
        let row = &document.find("work").unwrap().tables[0].rows[0];
        assert_eq!(row.cells.len(), 4, "{said}");
        assert_eq!(row.cells[3], "2026-05-14 10:32", "{said}");
        // A written row can be replaced.
        assert_eq!(after(&now, "work", &set("x")).lines().count(), now.lines().count());
    }
}

#[test]
fn rows_follow_leases_and_leave_peoples_rows_alone() {
    let wanted = |files: &[(&str, &str)]| -> Vec<AutoRow> {
        let row = |(agent, files): &(&str, &str)| AutoRow {
            agent: name(agent),
            task: None,
            files: (*files).into(),
        };
        files.iter().map(row).collect()
    };
    let own = after(TEMPLATE, "work", &set("my own words"));
    let with = |document: &str, files: &[(&str, &str)]| {
        auto_rows(document, &wanted(files), "2026-05-14 11:00").unwrap()
    };
    let two = with(&own, &[("claude-1", "x"), ("codex-1", "src/"), ("codex-2", "a|b")]).unwrap();
    assert!(two.contains("| claude-1 | my own words |"), "{two}");
    assert!(
        two.contains(&format!("| codex-1 | edits these files {MARK} | src/ | 2026-05-14 11:00 |\n")),
        "{two}"
    );
    assert_eq!(with(&two, &[("codex-1", "src/"), ("codex-2", "a|b")]), None);
    let changed = with(&two, &[("codex-1", "docs/")]).unwrap();
    assert!(changed.contains(&format!("| codex-1 | edits these files {MARK} | docs/ |")), "{changed}");
    assert!(!changed.contains("codex-2"), "{changed}");
    assert_eq!(with(&changed, &[]).unwrap(), own);
    // A row belongs to the agent that has taken it over.
    let taken =
        CoordAction::Set { text: text("mine"), by: name("codex-1"), files: String::new(), now_ms: NOW };
    assert_eq!(with(&after(&changed, "work", &taken), &[]), None);
    assert_eq!(with("# G\n", &[("codex-1", "x")]), None);
}

/// A fixed sequence of numbers without a pattern.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }
}

/// Blocks that do not affect the text after them.
const BLOCKS: [&str; 17] = [
    "plain text\nand more",
    "- [ ] open thing\n- [x] ticked thing",
    "* star\n  * nested\n    deeper text",
    "7. seven\n8. eight",
    "- item\n\n  # within an item\n\n  ```\n  ## Part 2\n  ```",
    "```\n## Part 1\n\n# Part 3\n```",
    "````md\n```\n## Part 1\n```\n````",
    "~~~\n```\n# Part 2\n~~~",
    "para\n\n    # Part 1\n    ## Part 2",
    "<!--\n## Part 1\n-->",
    "<div>\n# Part 2\n</div>",
    "> # Part 1\n> - [ ] quoted",
    "| Agent | Task | Files | Since |\n|---|---|---|---|\n| claude-1 | x | y | z |",
    "Name | Note\n--|--\na | b \\| c",
    "***",
    "\\# Part 1\n#Part 2",
    "wide: 日本語 👩‍💻 ß  \ntwo spaces before",
];

/// A document, and the known beginnings of its sections.
fn document(random: &mut Random) -> (String, Vec<usize>) {
    let mut text = String::new();
    let mut starts = Vec::new();
    if random.below(3) == 0 {
        text.push_str("---\ntitle: \"# Part 1\"\n# Part 2\n---\n");
    }
    for part in 0..=random.below(4) {
        starts.push(text.lines().count());
        text.push_str(&match random.below(4) {
            0 => format!("Part {part}\n======\n"),
            1 => format!("Part **{part}**\n---\n"),
            2 => format!(" ### Part {part} ##\n"),
            _ => format!("# Part {part}\n"),
        });
        for _ in 0..random.below(4) {
            text.push_str(&"\n".repeat(1 + random.below(2)));
            text.push_str(BLOCKS[random.below(BLOCKS.len())]);
            text.push('\n');
        }
        text.push_str(&"\n".repeat(1 + random.below(2)));
    }
    if random.below(3) == 0 {
        text.truncate(text.trim_end().len());
    }
    let crlf = random.below(2) == 0;
    if crlf {
        text = text.replace('\n', "\r\n");
    }
    let mut at: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
    at.push(text.len());
    let mut starts: Vec<usize> = starts.into_iter().map(|line| at[line]).collect();
    if random.below(3) == 0 {
        text.insert(0, '\u{feff}');
        starts.iter_mut().skip_while(|s| **s == 0).for_each(|s| *s += 3);
    }
    (text, starts)
}

#[test]
fn an_edit_of_any_document_changes_the_asked_section_only() {
    let mut random = Random(7);
    let (mut changed, mut refused) = (0, 0);
    for _ in 0..3000 {
        let (document, starts) = document(&mut random);
        let found = Document::parse(&document);
        assert_eq!(found.sections.len(), starts.len(), "{document}");
        let part = random.below(starts.len());
        let action = match random.below(4) {
            0 => set("all | new"),
            1 => done(["open thing", "nested", "eight", "claude-1", "item", "quoted", "b"][random.below(7)]),
            _ => add(["one | more", "# [ ] `x`", "日本語 \\"][random.below(3)]),
        };
        match change(&document, &format!("part {part}"), &action) {
            Ok(Change { text: Some(now), .. }) => {
                changed += 1;
                let end = starts.get(part + 1).copied().unwrap_or(document.len());
                let (before, behind) = (&document[..starts[part]], &document[end..]);
                assert!(now.starts_with(before) && now.ends_with(behind), "{document}\n→\n{now}");
                assert!(now.len() >= before.len() + behind.len());
                let titles = |d: &Document| d.sections.iter().map(|s| slug(&s.title)).collect::<Vec<_>>();
                assert_eq!(titles(&Document::parse(&now)), titles(&found), "{document}\n→\n{now}");
                let inside = &now[before.len()..now.len() - behind.len()];
                let lone = |t: &str| t.replace("\r\n", "").contains('\n');
                assert!(!document.contains("\r\n") || !lone(inside), "{document:?}\n→\n{now:?}");
                if matches!(action, CoordAction::Add { .. }) {
                    let kept = document[starts[part]..end].lines().all(|line| inside.contains(line));
                    assert!(kept, "{document}\n→\n{now}");
                }
            }
            Ok(_) => {}
            Err(CoordRefusal::NoItem { .. } | CoordRefusal::SeveralItems { .. }) => refused += 1,
            Err(why) => panic!("{why}\n{document}"),
        }
    }
    assert!(changed > 1500 && refused > 100, "{changed} {refused}");
}
