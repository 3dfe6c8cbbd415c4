//! A guide in `docs/`, held against the dialect that it describes.

use std::collections::BTreeMap;

use super::Dialect;
use super::flag::{Flag, Kind, Role};

/// What the guide says of a flag, in one word.
const fn word(flag: &Flag) -> &'static str {
    match flag.role {
        Role::Acts => "yes",
        Role::Idle(_) => "no effect",
        Role::Refused(..) => "refused",
    }
}

/// What the guide says of a flag's default: nothing where it is empty, or the flag is a switch.
const fn default_of(flag: &Flag) -> &'static str {
    match flag.kind {
        Kind::Text(default) => default,
        Kind::List | Kind::Switch(_) => "",
    }
}

/// What is said of a flag, and its default.
type Said<'g> = (&'g str, &'g str);

/// The flags of each command as the guide lists them: the table beneath each heading of a command.
fn listed<'g>(dialect: &Dialect, guide: &'g str) -> BTreeMap<&'g str, BTreeMap<String, Said<'g>>> {
    let heading = format!("## `{} ", dialect.name);
    let mut listed = BTreeMap::new();
    let mut command = "";
    for line in guide.lines() {
        if let Some(name) = line.strip_prefix(&heading) {
            command = name.trim_end_matches('`');
            listed.insert(command, BTreeMap::new());
        } else if line.starts_with("## ") {
            command = "";
        } else if let Some(row) = line.strip_prefix("| `-")
            && !command.is_empty()
        {
            let cells: Vec<&str> = row.split(" | ").collect();
            let (Some(flags), Some(here)) = (cells.first(), cells.get(1)) else {
                panic!("{line}");
            };
            let flags = format!("-{}", flags.trim_end_matches('`'));
            let remark = cells.get(2).copied().unwrap_or_default();
            let default = remark
                .strip_prefix("Default `")
                .and_then(|rest| rest.split('`').next());
            let said = (here.trim(), default.unwrap_or_default());
            let of_command = listed.entry(command).or_default();
            assert!(of_command.insert(flags, said).is_none(), "{line}");
        }
    }
    listed
}

/// Panics where a guide leaves a command or a flag of the dialect out, or says something else of one.
pub(crate) fn hold(dialect: &Dialect, guide: &str) {
    let listed = listed(dialect, guide);
    let commands = dialect.commands;
    let known: Vec<&str> = commands.iter().map(|command| command.name).collect();
    for name in listed.keys() {
        assert!(known.contains(name), "there is no command '{name}'");
    }
    for command in commands {
        let of_command = listed.get(command.name);
        let of_command = of_command.unwrap_or_else(|| panic!("{} is not listed", command.name));
        let is_refused = matches!(command.role, Role::Refused(..));
        let expected: BTreeMap<String, Said<'_>> = command
            .flags
            .iter()
            .map(|flag| {
                let short = flag
                    .short
                    .map(|short| format!("-{short}, "))
                    .unwrap_or_default();
                let said = if is_refused {
                    ("refused", "")
                } else {
                    (word(flag), default_of(flag))
                };
                (format!("{short}--{}", flag.name), said)
            })
            .collect();
        assert_eq!(of_command, &expected, "{}", command.name);
    }
}
