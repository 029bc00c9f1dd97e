//! A difference between two texts as everybody reads it: the unified format of diff(1) and patch(1).

#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clawguard_core::escape;

/// Lines shown around what changes.
const CONTEXT: usize = 3;

/// Lines in place of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The first line that goes, or before which lines come; the first line of the text is 0.
    pub(super) at: usize,
    /// How many go.
    pub(super) remove: usize,
    pub(super) add: Vec<String>,
}

/// Applies changes, which are sorted and do not overlap.
pub(super) fn apply(text: &str, changes: &[Change]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut new = String::new();
    let mut at = 0;
    for change in changes {
        lines[at..change.at].iter().for_each(|line| push(&mut new, line));
        change.add.iter().for_each(|line| push(&mut new, line));
        at = change.at + change.remove;
    }
    lines[at..].iter().for_each(|line| push(&mut new, line));
    new
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// The difference that these changes make.
pub(super) fn unified(file: &Path, old: &str, changes: &[Change]) -> String {
    let name = escape(file.as_os_str().as_bytes());
    let mut diff = format!("--- {name}\n+++ {name}\n");
    let lines: Vec<&str> = old.lines().collect();
    let mut shift: isize = 0;
    let mut rest = changes;
    while let Some(first) = rest.first() {
        // Changes whose surroundings touch are one hunk.
        let mut end = first.at + first.remove;
        let mut count = 1;
        while let Some(next) = rest.get(count).filter(|next| next.at <= end + 2 * CONTEXT) {
            end = next.at + next.remove;
            count += 1;
        }
        let (hunk, others) = rest.split_at(count);
        shift = write_hunk(&mut diff, &lines, hunk, end, shift);
        rest = others;
    }
    diff
}

fn write_hunk(
    diff: &mut String,
    lines: &[&str],
    hunk: &[Change],
    end: usize,
    shift: isize,
) -> isize {
    let from = hunk.first().map_or(0, |change| change.at).saturating_sub(CONTEXT);
    let to = (end + CONTEXT).min(lines.len());
    let added: usize = hunk.iter().map(|change| change.add.len()).sum();
    let removed: usize = hunk.iter().map(|change| change.remove).sum();
    let length = to - from;
    let new_length = length + added - removed;
    let old_start = if length == 0 { from } else { from + 1 };
    let new_start = old_start.saturating_add_signed(shift).max(usize::from(new_length > 0));
    diff.push_str(&format!("@@ -{old_start},{length} +{new_start},{new_length} @@\n"));
    let mut at = from;
    for change in hunk {
        lines[at..change.at].iter().for_each(|line| marked(diff, ' ', line));
        at = change.at + change.remove;
        lines[change.at..at].iter().for_each(|line| marked(diff, '-', line));
        change.add.iter().for_each(|line| marked(diff, '+', line));
    }
    lines[at..to].iter().for_each(|line| marked(diff, ' ', line));
    shift + added.cast_signed() - removed.cast_signed()
}

fn marked(diff: &mut String, mark: char, line: &str) {
    diff.push(mark);
    push(diff, line);
}

/// The difference of a file that is not there yet.
pub(super) fn new_file(file: &Path, text: &str) -> String {
    let name = escape(file.as_os_str().as_bytes());
    let mut diff = format!("--- /dev/null\n+++ {name}\n@@ -0,0 +1,{} @@\n", text.lines().count());
    text.lines().for_each(|line| marked(&mut diff, '+', line));
    diff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hunk_has_three_lines_around_it_and_counts_right() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n";
        let changes = [
            Change { at: 1, remove: 0, add: vec!["X".to_owned(), "Y".to_owned()] },
            Change { at: 11, remove: 1, add: vec!["L".to_owned()] },
        ];
        assert_eq!(apply(old, &changes), "a\nX\nY\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nL\n");
        assert_eq!(
            unified(Path::new("p"), old, &changes),
            "--- p\n+++ p\n@@ -1,4 +1,6 @@\n a\n+X\n+Y\n b\n c\n d\n@@ -9,4 +11,4 @@\n i\n j\n k\n-l\n+L\n"
        );
    }

    #[test]
    fn changes_that_touch_are_one_hunk_and_an_empty_text_can_grow() {
        let add = |at: usize| Change { at, remove: 0, add: vec!["+".to_owned()] };
        let old = "a\nb\nc\n";
        assert_eq!(unified(Path::new("p"), old, &[add(0), add(3)]).matches("@@ -").count(), 1);
        assert_eq!(unified(Path::new("p"), "", &[add(0)]), "--- p\n+++ p\n@@ -0,0 +1,1 @@\n++\n");
    }
}
