//! A template carried out.

use boltworks_yaml::closest;

use super::data::Data;
use super::functions;
use super::tree::{Node, Operand, Pipe};

/// So many steps are taken, before a template is taken for one that never ends.
const STEPS: usize = 1_000_000;
/// No output is larger.
const OUTPUT: usize = 16 << 20;

/// Fills a template in.
pub(super) fn run(nodes: &[Node], data: &Data) -> Result<String, String> {
    let mut machine = Machine {
        root: data,
        variables: vec![(String::new(), data.clone())],
        out: String::new(),
        steps: 0,
    };
    machine.nodes(nodes, data)?;
    Ok(machine.out)
}

struct Machine<'a> {
    root: &'a Data,
    /// The innermost last.
    variables: Vec<(String, Data)>,
    out: String,
    steps: usize,
}

impl Machine<'_> {
    fn nodes(&mut self, nodes: &[Node], dot: &Data) -> Result<(), String> {
        let outer = self.variables.len();
        for node in nodes {
            self.node(node, dot)?;
        }
        self.variables.truncate(outer);
        Ok(())
    }

    fn node(&mut self, node: &Node, dot: &Data) -> Result<(), String> {
        self.steps += 1;
        if self.steps > STEPS || self.out.len() > OUTPUT {
            return Err("it never comes to an end, or prints too much".to_owned());
        }
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Print(pipe) => self.pipe(pipe, dot)?.print(&mut self.out),
            Node::Assign { name, is_new, pipe } => {
                let value = self.pipe(pipe, dot)?;
                if *is_new {
                    self.variables.push((name.clone(), value));
                } else {
                    let mut known = self.variables.iter_mut().rev();
                    let known = known.find(|(known, _)| known == name);
                    known.ok_or_else(|| unknown_variable(name))?.1 = value;
                }
            }
            Node::If(branches, otherwise) => {
                for (condition, body) in branches {
                    if self.pipe(condition, dot)?.is_true() {
                        return self.nodes(body, dot);
                    }
                }
                self.nodes(otherwise, dot)?;
            }
            Node::With(pipe, body, otherwise) => {
                let value = self.pipe(pipe, dot)?;
                if value.is_true() {
                    self.nodes(body, &value)?;
                } else {
                    self.nodes(otherwise, dot)?;
                }
            }
            Node::Range {
                names,
                pipe,
                body,
                otherwise,
            } => {
                let entries = entries(self.pipe(pipe, dot)?)?;
                if entries.is_empty() {
                    return self.nodes(otherwise, dot);
                }
                for (key, value) in entries {
                    self.turn(names, key, &value, body)?;
                }
            }
        }
        Ok(())
    }

    fn turn(
        &mut self,
        names: &[String],
        key: Data,
        value: &Data,
        body: &[Node],
    ) -> Result<(), String> {
        let outer = self.variables.len();
        match names {
            [] => {}
            [of_value] => self.variables.push((of_value.clone(), value.clone())),
            [of_key, of_value, ..] => {
                self.variables.push((of_key.clone(), key));
                self.variables.push((of_value.clone(), value.clone()));
            }
        }
        let done = self.nodes(body, value);
        self.variables.truncate(outer);
        done
    }

    fn pipe(&self, pipe: &Pipe, dot: &Data) -> Result<Data, String> {
        let mut last = None;
        for command in &pipe.0 {
            last = Some(self.command(command, last, dot)?);
        }
        Ok(last.unwrap_or(Data::Nil))
    }

    fn command(&self, command: &[Operand], last: Option<Data>, dot: &Data) -> Result<Data, String> {
        let Some((first, rest)) = command.split_first() else {
            return Ok(Data::Nil);
        };
        let Operand::Function(name) = first else {
            if !rest.is_empty() || last.is_some() {
                return Err("only a function takes operands".to_owned());
            }
            return self.value(first, dot);
        };
        // `and` and `or` look no further than they must.
        if let ("and" | "or", None) = (name.as_str(), &last)
            && let Some((final_one, others)) = rest.split_last()
        {
            for operand in others {
                let value = self.value(operand, dot)?;
                if value.is_true() == (name == "or") {
                    return Ok(value);
                }
            }
            return self.value(final_one, dot);
        }
        let operands = rest.iter().map(|operand| self.value(operand, dot));
        let mut operands = operands.collect::<Result<Vec<Data>, _>>()?;
        operands.extend(last);
        functions::call(name, &operands)
    }

    fn value(&self, operand: &Operand, dot: &Data) -> Result<Data, String> {
        match operand {
            Operand::Field(path) => follow(dot, path),
            Operand::Variable(name, path) if name.is_empty() => follow(self.root, path),
            Operand::Variable(name, path) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                follow(&known.ok_or_else(|| unknown_variable(name))?.1, path)
            }
            Operand::Function(name) => functions::call(name, &[]),
            Operand::Text(text) => Ok(Data::Text(text.clone())),
            Operand::Number(number) => Ok(Data::Number(*number)),
            Operand::Bool(value) => Ok(Data::Bool(*value)),
            Operand::Nil => Ok(Data::Nil),
            Operand::Group(pipe, path) => follow(&self.pipe(pipe, dot)?, path),
        }
    }
}

fn unknown_variable(name: &str) -> String {
    format!("there is no variable '${name}'")
}

/// What a `range` goes through.
fn entries(value: Data) -> Result<Vec<(Data, Data)>, String> {
    Ok(match value {
        Data::List(values) => (0..).map(Data::Number).zip(values).collect(),
        Data::Map(values) => values
            .into_iter()
            .map(|(key, value)| (Data::Text(key), value))
            .collect(),
        Data::Nil | Data::Missing => Vec::new(),
        _ => return Err("'range' goes through lists and maps only".to_owned()),
    })
}

/// The field of a value, of its field, and so on.
fn follow(value: &Data, path: &[String]) -> Result<Data, String> {
    let mut here = value;
    for name in path {
        here = match here {
            Data::Record(fields) => {
                let found = fields.iter().find(|(field, _)| field == name);
                &found.ok_or_else(|| no_field(name, fields))?.1
            }
            Data::Map(values) => match values.get(name) {
                Some(value) => value,
                None => return Ok(Data::Missing),
            },
            Data::Nil | Data::Missing => {
                return Err(format!("there is nothing that has a field '{name}'"));
            }
            _ => return Err(format!("'{name}' is asked of something that has no fields")),
        };
    }
    Ok(here.clone())
}

fn no_field(name: &str, fields: &[(&'static str, Data)]) -> String {
    let known = fields.iter().map(|(field, _)| *field);
    if let Some(near) = closest(name, known.clone()) {
        return format!("there is no field '{name}': did you mean '{near}'?");
    }
    let known: Vec<&str> = known.collect();
    format!("there is no field '{name}', but {}", known.join(", "))
}
