//! What the documents point at is there: tests that hold a promise, files, headings.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between these two, each time.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    let after = text.split(from).skip(1);
    after.filter_map(|rest| rest.split_once(to)).map(|(inside, _)| inside).collect()
}

/// The sources of a suite in `tests/`, in this file or in a directory of this name.
fn sources(suite: &str, file: &str) -> String {
    let suite = top().join("tests").join(suite);
    let single = suite.join(format!("{file}.rs"));
    if single.exists() {
        return read(&single);
    }
    let entries =
        fs::read_dir(suite.join(file)).unwrap_or_else(|_| panic!("no {file} in {suite:?}"));
    entries.map(|entry| read(&entry.unwrap().path())).collect()
}

fn exists(test: &[&str]) -> bool {
    match *test {
        ["escape", class, attempt] => {
            let class = top().join(format!("tests/escape/attempts/{class}.c"));
            let text = fs::read_to_string(class).unwrap_or_default();
            text.contains(&format!("ATTEMPT({attempt}")) || text.contains(&format!("({attempt},"))
        }
        ["fuzz", target] => top().join(format!("fuzz/fuzz_targets/{target}.rs")).exists(),
        [suite, file, name] => sources(suite, file).contains(&format!("fn {name}(")),
        _ => false,
    }
}

#[test]
fn every_promise_of_the_threat_model_names_tests_that_exist() {
    let text = read(&top().join("docs/threat-model.md"));
    let [promises] = between(&text, "<!-- promises -->", "<!-- /promises -->")[..] else {
        panic!("the promises are not marked")
    };
    let rows: Vec<&str> = promises.lines().filter(|line| line.starts_with("| **")).collect();
    assert!(rows.len() > 10, "{promises}");
    for row in rows {
        let tested = row.split(" | ").nth(2).unwrap();
        let quoted = tested.split('`').skip(1).step_by(2);
        let tests: Vec<&str> = quoted.filter(|word| word.contains("::")).collect();
        assert!(!tests.is_empty(), "tested by nothing: {row}");
        for test in tests {
            let words: Vec<&str> = test.split("::").collect();
            assert!(exists(&words), "docs/threat-model.md names {test}, which is not there");
        }
    }
}

/// As a forge makes them: lower case, spaces to dashes, without what is neither letter, digit, dash nor underscore.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn headings(text: &str) -> BTreeSet<String> {
    let is_fence = |line: &&str| line.starts_with("```");
    let mut is_code = false;
    let lines = text.lines().filter(move |line| {
        is_code ^= is_fence(line);
        !is_code
    });
    lines
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#')))
        .collect()
}

#[test]
fn every_link_of_the_documents_leads_to_a_file_and_a_heading() {
    let mut documents: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "fuzz/README.md",
        "tests/escape/README.md",
        "examples/openclaw/README.md",
    ]
    .map(|name| top().join(name))
    .to_vec();
    let docs = fs::read_dir(top().join("docs")).unwrap();
    documents.extend(docs.map(|entry| entry.unwrap().path()));
    let mut links = 0;
    for document in documents {
        let text = read(&document);
        for link in between(&text, "](", ")").into_iter().filter(|link| !link.contains("://")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => document.clone(),
                path => document.parent().unwrap().join(path),
            };
            assert!(target.exists(), "{}: {link}", document.display());
            let is_found = heading.is_empty() || headings(&read(&target)).contains(heading);
            assert!(is_found, "{}: no heading {heading} in {path}", document.display());
            links += 1;
        }
    }
    assert!(links > 30, "{links}");
}

#[test]
fn the_list_of_variables_is_the_one_that_is_in_force() {
    let text = read(&top().join("docs/environment.md"));
    let written: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .collect();
    let in_force: Vec<(&str, &str)> = clawguard_core::removed_by_default().collect();
    assert_eq!(written, in_force);
}
