//! The pattern language of SPEC section 3: text in, components out.
//!
//! Two steps: [`Pattern::parse`] finds every mistake that needs no host, [`Pattern::components`] puts in the
//! variables. Neither looks at the disk.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use super::assemble::Assembly;
use super::braces;
use super::token::{Token, tokenize};
use super::wildcard::Wildcard;
use crate::path::{AbsPath, escape};

/// The longest pattern, in bytes: four times the longest path that the kernel takes.
const MAX_TEXT: usize = 16 * 1024;

/// One component of a path pattern, ready to be matched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Component {
    /// Exactly this name.
    Literal(Box<[u8]>),
    /// A name with `*`, `?` or `[...]`.
    Wild(Wildcard),
    /// `**`: zero or more components.
    Globstar,
}

impl Component {
    /// The name, if this is one.
    pub(crate) fn literal(&self) -> Option<&[u8]> {
        match self {
            Component::Literal(name) => Some(name),
            Component::Wild(_) | Component::Globstar => None,
        }
    }
}

/// A path pattern as the user wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Arc<[u8]>,
    /// Shared, since a rule is copied at each stage.
    alternatives: Arc<[Vec<Token>]>,
    /// How much its alternatives are to hold and to compile.
    weight: usize,
}

/// What an alternative costs besides its text, in bytes, roughly.
const ALTERNATIVE: usize = 128;

/// Where a pattern stands, which decides how it may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a policy file or preset.
    File,
    /// On the command line, where `./` means the working directory.
    CommandLine,
}

/// What the variables in patterns stand for.
pub(crate) trait Variables {
    /// The value of `$name`; none if it is not set.
    fn value(&self, name: &str) -> Option<Vec<u8>>;
    /// What `~` stands for; none if there is no home directory.
    fn home(&self) -> Option<&AbsPath>;
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] for what SPEC section 2 lists: an empty or relative pattern, `~user`, `..`, a NUL byte, an
    /// unclosed `[` or `{`, a class that is not ASCII, too many alternatives.
    pub fn parse(text: &[u8], place: Place) -> Result<Pattern, PatternError> {
        let error = |offset, kind| PatternError { text: escape(text), offset, kind };
        if text.is_empty() {
            return Err(error(0, PatternErrorKind::Empty));
        }
        if text.len() > MAX_TEXT {
            return Err(error(0, PatternErrorKind::TooLong));
        }
        if let Some(at) = text.iter().position(|&byte| byte == 0) {
            return Err(error(at, PatternErrorKind::Nul));
        }
        let expanded = braces::expand(text).map_err(|(offset, kind)| error(offset, kind))?;
        let weight = expanded.iter().map(|text| text.len() + ALTERNATIVE).sum();
        let alternatives = expanded
            .iter()
            .map(|alternative| tokenize(alternative, place))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|kind| error(0, kind))?;
        Ok(Pattern { text: Arc::from(text), alternatives: Arc::from(alternatives), weight })
    }

    /// The text of the pattern that matches `path` and nothing else: every special character behind a backslash.
    #[must_use]
    pub fn spell(path: &AbsPath) -> Vec<u8> {
        let mut text = Vec::with_capacity(path.as_bytes().len());
        for &byte in path.as_bytes() {
            if b"\\*?[{}$".contains(&byte) {
                text.push(b'\\');
            }
            text.push(byte);
        }
        text
    }

    /// The pattern that matches `path` and nothing else.
    pub(crate) fn literal(path: &AbsPath) -> Pattern {
        let names =
            path.components().flat_map(|name| [Token::Separator, Token::Text(name.to_vec())]);
        let tokens: Vec<Token> = names.collect();
        // `/` has no names.
        let tokens = if tokens.is_empty() { vec![Token::Separator] } else { tokens };
        let weight = path.as_bytes().len() + ALTERNATIVE;
        Pattern { text: Arc::from(path.as_bytes()), alternatives: Arc::from([tokens]), weight }
    }

    /// How much its alternatives are to hold and to compile, in bytes, roughly.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// The pattern as written.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The components of each alternative, with the variables put in.
    pub(crate) fn components(
        &self,
        variables: &impl Variables,
    ) -> Result<Vec<Alternative>, PatternError> {
        self.alternatives
            .iter()
            .map(|tokens| Assembly::default().assemble(tokens, variables))
            .collect::<Result<_, _>>()
            .map_err(|kind| PatternError { text: self.to_string(), offset: 0, kind })
    }
}

/// One alternative of a pattern after brace expansion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alternative {
    pub(crate) components: Vec<Component>,
    /// Was it written with a trailing slash?
    pub(crate) is_directory: bool,
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.text))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({self})")
    }
}

/// What is wrong with a pattern, and where in it.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[error("`{text}`: {kind}")]
pub struct PatternError {
    /// The pattern as written, escaped.
    pub text: String,
    /// Where the mistake begins, in bytes from the start of the pattern.
    pub offset: usize,
    /// What is wrong.
    pub kind: PatternErrorKind,
}

/// The kinds of mistakes in a pattern.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum PatternErrorKind {
    /// Nothing is written.
    #[error("an empty path")]
    Empty,
    /// It is longer than any path could be.
    #[error("longer than {MAX_TEXT} bytes")]
    TooLong,
    /// It holds a NUL byte, which no path can.
    #[error("a NUL byte")]
    Nul,
    /// It does not begin as a pattern must.
    #[error(
        "a relative path: begin it with `/`, `~/`, `$VAR/` or `**/` (on the command line also `./`)"
    )]
    Relative,
    /// `~user`.
    #[error("`~user` is not supported: write the directory itself")]
    UserHome,
    /// A `..` component.
    #[error("`..` is not allowed: write the directory that it means")]
    DotDot,
    /// A bracket or brace without its end.
    #[error("an unclosed `{0}` (write `\\{0}` for the character itself)")]
    Unclosed(char),
    /// A class with a byte beyond ASCII.
    #[error("a class `[...]` may only hold ASCII characters")]
    ClassNotAscii,
    /// `[[:digit:]]` and its like.
    #[error("named classes such as `[[:digit:]]` are not supported: write `[0-9]`")]
    NamedClass,
    /// A range whose ends are the wrong way round.
    #[error("the range `{0}-{1}` ends before it begins")]
    ClassRange(char, char),
    /// A backslash with nothing after it that it could make literal.
    #[error("a `\\` with no character after it to take literally")]
    TrailingBackslash,
    /// `${` without a name and `}`.
    #[error("`${{` needs a variable's name and `}}`")]
    VariableSyntax,
    /// Brace expansion gives too many patterns.
    #[error("the braces stand for more than {} patterns", braces::MAX_ALTERNATIVES)]
    TooManyAlternatives,
    /// Brace expansion gives too much text.
    #[error(
        "the patterns that the braces stand for are longer than {} bytes",
        braces::MAX_EXPANDED
    )]
    TooMuchText,
    /// A variable that is not set.
    #[error("the variable `${0}` is not set")]
    UnknownVariable(String),
    /// A variable that is set to nothing, which would make `$VAR/x` mean `/x`.
    #[error("the variable `${0}` is empty")]
    EmptyVariable(String),
    /// A variable at the front whose value is not an absolute path.
    #[error("the variable `${0}` is `{1}`, which is not an absolute path")]
    RelativeVariable(String, String),
    /// `~` without a home directory.
    #[error("`~` has no meaning: there is no home directory")]
    NoHome,
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(AbsPath);

    impl Variables for Fixed {
        fn value(&self, name: &str) -> Option<Vec<u8>> {
            match name {
                "WORK" => Some(b"/w/[a]".to_vec()),
                "UID" => Some(b"1000".to_vec()),
                "EMPTY" => Some(Vec::new()),
                "REL" => Some(b"x".to_vec()),
                _ => None,
            }
        }
        fn home(&self) -> Option<&AbsPath> {
            Some(&self.0)
        }
    }

    fn show(text: &str) -> Vec<String> {
        let host = Fixed(AbsPath::parse("/home/u").unwrap());
        let pattern = Pattern::parse(text.as_bytes(), Place::File).unwrap();
        let render = |component: &Component| match component {
            Component::Literal(name) => escape(name),
            Component::Wild(_) => "<wild>".to_owned(),
            Component::Globstar => "**".to_owned(),
        };
        pattern
            .components(&host)
            .unwrap()
            .iter()
            .map(|alternative| {
                alternative.components.iter().map(render).collect::<Vec<_>>().join("/")
            })
            .collect()
    }

    fn mistake(text: &str) -> PatternErrorKind {
        let host = Fixed(AbsPath::parse("/home/u").unwrap());
        match Pattern::parse(text.as_bytes(), Place::File) {
            Err(error) => error.kind,
            Ok(pattern) => pattern.components(&host).unwrap_err().kind,
        }
    }

    #[test]
    fn every_beginning_of_the_law_is_understood() {
        assert_eq!(show("/a//./b/"), ["a/b"]);
        assert_eq!(show("~"), ["home/u"]);
        assert_eq!(show("~/x"), ["home/u/x"]);
        assert_eq!(show("$WORK/x"), ["w/[a]/x"]);
        assert_eq!(show("${WORK}/x"), ["w/[a]/x"]);
        assert_eq!(show("/tmp/a-$UID"), ["tmp/a-1000"]);
        assert_eq!(show("**/.env"), ["**/.env"]);
        assert_eq!(show("/a/**"), ["a/**"]);
        assert_eq!(show("/a/b**"), ["a/<wild>"]);
        assert_eq!(show(r"/a/\*\$x$"), ["a/*$x$"]);
    }

    #[test]
    fn braces_are_expanded_first_and_each_alternative_stands_alone() {
        assert_eq!(show("/a/{b,c*}/d"), ["a/b/d", "a/<wild>/d"]);
        assert_eq!(show("**/.env.{local,test}{,.local}").len(), 4);
        assert_eq!(show("{~/a,/b}"), ["home/u/a", "b"]);
        assert_eq!(show("/a/[{]x"), ["a/<wild>"]);
    }

    #[test]
    fn every_mistake_is_named() {
        assert_eq!(mistake(""), PatternErrorKind::Empty);
        assert_eq!(mistake("a/b"), PatternErrorKind::Relative);
        assert_eq!(mistake("./b"), PatternErrorKind::Relative);
        assert_eq!(mistake("*"), PatternErrorKind::Relative);
        assert_eq!(mistake("~bob/x"), PatternErrorKind::UserHome);
        assert_eq!(mistake("/a/../b"), PatternErrorKind::DotDot);
        assert_eq!(mistake("/a/[b"), PatternErrorKind::Unclosed('['));
        assert_eq!(mistake("/a/[b/c]"), PatternErrorKind::Unclosed('['));
        assert_eq!(mistake("/a/{b,c"), PatternErrorKind::Unclosed('{'));
        assert_eq!(mistake("/a/[é]"), PatternErrorKind::ClassNotAscii);
        assert_eq!(mistake("/a/[z-a]"), PatternErrorKind::ClassRange('z', 'a'));
        assert_eq!(mistake("/a\\"), PatternErrorKind::TrailingBackslash);
        assert_eq!(mistake("/a\0"), PatternErrorKind::Nul);
        assert_eq!(mistake("$NOPE/x"), PatternErrorKind::UnknownVariable("NOPE".into()));
        assert_eq!(mistake("$EMPTY/x"), PatternErrorKind::EmptyVariable("EMPTY".into()));
        assert_eq!(mistake("$REL/x"), PatternErrorKind::RelativeVariable("REL".into(), "x".into()));
        assert_eq!(mistake("${WORK/x"), PatternErrorKind::VariableSyntax);
    }

    #[test]
    fn the_command_line_knows_the_working_directory() {
        assert!(Pattern::parse(b"./x", Place::CommandLine).is_ok());
        assert!(Pattern::parse(b".hidden", Place::CommandLine).is_err());
    }
}
