//! Tokens to a tree, by recursive descent: few words, and every error has its column and a way out of it.

use super::lex::{Op, Token, tokens};
use super::test::{Item, Literal, Question, Test, regular_expression};
use super::{DEPTH_MAX, Filter, FilterError, ITEMS_MAX, Node};

pub(super) fn parse(text: &str) -> Result<Filter, FilterError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0, names: Vec::new() };
    let root = parser.any()?;
    match parser.peek() {
        Token::End => Ok(Filter { root, names: parser.names }),
        Token::Close => Err(parser.error("a \")\" too many", "take it away, or open it with \"(\" before")),
        token => {
            let problem = format!("{} after the end of a test", token.name());
            Err(parser.error(problem, "join tests with and, or"))
        }
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
    names: Vec<(String, usize)>,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(_, token)| token)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.at).map_or(1, |(column, _)| *column)
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        if token != Token::End {
            self.at += 1;
        }
        token
    }

    fn takes(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        if found {
            self.at += 1;
        }
        found
    }

    fn error(&self, problem: impl Into<String>, fix: impl Into<String>) -> FilterError {
        FilterError { column: self.column(), problem: problem.into(), fix: fix.into() }
    }

    fn any(&mut self) -> Result<Node, FilterError> {
        let mut nodes = vec![self.all()?];
        while self.takes(&Token::Or) {
            nodes.push(self.all()?);
        }
        Ok(joined(nodes, Node::Any))
    }

    fn all(&mut self) -> Result<Node, FilterError> {
        let mut nodes = vec![self.one()?];
        while self.takes(&Token::And) {
            nodes.push(self.one()?);
        }
        Ok(joined(nodes, Node::All))
    }

    fn one(&mut self) -> Result<Node, FilterError> {
        if !matches!(self.peek(), Token::Not | Token::Open) {
            return self.test().map(Node::Test);
        }
        if self.depth == DEPTH_MAX {
            return Err(self.error(
                "parentheses and negations too deep in each other",
                format!("keep to {DEPTH_MAX} levels"),
            ));
        }
        self.depth += 1;
        let node = if self.takes(&Token::Not) {
            Node::Not(Box::new(self.one()?))
        } else {
            self.at += 1;
            let node = self.any()?;
            if !self.takes(&Token::Close) {
                return Err(
                    self.error(format!("{} where a \")\" is missing", self.peek().name()), "add \")\"")
                );
            }
            node
        };
        self.depth -= 1;
        Ok(node)
    }

    fn test(&mut self) -> Result<Test, FilterError> {
        let column = self.column();
        let Token::Word(field) = self.peek().clone() else {
            let problem = format!("{} where a field should stand", self.peek().name());
            return Err(self.error(problem, "name one first, as in id.orig_h == 192.168.1.0/24"));
        };
        self.at += 1;
        self.names.push((field.clone(), column));
        let question = match self.peek().clone() {
            Token::Op(op) => {
                self.at += 1;
                let column = self.column();
                let literal = self.value()?;
                if literal.is_network() && !matches!(op, Op::Equal | Op::NotEqual) {
                    return Err(FilterError {
                        column,
                        problem: format!("a network has no order for {:?}", op.as_str()),
                        fix: "compare it with == or !=".to_owned(),
                    });
                }
                Question::Compare(op, literal)
            }
            Token::Contains => {
                self.at += 1;
                Question::Contains(self.value()?)
            }
            Token::Matches => {
                self.at += 1;
                let column = self.column();
                let text = self.value()?.text;
                let regex = regular_expression(&text).map_err(|problem| FilterError {
                    column,
                    problem: format!("{text:?} is no regular expression that can be used: {problem}"),
                    fix: "write one as in \"^WRITE_(SINGLE|MULTIPLE)\"".to_owned(),
                })?;
                Question::Matches(regex)
            }
            Token::In => {
                self.at += 1;
                Question::In(self.set()?)
            }
            Token::Not if self.tokens.get(self.at + 1).is_some_and(|(_, token)| *token == Token::In) => {
                self.at += 2;
                Question::NotIn(self.set()?)
            }
            _ => Question::Present,
        };
        Ok(Test { field, question })
    }

    fn value(&mut self) -> Result<Literal, FilterError> {
        match self.peek().clone() {
            Token::Word(word) => {
                let literal = Literal::word(&word).map_err(|(problem, fix)| self.error(problem, fix))?;
                self.at += 1;
                Ok(literal)
            }
            Token::Quoted(text) => {
                self.at += 1;
                Ok(Literal::quoted(text))
            }
            token => {
                let problem = format!("{} where a value should stand", token.name());
                Err(self.error(problem, "write a number, an address, a word, or a text in quotes"))
            }
        }
    }

    fn set(&mut self) -> Result<Vec<Item>, FilterError> {
        if !self.takes(&Token::OpenSet) {
            let problem = format!("{} where a set should begin", self.peek().name());
            return Err(self.error(problem, "write it as in {1, 2, 5..7}"));
        }
        let mut items = Vec::new();
        loop {
            if items.len() == ITEMS_MAX {
                return Err(self.error("too many items in a set", format!("keep to {ITEMS_MAX}")));
            }
            items.push(self.item()?);
            self.takes(&Token::Comma);
            match self.peek() {
                Token::CloseSet => {
                    self.take();
                    return Ok(items);
                }
                Token::Word(_) | Token::Quoted(_) => {}
                token => {
                    let problem = format!("{} inside a set", token.name());
                    return Err(self.error(problem, "close the set with \"}\""));
                }
            }
        }
    }

    fn item(&mut self) -> Result<Item, FilterError> {
        let Token::Word(word) = self.peek() else { return self.value().map(Item::One) };
        let Some((from, to)) = word.split_once("..") else { return self.value().map(Item::One) };
        let (from, to) = (from.to_owned(), to.to_owned());
        let end = |text: &str| {
            let literal = Literal::word(text).map_err(|(problem, fix)| self.error(problem, fix))?;
            if literal.is_end() {
                return Ok(literal);
            }
            let problem = format!("{text:?} is no end of a range");
            Err(self.error(problem, "put a number or an address on both sides of \"..\", as in 5..7"))
        };
        let item = Item::Range(end(&from)?, end(&to)?);
        self.at += 1;
        Ok(item)
    }
}

fn joined(mut nodes: Vec<Node>, join: impl FnOnce(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(node) if nodes.is_empty() => node,
        Some(node) => {
            nodes.push(node);
            join(nodes)
        }
        // Never: every rule begins with one node.
        None => join(nodes),
    }
}
