use super::*;

/// A composer between lines, with more rules in TOML.
fn boxed(more: &str) -> Profile {
    let text = format!(
        "kind = 'x'\ntitle = 'X'\n[screen]\ntop = '^---'\nbottom = '^---'\nprompt = '^> '\ncontinuation = '^  '\nbelow = 3\n{more}"
    );
    Profile::parse(&text, "x.toml").unwrap()
}

/// The reading of a screen whose cursor is in the cell marked with `_`, which is blank.
fn at(profile: &Profile, screen: &str) -> Reading {
    let (row, line) = screen.lines().enumerate().find(|(_, line)| line.contains('_')).unwrap();
    let column = line.chars().take_while(|c| *c != '_').count();
    looked(profile, &screen.replace('_', " "), (u16::try_from(column).unwrap(), u16::try_from(row).unwrap()))
}

fn looked(profile: &Profile, screen: &str, (cursor_x, cursor_y): (u16, u16)) -> Reading {
    let title = String::new();
    let facts =
        PaneFacts { title, cursor_x, cursor_y, width: 80, height: 24, in_mode: false, alternate: false };
    read(profile, &Screen::parse(screen), &facts)
}

fn state(profile: &Profile, screen: &str) -> Status {
    at(profile, screen).state
}

#[test]
fn an_empty_composer_in_a_mode_is_not_idle_whoever_named_it() {
    let plain = boxed("");
    assert_eq!(state(&plain, "---\n> _\n---\n"), Status::Idle);
    assert_eq!(state(&plain, "---\n> _\n---\n  -- INSERT -- help"), Status::Idle);
    for (row, said) in [
        ("-- NORMAL --", "its composer is in NORMAL mode"),
        ("  -- VISUAL LINE -- more", "its composer is in VISUAL LINE mode"),
        ("  -- V-LINE --", "its composer is in V-LINE mode"),
        ("-- REPLACE --", "its composer is in REPLACE mode"),
        ("-- TERMINAL --", "its composer is in TERMINAL mode"),
    ] {
        let got = at(&plain, &format!("---\n> _\n---\n{row}"));
        assert_eq!((got.state, &*got.open.unwrap().to_string()), (Status::Overlay, said));
    }
    // A text that only mentions a mode.
    assert_eq!(state(&plain, "-- NORMAL --\n---\n> _\n---\nsee -- NORMAL --"), Status::Idle);
}

#[test]
fn without_the_sign_of_the_ordinary_mode_nothing_is_idle() {
    let profile = boxed("ordinary = ['^agent: ']\n");
    assert_eq!(state(&profile, "---\n> _\n---\nagent: build"), Status::Idle);
    for footer in ["", "shell", "what: agent: build"] {
        assert_eq!(
            state(&profile, &format!("agent: old\n---\n> _\n---\n{footer}")),
            Status::Unknown,
            "{footer}"
        );
    }
}

#[test]
fn each_sign_of_a_mode_is_looked_for_in_its_place_and_all_lists_of_it_must_show() {
    for (keys, screen, shows) in [
        ("prompt = ['^! ']", "---\n! _\n---\n", true),
        ("prompt = ['^! ']", "! \n---\n> _\n---\n! ", false),
        ("above = ['^shell']", "shell on\n---\n> _\n---\n", true),
        ("above = ['^shell']", "---\n> _\n---\nshell on", false),
        ("footer = ['^shell']", "---\n> _\n---\nshell", true),
        ("footer = ['^shell']", "shell\n---\n> _\n---\n", false),
        ("footer = ['^shell']\nabove = ['^on']", "on\n---\n> _\n---\nshell", true),
        ("footer = ['^shell']\nabove = ['^on']", "---\n> _\n---\nshell", false),
        ("footer = ['^shell']\nunless = ['off']", "---\n> _\n---\nshell off", false),
        // A transcript may hold anything: beside a composer, such a row needs another sign.
        ("rows = ['^shell']", "shell\n---\n> _\n---\n", false),
        ("rows = ['^shell']", "shell\n_", true),
    ] {
        let profile = boxed(&format!("[[screen.open]]\nname = 'shell mode'\nis = 'mode'\n{keys}\n"));
        let got = at(&profile, screen);
        assert_eq!(got.open.is_some(), shows, "{keys} {screen}");
        assert_eq!(got.state == Status::Overlay, shows, "{keys} {screen}");
    }
}

#[test]
fn a_name_may_hold_what_the_pattern_found_and_a_dialog_with_a_name_needs_a_person() {
    let profile = boxed(
        "[[screen.open]]\nname = 'vim $1 mode'\nis = 'mode'\nfooter = ['vim: (\\w+)']\n[[screen.open]]\nname = 'the trust question'\nis = 'dialog'\nrows = ['^Do you trust']\n",
    );
    let got = at(&profile, "---\n> _\n---\nvim: visual");
    assert_eq!(got.open.unwrap().to_string(), "its composer is in vim visual mode");
    let got = at(&profile, "Do you trust this?\n_");
    assert_eq!(
        (got.state, &*got.open.unwrap().to_string()),
        (Status::Dialog, "it waits for an answer: the trust question")
    );
}

#[test]
fn a_name_without_a_sign_is_refused() {
    let text = "kind = 'x'\ntitle = 'X'\n[screen]\nprompt = '^> '\ncontinuation = '^  '\nbelow = 0\n[[screen.open]]\nname = 'nothing'\nis = 'mode'\n";
    let error = Profile::parse(text, "x.toml").unwrap_err().to_string();
    assert!(error.contains("x.toml") && error.contains("'nothing'"), "{error}");
}

#[test]
fn a_text_of_the_composer_is_never_its_mode() {
    let profile = boxed(
        "[[screen.open]]\nname = 'shell mode'\nis = 'mode'\nfooter = ['shell']\n[[screen.open]]\nname = 'x'\nis = 'mode'\nrows = ['shell']\nfooter = ['shell']\n",
    );
    let got = at(&profile, "---\n> a shell\n  -- VISUAL -- shell_\n---\n");
    assert_eq!((got.state, got.open), (Status::Draft, None));
}

#[test]
fn a_composer_that_holds_an_empty_line_holds_a_draft() {
    let profile = boxed("");
    assert_eq!(state(&profile, "---\n> _\n\n---\n"), Status::Draft);
    assert_eq!(state(&profile, "---\n> \n  _\n---\n"), Status::Draft);
    // Rows around the text do not belong to it, as many as the profile says.
    let padded = boxed("footer_rows = 1\npadding = 1\n").screen;
    let padded = Profile {
        screen: ScreenRules {
            prompt: "^\\| ".to_owned().into(),
            continuation: "^\\| ".to_owned().into(),
            ..padded
        },
        ..boxed("")
    };
    assert_eq!(state(&padded, "---\n| \n| _\n| \n| model\n---\n"), Status::Idle);
    assert_eq!(state(&padded, "---\n| \n| _\n| \n| \n| model\n---\n"), Status::Draft);
    // An agent that always shows a placeholder: without one, it holds blanks.
    let always = boxed("placeholder_always = true\n");
    assert_eq!(state(&always, "---\n> _\n---\n"), Status::Draft);
    assert_eq!(
        state(&always, "---\n>_\x1b[2m Ask me\x1b[0m\n---\n".replace(">_", "> _").as_str()),
        Status::Idle
    );
}

#[test]
fn a_suggestion_is_known_by_its_cells_wherever_the_cursor_is_drawn() {
    let profile = boxed("");
    for (row, expected) in [
        ("\x1b[2mAsk me\x1b[0m", Status::Idle),
        ("\x1b[7mA\x1b[0;2msk me\x1b[0m", Status::Idle),
        ("\x1b[7m \x1b[0;2mAsk me\x1b[0m", Status::Idle),
        // A character that a person typed, with the cursor on it, and a text whose end alone is a suggestion.
        ("\x1b[7mA\x1b[0m", Status::Draft),
        ("\x1b[7mA\x1b[0msk \x1b[2mme\x1b[0m", Status::Draft),
        ("Ask \x1b[2mme\x1b[0m", Status::Draft),
    ] {
        assert_eq!(looked(&profile, &format!("---\n> {row}\n---\n"), (2, 1)).state, expected, "{row:?}");
    }
    let wrapped = "---\n> \x1b[2mAsk me or\x1b[0m\n  \x1b[2msomebody\x1b[0m\n---\n";
    assert_eq!(looked(&profile, wrapped, (2, 1)).state, Status::Idle);
    let named = boxed("placeholders = ['^Ask me or somebody$']\n");
    assert_eq!(looked(&named, "---\n> Ask me or\n  somebody\n---\n", (2, 1)).state, Status::Idle);
    assert_eq!(looked(&named, "---\n> Ask me or\n  somebody\n---\n", (3, 1)).state, Status::Draft);
}

#[test]
fn a_suggestion_may_be_known_by_its_colour() {
    let profile = boxed("ghost = ['#6c7086', 'colour244']\n");
    let grey = "\x1b[38;2;108;112;134m";
    for (row, expected) in [
        (format!("{grey}go on\x1b[39m"), Status::Idle),
        (format!("\x1b[4mg\x1b[0m{grey}o on\x1b[39m"), Status::Idle),
        ("\x1b[7mg\x1b[0;38;5;244mo on\x1b[39m".to_owned(), Status::Idle),
        // A text, one that ends in a suggestion, one of another colour, and one letter with the cursor on it.
        ("go on".to_owned(), Status::Draft),
        (format!("\x1b[4mg\x1b[0mo {grey}on\x1b[39m"), Status::Draft),
        ("\x1b[4mg\x1b[0;38;5;60mo on\x1b[39m".to_owned(), Status::Draft),
        ("\x1b[4mg\x1b[0m".to_owned(), Status::Draft),
    ] {
        assert_eq!(looked(&profile, &format!("---\n> {row}\n---\n"), (2, 1)).state, expected, "{row:?}");
    }
    let bad = Profile::parse(
        "kind='x'\n[screen]\nprompt='^> '\ncontinuation='^  '\nbelow=0\nghost=['grey']\n",
        "x",
    );
    assert!(bad.unwrap_err().to_string().contains("line 6: 'ghost' must be a list of colours"));
}

#[test]
fn the_version_chooses_between_rules_and_where_it_is_not_known_all_must_agree() {
    let more = "busy = ['works']\n[[screen.open]]\nname = 'shell mode'\nis = 'mode'\nprompt = ['^! ']\n\
        [when.version.'<2'.screen]\nbusy = ['turns']\n[[when.version.'<2'.screen.open]]\nname = 'a list'\nis = 'overlay'\nfooter = ['^list']\n\
        [when.version.'>=3, <4'.screen]\nprompt = '^\\$ '\n";
    let profile = boxed(more);
    let facts = PaneFacts {
        title: String::new(),
        cursor_x: 2,
        cursor_y: 2,
        width: 80,
        height: 24,
        in_mode: false,
        alternate: false,
    };
    let state = |version: Option<&str>, row: &str, prompt: &str, footer: &str| {
        let screen = Screen::parse(&format!("{row}\n---\n{prompt} \n---\n{footer}"));
        read_version(&profile, version, &screen, &facts).state
    };
    for (version, row, prompt, footer, expected) in [
        (Some("2.5"), "works", ">", "", Status::Busy),
        (Some("2.5"), "turns", ">", "list", Status::Idle),
        (Some("1.9.9"), "turns", ">", "", Status::Busy),
        (Some("1.9.9"), "works", ">", "", Status::Idle),
        // Other keys, overlays and modes stay as they were.
        (Some("1.9.9"), "", "!", "", Status::Overlay),
        (Some("1.9.9"), "", ">", "list", Status::Overlay),
        (Some("3.1"), "", "$", "", Status::Idle),
        (Some("3.1"), "", ">", "", Status::Unknown),
        (Some("4"), "", ">", "", Status::Idle),
        // A version that is not known, or has no rules of its own.
        (None, "", ">", "", Status::Unknown),
        (None, "turns", ">", "", Status::Busy),
        (Some("latest"), "works", ">", "", Status::Busy),
    ] {
        assert_eq!(state(version, row, prompt, footer), expected, "{version:?} {row} {prompt} {footer}");
    }
    let screen = Screen::parse("\n---\n> \n---\n");
    let said = |version| read_version(&profile, version, &screen, &facts).evidence.join("\n");
    assert!(said(Some("1.0")).contains("its version is 1.0, for which the rules for <2 count"));
    assert!(said(None).contains("its version is not known"));
    // An error in such rules is reported once.
    for (bad, expected) in [
        ("[when.version.'2'.screen]\n", "'2' is not a range of versions"),
        ("[when.version.'<2'.screen]\nbusi = ['x']\n", "there is no key 'busi' here; did you mean 'busy'?"),
        ("[when.version.'<2'.screen]\nbusy = ['(']\n", "the pattern '(' is invalid"),
        ("[when.version.'<2']\nkind = 'y'\n", "there is no key 'kind' here"),
        ("[when]\nos = 'x'\n", "there is no key 'os' here"),
    ] {
        let text = format!("kind = 'x'\n[screen]\nprompt = '^> '\ncontinuation = '^  '\nbelow = 3\n{bad}");
        let all = Profile::read(&text).unwrap_err();
        assert!(all.len() == 1 && all[0].contains(expected), "{all:?}");
    }
}

#[test]
fn a_drawn_cursor_counts_and_tmuxs_does_not() {
    let profile = boxed("drawn_cursor = true\nplaceholders = ['^Ask me$']\n");
    for (row, expected) in [
        ("> \x1b[7m \x1b[0m", Status::Idle),
        ("> \x1b[7m \x1b[0m Ask me", Status::Idle),
        ("> text\x1b[7m \x1b[0m", Status::Draft),
        ("> \x1b[7mt\x1b[0mext", Status::Draft),
        ("> ", Status::Unknown),
    ] {
        // tmux's cursor is where the agent left it.
        assert_eq!(looked(&profile, &format!("---\n{row}\n---\nfooter"), (0, 4)).state, expected, "{row:?}");
    }
}

#[test]
fn a_character_may_be_the_cursor_of_an_empty_composer() {
    let profile = boxed(
        "drawn_cursor = true\ncursor_glyph = '▋'\nplaceholders = ['^▋Ask me$']\nplaceholder_always = true\n",
    );
    for (row, expected) in [
        ("> ▋Ask me", Status::Idle),
        ("> text\x1b[7m \x1b[0m", Status::Draft),
        ("> \x1b[7mt\x1b[0mext", Status::Draft),
        ("> a▋Ask me", Status::Draft),
        // A text with a drawn cursor in it, and the real cursor elsewhere.
        ("> ▋Ask me\x1b[7m \x1b[0m", Status::Draft),
        ("> Ask me", Status::Unknown),
    ] {
        assert_eq!(looked(&profile, &format!("---\n{row}\n---\nfooter"), (0, 4)).state, expected, "{row:?}");
    }
    let bad =
        Profile::parse("kind='x'\n[screen]\nprompt='^'\ncontinuation='^'\nbelow=0\ncursor_glyph='ab'\n", "x");
    assert!(bad.unwrap_err().to_string().contains("line 6: 'cursor_glyph' must be one character"));
}

#[test]
fn a_border_at_the_right_is_no_text() {
    let text = "kind = 'x'\ntitle = 'X'\n[screen]\ntop = '^╭'\nbottom = '^╰'\nprompt = '^│ > '\ncontinuation = '^│   '\nright = '\\s*│$'\nbelow = 1\n";
    let profile = Profile::parse(text, "x").unwrap();
    assert_eq!(state(&profile, "╭──────╮\n│ > _  │\n╰──────╯\n"), Status::Idle);
    let draft = at(&profile, "╭──────╮\n│ > ab │\n│   c_ │\n╰──────╯\n");
    assert!(draft.composer.unwrap().holds("ab c"));
    let bar = at(&profile, "╭──────────╮\n│ > a │ b_ │\n╰──────────╯\n");
    assert!(bar.composer.unwrap().holds("a │ b"));
}

#[test]
fn a_composer_may_be_known_by_its_background_and_a_blank_line_of_it_is_no_end() {
    let text = "kind = 'x'\ntitle = 'X'\n[screen]\ntop = '^▄{3,}'\nbottom = '^▀{3,}'\nfilled = true\nprompt = '^ > '\ncontinuation = '^   '\nbelow = 2\n";
    let profile = Profile::parse(text, "x").unwrap();
    let block = |rows: &str| format!("old\n\x1b[48;5;240m\n{rows}\n\n\x1b[49mfooter\n");
    assert_eq!(looked(&profile, &block(" > "), (3, 2)).state, Status::Idle);
    let draft = looked(&profile, &block(" > ab\n\n   cd"), (5, 4));
    assert!(draft.composer.unwrap().holds("abcd"));
    // The cursor in the first of several rows of text.
    assert!(looked(&profile, &block(" > ab\n\n   cd"), (3, 2)).composer.unwrap().holds("abcd"));
    assert_eq!(looked(&profile, &block(" > ").replace("\x1b[48;5;240m", ""), (3, 2)).state, Status::Unknown);
}

#[test]
fn a_row_of_a_turn_counts_in_its_region() {
    let profile = boxed("busy = ['^near$']\nbusy_above = ['^\\* far…']\n");
    let far = "\n".repeat(20);
    for (above, expected) in [
        ("near\n", Status::Busy),
        (&*format!("near\n{far}"), Status::Idle),
        (&*format!("* far…\n{far}"), Status::Busy),
        ("  * far… told\n", Status::Idle),
    ] {
        assert_eq!(state(&profile, &format!("{above}---\n> _\n---\n")), expected, "{above:?}");
    }
    assert_eq!(state(&profile, "---\n> _\n---\n* far…"), Status::Idle);
}

#[test]
fn what_shows_only_a_part_of_a_text_holds_nothing_that_can_be_compared() {
    let profile = boxed("scrolled = '^--- ↑ \\d+ more'\n");
    let got = at(&profile, "--- ↑ 2 more\n  of a text_\n---\n");
    assert_eq!(got.state, Status::Draft);
    assert!(!got.composer.unwrap().holds("the beginning of a text"));
    assert_eq!(state(&profile, "--- ↑ 2 more\n  _\n---\n"), Status::Draft);
}

#[test]
fn a_pattern_without_an_anchor_makes_nothing_idle() {
    // A line, a prompt and a paste in the middle of a person's text.
    let text = "kind = 'x'\ntitle = 'X'\n[screen]\ntop = '---'\nbottom = '---'\nprompt = '> '\ncontinuation = '  |> '\nbelow = 3\nplaceholders = ['Ask']\ncollapsed = ['\\[Pasted']\ncollapses_above = 5\n";
    let profile = Profile::parse(text, "x").unwrap();
    assert_eq!(state(&profile, "---\n> see ---\n> _\n---\n"), Status::Draft);
    assert_eq!(looked(&profile, "---\n> please Ask\n---\n", (2, 1)).state, Status::Draft);
    assert_eq!(state(&profile, "---\nquote > _\n---\n"), Status::Unknown);
    let beside = at(&profile, "---\n> mine [Pasted 3]_\n---\n").composer.unwrap();
    assert!(!beside.holds("a long line that would have been collapsed"));
}

#[test]
fn other_rows_may_stand_above_the_prompt_where_the_profile_says_so() {
    let lead = boxed("lead = true\n");
    assert_eq!(state(&lead, "---\na.rs b.rs\n> _\n---\n"), Status::Idle);
    assert_eq!(state(&boxed(""), "---\na.rs b.rs\n> _\n---\n"), Status::Unknown);
    // A text after the prompt that is not the composer's: another program has taken the prompt's place.
    assert_eq!(state(&lead, "---\n> hello\nWaiting _\n---\n"), Status::Unknown);
}

#[test]
fn a_pane_that_is_too_small_is_never_idle_and_says_what_would_do() {
    let profile = boxed("smallest = [[100, 5], [81, 5]]\n");
    let got = at(&profile, "---\n> _\n---\n");
    assert_eq!((got.state, got.too_small), (Status::Unknown, Some((81, 5))));
    let profile = boxed("smallest = [[81, 5], [80, 24]]\n");
    assert_eq!(at(&profile, "---\n> _\n---\n").too_small, None);
}
