//! The text of one alternative of a pattern into tokens. Variables stay names.

#![forbid(unsafe_code)]

use super::pattern::{PatternErrorKind, Place, Variables};
use super::wildcard::{ByteSet, Piece};

/// A part of a pattern's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A run of literal bytes without a slash.
    Text(Vec<u8>),
    Wild(Piece),
    Separator,
    Home,
    Variable(Box<str>),
}

/// Reads the text of one alternative.
pub(super) fn tokenize(text: &[u8], place: Place) -> Result<Vec<Token>, PatternErrorKind> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut at = match text {
        [] => return Err(PatternErrorKind::Empty),
        [b'/' | b'$', ..] => 0,
        [b'*', b'*'] | [b'*', b'*', b'/', ..] => {
            tokens.push(Token::Separator);
            0
        }
        [b'~'] | [b'~', b'/', ..] => {
            tokens.push(Token::Home);
            1
        }
        [b'~', ..] => return Err(PatternErrorKind::UserHome),
        [b'.'] | [b'.', b'/', ..] if place == Place::CommandLine => {
            tokens.push(Token::Variable("PWD".into()));
            1
        }
        _ => return Err(PatternErrorKind::Relative),
    };
    while let Some(&byte) = text.get(at) {
        let rest = &text[at + 1..];
        let (token, taken) = match byte {
            b'/' => (Token::Separator, 0),
            b'*' => (Token::Wild(Piece::AnyBytes), 0),
            b'?' => (Token::Wild(Piece::AnyByte), 0),
            b'\\' => match rest.first() {
                // A slash cannot be part of a name, so it cannot be taken literally.
                None | Some(b'/') => return Err(PatternErrorKind::TrailingBackslash),
                Some(&next) => (Token::Text(vec![next]), 1),
            },
            b'[' => {
                let (class, taken) = class(rest)?;
                (Token::Wild(class), taken)
            }
            b'$' => match variable(rest)? {
                Some((name, taken)) => (Token::Variable(name), taken),
                None if at == 0 => return Err(PatternErrorKind::Relative),
                None => (Token::Text(vec![b'$']), 0),
            },
            byte => (Token::Text(vec![byte]), 0),
        };
        match (tokens.last_mut(), token) {
            (Some(Token::Text(run)), Token::Text(more)) => run.extend(more),
            (_, token) => tokens.push(token),
        }
        at += 1 + taken;
    }
    // Checked again once the variables are in; here it is found without a host, together with other mistakes.
    let whole = |component: &[Token]| matches!(component, [Token::Text(text)] if text == b"..");
    if tokens.split(|token| *token == Token::Separator).any(whole) {
        return Err(PatternErrorKind::DotDot);
    }
    Ok(tokens)
}

/// Reads a class after its `[`: the piece, and the bytes that it took.
fn class(rest: &[u8]) -> Result<(Piece, usize), PatternErrorKind> {
    let end = class_end(rest).ok_or(PatternErrorKind::Unclosed('['))?;
    let mut body = &rest[..end];
    let negated = matches!(body, [b'!' | b'^', ..]);
    if negated {
        body = &body[1..];
    }
    if body.starts_with(b"[:") {
        return Err(PatternErrorKind::NamedClass);
    }
    let mut set = ByteSet::default();
    let mut at = 0;
    while let Some(&first) = body.get(at) {
        let last = match (body.get(at + 1), body.get(at + 2)) {
            (Some(b'-'), Some(&last)) => {
                at += 2;
                last
            }
            _ => first,
        };
        if !first.is_ascii() || !last.is_ascii() {
            return Err(PatternErrorKind::ClassNotAscii);
        }
        if first > last {
            return Err(PatternErrorKind::ClassRange(char::from(first), char::from(last)));
        }
        (first..=last).for_each(|byte| set.insert(byte));
        at += 1;
    }
    Ok((if negated { Piece::NotClass(set) } else { Piece::Class(set) }, end + 1))
}

/// Where the class that begins before `rest` ends: the place of its `]`. No class crosses a slash.
pub(super) fn class_end(rest: &[u8]) -> Option<usize> {
    let negation = usize::from(matches!(rest, [b'!' | b'^', ..]));
    let end = negation + 1 + rest.get(negation + 1..)?.iter().position(|&byte| byte == b']')?;
    (!rest[..end].contains(&b'/')).then_some(end)
}

/// Reads a variable after its `$`: the name, and the bytes that it took. A `$` before anything else is itself.
fn variable(rest: &[u8]) -> Result<Option<(Box<str>, usize)>, PatternErrorKind> {
    let name_end = |text: &[u8]| {
        text.iter()
            .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
            .unwrap_or(text.len())
    };
    let (start, braced) = if rest.first() == Some(&b'{') { (1, true) } else { (0, false) };
    let end = start + name_end(&rest[start..]);
    let name = &rest[start..end];
    let proper = name.first().is_some_and(|byte| !byte.is_ascii_digit());
    if braced && (!proper || rest.get(end) != Some(&b'}')) {
        return Err(PatternErrorKind::VariableSyntax);
    }
    if !proper {
        return Ok(None);
    }
    let name = String::from_utf8_lossy(name).into_owned().into_boxed_str();
    Ok(Some((name, end + usize::from(braced))))
}

/// A text that is no pattern, with `~` at its front and variables put in.
pub(crate) fn expand(text: &[u8], variables: &impl Variables) -> Result<Vec<u8>, PatternErrorKind> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    if matches!(text, [b'~'] | [b'~', b'/', ..]) {
        out.extend_from_slice(variables.home().ok_or(PatternErrorKind::NoHome)?.as_bytes());
        at = 1;
    }
    while let Some(&byte) = text.get(at) {
        at += 1;
        let named = if byte == b'$' { variable(&text[at..])? } else { None };
        match named {
            Some((name, taken)) => {
                let value = variables.value(&name);
                out.extend(
                    value.ok_or_else(|| PatternErrorKind::UnknownVariable(name.to_string()))?,
                );
                at += taken;
            }
            None => out.push(byte),
        }
    }
    Ok(out)
}

#[cfg(test)]
pub(crate) fn component_for_tests(text: &str) -> super::Wildcard {
    let tokens = tokenize(format!("/{text}").as_bytes(), Place::File).unwrap();
    let pieces = tokens.into_iter().flat_map(|token| match token {
        Token::Text(text) => text.into_iter().map(Piece::Byte).collect(),
        Token::Wild(piece) => vec![piece],
        Token::Separator | Token::Home | Token::Variable(_) => Vec::new(),
    });
    super::Wildcard::new(pieces.collect())
}
