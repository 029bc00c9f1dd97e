//! The tree in the page: directories that open and close, with counts in columns.

#![forbid(unsafe_code)]

use clawguard_core::Access;

use super::super::tree::{Counts, Row, Tree};
use super::markup::Markup;
use crate::journal::RequestKind;

/// The deepest tree that is tried, and how many rows it may have.
const DEEPEST: usize = 12;
const ROWS: usize = 2000;
/// Rows of one directory.
const BREADTH: usize = 40;
/// So many levels are open at the beginning.
const OPEN: usize = 3;

/// A column, and what it counts.
#[derive(Clone, Copy)]
enum Column {
    Denied(Access),
    All(RequestKind),
}

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Column::Denied(Access::Read) => "denied r",
            Column::Denied(Access::Write) => "denied w",
            Column::Denied(Access::Execute) => "denied x",
            Column::All(kind) => kind.name(),
        }
    }

    fn count(self, counts: &Counts) -> u64 {
        match self {
            Column::Denied(access) => counts.get(RequestKind::Denied, access),
            Column::All(kind) => Access::ALL.iter().map(|access| counts.get(kind, *access)).sum(),
        }
    }
}

const COLUMNS: [Column; 5] = [
    Column::Denied(Access::Read),
    Column::Denied(Access::Write),
    Column::Denied(Access::Execute),
    Column::All(RequestKind::Allowed),
    Column::All(RequestKind::Executed),
];

/// Writes the tree as deep as there is room.
pub(super) fn write(page: &mut Markup, tree: &Tree) {
    let columns: Vec<Column> =
        COLUMNS.into_iter().filter(|column| column.count(&tree.counts) > 0).collect();
    let mut row = tree.rows(DEEPEST, BREADTH);
    for depth in (1..DEEPEST).rev() {
        if size(&row) <= ROWS {
            break;
        }
        row = tree.rows(depth, BREADTH);
    }
    page.raw("<div class=\"tree\">\n");
    grid(page, "<div class=\"row head ", &columns);
    page.raw("<span>Path</span>");
    for column in &columns {
        page.raw("<span class=\"n\">").raw(column.heading()).raw("</span>");
    }
    page.raw("</div>\n");
    twig(page, &row, &columns, 0);
    page.raw("</div>\n");
}

fn size(row: &Row) -> usize {
    1 + row.rows.iter().map(size).sum::<usize>()
}

/// The beginning of an element whose columns are those of the tree.
fn grid(page: &mut Markup, open: &'static str, columns: &[Column]) {
    let class = ["c1", "c1", "c2", "c3", "c4", "c5"];
    page.raw(open).raw(class.get(columns.len()).unwrap_or(&"c5")).raw("\">");
}

fn twig(page: &mut Markup, row: &Row, columns: &[Column], level: usize) {
    let is_leaf = row.rows.is_empty() && row.hidden == 0;
    if is_leaf {
        grid(page, "<div class=\"row leaf ", columns);
    } else {
        page.raw(if level < OPEN { "<details open>" } else { "<details>" });
        grid(page, "<summary class=\"row ", columns);
    }
    page.raw("<span><span class=\"path\">").name(&row.name);
    let slash = if is_leaf || row.name.ends_with(b"/") { "" } else { "/" };
    page.raw(slash).raw("</span>");
    if Access::ALL.iter().any(|access| row.counts.get(RequestKind::Denied, *access) > 0) {
        page.raw("<button type=\"button\" hidden data-path=\"").name(&row.path);
        page.raw("\">filter</button>");
    }
    page.raw("</span>");
    for column in columns {
        match column.count(&row.counts) {
            0 => page.raw("<span class=\"n zero\">·</span>"),
            count => page.raw("<span class=\"n\">").count(count).raw("</span>"),
        };
    }
    if is_leaf {
        page.raw("</div>\n");
        return;
    }
    page.raw("</summary><div>\n");
    for row in &row.rows {
        twig(page, row, columns, level + 1);
    }
    if row.hidden > 0 {
        page.raw("<p class=\"soft\">… ").count(u64::try_from(row.hidden).unwrap_or(u64::MAX));
        page.raw(" more paths</p>\n");
    }
    page.raw("</div></details>\n");
}
