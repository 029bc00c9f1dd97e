//! The tree as text: counts to the left, in columns, branches to the right.

#![forbid(unsafe_code)]

use std::io::{self, Write};

use clawguard_core::escape;

use super::tree::{Row, columns};
use crate::journal::RequestKind;
use crate::paint::Paint;

/// Prints the tree beneath `row`, with a heading for its columns.
pub(super) fn write(out: &mut impl Write, row: &Row, paint: Paint) -> io::Result<()> {
    let columns = columns(&row.counts);
    let heading = |(kind, access): &(RequestKind, _)| format!("{} {access}", kind.name());
    let headings: Vec<String> = columns.iter().map(heading).collect();
    let widths: Vec<usize> = headings.iter().map(|heading| heading.len().max(7)).collect();
    let headings = headings.iter().zip(&widths);
    let headings = headings.map(|(heading, width)| paint.bold(&format!("{heading:>width$}")));
    writeln!(out, "{}", headings.collect::<Vec<_>>().join("  "))?;
    let mut branches = Branches { out, columns, widths, paint };
    branches.row(row, "", "")
}

struct Branches<'a, W> {
    out: &'a mut W,
    columns: Vec<(RequestKind, clawguard_core::Access)>,
    widths: Vec<usize>,
    paint: Paint,
}

impl<W: Write> Branches<'_, W> {
    /// `front` stands before this row, `below` before those beneath it.
    fn row(&mut self, row: &Row, front: &str, below: &str) -> io::Result<()> {
        for ((kind, access), width) in self.columns.iter().zip(&self.widths) {
            let text = match row.counts.get(*kind, *access) {
                0 => self.paint.dim(&format!("{:>width$}", "·")),
                count => format!("{count:>width$}"),
            };
            write!(self.out, "{text}  ")?;
        }
        let name = escape(&row.name);
        let slash =
            if row.rows.is_empty() && row.hidden == 0 || name.ends_with('/') { "" } else { "/" };
        writeln!(self.out, "{}{name}{slash}", self.paint.dim(front))?;
        let last = row.rows.len() + usize::from(row.hidden > 0);
        for (number, child) in row.rows.iter().enumerate() {
            let (mark, more) =
                if number + 1 == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.row(child, &format!("{below}{mark}"), &format!("{below}{more}"))?;
        }
        if row.hidden > 0 {
            let blank: usize = self.widths.iter().map(|width| width + 2).sum();
            let more = if row.hidden == 1 {
                "1 more path".to_owned()
            } else {
                format!("{} more paths", row.hidden)
            };
            let text = self.paint.dim(&format!("{below}└─ … {more}"));
            writeln!(self.out, "{:blank$}{text}", "")?;
        }
        Ok(())
    }
}
