//! A template as a tree.

use super::lexer::{Piece, Token, pieces};

/// Something in a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    /// `{{ pipe }}`
    Print(Pipe),
    /// `{{ $x := pipe }}`, `{{ $x = pipe }}`
    Assign {
        name: String,
        is_new: bool,
        pipe: Pipe,
    },
    /// `{{ if }}`: each condition with what then holds; what holds if none does.
    If(Vec<(Pipe, Vec<Self>)>, Vec<Self>),
    /// `{{ with }}`
    With(Pipe, Vec<Self>, Vec<Self>),
    /// `{{ range }}`
    Range {
        names: Vec<String>,
        pipe: Pipe,
        body: Vec<Self>,
        otherwise: Vec<Self>,
    },
}

/// Commands, each of which gets what the one before it gave as its last operand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pipe(pub(super) Vec<Vec<Operand>>);

/// A part of a command.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Function(String),
    Text(String),
    Number(i64),
    Bool(bool),
    Nil,
    Group(Pipe, Vec<String>),
}

/// How deep parentheses and blocks may lie in one another.
const DEPTH: usize = 50;
/// What Go has beside these, and is not here.
const UNSUPPORTED: &[&str] = &["block", "break", "continue", "define", "template"];

/// Reads a template.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, String> {
    let pieces = pieces(text)?;
    let mut parser = Parser {
        pieces: pieces.into_iter(),
        depth: 0,
    };
    let (nodes, end) = parser.nodes()?;
    match end {
        None => Ok(nodes),
        Some(end) => Err(format!("'{}' ends nothing", end.0)),
    }
}

struct Parser {
    pieces: std::vec::IntoIter<Piece>,
    depth: usize,
}

/// `end` or `else`, and what follows it.
type End = Option<(String, Vec<Token>)>;

impl Parser {
    /// Everything up to an `end` or `else` that nothing here began.
    fn nodes(&mut self) -> Result<(Vec<Node>, End), String> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let tokens = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(tokens) => tokens,
            };
            let rest = tokens.get(1..).unwrap_or_default();
            let node = match tokens.first() {
                Some(Token::Word(word)) if word == "end" || word == "else" => {
                    return Ok((nodes, Some((word.clone(), rest.to_vec()))));
                }
                Some(Token::Word(word)) if word == "if" => self.nested(|it| it.branch(rest))?,
                Some(Token::Word(word)) if word == "with" => self.nested(|it| it.with(rest))?,
                Some(Token::Word(word)) if word == "range" => self.nested(|it| it.range(rest))?,
                Some(Token::Word(word)) if UNSUPPORTED.contains(&word.as_str()) => {
                    return Err(format!("'{word}' is not supported"));
                }
                Some(Token::Variable(name, path)) if path.is_empty() && is_assignment(rest) => {
                    Node::Assign {
                        name: name.clone(),
                        is_new: rest.first() == Some(&Token::Declare),
                        pipe: pipe(rest.get(1..).unwrap_or_default())?,
                    }
                }
                _ => Node::Print(pipe(&tokens)?),
            };
            nodes.push(node);
        }
        Ok((nodes, None))
    }

    fn nested(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<Node, String>,
    ) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("blocks lie in one another more than {DEPTH} deep"));
        }
        let node = work(self);
        self.depth -= 1;
        node
    }

    fn branch(&mut self, condition: &[Token]) -> Result<Node, String> {
        let mut branches = Vec::new();
        let mut condition = pipe(condition)?;
        loop {
            let (body, end) = self.nodes()?;
            branches.push((condition, body));
            match end {
                Some((word, rest)) if word == "else" => match rest.split_first() {
                    None => return Ok(Node::If(branches, self.last()?)),
                    Some((Token::Word(word), rest)) if word == "if" => condition = pipe(rest)?,
                    Some(_) => return Err("after 'else' comes 'if' or nothing".to_owned()),
                },
                Some(_) => return Ok(Node::If(branches, Vec::new())),
                None => return Err(never_ended("if")),
            }
        }
    }

    fn with(&mut self, tokens: &[Token]) -> Result<Node, String> {
        let pipe = pipe(tokens)?;
        let (body, otherwise) = self.two("with")?;
        Ok(Node::With(pipe, body, otherwise))
    }

    fn range(&mut self, tokens: &[Token]) -> Result<Node, String> {
        let plain = |token: &Token| match token {
            Token::Variable(name, path) if path.is_empty() => Some(name.clone()),
            _ => None,
        };
        let (names, tokens) = match tokens {
            [first, Token::Comma, second, Token::Declare, rest @ ..] => {
                (vec![plain(first), plain(second)], rest)
            }
            [first, Token::Declare, rest @ ..] => (vec![plain(first)], rest),
            rest => (Vec::new(), rest),
        };
        let names: Option<Vec<String>> = names.into_iter().collect();
        let names = names.ok_or("'range' declares variables, like $key, $value")?;
        let pipe = pipe(tokens)?;
        let (body, otherwise) = self.two("range")?;
        Ok(Node::Range {
            names,
            pipe,
            body,
            otherwise,
        })
    }

    /// A block, and what stands after its `else`.
    fn two(&mut self, what: &str) -> Result<(Vec<Node>, Vec<Node>), String> {
        let (body, end) = self.nodes()?;
        match end {
            Some((word, rest)) if word == "else" && rest.is_empty() => Ok((body, self.last()?)),
            Some((word, _)) if word == "end" => Ok((body, Vec::new())),
            Some(_) => Err(format!("nothing comes after the 'else' of '{what}'")),
            None => Err(never_ended(what)),
        }
    }

    fn last(&mut self) -> Result<Vec<Node>, String> {
        match self.nodes()? {
            (body, Some((word, _))) if word == "end" => Ok(body),
            (_, Some(_)) => Err("there are two 'else' for one block".to_owned()),
            (_, None) => Err(never_ended("else")),
        }
    }
}

fn never_ended(what: &str) -> String {
    format!("'{what}' is never closed with 'end'")
}

fn is_assignment(rest: &[Token]) -> bool {
    matches!(rest.first(), Some(Token::Declare | Token::Set))
}

fn pipe(tokens: &[Token]) -> Result<Pipe, String> {
    let mut rest = tokens;
    let pipe = inner(&mut rest, 0)?;
    match rest.first() {
        None => Ok(pipe),
        Some(Token::Close(_)) => Err("')' closes nothing".to_owned()),
        Some(_) => Err("something has no place there".to_owned()),
    }
}

fn inner(rest: &mut &[Token], depth: usize) -> Result<Pipe, String> {
    if depth > DEPTH {
        return Err(format!(
            "parentheses lie in one another more than {DEPTH} deep"
        ));
    }
    let mut commands = Vec::new();
    let mut command = Vec::new();
    while let Some((token, after)) = rest.split_first() {
        let operand = match token {
            Token::Close(_) => break,
            Token::Pipe => {
                *rest = after;
                commands.push(std::mem::take(&mut command));
                continue;
            }
            Token::Open => {
                *rest = after;
                let group = inner(rest, depth + 1)?;
                let Some((Token::Close(path), after)) = rest.split_first() else {
                    return Err("'(' is never closed".to_owned());
                };
                *rest = after;
                command.push(Operand::Group(group, path.clone()));
                continue;
            }
            Token::Field(path) => Operand::Field(path.clone()),
            Token::Variable(name, path) => Operand::Variable(name.clone(), path.clone()),
            Token::Text(text) => Operand::Text(text.clone()),
            Token::Number(number) => Operand::Number(*number),
            Token::Word(word) => match word.as_str() {
                "true" => Operand::Bool(true),
                "false" => Operand::Bool(false),
                "nil" => Operand::Nil,
                _ => Operand::Function(word.clone()),
            },
            Token::Comma | Token::Set | Token::Declare => {
                return Err("',', '=' and ':=' belong to variables".to_owned());
            }
        };
        *rest = after;
        command.push(operand);
    }
    commands.push(command);
    if commands.iter().any(Vec::is_empty) {
        return Err("an action, or a part between '|', says nothing".to_owned());
    }
    Ok(Pipe(commands))
}
