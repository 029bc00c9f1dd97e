//! The one way into the page: markup is written in this program, and everything else is text.
//!
//! Names come from the confined command, which would like to be markup. So [`Markup::raw`] takes only what was there
//! when this program was compiled, and [`Markup::text`] leaves no character that HTML gives a meaning.

#![forbid(unsafe_code)]

use std::fmt::Write;

/// A page in the making.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Our own markup.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Markup {
        self.0.push_str(markup);
        self
    }

    /// Text, between elements or in an attribute within double quotes.
    pub(super) fn text(&mut self, text: &str) -> &mut Markup {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// A name in any bytes: what acts on a reader is escaped as for a terminal.
    pub(super) fn name(&mut self, name: &[u8]) -> &mut Markup {
        self.text(&clawguard_core::escape(name))
    }

    /// A number for a program.
    pub(super) fn number(&mut self, number: u64) -> &mut Markup {
        // A String takes whatever is written to it.
        let _ = write!(self.0, "{number}");
        self
    }

    /// A number with its thousands apart, for a person.
    pub(super) fn count(&mut self, number: u64) -> &mut Markup {
        let digits = number.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                self.0.push('\u{202f}');
            }
            self.0.push(digit);
        }
        self
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup_and_none_is_lost() {
        let mut page = Markup::default();
        page.raw("<b>").name(b"</script><img src=x onerror='a(\"b\")'>&\x1b\xff").raw("</b>");
        assert_eq!(
            page.into_string(),
            "<b>&lt;/script&gt;&lt;img src=x onerror=&#39;a(&quot;b&quot;)&#39;&gt;&amp;\\u{1b}\\xff</b>"
        );
    }

    #[test]
    fn thousands_stand_apart() {
        let mut page = Markup::default();
        page.count(7).raw(" ").count(1_234_567).raw(" ").count(100);
        assert_eq!(page.into_string(), "7 1\u{202f}234\u{202f}567 100");
    }
}
