//! Whether the state folder is one of its own: the state is made, emptied and hidden from version
//! control by Boltworks, so that nothing of the user's may lie in it, nor it in something of theirs.
//!
//! Only the words of the file are looked at: where an absolute path or one with `..` at its front
//! leads, they do not say.

use crate::Factory;

/// What is wrong with the state folder.
pub(crate) fn fault(factory: &Factory) -> Option<String> {
    if factory.state.starts_with('/') {
        return None;
    }
    let state = steps(&factory.state);
    if state.iter().all(|step| *step == "..") {
        let message = "the state cannot be the factory's folder, nor one around it";
        return Some(message.to_owned());
    }
    let default_key = format!("keys/{}.rsa", factory.factory);
    let key = factory.keys.signing.as_deref().unwrap_or(&default_key);
    let keys = key.rsplit_once('/').map_or(key, |(folder, _)| folder);
    let named = [
        ("recipes", factory.recipes.as_slice()),
        ("images", &factory.images),
        ("pipelines", &factory.pipelines),
    ];
    let named = named
        .into_iter()
        .flat_map(|(what, paths)| paths.iter().map(move |path| (what, path.as_str())));
    for (what, path) in named.chain([("the key", keys)]) {
        let other = steps(path);
        if state.starts_with(&other) || other.starts_with(&state) {
            let state = &factory.state;
            return Some(format!(
                "the state cannot be in '{state}', where '{path}' is, the folder of {what}: it has a folder of its own"
            ));
        }
    }
    None
}

/// A relative path's names, with as little `.` and `..` as it takes.
fn steps(path: &str) -> Vec<&str> {
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." if steps.last().is_some_and(|last| *last != "..") => {
                steps.pop();
            }
            other => steps.push(other),
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use crate::parse;

    fn answer(state: &str, more: &str) -> Option<String> {
        let text = format!(
            "factory: web\nstage0: {{packages: [gcc]}}\nrecipes: [a/recipes]\n{more}state: '{state}'\n"
        );
        parse("f", &text).err().map(|error| error.to_string())
    }

    #[test]
    fn a_folder_of_its_own_is_taken() {
        for state in [
            ".boltworks",
            "a/state",
            "/var/lib/factory",
            "../state",
            "a/recipes2",
            "keys2",
            "./x/../state",
        ] {
            assert_eq!(answer(state, ""), None, "{state}");
        }
        assert_eq!(answer("state", "keys: {signing: web.rsa}\n"), None);
    }

    #[test]
    fn what_is_the_users_is_refused() {
        for state in [
            "a/recipes",
            "a",
            "a/recipes/x",
            "./a//recipes/",
            "x/../a",
            "keys",
            "keys/x",
        ] {
            let answer = answer(state, "").unwrap_or_default();
            assert!(
                answer.starts_with("f:4:1: the state cannot be in"),
                "{state}: {answer}"
            );
        }
        for state in ["", ".", "..", "../..", "a/.."] {
            let answer = answer(state, "").unwrap_or_default();
            assert!(
                answer.contains("the factory's folder, nor one around"),
                "{state}: {answer}"
            );
        }
        assert!(answer("pipes", "pipelines: [pipes]\n").is_some());
        assert!(answer("web.rsa", "keys: {signing: web.rsa}\n").is_some());
    }
}
