//! A filter's text as tokens, each with its column.

use super::{FilterError, LENGTH_MAX};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Op {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A field's name or a value.
    Word(String),
    Quoted(String),
    Op(Op),
    And,
    Or,
    Not,
    In,
    Contains,
    Matches,
    Open,
    Close,
    OpenSet,
    CloseSet,
    Comma,
    End,
}

impl Token {
    /// As an error speaks of it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Word(word) => format!("{word:?}"),
            Self::Quoted(text) => format!("the text {text:?}"),
            Self::Op(op) => format!("{:?}", op.as_str()),
            Self::And => "\"and\"".to_owned(),
            Self::Or => "\"or\"".to_owned(),
            Self::Not => "\"not\"".to_owned(),
            Self::In => "\"in\"".to_owned(),
            Self::Contains => "\"contains\"".to_owned(),
            Self::Matches => "\"matches\"".to_owned(),
            Self::Open => "\"(\"".to_owned(),
            Self::Close => "\")\"".to_owned(),
            Self::OpenSet => "\"{\"".to_owned(),
            Self::CloseSet => "\"}\"".to_owned(),
            Self::Comma => "\",\"".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

fn keyword(word: &str) -> Option<Token> {
    Some(match word {
        "and" => Token::And,
        "or" => Token::Or,
        "not" => Token::Not,
        "in" => Token::In,
        "contains" => Token::Contains,
        "matches" => Token::Matches,
        "eq" => Token::Op(Op::Equal),
        "ne" => Token::Op(Op::NotEqual),
        "lt" => Token::Op(Op::Less),
        "le" => Token::Op(Op::LessEqual),
        "gt" => Token::Op(Op::Greater),
        "ge" => Token::Op(Op::GreaterEqual),
        _ => return None,
    })
}

/// Whether a word is one of the language's own, so that as a value it needs quotes.
pub(super) fn is_keyword(word: &str) -> bool {
    keyword(word).is_some()
}

/// Whether a character may stand in a name or a bare value: `id.orig_h`, `192.168.1.0/24`, `fe80::1`, `modbus-new-writer`.
pub(super) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '.' | ':' | '/' | '-' | '+')
}

/// The tokens of a text, each with its column, counted from 1; the last is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, FilterError> {
    let letters: Vec<char> = text.chars().take(LENGTH_MAX + 1).collect();
    if letters.len() > LENGTH_MAX {
        return Err(FilterError {
            column: LENGTH_MAX + 1,
            problem: "the filter is too long".to_owned(),
            fix: format!("keep to {LENGTH_MAX} characters"),
        });
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(letter) = letters.get(at).copied() {
        let column = at + 1;
        let next = letters.get(at + 1).copied();
        let error = |problem: String, fix: &str| FilterError { column, problem, fix: fix.to_owned() };
        let (token, length) = match (letter, next) {
            (letter, _) if letter.is_whitespace() => {
                at += 1;
                continue;
            }
            ('=', Some('=')) => (Token::Op(Op::Equal), 2),
            ('!', Some('=')) => (Token::Op(Op::NotEqual), 2),
            ('<', Some('=')) => (Token::Op(Op::LessEqual), 2),
            ('>', Some('=')) => (Token::Op(Op::GreaterEqual), 2),
            ('<', _) => (Token::Op(Op::Less), 1),
            ('>', _) => (Token::Op(Op::Greater), 1),
            ('!', _) => (Token::Not, 1),
            ('&', Some('&')) => (Token::And, 2),
            ('|', Some('|')) => (Token::Or, 2),
            ('~', _) => (Token::Matches, 1),
            ('(', _) => (Token::Open, 1),
            (')', _) => (Token::Close, 1),
            ('{', _) => (Token::OpenSet, 1),
            ('}', _) => (Token::CloseSet, 1),
            (',', _) => (Token::Comma, 1),
            ('=', _) => return Err(error("a single =".to_owned(), "write == to compare")),
            ('&', _) => return Err(error("a single &".to_owned(), "write && or and")),
            ('|', _) => return Err(error("a single |".to_owned(), "write || or or")),
            ('"' | '\'', _) => quoted(&letters, at).ok_or_else(|| {
                error("a quote that does not end".to_owned(), "close it with the same quote")
            })?,
            (letter, _) if is_word(letter) => {
                let word: String = letters[at..].iter().take_while(|letter| is_word(**letter)).collect();
                let length = word.chars().count();
                (keyword(&word).unwrap_or(Token::Word(word)), length)
            }
            (letter, _) => {
                let problem = format!("{letter:?} means nothing here");
                return Err(error(problem, "put texts with such characters into quotes"));
            }
        };
        tokens.push((column, token));
        at += length;
    }
    tokens.push((letters.len() + 1, Token::End));
    Ok(tokens)
}

/// A text in quotes that begins at `start`, and its length with them. In double quotes `\"`, `\\`, `\n`, `\t` stand for
/// what they do in Rust, and any other backslash for itself, so that regular expressions need no second one.
fn quoted(letters: &[char], start: usize) -> Option<(Token, usize)> {
    let quote = *letters.get(start)?;
    let mut text = String::new();
    let mut at = start + 1;
    loop {
        let letter = *letters.get(at)?;
        at += 1;
        if letter == quote {
            return Some((Token::Quoted(text), at - start));
        }
        if letter != '\\' || quote == '\'' {
            text.push(letter);
            continue;
        }
        match *letters.get(at)? {
            escaped @ ('"' | '\\') => text.push(escaped),
            'n' => text.push('\n'),
            't' => text.push('\t'),
            other => text.extend(['\\', other]),
        }
        at += 1;
    }
}
