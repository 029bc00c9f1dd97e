//! Every way in which people write the list, and what a parser says of the result.

#![forbid(unsafe_code)]

use clawguard_core::{Effect, Policy};

use super::*;

fn entries() -> Vec<Entry> {
    let entry = |value: &str| Entry { value: value.to_owned(), why: "make: once".to_owned() };
    vec![entry("{ path: \"$PWD\", access: r }"), entry("\"/new\"")]
}

/// The allowed paths after the edit; everything else must be as it was.
fn after(text: &str) -> Vec<String> {
    let edited = edit(text, &[], &entries()).unwrap_or_else(|| panic!("not edited:\n{text}"));
    assert_eq!(diff::apply(text, &edited.changes), edited.text);
    let policy = Policy::parse(&edited.text, "/h/.openclaw/config.yaml")
        .unwrap_or_else(|error| panic!("{error}\n{}", edited.text));
    let old = Policy::parse(text, "/h/.openclaw/config.yaml").unwrap();
    let of = |policy: &Policy, effect: Effect| -> Vec<String> {
        let rules = policy.rules().iter().filter(|rule| rule.effect == effect);
        rules.map(|rule| rule.pattern.to_string()).collect()
    };
    assert_eq!(of(&policy, Effect::Blocked), of(&old, Effect::Blocked), "{}", edited.text);
    for line in text.lines().filter_map(|line| line.split_once('#')) {
        assert!(edited.text.contains(line.1), "the comment is lost:\n{}", edited.text);
    }
    let mut allowed = of(&policy, Effect::Allowed);
    allowed.sort();
    allowed
}

const NEW: [&str; 2] = ["$PWD", "/new"];
const BOTH: [&str; 4] = ["$PWD", "/new", "/old", "~/x"];

#[test]
fn a_list_of_items_grows_at_its_end_and_keeps_its_comments() {
    let text = "# mine\nsecurity:\n  file_access:\n    presets: [system]  # few\n    allowed_paths:\n      # old\n      - /old\n      - path: ~/x\n        access: r\n      # last\n\n    blocked_paths:\n      - ~/.ssh\nother: [1]\n";
    assert_eq!(after(text), BOTH);
    let edited = edit(text, &[], &entries()).unwrap().text;
    assert!(
        edited.contains("        access: r\n      - { path: \"$PWD\", access: r }  # make: once\n"),
        "{edited}"
    );
}

#[test]
fn every_other_spelling_of_the_list_is_found() {
    for text in [
        "security:\n  file_access:\n    allowed_paths: [/old, ~/x]\n    blocked_paths: [/b]\n",
        "security: {file_access: {allowed_paths: [/old, ~/x], blocked_paths: [/b]}}\n",
        "security:\n  file_access: { blocked_paths: [ '/b]\\{' ], allowed_paths: [/old, ~/x] }\n",
        "security:\n  file_access:\n    allowed_paths:\n    - /old\n    - ~/x\n    blocked_paths:\n    - /b\n",
        "security: {\n  file_access: {\n    # why\n    allowed_paths: [\n      /old, ~/x\n    ] } }\n",
        "\"security\":\n    'file_access':\n        allowed_paths:\n            - /old\n            - ~/x",
    ] {
        assert_eq!(after(text), BOTH, "{text}");
    }
}

#[test]
fn a_list_that_is_empty_or_missing_is_begun() {
    for text in [
        "",
        "gateway:\n  port: 1\n",
        "security:\n  audit: on\n",
        "security:\n  file_access:\n",
        "security:\n  file_access:\n    presets: [system]\n",
        "security:\n  file_access:\n    allowed_paths: []  # nothing yet\n    blocked_paths: [/b]\n",
        "security:\n  file_access:\n    allowed_paths:\n    blocked_paths: [/b]\n",
        "security: {file_access: {blocked_paths: [/b]}}\n",
        "security: {file_access: {allowed_paths: []}}\n",
    ] {
        assert_eq!(after(text), NEW, "{text}");
    }
}

#[test]
fn presets_and_entries_go_into_one_text() {
    for text in [
        "security:\n  file_access:\n    presets: [system]\n    allowed_paths: [/old]\n",
        "security:\n  file_access:\n    presets:\n      - system\n    allowed_paths:\n      - /old\n",
        "security:\n  file_access:\n    allowed_paths:\n      - /old\n    presets: []\n",
        "security:\n  file_access:\n    blocked_paths: [/b]\n",
    ] {
        let edited = edit(text, &["git", "node"], &entries()).unwrap();
        assert_eq!(diff::apply(text, &edited.changes), edited.text);
        assert!(names_presets(&edited.text), "{}", edited.text);
        let policy = Policy::parse(&edited.text, "/h/.openclaw/config.yaml").unwrap();
        assert!(policy.rules().len() >= 2, "{}", edited.text);
        assert!(edited.text.contains("git"), "{}", edited.text);
    }
}

#[test]
fn what_is_written_in_some_other_way_is_left_to_a_person() {
    for text in [
        "security: &a\n  file_access: *b\n",
        "security:\n  file_access:\n    allowed_paths: *list\n",
    ] {
        assert!(edit(text, &[], &entries()).is_none(), "{text}");
    }
}
